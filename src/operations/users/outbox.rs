//! The outbox: mail that was promised in the same commit as the invite that it is about.
//!
//! Whoever delivers takes what is due, sends it outside of any transaction, and says how it went. A
//! server that dies between the two sends that mail again: a mail is sent at least once.

use super::UserRecord;
use super::invites::{EmailStatus, InviteRecord, invite_key};
use super::record::{InviteStatus, user_key};
use crate::clock::Timestamp;
use crate::protocol::shapes::EmailAddress;
use crate::store::{self, Key, Page, Record, Table, Tx};
use serde::{Deserialize, Serialize};

/// A mail that is to be sent: the invite itself holds everything that it says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct MailRecord {
    /// The invite that the mail is about.
    pub invite_id: String,
    /// When the mail was promised.
    pub queued_timestamp: Timestamp,
    /// When it is to be tried next.
    pub due_timestamp: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
}

impl Record for MailRecord {
    const VERSION: u32 = 1;

    fn key(&self) -> Key {
        Key::of(Table::Outbox).string(&self.invite_id)
    }

    fn index_keys(&self) -> Vec<Key> {
        let due = self.due_timestamp.to_string();
        vec![Key::of(Table::OutboxByDueTime).string(&due).string(&self.invite_id)]
    }
}

/// What a mail says, and to whom.
#[derive(Clone, Debug)]
pub struct Mail {
    /// What stands in the outbox.
    pub record: MailRecord,
    /// The person who is invited.
    pub to: EmailAddress,
    /// The name of the account that invites.
    pub account_name: String,
    /// Until when the link works.
    pub expires: Timestamp,
}

/// How the delivery of a mail went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Delivery {
    /// The mail server took it.
    Sent,
    /// The mail server will never take it, or has not for too long.
    Failed,
    /// It is to be tried again.
    Retry(Timestamp),
}

/// Puts a mail into the outbox, in the place of one about the same invite that still waits there.
pub(super) fn queue(tx: &mut Tx<'_>, invite_id: &str, now: Timestamp) -> store::Result<()> {
    withdraw(tx, invite_id)?;
    tx.insert(&MailRecord {
        invite_id: invite_id.to_owned(),
        queued_timestamp: now,
        due_timestamp: now,
        attempts: 0,
    })
}

/// Takes back a mail that is not sent yet.
pub(super) fn withdraw(tx: &mut Tx<'_>, invite_id: &str) -> store::Result<()> {
    match tx.get::<MailRecord>(&Key::of(Table::Outbox).string(invite_id))? {
        Some(mail) => tx.delete(&mail),
        None => Ok(()),
    }
}

/// Returns the mail that has waited longest, due or not, up to a number.
pub fn waiting(tx: &Tx<'_>, mails_max: usize) -> store::Result<Vec<MailRecord>> {
    let page: Page<MailRecord> = tx.page(&Key::of(Table::OutboxByDueTime), None, mails_max)?;
    Ok(page.items)
}

/// Returns what a mail says; nothing if its invite has ended meanwhile.
pub fn mail(tx: &Tx<'_>, record: MailRecord, now: Timestamp) -> store::Result<Option<Mail>> {
    let Some(invite) = tx.get::<InviteRecord>(&invite_key(&record.invite_id))? else {
        return Ok(None);
    };
    let Some((user, account)) = invite.open(tx, now)? else { return Ok(None) };
    let mail =
        |to| Mail { record, to, account_name: account.name, expires: invite.expires_timestamp };
    Ok(user.primary_email.map(mail))
}

/// Notes how a delivery went. A mail that was promised anew or taken back meanwhile is left as it is.
pub fn settle(tx: &mut Tx<'_>, tried: &MailRecord, delivery: Delivery) -> store::Result<()> {
    let Some(mail) = tx.get::<MailRecord>(&tried.key())?.filter(|mail| mail == tried) else {
        return Ok(());
    };
    if let Delivery::Retry(due_timestamp) = delivery {
        let attempts = mail.attempts + 1;
        return tx.update(&mail, &MailRecord { due_timestamp, attempts, ..mail.clone() });
    }
    tx.delete(&mail)?;
    let Some(old) = tx.get::<InviteRecord>(&invite_key(&mail.invite_id))? else { return Ok(()) };
    let sent = delivery == Delivery::Sent;
    let email_status = if sent { EmailStatus::Sent } else { EmailStatus::Failed };
    tx.update(&old, &InviteRecord { email_status, ..old.clone() })?;
    if sent { Ok(()) } else { mark_failed(tx, &old) }
}

/// Drops a mail whose invite has ended.
pub fn drop_mail(tx: &mut Tx<'_>, tried: &MailRecord) -> store::Result<()> {
    match tx.get::<MailRecord>(&tried.key())?.filter(|mail| mail == tried) {
        Some(mail) => tx.delete(&mail),
        None => Ok(()),
    }
}

/// Lets those who look at the user see that its mail did not arrive.
fn mark_failed(tx: &mut Tx<'_>, invite: &InviteRecord) -> store::Result<()> {
    let key = user_key(&invite.aws_account_id, &invite.account_id, &invite.user_id);
    let is_pending = |user: &UserRecord| user.user_invitation_status == Some(InviteStatus::Pending);
    let Some(old) = tx.get::<UserRecord>(&key)?.filter(is_pending) else { return Ok(()) };
    let user_invitation_status = Some(InviteStatus::Failed);
    tx.update(&old, &UserRecord { user_invitation_status, ..old.clone() })
}
