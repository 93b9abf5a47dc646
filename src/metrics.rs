//! What the server counts and measures, for Prometheus. docs/metrics.md says what each metric means.
//!
//! A label's values are names that stand in the code, and never what a client sent: so the number of
//! series is bounded.

use crate::clock::Timestamp;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, prometheus_text, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// From what a read from memory takes to where every client has given up.
const REQUEST_SECONDS: [f64; 17] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 5.0, 10.0,
];
/// From what a sync of a fast disk takes to what one of a failing disk does.
const COMMIT_SECONDS: [f64; 14] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
];
/// Up to the most writes that one commit carries.
const COMMIT_WRITES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];
const COMMIT_BYTES: [f64; 9] =
    [256.0, 1024.0, 4096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 4_194_304.0, 16_777_216.0];

/// A gauge of seconds since 1970, to the millisecond.
type Instant = Gauge<f64, AtomicU64>;
type Durations = Family<Operation, Histogram, fn() -> Histogram>;

/// Everything that a server counts.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    request_durations: Durations,
    /// The requests that are being answered.
    pub requests_in_flight: Gauge,
    /// The connections to the API that are open, in their handshake or beyond it.
    pub connections_open: Gauge,
    refusals: Family<Refusal, Counter>,
    sessions: Family<Kind, Counter>,
    /// The invitations that people have accepted.
    pub invitations_accepted: Counter,
    mails: Family<Outcome, Counter>,
    duty_successes: Family<Duty, Instant>,
    duty_failures: Family<Duty, Counter>,
    duties_active: Family<Duty, Gauge>,
    writes_waiting: Gauge,
    mails_waiting: Gauge,
    certificate_expiry: Family<[(&'static str, &'static str); 0], Instant>,
}

/// What can refuse a request that is good in itself.
#[derive(Clone, Copy, Debug, EncodeLabelValue, Eq, Hash, PartialEq)]
pub enum Limit {
    /// The rate of an AWS account's reading requests.
    AwsAccountReads,
    /// The rate of an AWS account's writing requests.
    AwsAccountWrites,
    /// The rate of a caller's reading requests.
    CallerReads,
    /// The rate of a caller's writing requests.
    CallerWrites,
    /// How many requests are answered at a time.
    ConcurrentRequests,
}

impl Limit {
    /// All limits.
    const ALL: [Self; 5] = [
        Self::AwsAccountReads,
        Self::AwsAccountWrites,
        Self::CallerReads,
        Self::CallerWrites,
        Self::ConcurrentRequests,
    ];
}

/// What is looked at when the metrics are asked for, and is not counted before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    /// How many writes wait for the writer.
    pub writes_waiting: usize,
    /// How many mails wait in the outbox.
    pub mails_waiting: usize,
    /// When the certificate that is shown expires, in seconds since 1970.
    pub certificate_expiry: Option<f64>,
}

/// In which of its two forms the text is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// `OpenMetrics` 1.0.
    OpenMetrics,
    /// Prometheus' own text, version 0.0.4.
    Prometheus,
}

impl Metrics {
    /// Begins to count, beside what a store has counted since it was opened.
    pub fn new(commits: &Commits, started: Timestamp) -> Self {
        let metrics = Self {
            registry: Registry::default(),
            requests: Family::default(),
            request_durations: Family::new_with_constructor(|| Histogram::new(REQUEST_SECONDS)),
            requests_in_flight: Gauge::default(),
            connections_open: Gauge::default(),
            refusals: Family::default(),
            sessions: Family::default(),
            invitations_accepted: Counter::default(),
            mails: Family::default(),
            duty_successes: Family::default(),
            duty_failures: Family::default(),
            duties_active: Family::default(),
            writes_waiting: Gauge::default(),
            mails_waiting: Gauge::default(),
            certificate_expiry: Family::default(),
        };
        metrics.begin_at_zero();
        metrics.registered(commits, started)
    }

    /// Makes the series whose labels are known beforehand: one that begins at one shows no increase.
    fn begin_at_zero(&self) {
        for limit in Limit::ALL {
            drop(self.refusals.get_or_create(&Refusal { limit }));
        }
        drop(self.sessions.get_or_create(&Kind { kind: "acceptance" }));
        for outcome in ["sent", "failed", "retried", "dropped"] {
            drop(self.mails.get_or_create(&Outcome { outcome }));
        }
    }

