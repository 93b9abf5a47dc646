//! The threads that tidy up behind the writer: one writes tables, one merges them.

use super::Core;
use crate::store::{Error, Result};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

/// How many full segments may wait to be written as tables before the writer waits for them.
const SEALED_MAX: usize = 3;
/// How many runs of tables may wait to be merged before the writer waits for them: every read
/// looks into each.
const FRESH_RUNS_MAX: usize = 24;

/// The threads, and the way to them.
pub(super) struct Background {
    progress: Arc<Progress>,
    threads: Mutex<Option<Threads>>,
}

struct Threads {
    /// Takes the number of the segment before which the log may be forgotten after a flush.
    flushes: Sender<u64>,
    flushing: JoinHandle<()>,
    merging: JoinHandle<()>,
}

/// Wakes a writer that waits for room.
#[derive(Default)]
struct Progress {
    made: Mutex<()>,
    wake: Condvar,
    /// Set once no more merging is wanted.
    closing: AtomicBool,
    /// The number of the segment before which the log was forgotten.
    forgotten: AtomicU64,
}

impl Progress {
    fn report(&self) {
        drop(self.made.lock().unwrap_or_else(PoisonError::into_inner));
        self.wake.notify_all();
    }
}

impl Background {
    /// Starts the threads.
    pub(super) fn start(core: &Arc<Core>) -> Self {
        let progress = Arc::new(Progress::default());
        let (flushes, to_flush) = channel();
        // One request to merge stands for all that come before it is heard.
        let (merges, to_merge) = sync_channel(1);
        merges.try_send(()).ok();
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            thread::Builder::new()
                .name(name.to_owned())
                .spawn(run)
                .expect("the system lets a starting server have a thread")
        };
        let (of_flushing, reports) = (Arc::clone(core), Arc::clone(&progress));
        let flushing = spawn(
            "campanile-flush",
            Box::new(move || flush(&of_flushing, &to_flush, &merges, &reports)),
        );
        let (of_merging, reports) = (Arc::clone(core), Arc::clone(&progress));
        let merging =
            spawn("campanile-merge", Box::new(move || merge(&of_merging, &to_merge, &reports)));
        Self { progress, threads: Mutex::new(Some(Threads { flushes, flushing, merging })) }
    }

    /// Has everything that was closed written, after which the log may forget the segments before
    /// this one.
    pub(super) fn flush_before(&self, segment: u64) {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(threads) = threads.as_ref() {
            // A thread that has ended has told why, and the engine has stopped.
            threads.flushes.send(segment).ok();
        }
    }

    /// Waits until the threads have caught up enough for another segment.
    pub(super) fn wait_for_room(&self, core: &Core) -> Result<()> {
        self.wait_while(core, || {
            core.tree.sealed() >= SEALED_MAX || core.tree.fresh_runs() >= FRESH_RUNS_MAX
        })
    }

    /// Waits until the log has forgotten the segments before this one.
    pub(super) fn wait_for_flush(&self, core: &Core, segment: u64) -> Result<()> {
        self.wait_while(core, || self.progress.forgotten.load(Ordering::Acquire) < segment)
    }

    fn wait_while(&self, core: &Core, waits: impl Fn() -> bool) -> Result<()> {
        let made = self.progress.made.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.progress.wake.wait_while(made, |()| core.check().is_ok() && waits());
        drop(waited);
        core.check()
    }

    /// Lets the threads finish what they were asked to flush, and waits for their end.
    pub(super) fn stop(&self) {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Threads { flushes, flushing, merging }) = threads {
            self.progress.closing.store(true, Ordering::Relaxed);
            drop(flushes);
            for thread in [flushing, merging] {
                // Its failures have been told to the core.
                thread.join().ok();
            }
        }
    }
}

fn flush(core: &Core, requests: &Receiver<u64>, merges: &SyncSender<()>, progress: &Progress) {
    let prepared = core.segments.prepare();
    stop_on_error(core, prepared, progress);
    while let Ok(mut segment) = requests.recv() {
        // One flush writes all that was closed until now.
        while let Ok(newer) = requests.try_recv() {
            segment = newer;
        }
        let flushed = core
            .check()
            .and_then(|()| core.tree.flush(core.snapshots.oldest()))
            .and_then(|()| core.segments.delete_before(segment))
            .inspect(|()| progress.forgotten.store(segment, Ordering::Release));
        stop_on_error(core, flushed, progress);
        merges.try_send(()).ok();
        if core.check().is_ok() {
            stop_on_error(core, core.segments.prepare(), progress);
        }
    }
}

fn merge(core: &Core, requests: &Receiver<()>, progress: &Progress) {
    while let Ok(()) = requests.recv() {
        loop {
            let merged = core.check().and_then(|()| core.tree.compact(core.snapshots.oldest()));
            let more = merged.as_ref().is_ok_and(|more| *more);
            stop_on_error(core, merged.map(drop), progress);
            if !more || progress.closing.load(Ordering::Relaxed) {
                break;
            }
        }
    }
}

fn stop_on_error(core: &Core, result: Result<()>, progress: &Progress) {
    if let Err(error) = result {
        tell(&error);
        core.fail(&error);
    }
    progress.report();
}

fn tell(error: &Error) {
    tracing::error!(%error, "the store stops answering");
}
