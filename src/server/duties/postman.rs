//! The postman: it takes what is due from the outbox, sends it outside of any transaction, and notes
//! how that went.

use super::smtp::{Refusal, Smtp};
use super::{Bell, Duty, MailSettings, Stop};
use crate::clock::{Clock, Timestamp};
use crate::metrics::Metrics;
use crate::operations::users::links::LinkKey;
use crate::operations::users::outbox::{self, Delivery, Letter, MailRecord};
use crate::protocol::Deliver;
use crate::store::{self, Store};
use backon::{BackoffBuilder, ExponentialBuilder};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How many mails are sent side by side.
const SENDING_MAX: usize = 8;
/// How many mails are taken from the outbox at a time.
const TAKEN_MAX: usize = 64;
/// How long a mail that was not taken waits at first, and at the most, each with up to a minute more
/// by chance, so that not all come at once.
const RETRY_MIN: Duration = Duration::from_mins(1);
const RETRY_MAX: Duration = Duration::from_hours(2);
/// For how long a mail is tried.
const AGE_MILLISECONDS_MAX: i64 = 2 * 24 * 60 * 60 * 1000;
/// How long a request waits for the mail that it caused.
const DELIVER_TIMEOUT: Duration = Duration::from_secs(5);
/// How often the outbox is looked at for mail of other servers, whose bells are not heard here.
const LOOK_MILLISECONDS: i64 = 1000;
/// How far the clocks of servers over one store can be apart without a mail that is to be sent at once
/// having to wait for that. So much too early another attempt comes at the most.
const APART_MILLISECONDS: i64 = 10 * 1000;
/// How long a request waits at first, and at the most, before it looks whether another server has
/// tried its mail.
const ELSEWHERE_MIN: Duration = Duration::from_millis(50);
const ELSEWHERE_MAX: Duration = Duration::from_millis(400);

/// Sends the mail in the outbox.
#[derive(Debug)]
pub(in super::super) struct Postman {
    store: Arc<Store>,
    clock: Clock,
    links: Links,
    metrics: Arc<Metrics>,
    smtp: Smtp,
    /// Why no mail can be sent at the moment, as the log has been told.
    trouble: Mutex<Option<String>>,
}

/// What makes the links of mails.
#[derive(Debug)]
pub(in super::super) struct Links {
    pub(in super::super) key: LinkKey,
    pub(in super::super) public_url: String,
}

impl Postman {
    pub(in super::super) fn new(
        settings: MailSettings,
        (store, clock): (Arc<Store>, Clock),
        links: Links,
        metrics: Arc<Metrics>,
    ) -> Self {
        let smtp = Smtp::new(settings);
        Self { store, clock, links, metrics, smtp, trouble: Mutex::default() }
    }

    /// Returns what makes a request wait for the postman: the one whom a bell calls, or that of another
    /// server.
    pub(in super::super) fn deliver(bell: &Bell, shared: (Arc<Store>, Clock)) -> Deliver {
        let bell = bell.clone();
        Deliver::new(move || {
            let (bell, (store, clock)) = (bell.clone(), shared.clone());
            async move {
                let tried = async {
                    tokio::select! {
                        () = bell.ring_and_wait() => {}
                        () = tried_elsewhere(&store, &clock), if store.is_shared() => {}
                    }
                };
                // Whether or not it is over: the answer says how it stands.
                tokio::time::timeout(DELIVER_TIMEOUT, tried).await.ok();
            }
        })
    }

    async fn deliver_one(&self, mail: MailRecord, stop: &Stop) -> store::Result<()> {
        if !stop.goes_on().await {
            return Ok(());
        }
        let now = self.clock.now();
        let delivery = match self.store.read(|tx| outbox::letter(&tx, &mail, now)).await? {
            Letter::Drop => Delivery::Dropped,
            Letter::Wait => later(&mail, now),
            Letter::Send(letter) => {
                let Links { key, public_url } = &self.links;
                let link = key.invite_url(public_url, &mail.invite_id).unwrap_or_default();
                match self.smtp.send(&letter, &link, now).await {
                    Ok(()) => {
                        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
                        Delivery::Sent
                    }
                    Err(refusal) => self.refused(&mail, refusal),
                }
            }
        };
        self.metrics.mail(match delivery {
            Delivery::Sent => "sent",
            Delivery::Failed => "failed",
            Delivery::Retry(_) => "retried",
            Delivery::Dropped => "dropped",
        });
        self.store.write(move |mut tx| outbox::settle(&mut tx, &mail, delivery)).await
    }

