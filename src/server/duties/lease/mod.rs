//! Leases: of the servers over one store, one at a time does a duty. The holder writes the lease again
//! and again; another takes it once that has ended for long enough by its own clock.

mod claim;
#[cfg(test)]
mod tests;

pub use claim::{Holder, LeaseRecord};

use crate::clock::Clock;
use crate::store::{self, Error, Store};
use claim::{Change, Claim, HOLD, Moment};
use futures_util::FutureExt;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// How long after a renewal the next one is sent.
const RENEWAL: Duration = Duration::from_secs(5);
/// How long after a renewal that failed it is sent again.
const RETRY: Duration = Duration::from_secs(1);
/// How long a server that does not hold a lease waits before it looks at it again: somewhere between
/// these two, so that servers that started together do not go on asking together.
const LOOK_MILLISECONDS_MIN: u64 = 4000;
const LOOK_MILLISECONDS_MAX: u64 = 5000;

/// What the servers over a store settle through it.
#[derive(Clone, Debug)]
pub(super) struct Leases {
    store: Arc<Store>,
    clock: Clock,
    me: Holder,
}

impl Leases {
    /// Makes what a server needs to hold leases in a store; nothing, if no other server can be there.
    pub(super) fn of(store: &Arc<Store>, clock: &Clock) -> Option<Self> {
        if !store.is_shared() {
            return None;
        }
        let host = hostname::get()
            .map_or_else(|_| "unknown".to_owned(), |name| name.to_string_lossy().into_owned());
        let me = Holder {
            id: format!("{:032x}", rand::random::<u128>()),
            host: format!("{host}, process {}", std::process::id()),
        };
        Some(Self { store: Arc::clone(store), clock: clock.clone(), me })
    }

    /// Returns the lease of a duty, by its label, and by the name that the log calls it.
    pub(super) fn lease(self, duty: &'static str, name: &'static str) -> Lease {
        let claim = Claim::new(duty, self.me);
        Lease { store: self.store, clock: self.clock, claim, duty, name, is_failing: false }
    }
}

/// The lease of one duty, as one server sees it.
#[derive(Debug)]
pub(super) struct Lease {
    store: Arc<Store>,
    clock: Clock,
    claim: Claim,
    duty: &'static str,
    name: &'static str,
    /// Whether the log has been told that the store does not answer.
    is_failing: bool,
}

impl Lease {
    /// Waits until this server has the lease.
    pub(super) async fn acquire(&mut self) {
        loop {
            let tried = caught(self.attempt()).await;
            self.note(&tried);
            if tried.is_ok() && self.is_held() {
                return;
            }
            let look = rand::random_range(LOOK_MILLISECONDS_MIN..=LOOK_MILLISECONDS_MAX);
            let look = Duration::from_millis(look);
            let stale_in = self.claim.stale_in(Moment::of(&self.clock));
            let next = stale_in.filter(|it| !it.is_zero()).map_or(look, |it| it.min(look));
            self.clock.wait_until_elapsed(self.clock.elapsed() + next).await;
        }
    }

