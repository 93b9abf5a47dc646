//! Invites: how a person comes into a Team account.

use super::outbox;
use super::record::{InviteStatus, RegistrationStatus, UserRecord, UserType, email_key, user_key};
use super::{PinRandomness, UserRequest, new_pin, user_in};
use crate::clock::Timestamp;
use crate::operations::Context;
use crate::operations::accounts::record::{AccountStatus, AccountType, account_key};
use crate::operations::accounts::{AccountRecord, existing_account, not_of_type, writable_account};
use crate::protocol::error::{Error, Result};
use crate::protocol::shapes::{EmailAddress, List, NonEmptyString, SensitiveString};
use crate::store::{self, Key, Record, Table, Tx};
use serde::{Deserialize, Serialize};

/// How many people a request may invite.
const INVITES_MAX: usize = 50;
/// For how long an invite's link works.
const LINK_MILLISECONDS: i64 = 30 * 24 * 60 * 60 * 1000;

// Shapes.

/// The request of `InviteUsers`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InviteUsersRequest {
    account_id: NonEmptyString,
    user_email_list: List<EmailAddress, INVITES_MAX>,
    user_type: Option<UserType>,
}

/// The answer of `InviteUsers`: an invite for each address, in the order of the request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct InviteUsersResponse {
    invites: Vec<Invite>,
}

/// The answer of `GetInvite`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetInviteResponse {
    expires_timestamp: Timestamp,
    invite: Invite,
    /// The link, while it works: whoever opens it can accept.
    url: Option<SensitiveString>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Invite {
    email_address: EmailAddress,
    email_status: EmailStatus,
    invite_id: Option<String>,
    status: InviteStatus,
}

/// Whether an invite's mail was sent.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names are AWS's")]
pub enum EmailStatus {
    NotSent,
    Sent,
    Failed,
}

// The record.

/// An invite as it is stored. It ends with its user.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the members are those of the shapes")]
pub struct InviteRecord {
    pub invite_id: String,
    pub aws_account_id: String,
    pub account_id: String,
    pub user_id: String,
    pub email_status: EmailStatus,
    /// Until when its link works.
    pub expires_timestamp: Timestamp,
}

impl Record for InviteRecord {
    const VERSION: u32 = 1;

    fn key(&self) -> Key {
        invite_key(&self.invite_id)
    }

    fn index_keys(&self) -> Vec<Key> {
        Vec::new()
    }
}

pub(super) fn invite_key(invite_id: &str) -> Key {
    Key::of(Table::Invites).string(invite_id)
}

/// Whether an invite's link works.
#[derive(Debug)]
pub enum Invitation {
    /// It does.
    Open(Box<OpenInvite>),
    /// It does not for as long as the account is suspended.
    Paused,
    /// It will not any more: the invite was used or withdrawn, or has expired.
    Ended,
}

/// An invite that can be accepted.
#[derive(Debug)]
pub struct OpenInvite {
    /// Who is invited.
    pub user: UserRecord,
    /// Who invites.
    pub account: AccountRecord,
    /// Until when the link works.
    pub expires: Timestamp,
}

impl InviteRecord {
    /// Returns whether an invite's link works.
    pub(super) fn state(&self, tx: &Tx<'_>, now: Timestamp) -> store::Result<Invitation> {
        let Self { aws_account_id, account_id, user_id, .. } = self;
        let account: Option<AccountRecord> = tx.get(&account_key(aws_account_id, account_id))?;
        let user: Option<UserRecord> = tx.get(&user_key(aws_account_id, account_id, user_id))?;
        let (Some(user), Some(account)) = (user, account) else { return Ok(Invitation::Ended) };
        let is_open = now < self.expires_timestamp
            && account.is_live()
            && user.invite_id.as_ref() == Some(&self.invite_id)
            && user.status_in(&account) == RegistrationStatus::Unregistered;
        Ok(match account.account_status {
            _ if !is_open => Invitation::Ended,
            AccountStatus::Suspended => Invitation::Paused,
            AccountStatus::Active => {
                let expires = self.expires_timestamp;
                Invitation::Open(Box::new(OpenInvite { user, account, expires }))
            }
        })
    }
}

// Operations.

/// Invites people into a Team account.
pub(in super::super) fn invite_users(
    cx: &mut Context<'_>,
    request: &InviteUsersRequest,
) -> Result<InviteUsersResponse> {
    let account = team_account(cx, request)?;
    let user_type = request.user_type.unwrap_or(UserType::PrivateUser);
    fetch_emails(&cx.tx, &account, request)?;
    for email in request.user_email_list.iter() {
        invite(cx, &account, email, user_type)?;
    }
    invites(cx, &account, request)
}

