//! The engine for many servers: one table of a database that all of them use.
//!
//! A transaction is one of the database's, all of them serializable. What one writes goes out with its
//! commit, in one round trip; one that asks a single thing needs no more than that. Each commit leaves
//! a marker, by which is found out what became of it when its answer is lost.
//! docs/decisions/0026-postgresql.md says why.

mod commit;
mod schema;
mod session;
mod settings;
mod sql;
#[cfg(test)]
pub(super) mod tests;
mod tls;
mod transaction;
mod unsettled;
mod views;

pub use settings::{Settings, Timeouts};

use super::{Access, Engine, Error, Key, Result, Table, Transaction};
use crate::metrics::Commits;
use crate::store::shared::rests;
use session::Session;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tokio_postgres::error::{DbError, Severity, SqlState};
use transaction::PostgresTransaction;
use unsettled::Unsettled;

/// How long a start waits for a database that is not there yet.
const START_TIMEOUT: Duration = Duration::from_secs(20);

type Idle = Vec<Box<Session>>;

/// An engine over a database.
#[derive(Debug)]
pub struct Postgres {
    settings: Settings,
    commits: Commits,
    /// The sessions that nobody uses, the one that was used last on top.
    idle: Mutex<Idle>,
    /// What the keys had lately that every request looks at: a transaction takes it for what it reads,
    /// and finds out with its first question whether it still is.
    remembered: Mutex<BTreeMap<Vec<u8>, Option<Vec<u8>>>>,
    remembers: [Vec<u8>; 1],
    unsettled: Arc<Unsettled>,
}

impl Postgres {
    /// Connects, and makes the tables where there are none. Refuses a database that a newer release
    /// has changed, and one that is to be replicated and is not.
    pub fn open(settings: &Settings) -> Result<Self> {
        let until = Instant::now() + START_TIMEOUT;
        let mut rests = rests();
        loop {
            match schema::prepare(settings) {
                Ok(()) => break,
                Err(Fault::Lost(reason) | Fault::Conflict(reason)) => {
                    let rest = rests.next().unwrap_or(Duration::from_secs(1));
                    if Instant::now() + rest > until {
                        return Err(Error::Unavailable(format!("{settings}: {reason}")));
                    }
                    thread::sleep(rest);
                }
                Err(Fault::Refused(_, reason)) => {
                    return Err(Error::Unavailable(format!("{settings}: {reason}")));
                }
            }
        }
        Ok(Self {
            settings: settings.clone(),
            commits: Commits::default(),
            idle: Mutex::new(Vec::new()),
            remembered: Mutex::new(BTreeMap::new()),
            remembers: [Key::of(Table::AccessGeneration).into_bytes()],
            unsettled: Arc::default(),
        })
    }

    /// Tells whether a database has the tables, and makes none.
    pub fn is_there(settings: &Settings) -> Result<bool> {
        schema::is_there(settings).map_err(|fault| match fault {
            Fault::Lost(reason) | Fault::Conflict(reason) | Fault::Refused(_, reason) => {
                Error::Unavailable(format!("{settings}: {reason}"))
            }
        })
    }

    /// Takes a session that nobody uses, or opens one.
    fn session(&self) -> std::result::Result<Box<Session>, Fault> {
        if let Some(session) = self.idle().pop() {
            self.commits.connections_idle.dec();
            return Ok(session);
        }
        let opened = Session::open(&self.settings, self.commits.connection());
        opened.inspect_err(|fault| self.commits.fault(fault.kind()))
    }

    /// Puts a session back that can be used again.
    fn put_back(&self, session: Box<Session>) {
        let mut idle = self.idle();
        if idle.len() < self.settings.connections {
            self.commits.connections_idle.inc();
            idle.push(session);
        }
    }

    /// Takes back a session that met a fault, if it can be used again. Of one that was lost, those that
    /// nobody uses go the same way: what it met, they would meet, too.
    /// Returns what that means for a transaction of which nothing can have been committed.
    fn failed(&self, mut session: Box<Session>, fault: Fault) -> Error {
        self.commits.fault(fault.kind());
        if matches!(fault, Fault::Lost(_)) {
            let idle = std::mem::take(&mut *self.idle());
            self.commits.connections_idle.dec_by(i64::try_from(idle.len()).unwrap_or(i64::MAX));
            drop((session, idle));
        } else if session.roll_back().is_ok() {
            self.put_back(session);
        }
        fault.before_commit()
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remembered(&self) -> MutexGuard<'_, BTreeMap<Vec<u8>, Option<Vec<u8>>>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine for Postgres {
    fn begin(&self, access: Access) -> Result<Box<dyn Transaction + '_>> {
        Ok(Box::new(PostgresTransaction::new(self, access)))
    }

    fn shared(&self) -> Option<usize> {
        Some(self.settings.connections)
    }

    fn commits(&self) -> Commits {
        self.commits.clone()
    }

    fn sweep(&self) -> Result<()> {
        commit::forget_markers(self)
    }
}

/// What can go wrong with a session.
#[derive(Clone, Debug)]
enum Fault {
    /// Its transaction was in another's way, and is undone.
    Conflict(String),
    /// It cannot be used any more, and what it was doing may have happened.
    Lost(String),
    /// The database will not do what it was asked.
    Refused(SqlState, String),
}

impl Fault {
    fn of(error: &tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else {
            let source = std::error::Error::source(error).map(|it| format!(": {it}"));
            return Self::Lost(format!("{error}{}", source.unwrap_or_default()));
        };
        let code = db.code();
        let text = format!("{} ({})", db.message(), code.code());
        // The last two are a marker where a fence is, and a key that had to be new.
        let conflicts = [
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::UNIQUE_VIOLATION,
            SqlState::NOT_NULL_VIOLATION,
        ];
        if conflicts.contains(code) {
            return Self::Conflict(text);
        }
        // 08 connections, 57 an operator's intervention, 25006 a server that became a replica, 53300
        // too many connections, 40003 a commit of which the server itself does not know.
        let is_lost = code.code().starts_with("08")
            || code.code().starts_with("57")
            || [
                SqlState::READ_ONLY_SQL_TRANSACTION,
                SqlState::TOO_MANY_CONNECTIONS,
                SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN,
            ]
            .contains(code);
        if is_lost { Self::Lost(text) } else { Self::Refused(code.clone(), text) }
    }

    /// Returns what it means for a session that is open: the database ends it with whatever is fatal,
    /// such as a block that was left alone for too long.
    fn of_session(error: &tokio_postgres::Error) -> Self {
        let severity = error.as_db_error().and_then(DbError::parsed_severity);
        match Self::of(error) {
            Self::Refused(_, text)
                if matches!(severity, Some(Severity::Fatal | Severity::Panic)) =>
            {
                Self::Lost(text)
            }
            fault => fault,
        }
    }

    fn reason(self) -> String {
        match self {
            Self::Conflict(reason) | Self::Lost(reason) | Self::Refused(_, reason) => reason,
        }
    }

    /// Returns as what it is counted.
    fn kind(&self) -> &'static str {
        match self {
            Self::Conflict(_) => "conflict",
            Self::Lost(_) => "lost",
            Self::Refused(..) => "refused",
        }
    }

    /// Returns what it means for a transaction of which nothing can have been committed.
    fn before_commit(self) -> Error {
        match self {
            Self::Conflict(reason) | Self::Lost(reason) => Error::Again(reason),
            Self::Refused(_, reason) => Error::Unavailable(reason),
        }
    }
}
