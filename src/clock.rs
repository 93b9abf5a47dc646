//! Time, as the server reads it and as the API writes it.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

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

    /// Returns the milliseconds since 1970.
    pub fn as_millisecond(self) -> i64 {
        self.0.as_millisecond()
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

/// What time it is: the only way the server asks.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// Returns the machine's clock.
    pub fn system() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is the clock the others ask")]
        Self::new(|| Timestamp(jiff::Timestamp::now()))
    }

    /// Returns a clock that shows what a function says, for tests that move time.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// Returns the time, to the millisecond.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millisecond((self.0)().as_millisecond())
            .expect("a timestamp's milliseconds make a timestamp")
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}
