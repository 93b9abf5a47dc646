//! The outbox: mail that was promised in the same commit as the invite that it is about.
//!
//! Whoever delivers takes what is due, sends it outside of any transaction, and says how it went. A
//! server that dies between the two sends that mail again: a mail is sent at least once.

use super::UserRecord;
use super::invites::{EmailStatus, Invitation, InviteRecord, invite_key};
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

/// What is to become of a mail whose time has come.
#[derive(Debug)]
pub enum Letter {
    /// It is to be sent.
    Send(Mail),
    /// It cannot be sent as long as the account is suspended.
    Wait,
    /// Its invite has ended.
    Drop,
}

/// What a mail says, and to whom.
#[derive(Debug)]
pub struct Mail {
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
    /// Its invite has ended, so that nobody wants it.
    Dropped,
}

/// Puts a mail into the outbox, where none about the same invite waits.
pub(super) fn queue(tx: &mut Tx<'_>, invite_id: &str, now: Timestamp) -> store::Result<()> {
    tx.insert(&MailRecord {
        invite_id: invite_id.to_owned(),
        queued_timestamp: now,
        due_timestamp: now,
        attempts: 0,
    })
}

/// Returns the key of the mail about an invite.
pub(super) fn mail_key(invite_id: &str) -> Key {
    Key::of(Table::Outbox).string(invite_id)
}

/// Takes back a mail that is not sent yet.
pub(super) fn withdraw(tx: &mut Tx<'_>, invite_id: &str) -> store::Result<()> {
    match tx.get::<MailRecord>(&mail_key(invite_id))? {
        Some(mail) => tx.delete(&mail),
        None => Ok(()),
    }
}

/// Returns the mail that has waited longest, due or not, up to a number.
pub fn waiting(tx: &Tx<'_>, mails_max: usize) -> store::Result<Vec<MailRecord>> {
    let page: Page<MailRecord> = tx.page(&Key::of(Table::OutboxByDueTime), None, mails_max)?;
    Ok(page.items)
}

/// Returns what is to become of a mail whose time has come.
pub fn letter(tx: &Tx<'_>, mail: &MailRecord, now: Timestamp) -> store::Result<Letter> {
    let invitation = match tx.get::<InviteRecord>(&invite_key(&mail.invite_id))? {
        Some(invite) => invite.state(tx, now)?,
        None => Invitation::Ended,
    };
    Ok(match invitation {
        Invitation::Paused => Letter::Wait,
        Invitation::Ended => Letter::Drop,
        Invitation::Open(invite) => match invite.user.primary_email {
            Some(to) => Letter::Send(Mail {
                to,
                account_name: invite.account.name,
                expires: invite.expires,
            }),
            None => Letter::Drop,
        },
    })
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
    let email_status = match delivery {
        Delivery::Sent => EmailStatus::Sent,
        Delivery::Failed => EmailStatus::Failed,
        Delivery::Retry(_) | Delivery::Dropped => return Ok(()),
    };
    tx.update(&old, &InviteRecord { email_status, ..old.clone() })?;
    if delivery == Delivery::Failed { mark_failed(tx, &old) } else { Ok(()) }
}

/// Lets those who look at the user see that its mail did not arrive.
fn mark_failed(tx: &mut Tx<'_>, invite: &InviteRecord) -> store::Result<()> {
    let key = user_key(&invite.aws_account_id, &invite.account_id, &invite.user_id);
    let is_pending = |user: &UserRecord| user.user_invitation_status == Some(InviteStatus::Pending);
    let Some(old) = tx.get::<UserRecord>(&key)?.filter(is_pending) else { return Ok(()) };
    let user_invitation_status = Some(InviteStatus::Failed);
    tx.update(&old, &UserRecord { user_invitation_status, ..old.clone() })
}
