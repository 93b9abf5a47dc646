//! How often callers may ask: a token bucket for each caller and each AWS account, for reads and for
//! writes apart.
//!
//! Only whoever has shown who it is takes a token, so that nobody empties another's bucket.

use super::Caller;
use crate::clock::Clock;
use crate::metrics;
use crate::store::Access;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::{HashMapStateStore, ShrinkableKeyedStateStore};
use governor::{Quota, RateLimiter};
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How many buckets of a limit are kept. A full one is as good as none, so that only those who asked
/// a moment ago have one; beyond this many of them all begin again.
const BUCKETS_MAX: usize = 10_000;
/// After how many requests the buckets are counted, and may have become more than [`BUCKETS_MAX`] by
/// as many.
const COUNT_EVERY: u32 = 1024;
/// The least rate but none, in requests a second: one in some 17 minutes.
const RATE_MIN: f64 = 0.001;
/// The greatest rate, in requests a second, and the greatest burst.
const RATE_MAX: u32 = 1_000_000;

/// How often something may be asked: so many times a second in the long run, and so many at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// As often as anybody likes.
    Unlimited,
    /// As often as this.
    Limited {
        /// How many requests are let through in a second of a long time.
        per_second: f64,
        /// How many are let through at once after a pause.
        burst: NonZeroU32,
    },
}

impl FromStr for Rate {
    type Err = String;

    /// Reads `RATE` or `RATE/BURST`; without a burst, it is what comes together in a second.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| {
            format!(
                "{what}. Write requests a second and how many may come at once, as in 500 or \
                 500/1000; 0 switches the limit off"
            )
        };
        let (rate, burst) = match text.split_once('/') {
            Some((rate, burst)) => (rate, Some(burst)),
            None => (text, None),
        };
        let per_second: f64 = rate.parse().map_err(|_| wrong(&format!("'{rate}' is no number")))?;
        if per_second == 0.0 && burst.is_none() {
            return Ok(Self::Unlimited);
        }
        let max = f64::from(RATE_MAX);
        if !(RATE_MIN..=max).contains(&per_second) {
            return Err(wrong(&format!("a rate is between {RATE_MIN} and {RATE_MAX}")));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "1 to RATE_MAX"
        )]
        let together = || Some(per_second.ceil() as u32);
        let burst = burst.map_or_else(together, |burst| burst.parse().ok());
        let burst = burst.filter(|burst| *burst <= RATE_MAX).and_then(NonZeroU32::new);
        match burst {
            Some(burst) => Ok(Self::Limited { per_second, burst }),
            None => Err(wrong(&format!("a burst is a whole number from 1 to {RATE_MAX}"))),
        }
    }
}

/// The rates of all four limits.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// The reads of all of an AWS account together.
    pub account_reads: Rate,
    /// The writes of all of an AWS account together.
    pub account_writes: Rate,
    /// The reads of one caller.
    pub caller_reads: Rate,
    /// The writes of one caller.
    pub caller_writes: Rate,
}

impl Rates {
    /// What [`Self::account_reads`] is, if nobody says another.
    pub const ACCOUNT_READS: &str = "20000/40000";
    /// What [`Self::account_writes`] is, if nobody says another.
    pub const ACCOUNT_WRITES: &str = "10000/20000";
    /// What [`Self::caller_reads`] is, if nobody says another.
    pub const CALLER_READS: &str = "10000/20000";
    /// What [`Self::caller_writes`] is, if nobody says another.
    pub const CALLER_WRITES: &str = "5000/10000";
}

impl Default for Rates {
    fn default() -> Self {
        let rate = |text: &str| text.parse().expect("the defaults are rates");
        Self {
            account_reads: rate(Self::ACCOUNT_READS),
            account_writes: rate(Self::ACCOUNT_WRITES),
            caller_reads: rate(Self::CALLER_READS),
            caller_writes: rate(Self::CALLER_WRITES),
        }
    }
}

