//! The age of events: what is older than a deployment keeps them is removed, some at a time.

use super::AuditEventRecord;
use crate::clock::Timestamp;
use crate::store::{self, Key, Page, Position, Table, Tx};

/// How many events one transaction removes, so that no other write waits long for it.
const REMOVED_MAX: usize = 200;

/// Removes some of the events before an instant, from a place in all of them on; answers where to go
/// on, if that is not the end.
pub fn remove_some(
    tx: &mut Tx<'_>,
    before: Timestamp,
    after: Option<&Position>,
) -> store::Result<Option<Position>> {
    let page: Page<AuditEventRecord> = tx.page(&Key::of(Table::AuditEvents), after, REMOVED_MAX)?;
    for event in &page.items {
        if event.event_time >= before {
            // Whatever follows in this AWS account is younger.
            let end = AuditEventRecord::of_aws_account(&event.aws_account_id).number(u64::MAX);
            return Ok(Some(Position::at(end.into_bytes())));
        }
        tx.delete(event)?;
    }
    Ok(page.next)
}