/// Answers `InviteUsers` anew, once its mail was tried.
pub(in super::super) fn invites_after_delivery(
    cx: &mut Context<'_>,
    request: &InviteUsersRequest,
) -> Result<InviteUsersResponse> {
    let account = team_account(cx, request)?;
    fetch_emails(&cx.tx, &account, request)?;
    invites(cx, &account, request)
}

/// Returns an invite with its link, for those who bring it to the person themselves, and to see what
/// became of its mail.
pub(in super::super) fn get_invite(
    cx: &mut Context<'_>,
    request: &UserRequest,
) -> Result<GetInviteResponse> {
    let (account, user) = user_in(cx, &request.account_id, &request.user_id, existing_account)?;
    let (Some(invite), Some(email)) = (invite_of(&cx.tx, &user)?, &user.primary_email) else {
        return Err(Error::not_found(format!("User {} was not invited", user.user_id)));
    };
    let works = !matches!(invite.state(&cx.tx, cx.now)?, Invitation::Ended);
    let link = || cx.terms.link_key.invite_url(&cx.terms.public_url, &invite.invite_id);
    Ok(GetInviteResponse {
        expires_timestamp: invite.expires_timestamp,
        invite: shown(&user, &account, email, Some(&invite)),
        url: works.then(link).flatten().map(SensitiveString::new),
    })
}

// What the acceptance page does.

/// Returns an invite whose link works.
pub fn open_invite(tx: &Tx<'_>, invite_id: &str, now: Timestamp) -> Result<OpenInvite> {
    let invitation = match tx.get::<InviteRecord>(&invite_key(invite_id))? {
        Some(invite) => invite.state(tx, now)?,
        None => Invitation::Ended,
    };
    match invitation {
        Invitation::Open(invite) => Ok(*invite),
        Invitation::Paused => {
            Err(Error::forbidden("The account of this invitation is suspended at the moment"))
        }
        Invitation::Ended => Err(no_such_invitation()),
    }
}

/// Returns the one error of all links that do not work, so that nobody learns what once did.
pub fn no_such_invitation() -> Error {
    Error::not_found("This invitation was used, was withdrawn, or has expired")
}

/// Lets a person in under a name of its choice: its invite is used up by that.
pub fn accept_invite(
    tx: &mut Tx<'_>,
    invite_id: &str,
    display_name: &SensitiveString,
    now: Timestamp,
    random: &PinRandomness,
) -> Result<UserRecord> {
    let old = open_invite(tx, invite_id, now)?.user;
    // Somebody may have reset the PIN of a person who had yet to come.
    let personal_pin = match &old.personal_pin {
        Some(pin) => pin.clone(),
        None => new_pin(tx, random)?,
    };
    let user = UserRecord {
        display_name: Some(display_name.clone()),
        full_name: Some(display_name.clone()),
        personal_pin: Some(personal_pin),
        registration_status: RegistrationStatus::Registered,
        registered_on: Some(now),
        user_invitation_status: Some(InviteStatus::Accepted),
        ..old.clone()
    };
    tx.update(&old, &user)?;
    outbox::withdraw(tx, invite_id)?;
    Ok(user)
}

// Helpers.

fn team_account(cx: &Context<'_>, request: &InviteUsersRequest) -> Result<AccountRecord> {
    let account = writable_account(cx, &request.account_id)?;
    match account.account_type {
        AccountType::Team => Ok(account),
        _ => Err(not_of_type(&account, "a Team")),
    }
}

/// Invites one person, unless it belongs to the account already, or to another.
fn invite(
    cx: &mut Context<'_>,
    account: &AccountRecord,
    email: &EmailAddress,
    user_type: UserType,
) -> Result<()> {
    let found: Option<UserRecord> = cx.tx.find(&email_key(&account.aws_account_id, email))?;
    let Some(old) = found else {
        let user = UserRecord {
            primary_email: Some(email.clone()),
            ..UserRecord::of(account, cx.new_id(), user_type)
        };
        let user = invited(cx, user)?;
        cx.tx.insert(&user)?;
        return Ok(());
    };
    if old.account_id != account.account_id {
        return Ok(());
    }
    let user = match old.status_in(account) {
        RegistrationStatus::Registered => return Ok(()),
        RegistrationStatus::Unregistered => old.clone(),
        RegistrationStatus::Suspended => {
            // It returns as somebody new would come, and the link of before stays dead.
            withdraw(&mut cx.tx, &old)?;
            UserRecord {
                registration_status: RegistrationStatus::Unregistered,
                registered_on: None,
                personal_pin: None,
                generation: account.user_generation,
                invite_id: None,
                signed_out_timestamp: Some(cx.now),
                ..old.clone()
            }
        }
    };
    let user = invited(cx, user)?;
    cx.tx.update(&old, &user)?;
    Ok(())
}

