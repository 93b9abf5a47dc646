//! What the server does beside requests. A duty is done again and again while the server serves, and
//! ends with it; one that fails is logged and tried again, and ends nothing. Of the servers over one
//! store, one at a time does a duty.

mod lease;
mod postman;
mod recorder;
mod shipper;
mod smtp;
mod sweeper;
mod verifier;

pub use lease::{Holder, LeaseRecord};
pub(super) use postman::{Links, Postman};
pub(super) use recorder::Recorder;
pub use shipper::AuditLog;
pub(super) use shipper::Shipper;
pub use smtp::MailSettings;
pub(super) use sweeper::Sweeper;
pub use verifier::DnsSettings;
pub(super) use verifier::Verifier;

use crate::clock::{Clock, Timestamp};
use crate::metrics::Metrics;
use crate::store::{self, Store};
use futures_util::FutureExt;
use lease::Leases;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long a duty that failed rests.
const FAILURE_MILLISECONDS: i64 = 60 * 1000;
/// How long what a duty has begun may go on after the server was told to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Something that is done beside requests.
pub(super) trait Duty: Send + 'static {
    /// What the log calls it.
    const NAME: &'static str;
    /// What metrics and its lease call it.
    const LABEL: &'static str;
    /// Whether one server at a time does it, of those over one store. Each round can end then where it
    /// waits, and another server goes on with it.
    const IS_LEASED: bool = true;

    /// Does all that is due; answers when there is more to do, unless a bell rings before that. It
    /// begins nothing new once it is to stop.
    fn round(
        &mut self,
        stop: &Stop,
    ) -> impl Future<Output = store::Result<Option<Timestamp>>> + Send;

    /// Does what cannot be left undone when the server that does it has answered its last request.
    fn finish(&mut self) -> impl Future<Output = store::Result<()>> + Send {
        std::future::ready(Ok(()))
    }
}

/// Calls a duty to work at once.
#[derive(Clone, Debug, Default)]
pub(super) struct Bell {
    rung: watch::Sender<u64>,
    answered: watch::Sender<u64>,
}

impl Bell {
    /// Rings, and does not wait.
    pub(super) fn ring(&self) {
        self.rung.send_modify(|times| *times += 1);
    }

    /// Rings, and waits until the duty has done what was due by then, or failed to.
    pub(super) async fn ring_and_wait(&self) {
        let mut answered = self.answered.subscribe();
        self.ring();
        let rung = *self.rung.borrow();
        // Both ends are here, so that this cannot fail.
        answered.wait_for(|times| *times >= rung).await.ok();
    }
}

/// Tells a duty that the server stops.
#[derive(Debug)]
pub(super) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Tells whether the duty is to go on. Before that it lets others have their turn, among them
    /// what looks after the duty's lease: a store need not let go of a thread while it is waited for.
    pub(super) async fn goes_on(&self) -> bool {
        tokio::task::yield_now().await;
        !self.is_asked()
    }

    fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    async fn asked(&mut self) {
        // Whoever dropped the other end has stopped, too.
        self.0.wait_for(|asked| *asked).await.ok();
    }
}

/// The duties of a server.
pub(super) struct Duties {
    shared: Shared,
    stop: watch::Sender<bool>,
    waiting: Vec<Pin<Box<dyn Future<Output = ()> + Send>>>,
    running: JoinSet<()>,
}

/// What all duties of a server need.
#[derive(Clone, Debug)]
struct Shared {
    clock: Clock,
    metrics: Arc<Metrics>,
    /// What is settled with other servers, if there can be any.
    leases: Option<Leases>,
}

impl Duties {
    /// Begins with none.
    pub(super) fn new(store: &Arc<Store>, clock: Clock, metrics: Arc<Metrics>) -> Self {
        let stop = watch::Sender::new(false);
        let shared = Shared { leases: Leases::of(store, &clock), clock, metrics };
        Self { shared, stop, waiting: Vec::new(), running: JoinSet::new() }
    }

    /// Adds a duty that a bell can call.
    pub(super) fn add<D: Duty>(&mut self, duty: D, bell: Bell) {
        self.shared.metrics.duty_begun(D::LABEL);
        let stop = Stop(self.stop.subscribe());
        self.waiting.push(Box::pin(perform(duty, self.shared.clone(), bell, stop)));
    }

    /// Begins all that were added.
    pub(super) fn start(&mut self) {
        for duty in self.waiting.drain(..) {
            self.running.spawn(duty);
        }
    }

    /// Ends all, once they have finished what they have begun.
    pub(super) async fn stop(mut self) {
        self.stop.send_replace(true);
        let finished = async { while self.running.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_TIMEOUT, finished).await.is_err() {
            tracing::warn!("stopped in the midst of work: it took over {STOP_TIMEOUT:?}");
        }
    }
}

impl fmt::Debug for Duties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Duties").finish_non_exhaustive()
    }
}

/// Does a duty until the server stops, for as long as it is this server that does it.
async fn perform<D: Duty>(mut duty: D, mut shared: Shared, bell: Bell, mut stop: Stop) {
    let Some(leases) = shared.leases.take().filter(|_| D::IS_LEASED) else {
        shared.metrics.duty_active(D::LABEL, true);
        return rounds(&mut duty, &shared, &bell, &mut stop).await;
    };
    let mut lease = leases.lease(D::LABEL, D::NAME);
    while !stop.is_asked() {
        tokio::select! {
            () = lease.acquire() => {}
            () = stop.asked() => return,
        }
        shared.metrics.duty_active(D::LABEL, true);
        let done = lease.hold_while(rounds(&mut duty, &shared, &bell, &mut stop)).await;
        shared.metrics.duty_active(D::LABEL, false);
        if done.is_some() {
            lease.release().await;
        }
    }
}

/// Does one round of a duty after another until the server stops, and what is to be done in the end.
async fn rounds<D: Duty>(duty: &mut D, shared: &Shared, bell: &Bell, stop: &mut Stop) {
    let Shared { clock, metrics, .. } = shared;
    let mut rung = bell.rung.subscribe();
    let mut is_failing = false;
    while !stop.is_asked() {
        let times = *rung.borrow_and_update();
        let done = AssertUnwindSafe(duty.round(stop)).catch_unwind().await;
        let next = match done {
            Ok(Ok(next)) => {
                is_failing = false;
                metrics.duty_done(D::LABEL, clock.now());
                next
            }
            failed => {
                metrics.duty_failed(D::LABEL);
                // A duty that goes on failing has been reported.
                if !is_failing {
                    let cause = cause_of(failed);
                    tracing::error!("{} failed, and is tried again: {cause}", D::NAME);
                }
                is_failing = true;
                Some(clock.now().plus(FAILURE_MILLISECONDS))
            }
        };
        bell.answered.send_replace(times);
        let next = async {
            match next {
                Some(next) => clock.wait_until(next).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.asked() => {}
            () = next => {}
            _ = rung.changed() => {}
        }
    }
    match AssertUnwindSafe(duty.finish()).catch_unwind().await {
        Ok(Ok(())) => {}
        failed => tracing::error!("{} failed at the end: {}", D::NAME, cause_of(failed)),
    }
}

fn cause_of<T>(failed: std::thread::Result<store::Result<T>>) -> String {
    match failed {
        Ok(Err(error)) => error.to_string(),
        _ => "it panicked".to_owned(),
    }
}