/// A request that came too soon.
#[derive(Clone, Debug, PartialEq)]
pub struct TooSoon {
    /// Whose bucket is empty: a caller's ARN, or an AWS account.
    whose: String,
    /// The limit that it is beyond.
    pub limit: metrics::Limit,
    per_second: f64,
    burst: NonZeroU32,
    wait: Duration,
}

impl TooSoon {
    /// Returns after how many whole seconds a request is let through, if none comes in between.
    pub fn retry_after_seconds(&self) -> u64 {
        let begun = u64::from(self.wait.subsec_nanos() > 0);
        (self.wait.as_secs() + begun).max(1)
    }
}

impl fmt::Display for TooSoon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { whose, limit, per_second, burst, .. } = self;
        let setting = setting(*limit);
        let wait = self.retry_after_seconds();
        let seconds = if wait == 1 { "second" } else { "seconds" };
        write!(
            f,
            "Rate exceeded: {setting} lets {whose} ask {per_second} times a second and {burst} \
             times at once. Try again in {wait} {seconds}"
        )
    }
}

/// Returns the setting that a limit is.
fn setting(limit: metrics::Limit) -> &'static str {
    match limit {
        metrics::Limit::AwsAccountReads => "--rate-account-reads",
        metrics::Limit::AwsAccountWrites => "--rate-account-writes",
        metrics::Limit::CallerReads => "--rate-caller-reads",
        metrics::Limit::CallerWrites => "--rate-caller-writes",
        metrics::Limit::ConcurrentRequests => "--max-concurrent-requests",
    }
}

/// The buckets of all who have asked a moment ago.
#[derive(Debug)]
pub struct RateLimits {
    reads: Limits,
    writes: Limits,
}

impl RateLimits {
    /// Makes full buckets, which a clock fills again.
    pub fn new(rates: &Rates, clock: &Clock) -> Self {
        let limit = |limit, rate| Limit::new(limit, rate, clock);
        Self {
            reads: Limits {
                caller: limit(metrics::Limit::CallerReads, rates.caller_reads),
                account: limit(metrics::Limit::AwsAccountReads, rates.account_reads),
            },
            writes: Limits {
                caller: limit(metrics::Limit::CallerWrites, rates.caller_writes),
                account: limit(metrics::Limit::AwsAccountWrites, rates.account_writes),
            },
        }
    }

    /// Takes a token for a request, or tells when there will be one.
    pub fn take(&self, caller: &Caller, access: Access) -> Result<(), TooSoon> {
        let limits = match access {
            Access::Read => &self.reads,
            Access::Write => &self.writes,
        };
        // The caller's first: what is refused for its own sake costs the others nothing.
        limits.caller.take(&caller.arn, "")?;
        limits.account.take(&caller.aws_account_id, "AWS account ")
    }
}

/// The limits that hold for one kind of requests.
#[derive(Debug)]
struct Limits {
    caller: Limit,
    account: Limit,
}

/// One limit; without buckets it is none.
struct Limit {
    limit: metrics::Limit,
    buckets: Option<Buckets>,
}

struct Buckets {
    per_second: f64,
    burst: NonZeroU32,
    clock: Ticks,
    limiter: RateLimiter<String, States, Ticks, NoOpMiddleware<Duration>>,
    /// How many requests there have been since the buckets were counted.
    uncounted: AtomicU32,
}

impl Limit {
    fn new(limit: metrics::Limit, rate: Rate, clock: &Clock) -> Self {
        let Rate::Limited { per_second, burst } = rate else {
            return Self { limit, buckets: None };
        };
        let interval = Duration::from_secs_f64(per_second.recip());
        let quota = Quota::with_period(interval).expect("no rate is above RATE_MAX");
        let clock = Ticks(clock.clone());
        let limiter = RateLimiter::new(quota.allow_burst(burst), States::default(), clock.clone());
        let uncounted = AtomicU32::new(0);
        Self { limit, buckets: Some(Buckets { per_second, burst, clock, limiter, uncounted }) }
    }

