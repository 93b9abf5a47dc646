//! Where everything is kept: records and their indexes over an ordered map of bytes.
//!
//! An engine is five verbs ([`Engine::begin`], [`Transaction::get`], [`Transaction::scan`],
//! [`Transaction::finish`], [`Transaction::commit`]); all that is above them is written once, so that
//! engines cannot disagree. Nothing here knows an operation or HTTP.

#[cfg(test)]
mod contract;
pub mod copy;
pub mod embedded;
mod key;
mod memory;
mod page;
pub mod postgres;
mod record;
mod shared;
mod tx;
mod writer;

pub use key::{KEY_BYTES_MAX, Key, KeyRange};
pub use memory::Memory;
pub use page::{Page, Position};
pub use record::{Record, Table};
pub use tx::Tx;

use crate::metrics::Commits;
use shared::Shared;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use writer::Writer;

/// An ordered map of bytes with serializable transactions.
///
/// What a transaction answers and writes is as if transactions had come one after the other. An
/// engine that nobody else uses begins no writing transaction while another is open; one that is
/// shared finds out later that two were in each other's way, and answers [`Error::Again`] to one.
pub trait Engine: fmt::Debug + Send + Sync {
    /// Begins a transaction; a writing one may wait until no other is open.
    fn begin(&self, access: Access) -> Result<Box<dyn Transaction + '_>>;

    /// Returns how many transactions may be open at a time, if other processes use the store as well
    /// and every answer comes from another machine.
    fn shared(&self) -> Option<usize> {
        None
    }

    /// Returns what is counted of the store, to which an engine adds what it alone sees.
    fn commits(&self) -> Commits {
        Commits::default()
    }

    /// Removes what the engine keeps for itself and needs no longer. One that keeps no such thing has
    /// nothing to do.
    fn sweep(&self) -> Result<()> {
        Ok(())
    }

    /// Leaves nothing in its files of what was deleted or replaced and is not looked at, which can
    /// take as long as writing everything anew. An engine that keeps no such thing has nothing to do.
    fn forget(&self) -> Result<()> {
        Ok(())
    }
}

/// An open transaction of an [`Engine`]; dropping it without a commit leaves nothing behind.
pub trait Transaction {
    /// Returns the value under a key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;

    /// Returns the first `limit` entries of a range in the order of their keys' bytes.
    fn scan(&self, range: &KeyRange, limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>>;

    /// Counts the entries of a range, up to `max`.
    fn count(&self, range: &KeyRange, max: usize) -> Result<usize> {
        tx::count(max, range.clone(), |range, limit| self.scan(range, limit))
    }

    /// Takes note of keys that are going to be asked for one by one. An engine that would have to ask
    /// another machine for each of them asks for all at once; answers whether this one does.
    fn fetch(&self, _keys: Vec<Vec<u8>>) -> Result<bool> {
        Ok(false)
    }

    /// Takes note of keys as [`Transaction::fetch`] does, and of a scan of a range.
    fn fetch_beside(&self, _keys: Vec<Vec<u8>>, _range: &KeyRange, _limit: usize) -> Result<()> {
        Ok(())
    }

    /// Says of a key that a batch of this transaction gives it a value and must be the first to, which an
    /// engine finds out by the commit itself where it would have to ask another machine: if it is not,
    /// the commit fails with [`Error::Again`]. Answers whether this engine does.
    fn must_be_new(&self, _key: &[u8]) -> bool {
        false
    }

    /// Ends a transaction that wrote nothing. What it read counts only if this succeeds.
    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }

    /// Applies all of a batch or none of it; once this returns `Ok`, the batch is durable.
    fn commit(self: Box<Self>, batch: &Batch) -> Result<()>;
}

/// What a transaction is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// Reading one committed state.
    Read,
    /// Reading the newest state and changing it.
    Write,
}

/// Keys with their new values; `None` deletes.
pub type Batch = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// What can go wrong below the operations.
#[derive(Clone, Debug)]
pub enum Error {
    /// The engine cannot answer now: a failed disk, a lost connection, a stopping server.
    Unavailable(String),
    /// Something stored is not what this version of Campanile wrote.
    Corrupt(String),
    /// A reading transaction was asked to write.
    ReadOnly,
    /// Another record has this key, which only one may have.
    Taken(Key),
    /// The transaction met another, or lost its connection before it changed anything: the same
    /// operation is to be run again from its beginning.
    Again(String),
    /// The connection was lost in the midst of a commit, and nobody could be asked what became of it.
    Unknown(String),
}

/// What the store answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(reason) => write!(f, "the store cannot answer: {reason}"),
            Self::Corrupt(reason) => write!(f, "the store holds what it should not: {reason}"),
            Self::ReadOnly => f.write_str("a reading operation tried to write"),
            Self::Taken(key) => write!(f, "another record has the {key:?}"),
            Self::Again(reason) => write!(f, "the transaction is to be run again: {reason}"),
            Self::Unknown(reason) => write!(f, "what became of a commit is not known: {reason}"),
        }
    }
}

impl std::error::Error for Error {}

