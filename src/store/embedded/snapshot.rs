//! Which batches are visible, and which of them open transactions still look at.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A snapshot is the number of the first batch that it does not see.
#[derive(Debug)]
pub(super) struct Snapshots(Mutex<Open>);

#[derive(Debug)]
struct Open {
    newest: u64,
    /// How many transactions look at each snapshot.
    transactions: BTreeMap<u64, usize>,
}

impl Snapshots {
    /// Begins with one snapshot.
    pub(super) fn new(newest: u64) -> Self {
        Self(Mutex::new(Open { newest, transactions: BTreeMap::new() }))
    }

    /// Opens the newest snapshot.
    pub(super) fn open(&self) -> Snapshot<'_> {
        let mut open = self.locked();
        let number = open.newest;
        *open.transactions.entry(number).or_default() += 1;
        Snapshot { snapshots: self, number }
    }

    /// Lets the transactions that begin from now on see all batches before `next`.
    pub(super) fn publish(&self, next: u64) {
        self.locked().newest = next;
    }

    /// Returns the oldest snapshot that anybody looks at, or may.
    pub(super) fn oldest(&self) -> u64 {
        let open = self.locked();
        open.transactions.first_key_value().map_or(open.newest, |(oldest, _)| *oldest)
    }

    fn locked(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open snapshot.
#[derive(Debug)]
pub(super) struct Snapshot<'a> {
    snapshots: &'a Snapshots,
    pub(super) number: u64,
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        let mut open = self.snapshots.locked();
        if let Some(transactions) = open.transactions.get_mut(&self.number) {
            *transactions -= 1;
            if *transactions == 0 {
                open.transactions.remove(&self.number);
            }
        }
    }
}
