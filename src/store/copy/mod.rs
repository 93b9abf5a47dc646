//! Copying a whole store into an empty one: entry by entry in the order of their keys, knowing no
//! record, so that whatever an engine holds another holds afterwards, to the byte.
//!
//! A batch is committed together with a note of how far the copy came. Whoever was cut off goes on
//! from there; and as long as there is a note, no server takes the copy for a store. The note goes
//! with the last commit, after both sides were read anew and found to be the same.

mod error;
mod note;
#[cfg(test)]
mod tests;
mod walk;

pub use error::CopyError;
pub use note::refuse_incomplete;

use super::{Access, Batch, Engine, Error, Key, Location, Result, Store, Table, Transaction};
use super::{embedded, postgres, record, shared};
use note::Note;
use std::{cmp, thread};
use walk::{Tally, Walk};

/// How much is read and written at a time.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// How many entries one scan takes. An entry can have a MiB, and a page is held at a time.
    page_entries_max: usize,
    /// How many entries a commit carries.
    batch_entries_max: usize,
    /// How many bytes of keys and values are enough for a commit; the entry that reaches it is in it.
    batch_bytes_enough: usize,
}

const LIMITS: Limits =
    Limits { page_entries_max: 256, batch_entries_max: 4096, batch_bytes_enough: 4 << 20 };

/// What is being done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    /// The source is read again up to where an earlier copy came.
    ReadingAgain,
    /// Entries are copied.
    Copying,
    /// Both sides are read anew.
    Comparing,
}

/// How far a stage is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The stage.
    pub stage: Stage,
    /// How many entries it is behind, counted from the beginning of the store.
    pub entries: u64,
    /// How many bytes these have.
    pub bytes: u64,
    /// How many entries there are, where that is known.
    pub entries_of: Option<u64>,
}

/// A copy that is complete and was compared with its source.
#[derive(Clone, Debug)]
pub struct Copied {
    /// How many entries it has.
    pub entries: u64,
    /// How many bytes these have.
    pub bytes: u64,
    /// How many of the entries an earlier call had copied.
    pub entries_before: u64,
    /// The digest of all entries of the source, in hexadecimal.
    pub source_digest: String,
    /// That of the destination, made from what was read there.
    pub destination_digest: String,
}

impl Store {
    /// Opens the store at a location, and makes none where there is none.
    pub fn open_existing(location: &Location) -> Result<Self> {
        match location {
            Location::Embedded(path) if !embedded::is_there(path) => Err(Error::Unavailable(
                format!("there is no store in {}. Nothing was made there", path.display()),
            )),
            Location::Postgres(settings) if !postgres::Postgres::is_there(settings)? => {
                Err(Error::Unavailable(format!(
                    "there is no store in {settings}. Nothing was made there"
                )))
            }
            _ => Self::open(location),
        }
    }

    /// Copies everything into an empty store, or goes on with a copy of this one that was cut off; and
    /// compares the two. Tells `watch` how far it is.
    pub fn copy_to(&self, to: &Self, watch: &mut dyn FnMut(Progress)) -> Result<Copied, CopyError> {
        copy(self.engine.as_ref(), to.engine.as_ref(), LIMITS, watch)
    }
}

fn copy(
    from: &dyn Engine,
    to: &dyn Engine,
    limits: Limits,
    watch: &mut dyn FnMut(Progress),
) -> Result<Copied, CopyError> {
    let source = from.begin(Access::Read).map_err(CopyError::Source)?;
    let identity = identity(source.as_ref())?;
    let mut copying = Copying { to, limits, identity, tally: Tally::default(), note: None };
    let found = copying.found()?;
    if matches!(found, Found::Complete) {
        source.finish().map_err(CopyError::Source)?;
        let compared = compare(from, to, limits, &mut |tally| {
            watch(tally.progress(Stage::Comparing, None));
        })?;
        let entries_before = compared.source.entries;
        // A store that began as a copy and has gone its own way is nobody's to replace.
        return compared.same(entries_before).map_err(|_| CopyError::DestinationTaken);
    }
    if let Found::Begun(note) = found {
        copying.go_back_to(note, source.as_ref(), watch)?;
    }
    let entries_before = copying.tally.entries;
    copying.copy_rest(source.as_ref(), watch)?;
    source.finish().map_err(CopyError::Source)?;
    let entries_of = Some(copying.tally.entries);
    let compared = compare(from, to, limits, &mut |tally| {
        watch(tally.progress(Stage::Comparing, entries_of));
    })?;
    if compared.source.digest() != copying.tally.digest() {
        return Err(CopyError::SourceChanged);
    }
    let copied = compared.same(entries_before)?;
    copying.complete()?;
    Ok(copied)
}