    /// Names everything. A counter has `_total` behind its name where it is read.
    fn registered(mut self, commits: &Commits, started: Timestamp) -> Self {
        let it = &mut self.registry;
        it.register("campanile_requests", "Requests answered", self.requests.clone());
        it.register(
            "campanile_request_duration_seconds",
            "Time from a request's head to its answer",
            self.request_durations.clone(),
        );
        it.register(
            "campanile_requests_in_flight",
            "Requests that are being answered",
            self.requests_in_flight.clone(),
        );
        it.register(
            "campanile_connections_open",
            "Connections to the API that are open",
            self.connections_open.clone(),
        );
        it.register(
            "campanile_limit_refusals",
            "Requests refused by a limit",
            self.refusals.clone(),
        );
        it.register("campanile_sessions_opened", "Sessions opened", self.sessions.clone());
        it.register(
            "campanile_invitations_accepted",
            "Invitations accepted",
            self.invitations_accepted.clone(),
        );
        it.register("campanile_mails", "Mails that were tried to be sent", self.mails.clone());
        it.register("campanile_mails_waiting", "Mails in the outbox", self.mails_waiting.clone());
        self.register_beside(commits, started);
        self
    }

    fn register_beside(&mut self, commits: &Commits, started: Timestamp) {
        let it = &mut self.registry;
        it.register(
            "campanile_store_writes_waiting",
            "Operations that wait for the writer, or for their turn",
            self.writes_waiting.clone(),
        );
        commits.register(it);
        it.register(
            "campanile_duty_last_success_timestamp_seconds",
            "When a duty was last done",
            self.duty_successes.clone(),
        );
        it.register(
            "campanile_duty_failures",
            "Rounds of a duty that failed",
            self.duty_failures.clone(),
        );
        it.register(
            "campanile_duty_active",
            "Whether this server does a duty, and not another",
            self.duties_active.clone(),
        );
        it.register(
            "campanile_tls_certificate_expiry_timestamp_seconds",
            "When the certificate that is shown expires",
            self.certificate_expiry.clone(),
        );
        let version: Family<_, Gauge> = Family::default();
        version.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]).set(1);
        it.register("campanile_build_info", "The release that runs", version);
        it.register(
            "process_start_time_seconds",
            "When the process started",
            ConstGauge::new(seconds(started)),
        );
    }

    /// Counts an answer: to which operation, with which status, and which error if it is one.
    pub fn answered(
        &self,
        operation: &'static str,
        status: u16,
        error: Option<&'static str>,
        took: Duration,
    ) {
        self.requests.get_or_create(&Request { operation, status, error }).inc();
        self.request_durations.get_or_create(&Operation { operation }).observe(took.as_secs_f64());
    }

    /// Counts a request that a limit refused.
    pub fn refused(&self, limit: Limit) {
        self.refusals.get_or_create(&Refusal { limit }).inc();
    }

    /// Counts a session that was opened.
    pub fn session_opened(&self, kind: &'static str) {
        self.sessions.get_or_create(&Kind { kind }).inc();
    }

    /// Counts a mail that was tried to be sent.
    pub fn mail(&self, outcome: &'static str) {
        self.mails.get_or_create(&Outcome { outcome }).inc();
    }

    /// Notes that a duty is to be done, by this server or another.
    pub fn duty_begun(&self, duty: &'static str) {
        drop(self.duty_failures.get_or_create(&Duty { duty }));
        self.duty_active(duty, false);
    }

    /// Notes whether this server does a duty.
    pub fn duty_active(&self, duty: &'static str, is_active: bool) {
        self.duties_active.get_or_create(&Duty { duty }).set(is_active.into());
    }

    /// Notes that a duty was done.
    pub fn duty_done(&self, duty: &'static str, at: Timestamp) {
        self.duty_successes.get_or_create(&Duty { duty }).set(seconds(at));
    }

    /// Counts a round of a duty that failed.
    pub fn duty_failed(&self, duty: &'static str) {
        self.duty_failures.get_or_create(&Duty { duty }).inc();
    }

    /// Writes everything, with what was looked at just now.
    pub fn written(&self, format: Format, look: Look) -> String {
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.writes_waiting.set(count(look.writes_waiting));
        self.mails_waiting.set(count(look.mails_waiting));
        match look.certificate_expiry {
            Some(expiry) => _ = self.certificate_expiry.get_or_create(&[]).set(expiry),
            None => self.certificate_expiry.clear(),
        }
        let mut written = String::new();
        match format {
            Format::OpenMetrics => text::encode(&mut written, &self.registry),
            Format::Prometheus => prometheus_text::encode(&mut written, &self.registry),
        }
        .expect("a string takes what is written to it");
        written
    }
}

impl Default for Metrics {
    /// Counts for nobody who reads it, from 1970 on.
    fn default() -> Self {
        let epoch = Timestamp::from_millisecond(0).expect("1970 is an instant");
        Self::new(&Commits::default(), epoch)
    }
}