    /// Does something for as long as this server has the lease, and returns what came of it; nothing,
    /// if the lease was lost before. What is done is dropped then, at the next place where it waits.
    pub(super) async fn hold_while<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        let mut next = self.next_renewal();
        loop {
            let done = tokio::select! {
                biased;
                () = self.clock.wait_until_elapsed(next) => None,
                done = self.guarded(work.as_mut()) => done,
            };
            if done.is_some() {
                return done;
            }
            // A server that stood still and was not followed meanwhile goes on where it was: nothing is
            // done between the lease's end and this.
            let was_held = self.is_held();
            let begun = Moment::of(&self.clock);
            let renewed = tokio::select! {
                biased;
                renewed = caught(self.write(self.claim.renewal())) => renewed,
                done = self.guarded(work.as_mut()), if was_held => match done {
                    None => continue,
                    done => return done,
                },
                // What is guarded looks at the clock when it is woken, as it is by this.
                () = self.clock.wait_until_elapsed(self.end()), if was_held => continue,
            };
            self.note(&renewed);
            next = match renewed {
                Err(_) if !self.is_held() => return self.ended(None),
                Err(_) => self.clock.elapsed() + RETRY,
                Ok(stored) => {
                    if !self.claim.changed(begun, stored) {
                        return self.ended(None);
                    }
                    self.next_renewal()
                }
            };
        }
    }

    /// Gives the lease back, so that another server can take it at once.
    pub(super) async fn release(&mut self) {
        let release = self.claim.release();
        match caught(self.write(release)).await {
            Ok(Some(_)) => tracing::info!("{}: this server has released the lease", self.name),
            Ok(None) => {}
            Err(error) => {
                tracing::info!(
                    "{}: this server cannot release the lease, which another takes only when it \
                     is over: {error}",
                    self.name
                );
            }
        }
    }

    /// Looks at the lease once, and takes it if it may be taken.
    async fn attempt(&mut self) -> store::Result<()> {
        let key = LeaseRecord::key_of(self.duty);
        let found: Option<LeaseRecord> = self.store.read(|tx| tx.get(&key)).await?;
        let before = found.as_ref().and_then(|it| it.holder.clone());
        // After it was read: what is unchanged from then on was not written again before that.
        let Some(change) = self.claim.look(found, Moment::of(&self.clock)) else { return Ok(()) };
        let begun = Moment::of(&self.clock);
        let stored = self.write(change).await?;
        let term = stored.as_ref().map(|it| it.term);
        if self.claim.changed(begun, stored) {
            let from = before.map(|it| format!(" from {}", it.host)).unwrap_or_default();
            tracing::info!(term, "{}: this server has taken the lease{from}", self.name);
        }
        Ok(())
    }

    /// Writes a change in a transaction, and returns what is stored then.
    fn write(
        &self,
        change: Change,
    ) -> impl Future<Output = store::Result<Option<LeaseRecord>>> + Send + 'static {
        let store = Arc::clone(&self.store);
        async move { store.write(move |mut tx| change.apply(&mut tx)).await }
    }

    /// Goes on with some work, and looks before each step of it whether the lease is still held: what
    /// wakes a machine that slept need not be the lease's own time.
    async fn guarded<T>(&self, mut work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        poll_fn(
            |cx| if self.is_held() { work.as_mut().poll(cx).map(Some) } else { Poll::Ready(None) },
        )
        .await
    }

    fn is_held(&self) -> bool {
        self.claim.is_held(Moment::of(&self.clock))
    }

    /// Ends what the lease was held for.
    fn ended<T>(&mut self, done: Option<T>) -> Option<T> {
        if done.is_none() {
            self.claim.lose();
            tracing::info!("{}: this server has lost the lease, and stops", self.name);
        }
        done
    }

    /// Returns when the next renewal is to be sent, on the clock that goes evenly.
    fn next_renewal(&self) -> Duration {
        self.began() + RENEWAL
    }

    /// Returns when the lease is over unless it is renewed.
    fn end(&self) -> Duration {
        self.began() + HOLD
    }

    fn began(&self) -> Duration {
        self.claim.held().map_or(Duration::ZERO, |(_, begun)| begun.elapsed)
    }

    /// Tells the log, once, that the store does not answer.
    fn note<T>(&mut self, outcome: &store::Result<T>) {
        if let Some(error) = outcome.as_ref().err().filter(|_| !self.is_failing) {
            tracing::warn!("{}: the lease cannot be looked after: {error}", self.name);
        }
        self.is_failing = outcome.is_err();
    }
}

/// Takes an engine's panic for a failure, so that it ends no duty.
async fn caught<T>(run: impl Future<Output = store::Result<T>>) -> store::Result<T> {
    let caught = AssertUnwindSafe(run).catch_unwind().await;
    caught.unwrap_or_else(|_| Err(Error::Unavailable("its engine panicked".to_owned())))
}
