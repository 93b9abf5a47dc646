//! What the server does beside requests, as a client sees it: one file a duty.

mod domains;
mod leases;
mod mail;
mod recorder;
mod sweeper;

/// A day, as clocks are moved.
const DAY: i64 = 24 * 60 * 60 * 1000;
/// How often a client asks for what a duty is about to do. It never sleeps between two.
const ASKS_MAX: usize = 100_000;

/// Asks until the answer is what it must become.
#[track_caller]
fn eventually(mut ask: impl FnMut() -> bool) {
    assert!((0..ASKS_MAX).any(|_| ask()), "it did not happen within {ASKS_MAX} requests");
}
