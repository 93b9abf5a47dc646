//! Which calls leave an event, and how it gets into the store with what it tells of.

use super::error::Result;
use super::{Api, guarded, random_bytes};
use crate::clock::Timestamp;
use crate::operations::audit::{self, AuditEventRecord, Draft};
use crate::operations::{Admission, Call, Operation};
use crate::protocol::decode::Members;
use crate::store::{Access, Tx};
use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

/// Which events of the audit there are, and what becomes of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Audit {
    /// Whether calls that only read leave an event, too.
    pub reads: bool,
    /// Whether events are shipped.
    pub ships: bool,
}

impl Audit {
    /// Tells whether the calls of an operation leave an event.
    pub(super) fn records(self, operation: &Operation) -> bool {
        operation.access == Access::Write || self.reads
    }
}

/// Where the ids of events come from: they sort as the requests came, also those of one millisecond.
#[derive(Debug, Default)]
pub(super) struct EventIds(AtomicU64);

/// How many bits of an id's beginning count within a millisecond (RFC 9562, 6.2, method 1).
const COUNTER_BITS: u32 = 12;

impl EventIds {
    pub(super) fn next(&self, now: Timestamp) -> String {
        let begin = now.as_millisecond().unsigned_abs() << COUNTER_BITS;
        let after = |last: u64| begin.max(last + 1);
        let last = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |it| Some(after(it)));
        let id = after(last.unwrap_or_else(|last| last));
        let mut random: [u8; 10] = random_bytes();
        let [.., high, low] = id.to_be_bytes();
        (random[0], random[1]) = (high, low);
        let milliseconds = id >> COUNTER_BITS;
        uuid::Builder::from_unix_timestamp_millis(milliseconds, &random).into_uuid().to_string()
    }
}

impl Api {
    /// Begins the event of a call. One whose body cannot be read has the members of its URI.
    pub(super) fn draft<'m>(
        &self,
        operation: &Operation,
        admission: &Admission,
        members: &Result<Members<'m>>,
        uri: Vec<(Cow<'m, str>, Cow<'m, str>)>,
    ) -> Draft {
        let event_id = self.event_ids.next(admission.now);
        match members {
            Ok(members) => Draft::new(operation, admission, members, event_id),
            Err(_) => Draft::new(operation, admission, &Members::of_uri(uri), event_id),
        }
    }

    /// Runs a writing operation, and adds the event that tells what became of it: with what the
    /// operation wrote, or without, if it failed or panicked.
    pub(super) fn run_audited(
        &self,
        call: &Call,
        tx: &mut Tx<'_>,
        admission: &Admission,
        draft: Draft,
    ) -> Result<Result<Vec<u8>>> {
        let outcome = tx.attempt(|tx| guarded(|| self.run(call, tx, admission)));
        audit::append(tx, &draft.finish(&outcome), self.audit.ships)?;
        Ok(outcome)
    }

    /// Adds an event that tells of no change.
    pub(super) async fn append(&self, event: Box<AuditEventRecord>) -> Result<()> {
        let ships = self.audit.ships;
        let append = move |mut tx: Tx<'_>| audit::append(&mut tx, &event, ships);
        Ok(self.store.write(append).await?)
    }
}
