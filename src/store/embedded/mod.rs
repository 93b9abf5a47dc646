//! The default engine: one folder on disk, owned by one process.
//!
//! Reads run inline on a snapshot. A commit returns after its batch is in the journal and the
//! journal is synced; only then do new snapshots see it. After a failed sync nobody knows what
//! the disk holds, so the engine stops answering until a restart reads it again.

mod folder;

use super::{Access, Batch, Engine, Error, KeyRange, Result, Transaction};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable, Snapshot};
use folder::Folder;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many bytes of blocks read from disk are kept in memory.
const BLOCK_CACHE_BYTES: u64 = 16 << 20;
/// How many bytes of new entries are gathered in memory before they are written as a table. It
/// bounds the journal, and with it how long a start after a crash takes.
const MEMTABLE_BYTES: u64 = 8 << 20;
const JOURNAL_BYTES_MAX: u64 = 64 << 20;

/// An engine over a folder.
pub struct Embedded {
    entries: Keyspace,
    database: Database,
    writing: Mutex<()>,
    failed: AtomicBool,
    /// Dropped last: it holds the lock on the folder.
    folder: Folder,
}

impl Embedded {
    /// Opens a folder, or makes it. Refuses one that another process uses, that holds anything
    /// else, or that is damaged.
    pub fn open(path: &Path) -> Result<Self> {
        let folder = Folder::claim(path)?;
        let damaged = |error: fjall::Error| {
            Error::Corrupt(format!(
                "{} cannot be opened: {error}. Nothing in it was changed. Restore it from a \
                 backup, or start on another folder",
                path.display()
            ))
        };
        let database = Database::builder(folder.engine_path())
            .cache_size(BLOCK_CACHE_BYTES)
            .max_journaling_size(JOURNAL_BYTES_MAX)
            .worker_threads(2)
            .open()
            .map_err(damaged)?;
        let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
        let entries = database.keyspace("entries", options).map_err(damaged)?;
        database.persist(PersistMode::SyncAll).map_err(damaged)?;
        folder.created()?;
        Ok(Self {
            entries,
            database,
            writing: Mutex::new(()),
            failed: AtomicBool::new(false),
            folder,
        })
    }
}

impl Engine for Embedded {
    fn begin(&self, access: Access) -> Result<Box<dyn Transaction + '_>> {
        let writing = (access == Access::Write)
            .then(|| self.writing.lock().unwrap_or_else(PoisonError::into_inner));
        if self.failed.load(Ordering::Acquire) {
            return Err(Error::Unavailable(
                "a write to its disk failed; restart the server when the disk is well".to_owned(),
            ));
        }
        let snapshot = self.database.snapshot();
        Ok(Box::new(EmbeddedTransaction { engine: self, snapshot, _writing: writing }))
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").field("folder", &self.folder).finish_non_exhaustive()
    }
}

struct EmbeddedTransaction<'a> {
    engine: &'a Embedded,
    snapshot: Snapshot,
    _writing: Option<MutexGuard<'a, ()>>,
}

impl Transaction for EmbeddedTransaction<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let value = self.snapshot.get(&self.engine.entries, key).map_err(unreadable)?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn scan(&self, range: &KeyRange, limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let range = range.start.as_slice()..range.end.as_slice();
        let entries = self.snapshot.range(&self.engine.entries, range).take(limit);
        entries
            .map(|entry| {
                let (key, value) = entry.into_inner().map_err(unreadable)?;
                Ok((key.to_vec(), value.to_vec()))
            })
            .collect()
    }

    fn commit(self: Box<Self>, batch: &Batch) -> Result<()> {
        let engine = self.engine;
        let mut write = engine.database.batch().durability(Some(PersistMode::SyncAll));
        for (key, value) in batch {
            match value {
                Some(value) => write.insert(&engine.entries, key.as_slice(), value.as_slice()),
                None => write.remove(&engine.entries, key.as_slice()),
            }
        }
        write.commit().map_err(|error| {
            engine.failed.store(true, Ordering::Release);
            Error::Unavailable(format!("a write to its disk failed: {error}"))
        })
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is passed to map_err")]
fn unreadable(error: fjall::Error) -> Error {
    Error::Unavailable(format!("a read from its disk failed: {error}"))
}
