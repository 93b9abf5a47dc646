//! A store that several servers share, each by a way of its own that a test can cut: a database where
//! `TEST_ENGINE` is postgres, and otherwise one in memory.

use super::postgres;
use campanile::store::postgres::Postgres;
use campanile::store::{
    Access, Batch, Engine, Error, Key, KeyRange, Location, Memory, Result, Table, Transaction,
};
use serde_json::Value;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a test waits before it fails.
const TIMEOUT: Duration = Duration::from_mins(1);
/// How many transactions one server has at a time.
const PLACES: usize = 16;

/// Where the store is.
#[derive(Debug)]
pub enum Place {
    Memory(Arc<Memory>),
    Database(Location),
}

impl Place {
    pub fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the server")]
        match std::env::var("TEST_ENGINE").as_deref() {
            Ok("postgres") => Self::Database(postgres::location()),
            _ => Self::Memory(Arc::default()),
        }
    }

    /// Returns an engine over the store, as a server has it that no test cuts.
    pub fn engine(&self) -> Arc<dyn Engine> {
        match self {
            Self::Memory(memory) => Arc::clone(memory) as _,
            Self::Database(Location::Postgres(settings)) => {
                Arc::new(Postgres::open(settings).unwrap())
            }
            Self::Database(other) => panic!("{other} is no database"),
        }
    }

    /// Returns the lease of a duty as it is stored; null, if it was never taken.
    pub fn lease(&self, duty: &str) -> Value {
        let key = Key::of(Table::Leases).string(duty);
        let stored = self.engine().begin(Access::Read).unwrap().get(key.as_bytes()).unwrap();
        stored.map_or(Value::Null, |stored| {
            serde_json::from_slice::<Value>(&stored).unwrap()["record"].clone()
        })
    }
}

/// One server's way to the store.
#[derive(Debug)]
pub struct Way {
    engine: Arc<dyn Engine>,
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
    pub fn to(place: &Place) -> Arc<Self> {
        let (state, changed) = (Mutex::default(), Condvar::new());
        Arc::new(Self { engine: place.engine(), state, changed })
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
        Ok(Box::new(WayTransaction { way: self, inner: self.engine.begin(access)?, access }))
    }

    fn shared(&self) -> Option<usize> {
        self.engine.shared().or(Some(PLACES))
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

    fn finish(self: Box<Self>) -> Result<()> {
        self.inner.finish()
    }

    fn commit(self: Box<Self>, batch: &Batch) -> Result<()> {
        self.inner.commit(batch)
    }
}
