//! The reference engine: a sorted map in memory. What it answers is what every engine answers.

use super::key::check_keys;
use super::{Access, Batch, Engine, Error, KeyRange, Result, Transaction};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// An engine that forgets everything when the process ends.
#[derive(Debug, Default)]
pub struct Memory {
    entries: RwLock<Entries>,
    writing: Mutex<()>,
}

impl Engine for Memory {
    fn begin(&self, access: Access) -> Result<Box<dyn Transaction + '_>> {
        // A poisoned lock is taken all the same: a panic can only come before a batch is applied.
        let writing = (access == Access::Write)
            .then(|| self.writing.lock().unwrap_or_else(PoisonError::into_inner));
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        Ok(Box::new(MemoryTransaction { memory: self, entries, writing }))
    }
}

struct MemoryTransaction<'a> {
    memory: &'a Memory,
    entries: RwLockReadGuard<'a, Entries>,
    writing: Option<MutexGuard<'a, ()>>,
}

impl Transaction for MemoryTransaction<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.entries.get(key).cloned())
    }

    fn scan(&self, range: &KeyRange, limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let entries = self.entries.range(range.start.clone()..range.end.clone());
        Ok(entries.take(limit).map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn commit(self: Box<Self>, batch: &Batch) -> Result<()> {
        let Self { memory, entries, writing } = *self;
        let _writing = writing.ok_or(Error::ReadOnly)?;
        check_keys(batch)?;
        drop(entries);
        let mut entries = memory.entries.write().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in batch {
            match value {
                Some(value) => entries.insert(key.clone(), value.clone()),
                None => entries.remove(key),
            };
        }
        Ok(())
    }
}
