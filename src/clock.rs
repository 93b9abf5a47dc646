//! Time, as the server reads it, waits for it, and as the API writes it.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How long a wait sleeps before it looks at the clock again: a machine's clock can be set, and a
/// machine that sleeps does not count the time.
const SLEEP_MAX: Duration = Duration::from_mins(1);

/// An instant, to the millisecond: `2018-12-20T18:38:02.181Z`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// Returns an instant from its milliseconds since 1970.
    pub fn from_millisecond(millisecond: i64) -> Option<Self> {
        jiff::Timestamp::from_millisecond(millisecond).ok().map(Self)
    }

    /// Returns the instant so many milliseconds later; the last that there is, if that is beyond it.
    #[must_use]
    pub fn plus(self, milliseconds: i64) -> Self {
        let later = self.0.saturating_add(jiff::SignedDuration::from_millis(milliseconds));
        Self(later.unwrap_or(jiff::Timestamp::MAX))
    }

    /// Reads an instant, in any of the ways of RFC 3339, that is one to the millisecond.
    pub fn exactly(text: &str) -> Result<Self, String> {
        let exact: jiff::Timestamp = text.parse().map_err(|_| {
            "Member must be an instant such as 2018-12-20T18:38:02.181Z or \
             2018-12-20T18:38:02.181000+00:00"
                .to_owned()
        })?;
        if exact.subsec_nanosecond() % 1_000_000 != 0 {
            return Err("Member must be an instant of whole milliseconds: what is finer would be \
                        lost"
                .to_owned());
        }
        let instant = Self::from_millisecond(exact.as_millisecond());
        Ok(instant.expect("a timestamp's milliseconds make a timestamp"))
    }

    /// Writes the instant as people read it: `20 December 2018, 18:38 UTC`.
    pub fn for_people(self) -> String {
        self.0.strftime("%-d %B %Y, %H:%M UTC").to_string()
    }

    /// Returns the milliseconds since 1970.
    pub fn as_millisecond(self) -> i64 {
        self.0.as_millisecond()
    }

    /// Returns the same for keys that sort by time; whatever is before 1970 sorts as its beginning.
    pub fn as_sortable_millisecond(self) -> u64 {
        u64::try_from(self.as_millisecond()).unwrap_or_default()
    }
}

impl From<Timestamp> for jiff::Timestamp {
    fn from(timestamp: Timestamp) -> Self {
        timestamp.0
    }
}

impl TryFrom<String> for Timestamp {
    type Error = jiff::Error;

    fn try_from(text: String) -> Result<Self, jiff::Error> {
        let exact: jiff::Timestamp = text.parse()?;
        jiff::Timestamp::from_millisecond(exact.as_millisecond()).map(Self)
    }
}

impl From<Timestamp> for String {
    fn from(timestamp: Timestamp) -> Self {
        timestamp.to_string()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}

/// What time it is, and when another time will be: the only way the server asks.
#[derive(Clone)]
pub struct Clock {
    /// How many milliseconds the clock is ahead of the machine's.
    ahead: watch::Receiver<i64>,
    /// When the clock was made, by the machine's measure of time that nobody sets, and how far it
    /// was ahead then.
    made: (Instant, i64),
}

impl Clock {
    /// Returns the machine's clock.
    pub fn system() -> Self {
        // Nobody holds the other end, so that it is never ahead.
        Self::ahead(watch::channel(0).1)
    }

    /// Returns a clock that is ahead of the machine's by as many milliseconds as somebody says, for
    /// tests that move time: whoever waits wakes when it moves.
    pub fn ahead(milliseconds: watch::Receiver<i64>) -> Self {
        let made = (Instant::now(), *milliseconds.borrow());
        Self { ahead: milliseconds, made }
    }

    /// Returns the time, to the millisecond.
    pub fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the clock the others ask")]
        let machine = Timestamp(jiff::Timestamp::now());
        let now = machine.plus(*self.ahead.borrow());
        Timestamp::from_millisecond(now.as_millisecond())
            .expect("a timestamp's milliseconds make a timestamp")
    }

    /// Returns how long ago the clock was made. It goes on evenly when the machine's clock is set,
    /// and jumps only where a test moves time.
    pub fn elapsed(&self) -> Duration {
        let (made, ahead) = self.made;
        let moved = *self.ahead.borrow() - ahead;
        let by = Duration::from_millis(moved.unsigned_abs());
        let elapsed = made.elapsed();
        if moved < 0 { elapsed.saturating_sub(by) } else { elapsed.saturating_add(by) }
    }

    /// Waits until an instant has come.
    pub async fn wait_until(&self, instant: Timestamp) {
        let left = || instant.as_millisecond() - self.now().as_millisecond();
        self.wait(|| u64::try_from(left()).map_or(Duration::ZERO, Duration::from_millis)).await;
    }

    /// Waits until so much time has elapsed since the clock was made.
    pub async fn wait_until_elapsed(&self, elapsed: Duration) {
        self.wait(|| elapsed.saturating_sub(self.elapsed())).await;
    }

    async fn wait(&self, left: impl Fn() -> Duration) {
        let mut ahead = self.ahead.clone();
        loop {
            // Before the clock is asked, so that a move after that is not slept through.
            ahead.mark_unchanged();
            let left = left();
            if left.is_zero() {
                return;
            }
            let sleep = tokio::time::sleep(left.min(SLEEP_MAX));
            tokio::select! {
                () = sleep => {}
                // Where nobody can move the clock any more, only the sleep is left.
                Ok(()) = ahead.changed() => {}
            }
        }
    }
}

#[cfg(test)]
impl Clock {
    /// Returns a clock with what moves it by so many milliseconds.
    pub(crate) fn movable() -> (Self, impl Fn(i64)) {
        let ahead = watch::Sender::new(0);
        (Self::ahead(ahead.subscribe()), move |by| ahead.send_modify(|ahead| *ahead += by))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}