/// Returns what tells a source from others: a digest of its deployment, which has secrets of its own.
fn identity(source: &dyn Transaction) -> Result<String, CopyError> {
    if Note::read(source).map_err(CopyError::Source)?.is_some() {
        return Err(CopyError::SourceIncomplete);
    }
    deployment_digest(source).map_err(CopyError::Source)?.ok_or(CopyError::NothingToCopy)
}

fn deployment_digest(transaction: &dyn Transaction) -> Result<Option<String>> {
    let value = transaction.get(Key::of(Table::Deployment).as_bytes())?;
    Ok(value.map(|value| walk::hex_digest(&value)))
}

/// What there is at a destination.
enum Found {
    Nothing,
    Begun(Note),
    /// No note, and the deployment of the source.
    Complete,
}

/// A copy under way.
struct Copying<'a> {
    to: &'a dyn Engine,
    limits: Limits,
    identity: String,
    /// What was read of the source up to where the copy is.
    tally: Tally,
    /// The note that the destination has.
    note: Option<Note>,
}

impl Copying<'_> {
    fn found(&self) -> Result<Found, CopyError> {
        let transaction = self.to.begin(Access::Read).map_err(CopyError::Destination)?;
        let found = self.found_by(transaction.as_ref())?;
        transaction.finish().map_err(CopyError::Destination)?;
        Ok(found)
    }

    fn found_by(&self, transaction: &dyn Transaction) -> Result<Found, CopyError> {
        match Note::read(transaction).map_err(CopyError::Destination)? {
            Some(note) if note.source == self.identity => return Ok(Found::Begun(note)),
            Some(_) => return Err(CopyError::AnotherSource),
            None => {}
        }
        if Walk::is_empty(transaction).map_err(CopyError::Destination)? {
            return Ok(Found::Nothing);
        }
        match deployment_digest(transaction).map_err(CopyError::Destination)? {
            Some(digest) if digest == self.identity => Ok(Found::Complete),
            _ => Err(CopyError::DestinationTaken),
        }
    }

    /// Reads again what was copied before, so that what is copied now fits to it.
    fn go_back_to(
        &mut self,
        note: Note,
        source: &dyn Transaction,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<(), CopyError> {
        let position = note.position().map_err(CopyError::Destination)?;
        let mut walk = Walk::up_to(source, &position, self.limits.page_entries_max);
        watch(self.tally.progress(Stage::ReadingAgain, Some(note.entries)));
        while let Some((key, value)) = walk.next().map_err(CopyError::Source)? {
            self.tally.add(&key, &value);
            if walk.is_between_pages() {
                watch(self.tally.progress(Stage::ReadingAgain, Some(note.entries)));
            }
        }
        if self.tally.digest() != note.digest {
            return Err(CopyError::SourceChanged);
        }
        self.note = Some(note);
        Ok(())
    }

    fn copy_rest(
        &mut self,
        source: &dyn Transaction,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<(), CopyError> {
        let page = self.limits.page_entries_max;
        let mut walk = match &self.note {
            None => Walk::whole(source, page),
            Some(note) => {
                Walk::after(source, &note.position().map_err(CopyError::Destination)?, page)
            }
        };
        watch(self.tally.progress(Stage::Copying, None));
        loop {
            let (batch, last) = self.next_batch(&mut walk).map_err(CopyError::Source)?;
            let Some(last) = last else { return Ok(()) };
            self.commit(batch, Some(Note::new(self.identity.clone(), &last, &self.tally)))?;
            watch(self.tally.progress(Stage::Copying, None));
        }
    }

    /// Takes as many entries as a commit carries; answers the key of the last, if there is any.
    fn next_batch(&mut self, walk: &mut Walk<'_>) -> Result<(Batch, Option<Vec<u8>>)> {
        let (mut batch, mut bytes, mut last) = (Batch::new(), 0, None);
        while batch.len() < self.limits.batch_entries_max && bytes < self.limits.batch_bytes_enough
        {
            let Some((key, value)) = walk.next()? else { break };
            self.tally.add(&key, &value);
            bytes += key.len() + value.len();
            last = Some(key.clone());
            batch.insert(key, Some(value));
        }
        Ok((batch, last))
    }

    /// Takes the note away: from here on the copy is a store.
    fn complete(&mut self) -> Result<(), CopyError> {
        self.commit(Batch::new(), None)
    }

    /// Commits a batch and the note that goes with it, again if it was in somebody's way.
    fn commit(&mut self, mut batch: Batch, note: Option<Note>) -> Result<(), CopyError> {
        batch.insert(Note::KEY.to_vec(), note.as_ref().map(record::encode));
        let (mut rests, mut is_again) = (shared::rests(), false);
        loop {
            match (self.try_commit(&batch, note.as_ref(), is_again), rests.next()) {
                (Err(CopyError::Destination(Error::Again(_) | Error::Unknown(_))), Some(rest)) => {
                    thread::sleep(rest);
                    is_again = true;
                }
                (Ok(()), _) => {
                    self.note = note;
                    return Ok(());
                }
                (error, _) => return error,
            }
        }
    }

    /// Commits if the destination is as the last commit left it, so that nobody else wrote meanwhile.
    fn try_commit(
        &self,
        batch: &Batch,
        note: Option<&Note>,
        is_again: bool,
    ) -> Result<(), CopyError> {
        let transaction = self.to.begin(Access::Write).map_err(CopyError::Destination)?;
        let found = Note::read(transaction.as_ref()).map_err(CopyError::Destination)?;
        if is_again && found.as_ref() == note {
            // It was committed, and the answer was lost.
            return transaction.finish().map_err(CopyError::Destination);
        }
        let is_ours = found == self.note
            && (found.is_some()
                || Walk::is_empty(transaction.as_ref()).map_err(CopyError::Destination)?);
        if !is_ours {
            transaction.finish().map_err(CopyError::Destination)?;
            return Err(CopyError::Disturbed);
        }
        transaction.commit(batch).map_err(CopyError::Destination)
    }
}

/// What was read of both sides.
struct Compared {
    source: Tally,
    destination: Tally,
    /// The first byte of the first key at which they differ.
    difference: Option<u8>,
}

fn compare(
    from: &dyn Engine,
    to: &dyn Engine,
    limits: Limits,
    watch: &mut dyn FnMut(&Tally),
) -> Result<Compared, CopyError> {
    let source = from.begin(Access::Read).map_err(CopyError::Source)?;
    let destination = to.begin(Access::Read).map_err(CopyError::Destination)?;
    let mut left = Walk::whole(source.as_ref(), limits.page_entries_max);
    let mut right = Walk::whole(destination.as_ref(), limits.page_entries_max);
    let mut compared =
        Compared { source: Tally::default(), destination: Tally::default(), difference: None };
    watch(&compared.source);
    loop {
        let ours = left.next().map_err(CopyError::Source)?;
        let theirs = right.next().map_err(CopyError::Destination)?;
        if ours.is_none() && theirs.is_none() {
            break;
        }
        if ours != theirs && compared.difference.is_none() {
            let keys = [&ours, &theirs].into_iter().flatten().map(|(key, _)| key);
            compared.difference =
                Some(keys.reduce(cmp::min).and_then(|key| key.first().copied()).unwrap_or(0));
        }
        if let Some((key, value)) = ours {
            compared.source.add(&key, &value);
        }
        if let Some((key, value)) = theirs {
            compared.destination.add(&key, &value);
        }
        if left.is_between_pages() {
            watch(&compared.source);
        }
    }
    source.finish().map_err(CopyError::Source)?;
    destination.finish().map_err(CopyError::Destination)?;
    Ok(compared)
}

impl Compared {
    /// Answers that both are the same, or where they are not.
    fn same(self, entries_before: u64) -> Result<Copied, CopyError> {
        let (source_digest, destination_digest) = (self.source.digest(), self.destination.digest());
        match self.difference {
            None if source_digest == destination_digest => Ok(Copied {
                entries: self.source.entries,
                bytes: self.source.bytes,
                entries_before,
                source_digest,
                destination_digest,
            }),
            table => Err(CopyError::Different(table.unwrap_or_default())),
        }
    }
}