    fn take(&self, key: &String, kind: &str) -> Result<(), TooSoon> {
        let Some(buckets) = &self.buckets else { return Ok(()) };
        buckets.bound();
        buckets.limiter.check_key(key).map_err(|until| TooSoon {
            whose: format!("{kind}{key}"),
            limit: self.limit,
            per_second: buckets.per_second,
            burst: buckets.burst,
            wait: until.wait_time_from(governor::clock::Clock::now(&buckets.clock)),
        })
    }
}

impl Buckets {
    /// Keeps the buckets from becoming ever more.
    fn bound(&self) {
        if self.uncounted.fetch_add(1, Ordering::Relaxed) < COUNT_EVERY {
            return;
        }
        self.uncounted.store(0, Ordering::Relaxed);
        if self.limiter.len() > BUCKETS_MAX {
            self.limiter.retain_recent();
        }
    }
}

impl fmt::Debug for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let buckets = self.buckets.as_ref().map(|it| (it.per_second, it.burst, it.limiter.len()));
        f.debug_tuple(setting(self.limit)).field(&buckets).finish()
    }
}

/// What the library knows of each bucket.
#[derive(Default)]
struct States(HashMapStateStore<String>);

impl StateStore for States {
    type Key = String;

    fn measure_and_replace<T, F, E>(&self, key: &String, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        self.0.measure_and_replace(key, f)
    }
}

