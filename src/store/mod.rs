//! Where everything is kept: records and their indexes over an ordered map of bytes.
//!
//! An engine is four verbs ([`Engine::begin`], [`Transaction::get`], [`Transaction::scan`],
//! [`Transaction::commit`]); all that is above them is written once, so that engines cannot
//! disagree. Nothing here knows an operation or HTTP.

#[cfg(test)]
mod contract;
pub mod embedded;
mod key;
mod memory;
mod page;
mod record;
mod tx;
mod writer;

pub use key::{Key, KeyRange};
pub use memory::Memory;
pub use page::{Page, Position};
pub use record::{Record, Table};
pub use tx::Tx;

use crate::metrics::Commits;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use writer::Writer;

/// An ordered map of bytes with serializable transactions.
///
/// A reading transaction sees one committed state until it ends. A writing transaction sees the
/// newest, and while one is open no other begins, so that writing transactions are serial.
pub trait Engine: fmt::Debug + Send + Sync {
    /// Begins a transaction; a writing one waits until no other is open.
    fn begin(&self, access: Access) -> Result<Box<dyn Transaction + '_>>;

    /// Leaves nothing in its files of what was deleted or replaced and is not looked at, which can
    /// take as long as writing everything anew. An engine that keeps no such thing has nothing to do.
    fn forget(&self) -> Result<()> {
        Ok(())
    }

    /// Tells whether other servers may use the same entries at the same time.
    fn is_shared(&self) -> bool {
        false
    }
}

/// An open transaction of an [`Engine`]; dropping it without a commit leaves nothing behind.
pub trait Transaction {
    /// Returns the value under a key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;

    /// Returns the first `limit` entries of a range in the order of their keys' bytes.
    fn scan(&self, range: &KeyRange, limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>>;

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
            _ => Err("a store is embedded:PATH or memory:".to_owned()),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory:"),
            Self::Embedded(path) => write!(f, "embedded:{}", path.display()),
        }
    }
}

/// An open store: an engine, and the thread through which every write goes.
#[derive(Debug)]
pub struct Store {
    engine: Arc<dyn Engine>,
    writer: Writer,
    commits: Commits,
}

impl Store {
    /// Opens the store at a location, and makes an empty one where there is none.
    pub fn open(location: &Location) -> Result<Self> {
        match location {
            Location::Memory => Ok(Self::over(Arc::new(Memory::default()))),
            Location::Embedded(path) => Ok(Self::over(Arc::new(embedded::Embedded::open(path)?))),
        }
    }

    /// Opens a store over an engine.
    pub fn over(engine: Arc<dyn Engine>) -> Self {
        let commits = Commits::default();
        Self { writer: Writer::start(Arc::clone(&engine), commits.clone()), engine, commits }
    }

    /// Returns what is counted of the commits.
    pub fn commits(&self) -> &Commits {
        &self.commits
    }

    /// Tells whether other servers may use the same store at the same time.
    pub fn is_shared(&self) -> bool {
        self.engine.is_shared()
    }

    /// Returns how many writes wait for the writer, which takes a limited number of them at a time.
    pub fn writes_waiting(&self) -> usize {
        self.writer.waiting()
    }

    /// Runs a reading operation on the newest committed state, on the caller's thread.
    pub fn read<R, E: From<Error>>(
        &self,
        run: impl FnOnce(Tx<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        let transaction = self.engine.begin(Access::Read)?;
        run(Tx::reading(transaction.as_ref()))
    }

    /// Runs a writing operation, and answers once what it wrote is durable.
    ///
    /// An operation that fails leaves nothing behind.
    pub async fn write<R, E, F>(&self, run: F) -> Result<R, E>
    where
        R: Send + 'static,
        E: From<Error> + Send + 'static,
        F: FnOnce(Tx<'_>) -> Result<R, E> + Send + 'static,
    {
        self.writer.write(run).await
    }

    /// Runs a writing operation as [`Store::write`] does, on a thread that may wait.
    pub fn write_blocking<R, E, F>(&self, run: F) -> Result<R, E>
    where
        R: Send + 'static,
        E: From<Error> + Send + 'static,
        F: FnOnce(Tx<'_>) -> Result<R, E> + Send + 'static,
    {
        self.writer.write_blocking(run)
    }

    /// Leaves nothing in the engine's files of what was deleted or replaced before, which can take as
    /// long as writing everything anew.
    pub fn forget(&self) -> Result<()> {
        self.engine.forget()
    }
}
