//! The note of how far a copy came, which the destination has until the copy is complete.

use super::walk::Tally;
use crate::store::record::{Record, decode};
use crate::store::{Error, Key, Result, Table, Transaction, Tx};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

/// How far a copy came, and of what.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Note {
    /// What tells the source from others.
    pub(super) source: String,
    /// The last key that was copied, in base64.
    position: String,
    /// How many entries were copied.
    pub(super) entries: u64,
    /// The digest of these, as they were read from the source.
    pub(super) digest: String,
}

/// Refuses a store that is a copy which is not complete.
pub fn refuse_incomplete(tx: &Tx<'_>) -> Result<()> {
    match tx.get::<Note>(&Key::of(Table::Copy))? {
        None => Ok(()),
        Some(note) => Err(Error::Corrupt(format!(
            "a copy of another store that is not complete, of {} entries so far. Run the `campanile \
             copy` again that began it, and it goes on from there. Nothing was changed",
            note.entries
        ))),
    }
}

impl Note {
    pub(super) const KEY: [u8; 1] = [Table::Copy as u8];

    pub(super) fn new(source: String, position: &[u8], tally: &Tally) -> Self {
        Self {
            source,
            position: BASE64_STANDARD.encode(position),
            entries: tally.entries,
            digest: tally.digest(),
        }
    }

    /// Reads the note that a store has.
    pub(super) fn read(transaction: &dyn Transaction) -> Result<Option<Self>> {
        transaction.get(&Self::KEY)?.map(|bytes| decode(&bytes)).transpose()
    }

    /// Returns the last key that was copied.
    pub(super) fn position(&self) -> Result<Vec<u8>> {
        BASE64_STANDARD.decode(&self.position).map_err(|error| Error::Corrupt(error.to_string()))
    }
}

impl Record for Note {
    const VERSION: u32 = 1;

    fn key(&self) -> Key {
        Key::of(Table::Copy)
    }

    fn index_keys(&self) -> Vec<Key> {
        Vec::new()
    }
}