/// Where a store is, as `--store` names it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Location {
    /// `memory:`, gone when the process ends.
    Memory,
    /// `embedded:PATH`, durable in a folder.
    Embedded(PathBuf),
    /// `postgres://…`, in a database that other servers may use as well.
    Postgres(Box<postgres::Settings>),
}

impl std::str::FromStr for Location {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text.split_once(':') {
            Some(("memory", "")) => Ok(Self::Memory),
            Some(("memory", _)) => Err("memory: takes nothing behind the colon".to_owned()),
            Some(("embedded", "")) => Err("embedded: needs a folder, as in \
                 embedded:./campanile-data"
                .to_owned()),
            Some(("embedded", path)) => Ok(Self::Embedded(path.into())),
            Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => {
                text.parse().map(|settings| Self::Postgres(Box::new(settings)))
            }
            _ => Err("a store is embedded:PATH, postgres://USER:PASSWORD@HOST/DATABASE or memory:"
                .to_owned()),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory:"),
            Self::Embedded(path) => write!(f, "embedded:{}", path.display()),
            Self::Postgres(settings) => write!(f, "{settings}"),
        }
    }
}

/// An open store: an engine, and the way in which operations come to it.
#[derive(Debug)]
pub struct Store {
    engine: Arc<dyn Engine>,
    way: Way,
    commits: Commits,
}

/// How operations come to an engine.
#[derive(Debug)]
enum Way {
    /// It is this process's alone: reads run where they are asked for, writes on one thread.
    Alone(Writer),
    /// Others use it, too: each operation has a transaction of its own.
    Shared(Shared),
}

impl Store {
    /// Opens the store at a location, and makes an empty one where there is none.
    pub fn open(location: &Location) -> Result<Self> {
        Ok(Self::over(match location {
            Location::Memory => Arc::new(Memory::default()),
            Location::Embedded(path) => Arc::new(embedded::Embedded::open(path)?),
            Location::Postgres(settings) => {
                shared::waiting(|| postgres::Postgres::open(settings)).map(Arc::new)?
            }
        }))
    }

    /// Opens a store over an engine.
    pub fn over(engine: Arc<dyn Engine>) -> Self {
        let commits = engine.commits();
        let way = match engine.shared() {
            None => Way::Alone(Writer::start(Arc::clone(&engine), commits.clone())),
            Some(places) => Way::Shared(Shared::new(Arc::clone(&engine), places, commits.clone())),
        };
        Self { engine, way, commits }
    }

    /// Returns what is counted of the commits.
    pub fn commits(&self) -> &Commits {
        &self.commits
    }

    /// Tells whether other servers may use the same store.
    pub fn is_shared(&self) -> bool {
        matches!(self.way, Way::Shared(_))
    }

    /// Returns how many operations wait for their turn, which a limited number of them may at a time.
    pub fn writes_waiting(&self) -> usize {
        match &self.way {
            Way::Alone(writer) => writer.waiting(),
            Way::Shared(shared) => shared.waiting(),
        }
    }

    /// Runs a reading operation on the newest committed state. It may be run more than once; its last
    /// answer counts.
    pub async fn read<R, E: From<Error>>(
        &self,
        run: impl FnMut(Tx<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        match &self.way {
            Way::Alone(_) => self.read_alone(run),
            Way::Shared(shared) => shared.read(run).await,
        }
    }

    /// Runs a reading operation as [`Store::read`] does, on a thread that may wait.
    pub fn read_blocking<R, E: From<Error>>(
        &self,
        run: impl FnMut(Tx<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        match &self.way {
            Way::Alone(_) => self.read_alone(run),
            Way::Shared(shared) => shared.read_blocking(run),
        }
    }

    fn read_alone<R, E: From<Error>>(
        &self,
        mut run: impl FnMut(Tx<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        let transaction = self.engine.begin(Access::Read)?;
        run(Tx::reading(transaction.as_ref()))
    }

    /// Runs a writing operation, and answers once what it wrote is durable. It may be run more than
    /// once, each time as if for the first; only what its last run wrote stays.
    ///
    /// An operation that fails leaves nothing behind.
    pub async fn write<R, E, F>(&self, run: F) -> Result<R, E>
    where
        R: Send + 'static,
        E: From<Error> + Send + 'static,
        F: FnMut(Tx<'_>) -> Result<R, E> + Send + 'static,
    {
        match &self.way {
            Way::Alone(writer) => writer.write(run).await,
            Way::Shared(shared) => shared.write(run).await,
        }
    }

    /// Runs a writing operation as [`Store::write`] does, on a thread that may wait.
    pub fn write_blocking<R, E, F>(&self, run: F) -> Result<R, E>
    where
        R: Send + 'static,
        E: From<Error> + Send + 'static,
        F: FnMut(Tx<'_>) -> Result<R, E> + Send + 'static,
    {
        match &self.way {
            Way::Alone(writer) => writer.write_blocking(run),
            Way::Shared(shared) => shared.write_blocking(run),
        }
    }

    /// Removes what the engine keeps for itself and needs no longer.
    pub fn sweep(&self) -> Result<()> {
        shared::waiting(|| self.engine.sweep())
    }

    /// Leaves nothing in the engine's files of what was deleted or replaced before, which can take as
    /// long as writing everything anew.
    pub fn forget(&self) -> Result<()> {
        self.engine.forget()
    }
}
