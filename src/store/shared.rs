//! How operations come to an engine that other processes use as well: each in a transaction of its
//! own, which is run again when it was in the way of another.

use super::tx::Writes;
use super::writer::guarded;
use super::{Access, Batch, Engine, Error, Result, Tx};
use crate::metrics::Commits;
use backon::{BackoffBuilder, ExponentialBuilder};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Semaphore, SemaphorePermit};

/// How long an operation waits for its turn.
const TURN_TIMEOUT: Duration = Duration::from_secs(5);
/// How often an operation is run again at the most. With the rests between, which are about twice as
/// long each time up to the longest, and somewhere between once and twice as long as said, that is
/// after two to three seconds.
const AGAIN_MAX: usize = 12;
/// For how long an operation is run again at the most: where no answer comes, each time takes seconds,
/// and whoever asked waits for a minute.
const AGAIN_TIMEOUT: Duration = Duration::from_secs(10);
const FIRST_REST: Duration = Duration::from_millis(2);
const LONGEST_REST: Duration = Duration::from_millis(250);

/// The turns of operations on a shared engine.
pub(super) struct Shared {
    engine: Arc<dyn Engine>,
    turns: Semaphore,
    waiting: AtomicUsize,
    commits: Commits,
}

impl Shared {
    pub(super) fn new(engine: Arc<dyn Engine>, places: usize, commits: Commits) -> Self {
        Self { engine, turns: Semaphore::new(places), waiting: AtomicUsize::new(0), commits }
    }

    /// Returns how many operations wait for their turn.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    pub(super) async fn read<R, E: From<Error>>(
        &self,
        run: impl FnMut(Tx<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        let _turn = self.turn().await?;
        self.read_blocking(run)
    }

    pub(super) async fn write<R, E: From<Error>>(
        &self,
        run: impl FnMut(Tx<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        let _turn = self.turn().await?;
        self.write_blocking(run)
    }

    pub(super) fn read_blocking<R, E: From<Error>>(
        &self,
        mut run: impl FnMut(Tx<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        until_it_holds(&self.commits, || {
            let transaction = self.engine.begin(Access::Read)?;
            let outcome = run(Tx::reading(transaction.as_ref()));
            transaction.finish()?;
            Ok(outcome)
        })
    }

    pub(super) fn write_blocking<R, E: From<Error>>(
        &self,
        mut run: impl FnMut(Tx<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        until_it_holds(&self.commits, || {
            let transaction = self.engine.begin(Access::Write)?;
            let mut writes = Writes::default();
            let outcome = guarded(|| run(Tx::writing(transaction.as_ref(), &mut writes)));
            if outcome.is_err() || writes.batch().is_empty() {
                // What it refused, it refused for what it read.
                transaction.finish()?;
                return Ok(outcome);
            }
            let begun = Instant::now();
            let committed = transaction.commit(writes.batch());
            let bytes = bytes_of(writes.batch());
            // What is run again is counted as that.
            if !matches!(committed, Err(Error::Again(_))) {
                self.commits.committed(committed.is_ok(), 1, bytes, begun.elapsed());
            }
            committed.map(|()| outcome)
        })
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>> {
        let _waiting = Waiting::begin(&self.waiting);
        let begun = Instant::now();
        let turn = tokio::time::timeout(TURN_TIMEOUT, self.turns.acquire()).await;
        self.commits.turn(begun.elapsed());
        match turn {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(Error::Unavailable(format!(
                "all connections to the store were in use for {TURN_TIMEOUT:?}"
            ))),
        }
    }
}

/// Runs a transaction until it was in nobody's way.
fn until_it_holds<R, E: From<Error>>(
    commits: &Commits,
    mut transaction: impl FnMut() -> Result<Result<R, E>>,
) -> Result<R, E> {
    let until = Instant::now() + AGAIN_TIMEOUT;
    let mut rests = rests().take_while(|rest| Instant::now() + *rest < until);
    let mut count = 0;
    let held = waiting(|| {
        loop {
            count += 1;
            match transaction() {
                Err(Error::Again(reason)) => match rests.next() {
                    Some(rest) => {
                        commits.retries.inc();
                        thread::sleep(rest);
                    }
                    None => return Err(Error::Again(reason)),
                },
                held => return held,
            }
        }
    });
    match held {
        Ok(outcome) => outcome,
        Err(Error::Again(reason)) => {
            let tried = format!("tried {count} times, and gave up: {reason}");
            Err(Error::Unavailable(tried).into())
        }
        Err(error) => Err(error.into()),
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("engine", &self.engine).finish_non_exhaustive()
    }
}

/// Runs what waits for another machine, on a thread of a runtime or on any other: the runtime goes on
/// with its other tasks meanwhile.
pub(super) fn waiting<R>(run: impl FnOnce() -> R) -> R {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(run),
        _ => run(),
    }
}

/// Returns the rests between the tries of what is to be run again. They differ from one operation to
/// the next, so that two that were in each other's way do not meet again.
pub(super) fn rests() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(FIRST_REST)
        .with_max_delay(LONGEST_REST)
        .with_max_times(AGAIN_MAX)
        .with_jitter()
        .build()
}

/// Returns how many bytes a batch writes.
pub(super) fn bytes_of(batch: &Batch) -> usize {
    batch.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, Vec::len)).sum()
}

/// Counts an operation as long as it waits, also if whoever asked for it goes away.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
