//! The transaction that an operation sees: records over an engine's snapshot and its own writes.

use super::page::{Page, Position};
use super::record::{Record, decode, encode};
use super::{Batch, Error, Key, KeyRange, Result, Transaction};

/// An open transaction. What it writes is buffered: only the store commits it.
pub struct Tx<'a> {
    snapshot: &'a dyn Transaction,
    writes: Option<&'a mut Writes>,
}

impl<'a> Tx<'a> {
    /// Opens a transaction that may only read.
    pub(super) fn reading(snapshot: &'a dyn Transaction) -> Self {
        Self { snapshot, writes: None }
    }

    /// Opens a transaction that sees, and adds to, what its group has written so far.
    pub(super) fn writing(snapshot: &'a dyn Transaction, writes: &'a mut Writes) -> Self {
        Self { snapshot, writes: Some(writes) }
    }

    /// Returns the record under a key.
    pub fn get<R: Record>(&self, key: &Key) -> Result<Option<R>> {
        self.get_bytes(key.as_bytes())?.map(|bytes| decode(&bytes)).transpose()
    }

    /// Adds a record whose key is new.
    pub fn insert<R: Record>(&mut self, record: &R) -> Result<()> {
        let value = encode(record);
        for index_key in record.index_keys() {
            self.write(index_key.into_bytes(), Some(value.clone()))?;
        }
        self.write(record.key().into_bytes(), Some(value))
    }

    /// Puts a changed record in the place of what this transaction read.
    pub fn update<R: Record>(&mut self, old: &R, new: &R) -> Result<()> {
        debug_assert_eq!(old.key(), new.key(), "a record keeps its key");
        let new_keys = new.index_keys();
        for gone in old.index_keys().into_iter().filter(|key| !new_keys.contains(key)) {
            self.write(gone.into_bytes(), None)?;
        }
        self.insert(new)
    }

    /// Removes a record that this transaction read.
    pub fn delete<R: Record>(&mut self, record: &R) -> Result<()> {
        for index_key in record.index_keys() {
            self.write(index_key.into_bytes(), None)?;
        }
        self.write(record.key().into_bytes(), None)
    }

    /// Returns the first records of an index, or of the part of it that comes after a position.
    pub fn page<R: Record>(
        &self,
        index: &Key,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Page<R>> {
        let mut range = index.prefixed();
        if let Some(position) = after {
            range = range.after(position.as_bytes());
        }
        let mut entries = self.scan(&range, limit + 1)?;
        let more = entries.len() > limit;
        entries.truncate(limit);
        let next = entries.last().filter(|_| more).map(|(key, _)| Position::at(key.clone()));
        let items = entries.iter().map(|(_, value)| decode(value)).collect::<Result<_>>()?;
        Ok(Page { items, next })
    }

    fn get_bytes(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        match self.writes.as_ref().and_then(|writes| writes.batch.get(key)) {
            Some(written) => Ok(written.clone()),
            None => self.snapshot.get(key),
        }
    }

    fn write(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) -> Result<()> {
        self.writes.as_mut().ok_or(Error::ReadOnly)?.write(key, value);
        Ok(())
    }

    fn scan(&self, range: &KeyRange, limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        match &self.writes {
            Some(writes) if !writes.batch.is_empty() => {
                scan_over(self.snapshot, &writes.batch, range, limit)
            }
            _ => self.snapshot.scan(range, limit),
        }
    }
}

impl std::fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx").field("writes", &self.writes).finish_non_exhaustive()
    }
}

/// Merges what is written but not committed over what is committed.
fn scan_over(
    snapshot: &dyn Transaction,
    batch: &Batch,
    range: &KeyRange,
    limit: usize,
) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let written = || batch.range(range.start.clone()..range.end.clone());
    // Every entry that the batch hides can cost one of the entries asked for.
    let hidden = written().count();
    let mut committed = snapshot.scan(range, limit + hidden)?.into_iter().peekable();
    let mut written = written().peekable();
    let mut entries = Vec::with_capacity(limit.min(committed.len() + hidden));
    while entries.len() < limit {
        let next_written = match (written.peek(), committed.peek()) {
            (None, None) => break,
            (Some((key, _)), Some((other, _))) => {
                if *key == other {
                    committed.next();
                    true
                } else {
                    *key < other
                }
            }
            (next_written, _) => next_written.is_some(),
        };
        if !next_written {
            entries.extend(committed.next());
        } else if let Some((key, Some(value))) = written.next() {
            entries.push((key.clone(), value.clone()));
        }
    }
    Ok(entries)
}

/// The buffered writes of a group of operations, each of which can be taken back.
#[derive(Debug, Default)]
pub(super) struct Writes {
    batch: Batch,
    /// What the running operation replaced in the batch, oldest first.
    undo: Vec<(Vec<u8>, Replaced)>,
}

/// What a write replaced in a batch: nothing, a value, or a deletion.
type Replaced = Option<Option<Vec<u8>>>;

impl Writes {
    /// Returns what is to be committed.
    pub(super) fn batch(&self) -> &Batch {
        &self.batch
    }

    /// Keeps what the operation wrote, and begins the next.
    pub(super) fn keep(&mut self) {
        self.undo.clear();
    }

    /// Takes back what the operation wrote, and begins the next.
    pub(super) fn undo(&mut self) {
        while let Some((key, replaced)) = self.undo.pop() {
            match replaced {
                Some(value) => self.batch.insert(key, value),
                None => self.batch.remove(&key),
            };
        }
    }

    fn write(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        let replaced = self.batch.insert(key.clone(), value);
        self.undo.push((key, replaced));
    }
}
