//! What a server believes of a lease, and what it writes of it. There is no I/O here, and no clock:
//! two servers never hold one lease at a time, in whatever order what they send, hear and miss comes.

use crate::clock::{Clock, Timestamp};
use crate::store::{self, Key, Record, Table, Tx};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// For how long a lease is seen unchanged before another server takes it.
pub(super) const LEASE: Duration = Duration::from_secs(15);
/// For how long its holder does what it is for after it last sent a renewal. The difference is for
/// clocks that do not run at the same rate, and for what cannot be interrupted at once.
pub(super) const HOLD: Duration = Duration::from_secs(12);

/// Which server does what one server at a time does.
///
/// It is never deleted, so that what was there once never comes again: whoever sees the same record
/// twice knows that nothing happened between.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct LeaseRecord {
    /// What it is for, by the duty's name in metrics.
    pub duty: String,
    /// Who has it, if anybody.
    pub holder: Option<Holder>,
    /// How often it was taken.
    pub term: u64,
    /// How often it was renewed since then.
    pub renewals: u64,
    /// For how long it is to be seen unchanged before another server takes it.
    pub milliseconds: u64,
}

/// A server, from its start to its end.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Holder {
    /// What no other server is called, and this one never again.
    pub id: String,
    /// Where it runs, for people.
    pub host: String,
}

impl LeaseRecord {
    pub(super) fn key_of(duty: &str) -> Key {
        Key::of(Table::Leases).string(duty)
    }

    fn is_of(&self, holder: &Holder) -> bool {
        self.holder.as_ref() == Some(holder)
    }
}

impl Record for LeaseRecord {
    const VERSION: u32 = 1;

    fn key(&self) -> Key {
        Self::key_of(&self.duty)
    }

    fn index_keys(&self) -> Vec<Key> {
        Vec::new()
    }
}

/// An instant by both of a machine's clocks. The one that goes evenly stands still while a machine
/// sleeps; the other can be set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) elapsed: Duration,
    pub(super) now: Timestamp,
}

impl Moment {
    pub(super) fn of(clock: &Clock) -> Self {
        Self { elapsed: clock.elapsed(), now: clock.now() }
    }

    /// Returns how much time has certainly passed since a moment.
    fn at_least_since(self, earlier: Self) -> Duration {
        self.elapsed.saturating_sub(earlier.elapsed)
    }

    /// Returns how much time may have passed since a moment.
    fn at_most_since(self, earlier: Self) -> Duration {
        let by_date = self.now.as_millisecond() - earlier.now.as_millisecond();
        let by_date = u64::try_from(by_date).map_or(Duration::ZERO, Duration::from_millis);
        self.at_least_since(earlier).max(by_date)
    }
}

/// What one server believes of a lease.
#[derive(Debug)]
pub(super) struct Claim {
    duty: &'static str,
    me: Holder,
    /// What others had written when it was last read, and since when it has been that.
    watched: Option<(LeaseRecord, Moment)>,
    /// What this server wrote last, and when it began to.
    held: Option<(LeaseRecord, Moment)>,
}

impl Claim {
    pub(super) fn new(duty: &'static str, me: Holder) -> Self {
        Self { duty, me, watched: None, held: None }
    }

    /// Takes in what was read before now; returns what takes the lease, if it may be taken.
    pub(super) fn look(&mut self, found: Option<LeaseRecord>, now: Moment) -> Option<Change> {
        let Some(found) = found else { return Some(self.change(Act::Take, None)) };
        // One's own comes back after a time in which the store did not answer.
        let is_free = found.holder.is_none() || found.is_of(&self.me);
        let since = match self.watched.take() {
            Some((watched, since)) if watched == found => since,
            _ => now,
        };
        let lasts = Duration::from_millis(found.milliseconds);
        let is_stale = now.at_least_since(since) >= lasts;
        self.watched = Some((found.clone(), since));
        (is_free || is_stale).then(|| self.change(Act::Take, Some(found)))
    }

