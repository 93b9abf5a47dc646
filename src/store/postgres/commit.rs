//! A commit, and what becomes of one whose answer is lost.
//!
//! Each leaves a marker of its own in its transaction. Whoever lost the answer puts the same marker as a
//! fence, over a new connection. One of the two is first, and the other waits for it: if the commit was
//! first, it has happened; if the fence was, the commit has not, and cannot any more. So it is
//! either acknowledged or run again, and neither lost nor done twice.

use super::session::Session;
use super::transaction::Block;
use super::{Fault, Postgres, sql};
use crate::store::shared::rests;
use crate::store::{Batch, Error, Result};
use futures_util::future::join3;
use std::iter;
use std::thread;
use std::time::{Duration, Instant};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

const FENCE_REST: Duration = Duration::from_millis(500);
/// How long markers are kept: far longer than anybody asks for one, as clocks differ.
const MARKER_SECONDS: u64 = 60 * 60;

/// Commits a batch, in the block that is open or in a new transaction, unless one of the keys that must
/// be new is not.
pub(super) fn commit(
    engine: &Postgres,
    open: Option<Block>,
    batch: &Batch,
    new: &[Vec<u8>],
) -> Result<()> {
    let marker = Uuid::now_v7();
    let entries = batch.iter().filter_map(|(key, value)| Some((key, value.as_ref()?)));
    let (keys, values): (Vec<_>, Vec<_>) = entries.unzip();
    let gone: Vec<_> =
        batch.iter().filter(|(_, value)| value.is_none()).map(|(key, _)| key).collect();
    let block = match open {
        // One statement is a transaction by itself.
        None if gone.is_empty() => None,
        None => Some(begun(engine)?),
        open => open,
    };
    let is_block = block.is_some();
    let mut session = match block {
        Some(block) => block.into_session(),
        None => engine.session().map_err(Fault::before_commit)?,
    };
    session.take_warning();
    let committed = session.wait(engine.settings.timeouts.commit, async |client, statements| {
        let entries: [&(dyn ToSql + Sync); 4] = [&marker, &keys, &values, &new];
        let put = client.execute(&statements.put, &entries);
        if !is_block {
            return put.await.map(drop);
        }
        let delete = async {
            match gone.as_slice() {
                [] => Ok(0),
                _ => client.execute(&statements.delete, &[&gone]).await,
            }
        };
        let (put, deleted, committed) = join3(put, delete, client.batch_execute(sql::COMMIT)).await;
        // After one that failed, the last undoes the block, and calls it done.
        put?;
        deleted?;
        committed
    });
    match committed {
        Ok(()) if !session.take_warning() => {
            engine.put_back(session);
            Ok(())
        }
        // PostgreSQL tells so that somebody ended the wait for the replicas.
        Ok(()) => fenced(engine, marker, "the commit came with a warning"),
        Err(fault) => match engine.failed(session, fault.clone()) {
            Error::Again(reason) if matches!(fault, Fault::Lost(_)) => {
                fenced(engine, marker, &reason)
            }
            error => Err(error),
        },
    }
}

fn begun(engine: &Postgres) -> Result<Block> {
    let session = engine.session().map_err(Fault::before_commit)?;
    Block::begin(session).map_err(|(session, fault)| engine.failed(session, fault))
}

/// Finds out what became of a commit whose answer was lost, and counts it.
fn fenced(engine: &Postgres, marker: Uuid, lost: &str) -> Result<()> {
    let settled = settled(engine, marker, lost);
    engine.commits.in_doubt(match settled {
        Ok(()) => "committed",
        Err(Error::Again(_)) => "fenced",
        Err(_) => "unknown",
    });
    settled
}

fn settled(engine: &Postgres, marker: Uuid, lost: &str) -> Result<()> {
    let until = Instant::now() + engine.settings.timeouts.fence;
    for rest in rests().chain(iter::repeat(FENCE_REST)) {
        let left = until.saturating_duration_since(Instant::now());
        match fence(engine, marker, left) {
            Ok(false) => return Ok(()),
            Ok(true) => return Err(Error::Again(format!("the commit was lost: {lost}"))),
            Err(_) if left > rest => thread::sleep(rest),
            Err(fault) => {
                engine.unsettled.add(marker, &engine.settings, &engine.commits);
                return Err(Error::Unknown(format!("{lost}; after that: {}", fault.reason())));
            }
        }
    }
    Err(Error::Unknown(lost.to_owned()))
}

/// Puts a fence; answers whether it was first.
fn fence(engine: &Postgres, marker: Uuid, limit: Duration) -> Result<bool, Fault> {
    let mut session = engine.session()?;
    match put_fence(&mut session, marker, limit.min(engine.settings.timeouts.commit)) {
        Ok(was_first) => {
            engine.put_back(session);
            Ok(was_first)
        }
        Err(fault) => {
            engine.failed(session, fault.clone());
            Err(fault)
        }
    }
}

/// Puts a fence over a session; answers whether it was first.
pub(super) fn put_fence(
    session: &mut Session,
    marker: Uuid,
    limit: Duration,
) -> Result<bool, Fault> {
    session.take_warning();
    let was_first = session.wait(limit, async |client, statements| {
        client.query_one(&statements.fence, &[&marker]).await?.try_get(0)
    })?;
    if session.take_warning() {
        return Err(Fault::Lost("the replicas were not waited for".to_owned()));
    }
    Ok(was_first)
}

/// Removes the markers about which nobody asks any more.
pub(super) fn forget_markers(engine: &Postgres) -> Result<()> {
    let (seconds, nanoseconds) = Uuid::now_v7().get_timestamp().map_or((0, 0), |it| it.to_unix());
    let before = uuid::Timestamp::from_unix(
        uuid::NoContext,
        seconds.saturating_sub(MARKER_SECONDS),
        nanoseconds,
    );
    let before = Uuid::new_v7(before);
    loop {
        let mut session = engine.session().map_err(Fault::before_commit)?;
        let removed = session.wait(engine.settings.timeouts.commit, async |client, _| {
            client.execute(sql::FORGET_MARKERS, &[&before]).await
        });
        match removed {
            Ok(removed) => {
                engine.put_back(session);
                if removed == 0 {
                    return Ok(());
                }
            }
            Err(fault) => return Err(engine.failed(session, fault)),
        }
    }
}
