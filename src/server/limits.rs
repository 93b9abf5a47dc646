//! How much a server takes on: settings, for what other limits of its are constants.

use crate::access::quotas::Quotas;
use crate::access::rates::Rates;
use tokio::sync::Semaphore;

/// How much is served, at once and in a second.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many connections may be open; a further one waits to be accepted. 0 is any number.
    pub connections_max: u32,
    /// How many requests are served at once; a further one is refused. 0 is any number.
    pub requests_max: u32,
    /// How often callers may ask.
    pub rates: Rates,
    /// How many of a thing an AWS account may have.
    pub quotas: Quotas,
}

impl Limits {
    /// What [`Self::connections_max`] is, if nobody says another.
    pub const CONNECTIONS_MAX: u32 = 10_000;
    /// What [`Self::requests_max`] is, if nobody says another.
    pub const REQUESTS_MAX: u32 = 1024;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: Self::CONNECTIONS_MAX,
            requests_max: Self::REQUESTS_MAX,
            rates: Rates::default(),
            quotas: Quotas::default(),
        }
    }
}

/// Returns for how many there are places, where 0 means any number.
pub(super) fn places(max: u32) -> usize {
    match usize::try_from(max) {
        Ok(max) if (1..Semaphore::MAX_PERMITS).contains(&max) => max,
        _ => Semaphore::MAX_PERMITS,
    }
}