/// Makes or renews a user's invite, and puts its mail into the outbox.
fn invited(cx: &mut Context<'_>, user: UserRecord) -> Result<UserRecord> {
    let found = invite_of(&cx.tx, &user)?;
    let invite = InviteRecord {
        invite_id: found.as_ref().map_or_else(|| cx.new_id(), |it| it.invite_id.clone()),
        aws_account_id: user.aws_account_id.clone(),
        account_id: user.account_id.clone(),
        user_id: user.user_id.clone(),
        email_status: EmailStatus::NotSent,
        expires_timestamp: cx.now.plus(LINK_MILLISECONDS),
    };
    match &found {
        Some(old) => {
            cx.tx.update(old, &invite)?;
            outbox::withdraw(&mut cx.tx, &invite.invite_id)?;
        }
        None => cx.tx.insert(&invite)?,
    }
    if cx.terms.sends_mail {
        outbox::queue(&mut cx.tx, &invite.invite_id, cx.now)?;
    }
    Ok(UserRecord {
        invited_on: Some(cx.now),
        user_invitation_status: Some(InviteStatus::Pending),
        invite_id: Some(invite.invite_id),
        ..user
    })
}

/// Returns how it stands with each person whom a request invites.
fn invites(
    cx: &Context<'_>,
    account: &AccountRecord,
    request: &InviteUsersRequest,
) -> Result<InviteUsersResponse> {
    let state = |email: &EmailAddress| state(cx, account, email);
    let invites = request.user_email_list.iter().map(state).collect::<Result<_>>()?;
    Ok(InviteUsersResponse { invites })
}

fn state(cx: &Context<'_>, account: &AccountRecord, email: &EmailAddress) -> Result<Invite> {
    let user: Option<UserRecord> = cx.tx.find(&email_key(&account.aws_account_id, email))?;
    let Some(user) = user.filter(|user| user.account_id == account.account_id) else {
        // The address belongs to another account.
        return Ok(Invite {
            email_address: email.clone(),
            email_status: EmailStatus::NotSent,
            invite_id: None,
            status: InviteStatus::Failed,
        });
    };
    let invite = invite_of(&cx.tx, &user)?;
    Ok(shown(&user, account, email, invite.as_ref()))
}

fn shown(
    user: &UserRecord,
    account: &AccountRecord,
    email: &EmailAddress,
    invite: Option<&InviteRecord>,
) -> Invite {
    let status = match user.status_in(account) {
        RegistrationStatus::Registered => InviteStatus::Accepted,
        _ => user.user_invitation_status.unwrap_or(InviteStatus::Pending),
    };
    Invite {
        email_address: email.clone(),
        email_status: invite.map_or(EmailStatus::NotSent, |invite| invite.email_status),
        invite_id: invite.map(|invite| invite.invite_id.clone()),
        status,
    }
}

/// Has the invites and mails of users looked up at once that are going to be looked at one by one.
pub(super) fn fetch(tx: &Tx<'_>, users: &[UserRecord]) -> store::Result<()> {
    let ids = users.iter().filter_map(|user| user.invite_id.as_deref());
    tx.fetch(ids.flat_map(|id| [invite_key(id), outbox::mail_key(id)]))?;
    Ok(())
}

/// Has what concerns addresses looked up at once that are going to be looked at one by one.
fn fetch_emails(
    tx: &Tx<'_>,
    account: &AccountRecord,
    request: &InviteUsersRequest,
) -> store::Result<()> {
    let key = |email: &EmailAddress| email_key(&account.aws_account_id, email);
    let keys: Vec<_> = request.user_email_list.iter().map(key).collect();
    if !tx.fetch_found(keys.iter().cloned())? {
        return Ok(());
    }
    let mut users = Vec::with_capacity(keys.len());
    for key in &keys {
        users.extend(tx.find(key)?);
    }
    fetch(tx, &users)
}

/// Returns the invite that a user was last sent.
fn invite_of(tx: &Tx<'_>, user: &UserRecord) -> store::Result<Option<InviteRecord>> {
    match &user.invite_id {
        Some(invite_id) => tx.get(&invite_key(invite_id)),
        None => Ok(None),
    }
}

/// Ends the invite that a user was sent, and takes its mail back.
pub(in super::super) fn withdraw(tx: &mut Tx<'_>, user: &UserRecord) -> store::Result<()> {
    let Some(invite_id) = &user.invite_id else { return Ok(()) };
    outbox::withdraw(tx, invite_id)?;
    match tx.get::<InviteRecord>(&invite_key(invite_id))? {
        Some(invite) => tx.delete(&invite),
        None => Ok(()),
    }
}