    /// Settles what becomes of a mail that was refused, and tells the log.
    fn refused(&self, mail: &MailRecord, refusal: Refusal) -> Delivery {
        let invite_id = &mail.invite_id;
        let (delivery, reason) = match refusal {
            Refusal::ForGood(reason) => (Delivery::Failed, reason),
            Refusal::ForNow(reason) => (later(mail, self.clock.now()), reason),
        };
        if delivery == Delivery::Failed {
            tracing::warn!(invite_id, "the mail of an invite cannot be sent: {reason}");
            return delivery;
        }
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if trouble.as_ref() == Some(&reason) {
            tracing::debug!(invite_id, "the mail of an invite is tried again later: {reason}");
        } else {
            tracing::warn!(invite_id, "the mail of an invite is tried again later: {reason}");
            *trouble = Some(reason);
        }
        delivery
    }
}

impl Duty for Postman {
    const NAME: &'static str = "delivering mail";
    const LABEL: &'static str = "postman";

    async fn round(&mut self, stop: &Stop) -> store::Result<Option<Timestamp>> {
        loop {
            // Most often there is nothing to do, and one mail tells.
            let next = next_due(&self.store).await?;
            let now = self.clock.now();
            let is_shared = self.store.is_shared();
            let by = if is_shared { now.plus(APART_MILLISECONDS) } else { now };
            if !stop.goes_on().await || next.is_none_or(|due| due > by) {
                let look = is_shared.then(|| now.plus(LOOK_MILLISECONDS));
                return Ok(next.into_iter().chain(look).min());
            }
            let waiting = self.store.read(|tx| outbox::waiting(&tx, TAKEN_MAX)).await?;
            let due = waiting.into_iter().filter(|mail| mail.due_timestamp <= by);
            let postman = &*self;
            stream::iter(due)
                .map(|mail| postman.deliver_one(mail, stop))
                .buffer_unordered(SENDING_MAX)
                .try_collect::<()>()
                .await?;
        }
    }
}

/// Returns when the next mail in the outbox is due, or was.
async fn next_due(store: &Store) -> store::Result<Option<Timestamp>> {
    let waiting = store.read(|tx| outbox::waiting(&tx, 1)).await?;
    Ok(waiting.first().map(|mail| mail.due_timestamp))
}

/// Waits until all the mail that is due by now was tried, by whichever server.
async fn tried_elsewhere(store: &Store, clock: &Clock) {
    let now = clock.now();
    let mut pause = ELSEWHERE_MIN;
    loop {
        tokio::time::sleep(pause).await;
        // Of a store that does not answer, the request itself tells.
        if next_due(store).await.is_ok_and(|due| due.is_none_or(|due| due > now)) {
            return;
        }
        pause = ELSEWHERE_MAX.min(pause * 2);
    }
}

/// Settles when a mail that was not taken is tried again, if it is.
fn later(mail: &MailRecord, now: Timestamp) -> Delivery {
    if mail.queued_timestamp.plus(AGE_MILLISECONDS_MAX) <= now {
        return Delivery::Failed;
    }
    let delays = ExponentialBuilder::new()
        .with_min_delay(RETRY_MIN)
        .with_max_delay(RETRY_MAX)
        .with_factor(2.0)
        .with_jitter()
        .without_max_times();
    let attempts = usize::try_from(mail.attempts).unwrap_or(usize::MAX);
    let delay = delays.build().nth(attempts.min(32)).unwrap_or(RETRY_MAX);
    Delivery::Retry(now.plus(delay.as_millis().try_into().unwrap_or(i64::MAX)))
}
