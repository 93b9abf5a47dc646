//! The tree: what the log held, sorted, in memory and in tables on disk.
//!
//! It is the log-structured tree of the crate `lsm-tree`. It trusts the names in its folder and
//! its list of tables; both are checked here before it sees them.

use super::fault::{foreign, unreadable};
use super::frame::Entries;
use crate::store::{Error, KeyRange, Result};
use lsm_tree::compaction::Leveled;
use lsm_tree::config::{PartitioningPolicy, PinningPolicy};
use lsm_tree::{
    AbstractTree, AnyTree, Cache, Config, Guard, SequenceNumberCounter, UserKey, UserValue,
};
use std::fs;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_128;

/// How many bytes of blocks read from disk are kept in memory.
const BLOCK_CACHE_BYTES: u64 = 16 << 20;
/// How many bytes a table has, about.
const TABLE_BYTES: u64 = 16 << 20;
/// How many batches of tables are written before they are merged into larger ones.
const FRESH_RUNS_MERGED: u8 = 4;
/// How long a key may be: the tree counts its bytes with sixteen bits, and one byte is ours.
pub(super) const KEY_BYTES_MAX: usize = u16::MAX as usize - 1;
/// The first byte of the tree's keys: what the engine notes for itself, and entries.
const NOTE: u8 = 0;
const ENTRY: u8 = 1;
const LEVELS: usize = 7;
/// The tree numbers its own versions on the same line as its entries, and reads a snapshot in a
/// version that is older than it. So each batch has a range of numbers: its entries take the last
/// of them, and the versions that come about before it is visible take those before.
const BATCH_BITS: u32 = 20;

pub(super) struct Tree {
    tree: AnyTree,
    /// Numbers the next version.
    versions: SequenceNumberCounter,
    path: PathBuf,
    strategy: Arc<Leveled>,
}

impl Tree {
    /// Opens the tree in a folder, or makes it where none is allowed to be.
    pub(super) fn open(path: &Path, must_exist: bool) -> Result<Self> {
        check(path, must_exist)?;
        let versions = SequenceNumberCounter::default();
        let config = Config::new(path, versions.clone(), SequenceNumberCounter::default())
            .use_cache(Arc::new(Cache::with_capacity_bytes(BLOCK_CACHE_BYTES)))
            .index_block_partitioning_policy(PartitioningPolicy::all(true))
            .filter_block_partitioning_policy(PartitioningPolicy::all(true))
            .index_block_pinning_policy(PinningPolicy::all(true))
            .filter_block_pinning_policy(PinningPolicy::all(true));
        let tree = guarded(|| config.open()).map_err(|reason| {
            Error::Corrupt(format!(
                "{} cannot be opened: {reason}. Restore the folder from a backup",
                path.display()
            ))
        })?;
        let strategy = Leveled::default()
            .with_l0_threshold(FRESH_RUNS_MERGED)
            .with_table_target_size(TABLE_BYTES);
        Ok(Self { tree, versions, path: path.to_owned(), strategy: Arc::new(strategy) })
    }

    /// Lets the tree know that the batches before `next` are about to be visible.
    pub(super) fn advance(&self, next: u64) {
        self.versions.fetch_max(snapshot_number(next));
    }

    /// Returns the number of the newest batch whose entries are in tables.
    pub(super) fn persisted(&self) -> Option<u64> {
        self.tree.get_highest_persisted_seqno().map(|number| number >> BATCH_BITS)
    }

    /// Returns the value under a key as of a snapshot.
    pub(super) fn get(&self, key: &[u8], snapshot: u64) -> Result<Option<Vec<u8>>> {
        if key.len() > KEY_BYTES_MAX {
            return Ok(None);
        }
        let value = self.tree.get(entry_key(key), snapshot_number(snapshot));
        Ok(value.map_err(|error| self.unreadable(&error))?.map(|value| value.to_vec()))
    }

    /// Returns the first entries of a range as of a snapshot.
    pub(super) fn scan(
        &self,
        range: &KeyRange,
        limit: usize,
        snapshot: u64,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        if range.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        // No key is longer than the longest, so one cut to that length stands before what it was.
        let cut = |key: &[u8]| entry_key(key.get(..KEY_BYTES_MAX).unwrap_or(key));
        let start = match range.start.len() {
            0..=KEY_BYTES_MAX => Bound::Included(cut(&range.start)),
            _ => Bound::Excluded(cut(&range.start)),
        };
        let end = match range.end.len() {
            0..=KEY_BYTES_MAX => Bound::Excluded(cut(&range.end)),
            _ => Bound::Included(cut(&range.end)),
        };
        let entries = self.tree.range((start, end), snapshot_number(snapshot), None);
        entries
            .take(limit)
            .map(|entry| {
                let (key, value) = entry.into_inner().map_err(|error| self.unreadable(&error))?;
                Ok((key.get(1..).unwrap_or_default().to_vec(), value.to_vec()))
            })
            .collect()
    }

    /// Adds what a batch holds, in memory.
    pub(super) fn apply(&self, entries: &Entries<'_>, sequence: u64) {
        let number = entry_number(sequence);
        let values: Vec<_> = entries.values.iter().map(|value| UserValue::from(*value)).collect();
        for (key, value) in &entries.keys {
            let key = UserKey::from(entry_key(key));
            match value.and_then(|value| values.get(value)) {
                Some(value) => self.tree.insert(key, value.clone(), number),
                None => self.tree.remove(key, number),
            };
        }
    }