    /// Returns how long it takes at the least until what is watched is stale.
    pub(super) fn stale_in(&self, now: Moment) -> Option<Duration> {
        let (watched, since) = self.watched.as_ref()?;
        let lasts = Duration::from_millis(watched.milliseconds);
        Some(lasts.saturating_sub(now.at_least_since(*since)))
    }

    /// Returns what keeps the lease.
    pub(super) fn renewal(&self) -> Change {
        self.change(Act::Renew, self.held.as_ref().map(|(record, _)| record.clone()))
    }

    /// Lets the lease go, and returns what tells the others.
    pub(super) fn release(&mut self) -> Change {
        let record = self.held.take().map(|(record, _)| record);
        self.change(Act::Release, record)
    }

    /// Takes in what a change that was begun at a moment came to: what is stored now, unless somebody
    /// else had changed it before. Tells whether the lease was held at that moment.
    pub(super) fn changed(&mut self, begun: Moment, stored: Option<LeaseRecord>) -> bool {
        self.held = stored.map(|record| (record, begun));
        self.watched = None;
        self.held.is_some()
    }

    /// Tells whether this server has the lease: nobody else has it then.
    pub(super) fn is_held(&self, now: Moment) -> bool {
        self.held.as_ref().is_some_and(|(_, begun)| now.at_most_since(*begun) < HOLD)
    }

    /// Returns what is held, and since when it lasts.
    pub(super) fn held(&self) -> Option<&(LeaseRecord, Moment)> {
        self.held.as_ref()
    }

    /// Gives up what is held.
    pub(super) fn lose(&mut self) {
        self.held = None;
    }

    fn change(&self, act: Act, expected: Option<LeaseRecord>) -> Change {
        Change { act, duty: self.duty, me: self.me.clone(), expected }
    }
}

/// What is to be written, if what is stored is what was expected.
#[derive(Clone, Debug)]
pub(super) struct Change {
    act: Act,
    duty: &'static str,
    me: Holder,
    expected: Option<LeaseRecord>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Act {
    Take,
    Renew,
    Release,
}

impl Change {
    /// Writes it, and returns what is stored then; nothing, if somebody else came before.
    pub(super) fn apply(&self, tx: &mut Tx<'_>) -> store::Result<Option<LeaseRecord>> {
        let found: Option<LeaseRecord> = tx.get(&LeaseRecord::key_of(self.duty))?;
        if !self.is_expected(found.as_ref()) {
            return Ok(None);
        }
        let Some(old) = found else {
            let first = self.taken(1);
            tx.insert(&first)?;
            return Ok(Some(first));
        };
        // From what is stored, and not from what was expected, so that every renewal is seen to be one.
        let new = match self.act {
            Act::Take => self.taken(old.term + 1),
            Act::Renew => LeaseRecord { renewals: old.renewals + 1, ..old.clone() },
            Act::Release => LeaseRecord { holder: None, ..old.clone() },
        };
        tx.update(&old, &new)?;
        Ok(Some(new))
    }

    /// Tells whether nobody else has changed what is stored. What this server has written itself and
    /// never heard of is no other's.
    fn is_expected(&self, found: Option<&LeaseRecord>) -> bool {
        match (found, &self.expected) {
            (None, None) => self.act == Act::Take,
            (Some(found), Some(expected)) => {
                let mine = [found, expected].iter().all(|record| record.is_of(&self.me));
                found == expected || mine && found.term == expected.term
            }
            _ => false,
        }
    }

    fn taken(&self, term: u64) -> LeaseRecord {
        let milliseconds = LEASE.as_millis().try_into().unwrap_or(u64::MAX);
        let (duty, holder) = (self.duty.to_owned(), Some(self.me.clone()));
        LeaseRecord { duty, holder, term, renewals: 0, milliseconds }
    }
}
