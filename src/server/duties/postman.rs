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
use futures_util::{StreamExt, TryStreamExt, future, stream};
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

    /// Returns what makes a request wait for the postman whom a bell calls.
    pub(in super::super) fn deliver(bell: &Bell) -> Deliver {
        let bell = bell.clone();
        Deliver::new(move || {
            let bell = bell.clone();
            async move {
                // Whether or not it is over: the answer says how it stands.
                tokio::time::timeout(DELIVER_TIMEOUT, bell.ring_and_wait()).await.ok();
            }
        })
    }

    async fn deliver_one(&self, mail: MailRecord) -> store::Result<()> {
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
            let waiting = self.store.read(|tx| outbox::waiting(&tx, TAKEN_MAX)).await?;
            let now = self.clock.now();
            let next = waiting.first().map(|mail| mail.due_timestamp);
            if stop.is_asked() || next.is_none_or(|due| due > now) {
                return Ok(next);
            }
            let due = waiting.into_iter().filter(|mail| mail.due_timestamp <= now);
            let postman = &*self;
            stream::iter(due)
                .take_while(|_| future::ready(!stop.is_asked()))
                .map(|mail| postman.deliver_one(mail))
                .buffer_unordered(SENDING_MAX)
                .try_collect::<()>()
                .await?;
        }
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
