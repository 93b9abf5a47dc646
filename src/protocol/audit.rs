//! Which calls leave an event, and how it gets into the store with what it tells of.

use super::error::Result;
use super::{Api, guarded, new_request_id};
use crate::operations::audit::{self, AuditEventRecord, Draft};
use crate::operations::{Admission, Call, Operation};
use crate::protocol::decode::Members;
use crate::store::{Access, Tx};
use std::borrow::Cow;

/// Which events of the audit there are, and what becomes of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Audit {
    /// Whether calls that only read leave an event, too.
    pub reads: bool,
    /// Whether events are shipped.
    pub ships: bool,
}

impl Api {
    /// Begins the event of a call, if the call leaves one. One whose body cannot be read has the
    /// members of its URI.
    pub(super) fn draft<'m>(
        &self,
        operation: &Operation,
        admission: &Admission,
        members: &Result<Members<'m>>,
        uri: Vec<(Cow<'m, str>, Cow<'m, str>)>,
    ) -> Option<Draft> {
        if operation.access == Access::Read && !self.audit.reads {
            return None;
        }
        // Random as a request id is.
        let event_id = new_request_id();
        let draft = |members: &Members<'_>| Draft::new(operation, admission, members, event_id);
        Some(match members {
            Ok(members) => draft(members),
            Err(_) => draft(&Members::of_uri(uri)),
        })
    }

    /// Runs a writing operation, and adds the event that tells what became of it: with what the
    /// operation wrote, or without, if it failed or panicked.
    pub(super) fn run_audited(
        &self,
        call: &Call,
        mut tx: Tx<'_>,
        admission: &Admission,
        draft: Draft,
    ) -> Result<Result<Vec<u8>>> {
        let outcome = tx.attempt(|tx| guarded(|| self.run(call, tx, admission)));
        audit::append(&mut tx, &draft.finish(&outcome), self.audit.ships)?;
        Ok(outcome)
    }

    /// Adds an event that tells of no change.
    pub(super) async fn append(&self, event: Box<AuditEventRecord>) -> Result<()> {
        let ships = self.audit.ships;
        let append = move |mut tx: Tx<'_>| audit::append(&mut tx, &event, ships);
        Ok(self.store.write(append).await?)
    }
}
