//! A store in memory that several servers share, each by a way of its own that a test can cut.

use campanile::store::{
    Access, Batch, Engine, Error, Key, KeyRange, Memory, Result, Table, Transaction,
};
use serde_json::Value;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a test waits before it fails.
const TIMEOUT: Duration = Duration::from_mins(1);

/// One server's way to the store.
#[derive(Debug)]
pub struct Way {
    memory: Arc<Memory>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Whether nothing comes through, for as long as that is so.
    is_blocked: bool,
    /// How many wait for that to end.
    blocked: usize,
    /// Whether everything fails.
    fails: bool,
    /// How often the postman's lease was read.
    looks: usize,
}

impl Way {
    pub fn to(memory: &Arc<Memory>) -> Arc<Self> {
        let (state, changed) = (Mutex::default(), Condvar::new());
        Arc::new(Self { memory: Arc::clone(memory), state, changed })
    }

    /// Lets nothing through until it is let through again.
    pub fn block(&self, is_blocked: bool) {
        self.state().is_blocked = is_blocked;
        self.changed.notify_all();
    }

    /// Waits until somebody waits for what is blocked.
    pub fn wait_for_blocked(&self) {
        self.wait(|state| state.blocked > 0);
    }

    /// Makes everything fail, or no more.
    pub fn fail(&self, fails: bool) {
        self.state().fails = fails;
    }

    /// Returns how often the postman's lease was read by this way.
    pub fn looks(&self) -> usize {
        self.state().looks
    }

    /// Waits until the postman's lease was read more often than so.
    pub fn wait_for_look(&self, looks: usize) {
        self.wait(|state| state.looks > looks);
    }

    fn wait(&self, until: impl Fn(&State) -> bool) {
        let state = self.state();
        let waited = self.changed.wait_timeout_while(state, TIMEOUT, |state| !until(state));
        assert!(!waited.unwrap().1.timed_out(), "it does not happen");
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the lease of a duty as it is stored; null, if it was never taken.
pub fn lease(memory: &Memory, duty: &str) -> Value {
    let key = Key::of(Table::Leases).string(duty);
    let stored = memory.begin(Access::Read).unwrap().get(key.as_bytes()).unwrap();
    stored.map_or(Value::Null, |stored| {
        serde_json::from_slice::<Value>(&stored).unwrap()["record"].clone()
    })
}

impl Engine for Way {
    fn begin(&self, access: Access) -> Result<Box<dyn Transaction + '_>> {
        let mut state = self.state();
        state.blocked += 1;
        self.changed.notify_all();
        let mut state = self.changed.wait_while(state, |state| state.is_blocked).unwrap();
        state.blocked -= 1;
        let fails = state.fails;
        drop(state);
        if fails {
            return Err(Error::Unavailable("the way to the store is cut".to_owned()));
        }
        Ok(Box::new(WayTransaction { way: self, inner: self.memory.begin(access)?, access }))
    }

    fn is_shared(&self) -> bool {
        true
    }
}

struct WayTransaction<'a> {
    way: &'a Way,
    inner: Box<dyn Transaction + 'a>,
    access: Access,
}

impl Transaction for WayTransaction<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let lease = Key::of(Table::Leases).string("postman");
        if self.access == Access::Read && key == lease.as_bytes() {
            self.way.state().looks += 1;
            self.way.changed.notify_all();
        }
        self.inner.get(key)
    }

    fn scan(&self, range: &KeyRange, limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        self.inner.scan(range, limit)
    }

    fn commit(self: Box<Self>, batch: &Batch) -> Result<()> {
        self.inner.commit(batch)
    }
}