/// What a store counts: its commits, and what they take where other servers use it, too.
#[derive(Clone, Debug)]
pub struct Commits {
    count: Family<Outcome, Counter>,
    durations: Histogram,
    writes: Histogram,
    bytes: Histogram,
    turns: Histogram,
    /// The operations that were run again from their beginning.
    pub retries: Counter,
    faults: Family<Kind, Counter>,
    in_doubt: Family<Outcome, Counter>,
    connections_open: Gauge,
    /// The connections to the database that are open, and that nobody uses.
    pub connections_idle: Gauge,
}

impl Commits {
    fn register(&self, it: &mut Registry) {
        it.register("campanile_store_commits", "Commits of the store", self.count.clone());
        it.register(
            "campanile_store_commit_duration_seconds",
            "Time that a commit took",
            self.durations.clone(),
        );
        it.register(
            "campanile_store_commit_writes",
            "Writing operations in a commit",
            self.writes.clone(),
        );
        it.register(
            "campanile_store_commit_bytes",
            "Bytes of keys and values in a commit",
            self.bytes.clone(),
        );
        it.register(
            "campanile_store_turn_duration_seconds",
            "Time that an operation waited for its turn with the database",
            self.turns.clone(),
        );
        it.register("campanile_store_retries", "Transactions run again", self.retries.clone());
        it.register(
            "campanile_store_faults",
            "Faults that connections to the database met",
            self.faults.clone(),
        );
        it.register(
            "campanile_store_commits_in_doubt",
            "Commits whose answer was lost",
            self.in_doubt.clone(),
        );
        it.register(
            "campanile_store_connections_open",
            "Connections to the database",
            self.connections_open.clone(),
        );
        it.register(
            "campanile_store_connections_idle",
            "Connections to the database that nobody uses",
            self.connections_idle.clone(),
        );
    }

    /// Counts a commit: whether it succeeded, of how many writing operations and bytes, and how long
    /// it took.
    pub fn committed(&self, succeeded: bool, writes: usize, bytes: usize, took: Duration) {
        let outcome = if succeeded { "ok" } else { "failed" };
        self.count.get_or_create(&Outcome { outcome }).inc();
        self.durations.observe(took.as_secs_f64());
        // Far below where a float would leave out a number.
        let float = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
        self.writes.observe(float(writes));
        self.bytes.observe(float(bytes));
    }

    /// Counts how long an operation waited for its turn, whether it got it or not.
    pub fn turn(&self, took: Duration) {
        self.turns.observe(took.as_secs_f64());
    }

    /// Counts a fault that a connection to the database met.
    pub fn fault(&self, kind: &'static str) {
        self.faults.get_or_create(&Kind { kind }).inc();
    }

    /// Counts a commit whose answer was lost: what became of it, or that nobody knows.
    pub fn in_doubt(&self, outcome: &'static str) {
        self.in_doubt.get_or_create(&Outcome { outcome }).inc();
    }

    /// Counts a connection to the database for as long as what is returned lives.
    pub fn connection(&self) -> Connection {
        self.connections_open.inc();
        Connection(self.connections_open.clone())
    }
}

/// Stands for a connection to the database that is counted.
#[derive(Debug)]
pub struct Connection(Gauge);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Default for Commits {
    fn default() -> Self {
        let outcomes = |outcomes: &[&'static str]| {
            let count: Family<Outcome, Counter> = Family::default();
            for &outcome in outcomes {
                drop(count.get_or_create(&Outcome { outcome }));
            }
            count
        };
        let faults: Family<Kind, Counter> = Family::default();
        for kind in ["conflict", "lost", "refused"] {
            drop(faults.get_or_create(&Kind { kind }));
        }
        Self {
            count: outcomes(&["ok", "failed"]),
            durations: Histogram::new(COMMIT_SECONDS),
            writes: Histogram::new(COMMIT_WRITES),
            bytes: Histogram::new(COMMIT_BYTES),
            turns: Histogram::new(REQUEST_SECONDS),
            retries: Counter::default(),
            faults,
            in_doubt: outcomes(&["committed", "fenced", "unknown"]),
            connections_open: Gauge::default(),
            connections_idle: Gauge::default(),
        }
    }
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Request {
    operation: &'static str,
    status: u16,
    error: Option<&'static str>,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Operation {
    operation: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Refusal {
    limit: Limit,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Kind {
    kind: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Duty {
    duty: &'static str,
}

fn seconds(at: Timestamp) -> f64 {
    jiff::Timestamp::from(at).as_duration().as_secs_f64()
}
