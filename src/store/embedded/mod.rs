//! The default engine: one folder on disk, owned by one process.
//!
//! A batch goes to the log, which is synced, then into the tree's memory, and only then do new
//! snapshots see it. A thread writes what is in memory as tables, after which the log forgets it;
//! another merges tables. After a failed write nobody knows what the disk holds, so the engine
//! stops answering until a restart reads it again. docs/decisions/0001-embedded-engine.md says why.

mod background;
mod fault;
mod folder;
mod frame;
mod log;
mod replay;
mod snapshot;
#[cfg(test)]
mod tests;
mod tree;

pub(super) use folder::is_there;

use super::key::check_keys;
use super::{Access, Batch, Engine, Error, KeyRange, Result, Transaction};
use background::Background;
use folder::Folder;
use frame::{decode_batch, encode_batch};
use log::{FIRST_SEQUENCE, Log, Segments};
use snapshot::{Snapshot, Snapshots};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tree::Tree;

/// An engine over a folder.
pub struct Embedded {
    core: Arc<Core>,
    /// Whoever holds the log is the one that writes.
    log: Mutex<Log>,
    background: Background,
    /// Dropped last: it holds the lock on the folder.
    folder: Folder,
}

/// What the threads share.
struct Core {
    tree: Tree,
    segments: Arc<Segments>,
    snapshots: Snapshots,
    failed: OnceLock<String>,
}

impl Core {
    fn check(&self) -> Result<()> {
        match self.failed.get() {
            None => Ok(()),
            Some(reason) => Err(Error::Unavailable(format!(
                "{reason}; restart the server when its disk is well"
            ))),
        }
    }

    /// Stops the engine. The first reason is the one that is told.
    fn fail(&self, error: &Error) {
        let reason = match error {
            Error::Unavailable(reason) | Error::Corrupt(reason) => reason.clone(),
            _ => error.to_string(),
        };
        self.failed.set(reason).ok();
    }
}

impl Embedded {
    /// Opens a folder, or makes it. Refuses one that another process uses, that holds anything
    /// else, or that is damaged.
    pub fn open(path: &Path) -> Result<Self> {
        let mut folder = Folder::claim(path)?;
        let replay = replay::read(&folder.log_path(), folder.id())?;
        let tree = Tree::open(&folder.tree_path(), folder.is_created())?;
        let segments = |next| Arc::new(Segments::new(folder.log_path(), folder.id(), next));
        let (log, replayed) = if folder.is_created() {
            let rest = replay.behind(tree.persisted())?;
            for (sequence, batch) in &rest.batches {
                let entries = decode_batch(batch).ok_or_else(|| unknown_form(*sequence))?;
                tree.apply(&entries, *sequence);
            }
            let segments = segments(rest.next_segment);
            segments.delete_unwritten(&rest.unwritten)?;
            let log = match rest.unused {
                Some(segment) => Log::go_on(segments, segment, rest.next)?,
                None => Log::begin(segments, rest.next, rest.last.as_deref())?,
            };
            (log, !rest.batches.is_empty())
        } else {
            (Log::begin(segments(1), FIRST_SEQUENCE, None)?, false)
        };
        folder.created()?;
        tree.advance(log.next());
        let core = Arc::new(Core {
            tree,
            segments: log.segments(),
            snapshots: Snapshots::new(log.next()),
            failed: OnceLock::new(),
        });
        let background = Background::start(&core);
        let engine = Self { core, log: Mutex::new(log), background, folder };
        if replayed {
            engine.seal(&mut engine.locked_log(), 0)?;
        }
        Ok(engine)
    }

    fn locked_log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes what is in memory and lets it be written, so that the log can forget it. The next
    /// segment has room for a batch of so many bytes, and its number is returned.
    fn seal(&self, log: &mut Log, content_bytes: usize) -> Result<u64> {
        let segment = log.roll(content_bytes)?;
        self.core.tree.seal(log.next() - 1);
        self.background.flush_before(segment);
        Ok(segment)
    }

    fn commit(&self, log: &mut Log, snapshot: Snapshot<'_>, batch: &Batch) -> Result<()> {
        check_keys(batch)?;
        let content = encode_batch(batch)?;
        // What it looked at need not be kept while it waits.
        drop(snapshot);
        self.add(log, &content).inspect_err(|error| self.core.fail(error))
    }

    /// Adds a batch, and lets it be seen.
    fn add(&self, log: &mut Log, content: &[u8]) -> Result<()> {
        if !log.has_room(content.len()) {
            self.background.wait_for_room(&self.core)?;
            self.seal(log, content.len())?;
        }
        let sequence = log.append(content)?;
        let entries = decode_batch(content).ok_or_else(|| unknown_form(sequence))?;
        self.core.tree.apply(&entries, sequence);
        self.core.tree.advance(sequence + 1);
        self.core.snapshots.publish(sequence + 1);
        Ok(())
    }

    /// Writes what is in memory as tables, and waits until the log has forgotten it.
    fn flush(&self, log: &mut Log) -> Result<()> {
        let segment = self.seal(log, 0)?;
        self.background.wait_for_flush(&self.core, segment)
    }

    /// Merges all tables into new ones, and deletes the old.
    fn rewrite(&self, log: &mut Log) -> Result<()> {
        self.flush(log)?;
        self.core.tree.rewrite(self.core.snapshots.oldest())?;
        // Snapshots from before the new tables look into the old ones, which go with the next flush
        // after the last of them; an empty batch makes the first snapshot that does not.
        self.add(log, &encode_batch(&Batch::new())?)?;
        self.flush(log)
    }
}

fn unknown_form(sequence: u64) -> Error {
    Error::Corrupt(format!(
        "batch {sequence} of the log has a form that this Campanile does not know"
    ))
}

impl Engine for Embedded {
    fn begin(&self, access: Access) -> Result<Box<dyn Transaction + '_>> {
        let log = (access == Access::Write).then(|| self.locked_log());
        self.core.check()?;
        Ok(Box::new(EmbeddedTransaction {
            engine: self,
            snapshot: self.core.snapshots.open(),
            log,
        }))
    }

    fn forget(&self) -> Result<()> {
        let mut log = self.locked_log();
        self.core.check()?;
        self.rewrite(&mut log).inspect_err(|error| self.core.fail(error))
    }
}

impl Drop for Embedded {
    /// Writes what is in memory, so that the next start finds nothing to read again.
    fn drop(&mut self) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if self.core.check().is_ok() && !log.is_broken() && !log.is_empty() {
            // What fails here is in the log.
            self.seal(&mut log, 0).ok();
        }
        drop(log);
        self.background.stop();
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").field("folder", &self.folder).finish_non_exhaustive()
    }
}

struct EmbeddedTransaction<'a> {
    engine: &'a Embedded,
    snapshot: Snapshot<'a>,
    log: Option<MutexGuard<'a, Log>>,
}

impl Transaction for EmbeddedTransaction<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.engine.core.tree.get(key, self.snapshot.number)
    }

    fn scan(&self, range: &KeyRange, limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        self.engine.core.tree.scan(range, limit, self.snapshot.number)
    }

    fn commit(self: Box<Self>, batch: &Batch) -> Result<()> {
        let Self { engine, snapshot, log } = *self;
        let mut log = log.ok_or(Error::ReadOnly)?;
        engine.commit(&mut log, snapshot, batch)
    }
}
