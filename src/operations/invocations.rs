//! What calls were answered, so that a call that its client makes again is not done again.
//!
//! A client that got no answer, or a 503, does not know whether its call was done, and AWS's SDKs make
//! it again by themselves. Each call has an id that all of its attempts carry; what it wrote goes into
//! the store together with its answer under that id, and whichever attempt comes later is answered the
//! same.

use crate::access::{NONCE_BYTES, Seal, Secret, StoredSecret};
use crate::clock::Timestamp;
use crate::store::{self, Key, Record, Table, Tx};
use serde::{Deserialize, Serialize};

/// How long an answer is kept: longer than any SDK goes on with one call. Five attempts of the AWS CLI,
/// each of which waits a minute for its answer, with the rests between them, take six minutes.
pub const KEPT_MILLISECONDS: i64 = 15 * 60 * 1000;
/// How many answers one transaction removes, so that no other write waits long for it.
const REMOVED_MAX: usize = 200;

/// What a call was answered.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct InvocationRecord {
    id: String,
    answered_at: Timestamp,
    answer: StoredSecret,
}

impl InvocationRecord {
    /// Notes an answer under the id of its call.
    pub fn new(id: &str, answered_at: Timestamp, answer: &[u8]) -> Self {
        let answer = Secret::new(String::from_utf8_lossy(answer).into_owned());
        Self { id: id.to_owned(), answered_at, answer: StoredSecret::Clear(answer) }
    }

    /// Seals the answer, which holds a secret.
    #[must_use]
    pub fn sealed(self, seal: &Seal, nonce: [u8; NONCE_BYTES]) -> Self {
        Self { answer: self.answer.sealed(seal, &purpose(&self.id), nonce), ..self }
    }

    /// Returns the answer of a call, if it was done.
    pub fn answer(tx: &Tx<'_>, id: &str, seal: &Seal) -> store::Result<Option<Vec<u8>>> {
        let found: Option<Self> = tx.find(&unique_key(id))?;
        let answer = |record: Self| record.answer.open(seal, &purpose(id));
        let answer = found.map(answer).transpose()?;
        Ok(answer.map(|answer| answer.expose().as_bytes().to_vec()))
    }

    /// Removes some of the answers from before an instant; answers whether there may be more.
    pub fn remove_some(tx: &mut Tx<'_>, before: Timestamp) -> store::Result<bool> {
        let (first, last) = (Key::of(Table::Invocations), before.plus(-1));
        let old: Vec<Self> = tx.between(&first, &answered_at(last), REMOVED_MAX)?;
        for record in &old {
            tx.delete(record)?;
        }
        Ok(old.len() == REMOVED_MAX)
    }
}

impl Record for InvocationRecord {
    const VERSION: u32 = 1;

    /// The time first, so that the oldest are found.
    fn key(&self) -> Key {
        answered_at(self.answered_at).string(&self.id)
    }

    fn index_keys(&self) -> Vec<Key> {
        Vec::new()
    }

    fn unique_keys(&self) -> Vec<Key> {
        vec![unique_key(&self.id)]
    }
}

fn answered_at(time: Timestamp) -> Key {
    Key::of(Table::Invocations).number(time.as_sortable_millisecond())
}

fn unique_key(id: &str) -> Key {
    Key::of(Table::InvocationsById).string(id)
}

fn purpose(id: &str) -> String {
    format!("invocation:{id}")
}