    /// Closes what is in memory, so that it can be written. `last` is the newest batch in it.
    pub(super) fn seal(&self, last: u64) {
        // Tables can lose the traces of deletions, and then the number of the batch that deleted;
        // a note that is never deleted keeps it.
        self.tree.insert([NOTE].as_slice(), [].as_slice(), entry_number(last));
        drop(self.tree.rotate_memtable());
    }

    /// Returns how many closed parts in memory wait to be written.
    pub(super) fn sealed(&self) -> usize {
        self.tree.sealed_memtable_count()
    }

    /// Returns how many runs of tables wait to be merged into larger ones.
    pub(super) fn fresh_runs(&self) -> usize {
        self.tree.l0_run_count()
    }

    /// Writes what was closed as tables, and syncs them. What no snapshot from `oldest` on can see
    /// is left out.
    pub(super) fn flush(&self, oldest: u64) -> Result<()> {
        self.changed(|| {
            self.tree.flush(&self.tree.get_flush_lock(), snapshot_number(oldest)).map(drop)
        })
    }

    /// Merges tables; answers whether there was anything to merge.
    pub(super) fn compact(&self, oldest: u64) -> Result<bool> {
        let shape =
            || -> Vec<_> { (0..LEVELS).map(|level| self.tree.level_table_count(level)).collect() };
        let before = (shape(), self.fresh_runs());
        self.changed(|| {
            self.tree.compact(Arc::clone(&self.strategy) as _, snapshot_number(oldest))
        })?;
        Ok(before != (shape(), self.fresh_runs()))
    }

    /// Merges all tables into new ones. What no snapshot from `oldest` on can see is left out.
    pub(super) fn rewrite(&self, oldest: u64) -> Result<()> {
        self.changed(|| self.tree.major_compact(TABLE_BYTES, snapshot_number(oldest)))
    }

    fn changed(&self, change: impl FnOnce() -> lsm_tree::Result<()>) -> Result<()> {
        guarded(change).map_err(|reason| {
            Error::Unavailable(format!("{} cannot be written: {reason}", self.path.display()))
        })
    }

    fn unreadable(&self, error: &lsm_tree::Error) -> Error {
        unreadable(&self.path, error)
    }
}

/// Returns the number of a batch's entries.
fn entry_number(batch: u64) -> u64 {
    snapshot_number(batch + 1) - 1
}

/// Returns the first number that a snapshot before a batch does not see.
fn snapshot_number(batch: u64) -> u64 {
    batch << BATCH_BITS
}

fn entry_key(key: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(key.len() + 1);
    bytes.push(ENTRY);
    bytes.extend(key);
    bytes
}

/// Runs a part of the tree that meets damage with an error, or with a panic.
fn guarded<R>(run: impl FnOnce() -> lsm_tree::Result<R>) -> std::result::Result<R, String> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("the tree panicked".to_owned()),
    }
}

/// Refuses a folder in which the tree would make a new tree, stop the process or go wrong.
fn check(path: &Path, must_exist: bool) -> Result<()> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    for (entry, name) in entries(path)? {
        let known = match name.as_str() {
            "tables" => entry.is_dir(),
            "current" => entry.is_file(),
            // A version of the list of tables, or a `current` that was being replaced.
            _ => {
                entry.is_file() && name.strip_prefix('v').is_some_and(is_number)
                    || entry.is_file() && name.starts_with(".tmp")
            }
        };
        if !known {
            return Err(foreign(&entry));
        }
    }
    let tables = path.join("tables");
    if tables.is_dir() {
        for (entry, name) in entries(&tables)? {
            if !entry.is_file() || !is_number(&name) {
                return Err(foreign(&entry));
            }
        }
    }
    if !must_exist && !path.join("current").exists() {
        return Ok(());
    }
    check_list(path).map_err(|reason| {
        Error::Corrupt(format!("{reason}. Nothing was changed. Restore the folder from a backup"))
    })
}

/// Compares the list of tables with its checksum, which the tree writes but does not read.
fn check_list(path: &Path) -> std::result::Result<(), String> {
    let read = |path: &Path| {
        fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))
    };
    let current = path.join("current");
    let content = read(&current)?;
    let (number, check) = content
        .split_first_chunk::<8>()
        .zip(content.get(8..).and_then(|rest| rest.split_first_chunk::<16>()))
        .filter(|(_, (_, kind))| *kind == [0])
        .map(|((number, _), (check, _))| (u64::from_le_bytes(*number), u128::from_le_bytes(*check)))
        .ok_or_else(|| format!("{} is damaged", current.display()))?;
    let list = path.join(format!("v{number}"));
    if xxh3_128(&read(&list)?) != check {
        return Err(format!("{} is damaged", list.display()));
    }
    if !path.join("tables").is_dir() {
        return Err(format!("{} is missing", path.join("tables").display()));
    }
    Ok(())
}

fn entries(path: &Path) -> Result<Vec<(PathBuf, String)>> {
    let failed = |error| unreadable(path, error);
    fs::read_dir(path)
        .map_err(failed)?
        .map(|entry| {
            let entry = entry.map_err(failed)?;
            Ok((entry.path(), entry.file_name().to_string_lossy().into_owned()))
        })
        .collect()
}
