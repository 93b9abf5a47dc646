//! The thread through which every write goes: serial execution and group commit.
//!
//! It takes all the writes that wait, runs each over what the ones before it wrote, commits them
//! together, and only then answers them. There are no conflicts and no retries.

use super::shared::bytes_of;
use super::tx::Writes;
use super::{Access, Engine, Error, Result, Tx};
use crate::metrics::Commits;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Instant;
use tokio::sync::{mpsc, oneshot};

/// How many writes may wait for the writer; a further one waits for its place.
const WAITING_MAX: usize = 1024;
/// How many writes one commit carries at the most, which bounds how long the first of them waits.
const GROUP_MAX: usize = 256;

/// The way to the writer's thread. Dropping it lets the thread finish what waits, and end.
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(engine: Arc<dyn Engine>, commits: Commits) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let thread = thread::Builder::new()
            .name("campanile-writer".to_owned())
            .spawn(move || write_groups(engine.as_ref(), receiver, &commits))
            .expect("the system lets a starting server have a thread");
        Self { jobs: Some(sender), thread: Some(thread) }
    }

    /// Runs a writing operation on the thread, and answers after its commit.
    pub(super) async fn write<R, E, F>(&self, run: F) -> Result<R, E>
    where
        R: Send + 'static,
        E: From<Error> + Send + 'static,
        F: FnMut(Tx<'_>) -> Result<R, E> + Send + 'static,
    {
        let (jobs, (job, answer)) = (self.jobs()?, job(run));
        jobs.send(job).await.map_err(|_| gone())?;
        answer.await.unwrap_or_else(|_| Err(gone().into()))
    }

    /// Does the same for a thread that may wait, outside of any runtime.
    pub(super) fn write_blocking<R, E, F>(&self, run: F) -> Result<R, E>
    where
        R: Send + 'static,
        E: From<Error> + Send + 'static,
        F: FnMut(Tx<'_>) -> Result<R, E> + Send + 'static,
    {
        let (jobs, (job, answer)) = (self.jobs()?, job(run));
        jobs.blocking_send(job).map_err(|_| gone())?;
        answer.blocking_recv().unwrap_or_else(|_| Err(gone().into()))
    }

    /// Returns how many writes wait for the thread.
    pub(super) fn waiting(&self) -> usize {
        self.jobs.as_ref().map_or(0, |jobs| jobs.max_capacity() - jobs.capacity())
    }

    fn jobs(&self) -> Result<&mpsc::Sender<Box<dyn Job>>> {
        self.jobs.as_ref().ok_or_else(gone)
    }
}

fn gone() -> Error {
    Error::Unavailable("its writer has stopped".to_owned())
}

/// Makes a job of a writing operation, and where its answer will come.
fn job<R, E, F>(run: F) -> (Box<dyn Job>, oneshot::Receiver<Result<R, E>>)
where
    R: Send + 'static,
    E: From<Error> + Send + 'static,
    F: FnMut(Tx<'_>) -> Result<R, E> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    (Box::new(Write { run: Some(run), outcome: None, reply }), answer)
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // The thread catches the panics of operations; one of its own has been reported.
            thread.join().ok();
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

fn write_groups(engine: &dyn Engine, mut jobs: mpsc::Receiver<Box<dyn Job>>, commits: &Commits) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    while jobs.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
        // An engine that panics must not take the writer with it: all that wait are answered.
        let committed =
            catch_unwind(AssertUnwindSafe(|| commit_group(engine, &mut group, commits)))
                .unwrap_or_else(|_| Err(Error::Unavailable("its engine panicked".to_owned())));
        for job in group.drain(..) {
            job.answer(&committed);
        }
    }
}

fn commit_group(engine: &dyn Engine, group: &mut [Box<dyn Job>], commits: &Commits) -> Result<()> {
    let transaction = engine.begin(Access::Write)?;
    let mut writes = Writes::default();
    let mut wrote = 0;
    for job in group {
        if job.run(Tx::writing(transaction.as_ref(), &mut writes)) {
            wrote += usize::from(writes.keep());
        } else {
            writes.undo();
        }
    }
    if writes.batch().is_empty() {
        return Ok(());
    }
    let begun = Instant::now();
    let committed = transaction.commit(writes.batch());
    commits.committed(committed.is_ok(), wrote, bytes_of(writes.batch()), begun.elapsed());
    committed
}

/// Runs an operation. A panic is a fault of its own; the writes of others must not suffer for it.
pub(super) fn guarded<R, E: From<Error>>(run: impl FnOnce() -> Result<R, E>) -> Result<R, E> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        Err(Error::Corrupt("the operation panicked; its writes are undone".to_owned()).into())
    })
}

/// A write that waits for its turn, with the types of its operation hidden.
trait Job: Send {
    /// Runs the operation; answers whether what it wrote is to be kept.
    fn run(&mut self, tx: Tx<'_>) -> bool;

    /// Tells the caller how it went.
    fn answer(self: Box<Self>, committed: &Result<()>);
}

struct Write<F, R, E> {
    run: Option<F>,
    outcome: Option<Result<R, E>>,
    reply: oneshot::Sender<Result<R, E>>,
}

impl<F, R, E> Job for Write<F, R, E>
where
    R: Send,
    E: From<Error> + Send,
    F: FnMut(Tx<'_>) -> Result<R, E> + Send,
{
    fn run(&mut self, tx: Tx<'_>) -> bool {
        let Some(mut run) = self.run.take() else { return false };
        let outcome = guarded(|| run(tx));
        let keep = outcome.is_ok();
        self.outcome = Some(outcome);
        keep
    }

    fn answer(self: Box<Self>, committed: &Result<()>) {
        let outcome = match (committed, self.outcome) {
            (Ok(()), Some(outcome)) => outcome,
            // What an operation saw of its group is void when the group is not committed.
            (Err(error), _) => Err(error.clone().into()),
            (Ok(()), None) => Err(Error::Unavailable("the write was not run".to_owned()).into()),
        };
        // A caller that has gone away needs no answer.
        self.reply.send(outcome).ok();
    }
}
