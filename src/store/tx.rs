//! The transaction that an operation sees: records over an engine's snapshot and its own writes.

use super::page::{Page, Position};
use super::record::{Record, decode, encode};
use super::{Batch, Error, Key, KeyRange, Result, Transaction};

/// How many entries are held at a time while they are counted.
const COUNTED_MAX: usize = 500;

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

    /// Runs a part of the transaction; if it fails, what that part wrote is taken back, and the rest
    /// stays.
    pub fn attempt<T, E>(&mut self, part: impl FnOnce(Tx<'_>) -> Result<T, E>) -> Result<T, E> {
        let before = self.writes.as_ref().map_or(0, |writes| writes.undo.len());
        let outcome = part(Tx { snapshot: self.snapshot, writes: self.writes.as_deref_mut() });
        if let (Err(_), Some(writes)) = (&outcome, &mut self.writes) {
            writes.undo_to(before);
        }
        outcome
    }

    /// Returns the record under a key.
    pub fn get<R: Record>(&self, key: &Key) -> Result<Option<R>> {
        self.get_bytes(key.as_bytes())?.map(|bytes| decode(&bytes)).transpose()
    }

    /// Returns the record that has a unique key.
    pub fn find<R: Record>(&self, unique_key: &Key) -> Result<Option<R>> {
        match self.get_bytes(unique_key.as_bytes())? {
            Some(key) => self.get(&Key::from_bytes(key)),
            None => Ok(None),
        }
    }

    /// Tells whether any key begins with this one.
    pub fn any(&self, beginning: &Key) -> Result<bool> {
        Ok(!self.scan(&beginning.prefixed(), 1)?.is_empty())
    }

    /// Returns the first keys of records that have a mark, or of those whose mark comes after a
    /// position. The mark is followed by the record's key, which begins with `of`.
    pub fn marked(
        &self,
        mark: &Key,
        of: &Key,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Vec<Key>> {
        let mut range = mark.clone().followed_by(of).prefixed();
        if let Some(position) = after {
            range = range.after(position.as_bytes());
        }
        let length = mark.as_bytes().len();
        let marks = self.scan(&range, limit)?.into_iter();
        Ok(marks.map(|(mut mark, _)| Key::from_bytes(mark.split_off(length))).collect())
    }

    /// Counts the keys that begin with this one, up to `max`.
    pub fn count(&self, beginning: &Key, max: usize) -> Result<usize> {
        let range = beginning.prefixed();
        match &self.writes {
            Some(writes) if writes.are_in(&range) => {
                count(max, range, |range, limit| self.scan(range, limit))
            }
            _ => self.snapshot.count(&range, max),
        }
    }

    /// Says which keys are going to be asked for one by one, so that an engine that is far away can be
    /// asked for all of them at once. Answers whether that was done: where it was not, nothing is gained
    /// by looking ahead further.
    pub fn fetch(&self, keys: impl IntoIterator<Item = Key>) -> Result<bool> {
        let keys: Vec<_> = keys.into_iter().map(Key::into_bytes).collect();
        if keys.is_empty() { Ok(false) } else { self.snapshot.fetch(keys) }
    }

    /// Says which keys are going to be asked for one by one, and which page.
    pub fn fetch_with_page(
        &self,
        keys: impl IntoIterator<Item = Key>,
        index: &Key,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<()> {
        let keys = keys.into_iter().map(Key::into_bytes).collect();
        self.snapshot.fetch_beside(keys, &page_range(index, after), limit + 1)
    }

    /// Says which unique keys are going to be looked for one by one, and the records that have them.
    pub fn fetch_found(&self, unique_keys: impl IntoIterator<Item = Key>) -> Result<bool> {
        let unique_keys: Vec<_> = unique_keys.into_iter().collect();
        if !self.fetch(unique_keys.iter().cloned())? {
            return Ok(false);
        }
        let mut found = Vec::with_capacity(unique_keys.len());
        for key in &unique_keys {
            found.extend(self.get_bytes(key.as_bytes())?.map(Key::from_bytes));
        }
        self.fetch(found)?;
        Ok(true)
    }

    /// Adds a record whose key is new. Where it would take what another record has, nothing is
    /// written.
    pub fn insert<R: Record>(&mut self, record: &R) -> Result<()> {
        let unique_keys = record.unique_keys();
        self.check_free(&unique_keys)?;
        self.write_record(record, unique_keys)
    }

    /// Adds a record as [`Tx::insert`] does, whose unique keys nobody is known to have. An engine that
    /// is far away is not asked for them: where one is taken all the same, the commit finds out, and the
    /// transaction is run again.
    pub fn insert_unasked<R: Record>(&mut self, record: &R) -> Result<()> {
        let unique_keys = record.unique_keys();
        let is_asked = |key: &&Key| !self.snapshot.must_be_new(key.as_bytes());
        let asked: Vec<_> = unique_keys.iter().filter(is_asked).cloned().collect();
        self.check_free(&asked)?;
        self.write_record(record, unique_keys)
    }

    /// Puts a changed record in the place of what this transaction read.
    pub fn update<R: Record>(&mut self, old: &R, new: &R) -> Result<()> {
        debug_assert_eq!(old.key(), new.key(), "a record keeps its key");
        let (kept, unique_keys) = (old.unique_keys(), new.unique_keys());
        let taken: Vec<_> = unique_keys.iter().filter(|key| !kept.contains(key)).cloned().collect();
        self.check_free(&taken)?;
        let new_keys = [new.index_keys(), new.mark_keys(), unique_keys.clone()].concat();
        for gone in entry_keys(old).into_iter().filter(|key| !new_keys.contains(key)) {
            self.write(gone.into_bytes(), None)?;
        }
        self.write_record(new, unique_keys)
    }

    /// Removes a record that this transaction read.
    pub fn delete<R: Record>(&mut self, record: &R) -> Result<()> {
        for key in entry_keys(record) {
            self.write(key.into_bytes(), None)?;
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
        // One more than a page has tells whether another follows.
        let mut entries = self.scan(&page_range(index, after), limit + 1)?;
        let more = entries.len() > limit;
        entries.truncate(limit);
        let next = entries.last().filter(|_| more).map(|(key, _)| Position::at(key.clone()));
        let items = entries.iter().map(|(_, value)| decode(value)).collect::<Result<_>>()?;
        Ok(Page { items, next })
    }

    /// Returns the first records from those whose keys begin with one key to those whose begin with
    /// another.
    pub fn between<R: Record>(&self, first: &Key, last: &Key, limit: usize) -> Result<Vec<R>> {
        let range = KeyRange { start: first.as_bytes().to_vec(), end: last.prefixed().end };
        self.scan(&range, limit)?.iter().map(|(_, value)| decode(value)).collect()
    }

    /// Refuses keys that another record has.
    fn check_free(&self, unique_keys: &[Key]) -> Result<()> {
        for key in unique_keys {
            if self.get_bytes(key.as_bytes())?.is_some() {
                return Err(Error::Taken(key.clone()));
            }
        }
        Ok(())
    }

    fn write_record<R: Record>(&mut self, record: &R, unique_keys: Vec<Key>) -> Result<()> {
        let value = encode(record);
        let key = record.key().into_bytes();
        for index_key in record.index_keys() {
            self.write(index_key.into_bytes(), Some(value.clone()))?;
        }
        for unique_key in unique_keys {
            self.write(unique_key.into_bytes(), Some(key.clone()))?;
        }
        for mark_key in record.mark_keys() {
            self.write(mark_key.into_bytes(), Some(Vec::new()))?;
        }
        self.write(key, Some(value))
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

/// Returns the part of an index that comes after a position.
fn page_range(index: &Key, after: Option<&Position>) -> KeyRange {
    let range = index.prefixed();
    match after {
        Some(position) => range.after(position.as_bytes()),
        None => range,
    }
}

/// Returns the keys of all the entries that a record has besides itself.
fn entry_keys<R: Record>(record: &R) -> Vec<Key> {
    [record.index_keys(), record.mark_keys(), record.unique_keys()].concat()
}

/// Counts the entries of a range, up to `max`, with a scan of some of them at a time.
pub(super) fn count(
    max: usize,
    mut range: KeyRange,
    scan: impl Fn(&KeyRange, usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>>,
) -> Result<usize> {
    let mut count = 0;
    while count < max {
        let asked = (max - count).min(COUNTED_MAX);
        let entries = scan(&range, asked)?;
        count += entries.len();
        match entries.last() {
            Some((last, _)) if entries.len() == asked => range = range.after(last),
            _ => break,
        }
    }
    Ok(count)
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

    /// Tells whether any of the keys that were written is in a range.
    fn are_in(&self, range: &KeyRange) -> bool {
        !range.is_empty()
            && self.batch.range(range.start.clone()..range.end.clone()).next().is_some()
    }

    /// Keeps what the operation wrote, and begins the next; tells whether it wrote anything.
    pub(super) fn keep(&mut self) -> bool {
        let wrote = !self.undo.is_empty();
        self.undo.clear();
        wrote
    }

    /// Takes back what the operation wrote, and begins the next.
    pub(super) fn undo(&mut self) {
        self.undo_to(0);
    }

    /// Takes back what the operation wrote after its first writes.
    fn undo_to(&mut self, kept: usize) {
        while self.undo.len() > kept {
            match self.undo.pop() {
                Some((key, Some(value))) => self.batch.insert(key, value),
                Some((key, None)) => self.batch.remove(&key),
                None => break,
            };
        }
    }

    fn write(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        let replaced = self.batch.insert(key.clone(), value);
        self.undo.push((key, replaced));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Access, Engine, Memory, Table};
    use proptest::prelude::*;
    use std::ops::Range;

    /// More than are held at a time, some of them committed and some only written.
    #[test]
    fn entries_are_counted_as_far_as_they_matter() {
        let engine = Memory::default();
        let key = |number: u64| Key::of(Table::Accounts).string("a").number(number).into_bytes();
        let put = |numbers: Range<u64>| -> Batch {
            numbers.map(|number| (key(number), Some(vec![]))).collect()
        };
        engine.begin(Access::Write).unwrap().commit(&put(0..900)).unwrap();
        let snapshot = engine.begin(Access::Write).unwrap();
        let mut writes = Writes { batch: put(800..1200), undo: Vec::new() };
        writes.batch.insert(key(1), None);
        writes.batch.insert(Key::of(Table::Accounts).string("b").into_bytes(), Some(vec![]));
        let tx = Tx::writing(snapshot.as_ref(), &mut writes);
        let count = |max| tx.count(&Key::of(Table::Accounts).string("a"), max).unwrap();
        for max in [0, 1, 499, 500, 501, 1000, 1198, 1199] {
            assert_eq!(count(max), max);
        }
        assert_eq!((count(1200), count(usize::MAX)), (1199, 1199));
    }

    proptest! {
        #[test]
        fn an_attempt_that_fails_takes_back_its_own_writes_alone(
            writes in proptest::collection::vec((0..4_u8, any::<Option<u8>>()), 0..12),
            begin in 0..12_usize,
        ) {
            let engine = Memory::default();
            let snapshot = engine.begin(Access::Write).unwrap();
            let mut buffered = Writes::default();
            let mut tx = Tx::writing(snapshot.as_ref(), &mut buffered);
            let (before, inside) = writes.split_at(begin.min(writes.len()));
            let write = |tx: &mut Tx<'_>, writes: &[(u8, Option<u8>)]| {
                for (key, value) in writes {
                    tx.write(vec![*key], value.map(|it| vec![it])).unwrap();
                }
            };
            write(&mut tx, before);
            let after_first: Batch =
                before.iter().map(|(key, value)| (vec![*key], value.map(|it| vec![it]))).collect();
            let failed: Result<(), ()> = tx.attempt(|mut tx| {
                write(&mut tx, inside);
                Err(())
            });
            prop_assert!(failed.is_err());
            prop_assert_eq!(&buffered.batch, &after_first);
            buffered.undo();
            prop_assert!(buffered.batch.is_empty());
        }
    }
}
