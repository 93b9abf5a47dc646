//! Events on their way out: a note for each that is still to be shipped, in the transaction that adds
//! the event.
//!
//! What was committed late, or while a clock was set back, has its note all the same, so that no
//! event is passed over.

use super::{AuditEventRecord, event_key};
use crate::clock::Timestamp;
use crate::store::{self, Key, Page, Position, Record, Table, Tx};
use serde::{Deserialize, Serialize};

/// How many events are shipped at a time.
pub const SHIPPED_MAX: usize = 256;

/// That an event is to be shipped.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct UnshippedRecord {
    aws_account_id: String,
    event_time: Timestamp,
    event_id: String,
}

impl UnshippedRecord {
    /// Notes an event.
    pub(super) fn of(event: &AuditEventRecord) -> Self {
        Self {
            aws_account_id: event.aws_account_id.clone(),
            event_time: event.event_time,
            event_id: event.event_id.clone(),
        }
    }
}

impl Record for UnshippedRecord {
    const VERSION: u32 = 1;

    /// The time first: events leave in its order, whatever AWS account they are of.
    fn key(&self) -> Key {
        not_before(self.event_time).string(&self.event_id)
    }

    fn index_keys(&self) -> Vec<Key> {
        Vec::new()
    }
}

/// Events that are to be shipped.
#[derive(Debug)]
pub struct Shipment {
    /// The events, each as a line of JSON, oldest first.
    pub lines: Vec<u8>,
    /// Their notes, to be given to [`settle`] once they are where they should be.
    pub notes: Vec<UnshippedRecord>,
}

impl Shipment {
    /// Returns the place behind what is shipped, and the time of its last event.
    pub fn end(&self) -> Option<(Position, Timestamp)> {
        self.notes.last().map(|it| (Position::at(it.key().into_bytes()), it.event_time))
    }
}

/// Returns the next events that are to be shipped, from a place on.
pub fn take(tx: &Tx<'_>, after: Option<&Position>) -> store::Result<Shipment> {
    let notes: Page<UnshippedRecord> =
        tx.page(&Key::of(Table::UnshippedAuditEvents), after, SHIPPED_MAX)?;
    let key =
        |note: &UnshippedRecord| event_key(&note.aws_account_id, note.event_time, &note.event_id);
    tx.fetch(notes.items.iter().map(key))?;
    let mut lines = Vec::new();
    for note in &notes.items {
        // One that became too old while it waited is gone.
        if let Some(event) = tx.get::<AuditEventRecord>(&key(note))? {
            lines.extend(event.in_cloud_trails_form().into_bytes());
            lines.push(b'\n');
        }
    }
    Ok(Shipment { lines, notes: notes.items })
}

/// Notes that events have been shipped.
pub fn settle(tx: &mut Tx<'_>, notes: &[UnshippedRecord]) -> store::Result<()> {
    notes.iter().try_for_each(|note| tx.delete(note))
}

/// Returns the place before all the events of an instant and later ones.
pub fn from(time: Timestamp) -> Position {
    Position::at(not_before(time).into_bytes())
}

fn not_before(time: Timestamp) -> Key {
    Key::of(Table::UnshippedAuditEvents).number(time.as_sortable_millisecond())
}