impl ShrinkableKeyedStateStore<String> for States {
    /// Forgets the buckets that are full; all, if they are still too many.
    fn retain_recent(&self, drop_below: Nanos) {
        self.0.retain_recent(drop_below);
        let mut states = self.0.lock();
        if states.len() > BUCKETS_MAX {
            states.clear();
        }
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The server's clock, as the library asks it.
#[derive(Clone, Debug)]
struct Ticks(Clock);

impl governor::clock::Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn caller(aws_account_id: &str, user: &str) -> Caller {
        let root = Caller::root(aws_account_id.to_owned(), "AKIA".to_owned());
        Caller { arn: format!("arn:aws:iam::{aws_account_id}:user/{user}"), ..root }
    }

    /// Returns limits of the writes of a caller and an AWS account, and what moves their clock.
    fn limits(caller: &str, account: &str) -> (RateLimits, Clock, impl Fn(i64) + use<>) {
        let (clock, pass) = Clock::movable();
        let rates = Rates {
            caller_writes: caller.parse().unwrap(),
            account_writes: account.parse().unwrap(),
            ..Rates::default()
        };
        (RateLimits::new(&rates, &clock), clock, pass)
    }

    fn passed(limits: &RateLimits, caller: &Caller, times: usize) -> usize {
        (0..times).filter(|_| limits.take(caller, Access::Write).is_ok()).count()
    }

    #[test]
    fn a_rate_is_read_as_people_write_it() {
        let limited = |per_second: f64, burst: u32| {
            Ok(Rate::Limited { per_second, burst: NonZeroU32::new(burst).unwrap() })
        };
        for (text, rate) in [
            ("0", Ok(Rate::Unlimited)),
            ("500", limited(500.0, 500)),
            ("500/1000", limited(500.0, 1000)),
            ("2.5", limited(2.5, 3)),
            ("0.1", limited(0.1, 1)),
            ("0.001/1000000", limited(0.001, 1_000_000)),
            ("1000000", limited(1e6, 1_000_000)),
        ] {
            assert_eq!(text.parse(), rate, "{text}");
        }
        let wrong = [
            "",
            "/",
            "x",
            "-1",
            "NaN",
            "inf",
            "0/5",
            "5/0",
            "5/x",
            "5/-1",
            "5/1.5",
            "0.0009",
            "1e9",
            "5/1000001",
        ];
        for text in wrong {
            let error = text.parse::<Rate>().unwrap_err();
            assert!(error.contains("500/1000; 0 switches the limit off"), "{text}: {error}");
        }
    }

    #[test]
    fn a_caller_that_is_refused_takes_nothing_from_its_account() {
        let (limits, _, _) = limits("0.001/3", "0.001/8");
        let (first, second) = (caller("111122223333", "a"), caller("111122223333", "b"));
        assert_eq!(passed(&limits, &first, 100), 3);
        assert_eq!(passed(&limits, &second, 100), 3);
        assert_eq!(passed(&limits, &caller("111122223333", "c"), 100), 2);
        assert_eq!(passed(&limits, &caller("444455556666", "a"), 100), 3);
        assert!(limits.take(&first, Access::Read).is_ok());
        let error = limits.take(&caller("111122223333", "d"), Access::Write).unwrap_err();
        let message = error.to_string();
        let start = "Rate exceeded: --rate-account-writes lets AWS account 111122223333 ask 0.001 \
                     times a second and 8 times at once. Try again in ";
        assert!(message.starts_with(start), "{message}");
    }

    #[test]
    fn buckets_do_not_become_ever_more() {
        let (limits, _, _) = limits("0.001/1", "0.001/1000000");
        for user in 0..3 * BUCKETS_MAX {
            limits.take(&caller("111122223333", &user.to_string()), Access::Write).unwrap();
            let buckets = limits.writes.caller.buckets.as_ref().unwrap();
            assert!(buckets.limiter.len() <= BUCKETS_MAX + COUNT_EVERY as usize + 1);
        }
        // Those that are full again are forgotten first.
        let (limits, clock, pass) = self::limits("1/2", "0");
        for user in 0..BUCKETS_MAX {
            limits.take(&caller("111122223333", &user.to_string()), Access::Write).unwrap();
        }
        pass(60_000);
        assert!(clock.elapsed() >= Duration::from_mins(1));
        let busy = caller("444455556666", "busy");
        assert_eq!(passed(&limits, &busy, 2), 2);
        let idle = caller("444455556666", "idle");
        for _ in 0..2 * COUNT_EVERY {
            limits.take(&idle, Access::Write).ok();
        }
        let buckets = limits.writes.caller.buckets.as_ref().unwrap();
        assert!((1..=2).contains(&buckets.limiter.len()), "{limits:?}");
    }

    proptest! {
        #[test]
        fn no_more_is_let_through_than_the_rate_says(
            per_second in 1_u32..50_000,
            burst in 1_u32..8,
            steps in proptest::collection::vec(0_i64..3_000, 1..100),
        ) {
            let per_second = f64::from(per_second) / 1000.0;
            let (limits, clock, pass) = limits(&format!("{per_second}/{burst}"), "0");
            let busy = caller("111122223333", "busy");
            let mut let_through = Vec::new();
            for step in steps {
                pass(step);
                let before = clock.elapsed();
                if limits.take(&busy, Access::Write).is_ok() {
                    let_through.push((before, clock.elapsed()));
                }
            }
            for (index, (from, _)) in let_through.iter().enumerate() {
                for (more, (_, to)) in (1_u32..).zip(&let_through[index..]) {
                    let time = to.saturating_sub(*from).as_secs_f64();
                    // The library counts whole nanoseconds between two requests.
                    let most = f64::from(burst) + per_second * time + 1e-3;
                    prop_assert!(f64::from(more) <= most, "{more} in {time} seconds");
                }
            }
        }

        #[test]
        fn who_waits_as_told_is_let_through(
            per_second in 1_u32..50_000,
            burst in 1_u32..100,
            pauses in proptest::collection::vec(0_i64..1_000, 1..100),
        ) {
            let rate = format!("{}/{burst}", f64::from(per_second) / 1000.0);
            let (limits, _, pass) = limits(&rate, "0");
            let busy = caller("111122223333", "busy");
            for pause in pauses {
                pass(pause);
                if let Err(too_soon) = limits.take(&busy, Access::Write) {
                    let wait = i64::try_from(too_soon.retry_after_seconds()).unwrap() * 1000;
                    prop_assert!(wait >= 1000);
                    pass(wait);
                    prop_assert_eq!(limits.take(&busy, Access::Write), Ok(()));
                }
            }
        }
    }
}
