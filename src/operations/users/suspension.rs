//! Suspension: what it is depends on the type of the account.
//!
//! A user of a Team account leaves it. One of a Login with Amazon account stays and cannot sign in,
//! until it is let in again. Those of a directory or an OpenID provider are suspended there and not
//! here. (Texts of `BatchSuspendUser` and `BatchUnsuspendUser` in the service model.)

use super::record::RegistrationStatus;
use super::{UserErrorsResponse, UserRecord, existing_user, fetch_users, remove};
use crate::operations::Context;
use crate::operations::accounts::record::AccountType;
use crate::operations::accounts::{AccountRecord, not_of_type, writable_account};
use crate::protocol::error::Result;
use crate::protocol::shapes::{List, NonEmptyString};
use serde::Deserialize;
use std::collections::HashSet;

/// How many users a request may name.
const USERS_MAX: usize = 50;

// Shapes.

/// The request of `BatchSuspendUser` and `BatchUnsuspendUser`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UserIdListRequest {
    account_id: NonEmptyString,
    user_id_list: List<NonEmptyString, USERS_MAX>,
}

// Operations.

/// Suspends users; those for whom it fails are told, and the others are suspended.
pub(in super::super) fn batch_suspend_user(
    cx: &mut Context<'_>,
    request: &UserIdListRequest,
) -> Result<UserErrorsResponse> {
    for_each(cx, request, suspend)
}

/// Lets suspended users in again; those for whom it fails are told.
pub(in super::super) fn batch_unsuspend_user(
    cx: &mut Context<'_>,
    request: &UserIdListRequest,
) -> Result<UserErrorsResponse> {
    for_each(cx, request, unsuspend)
}

fn suspend(cx: &mut Context<'_>, account: &AccountRecord, user: &UserRecord) -> Result<()> {
    match account.account_type {
        AccountType::Team => remove(&mut cx.tx, user)?,
        AccountType::EnterpriseLwa => {
            let registration_status = RegistrationStatus::Suspended;
            let signed_out_timestamp = Some(cx.now);
            let suspended =
                UserRecord { registration_status, signed_out_timestamp, ..user.clone() };
            cx.tx.update(user, &suspended)?;
        }
        AccountType::EnterpriseDirectory | AccountType::EnterpriseOidc => {
            return Err(not_of_type(account, "a Team or an EnterpriseLWA"));
        }
    }
    Ok(())
}

fn unsuspend(cx: &mut Context<'_>, account: &AccountRecord, user: &UserRecord) -> Result<()> {
    if account.account_type != AccountType::EnterpriseLwa {
        return Err(not_of_type(account, "an EnterpriseLWA"));
    }
    if user.status_in(account) != RegistrationStatus::Suspended {
        return Ok(());
    }
    // Who was invited and never came is let in to come.
    let registration_status = match user.registered_on {
        Some(_) => RegistrationStatus::Registered,
        None => RegistrationStatus::Unregistered,
    };
    // The sessions of before do not come back.
    let signed_out_timestamp = Some(cx.now);
    let generation = account.user_generation;
    let restored =
        UserRecord { registration_status, generation, signed_out_timestamp, ..user.clone() };
    cx.tx.update(user, &restored)?;
    Ok(())
}

// Helpers.

/// Does something to each user that a request names, once, however often it names it.
fn for_each(
    cx: &mut Context<'_>,
    request: &UserIdListRequest,
    change: impl Fn(&mut Context<'_>, &AccountRecord, &UserRecord) -> Result<()>,
) -> Result<UserErrorsResponse> {
    let account = writable_account(cx, &request.account_id)?;
    let mut response = UserErrorsResponse::default();
    fetch_users(&cx.tx, &account, request.user_id_list.iter().map(|it| &**it))?;
    let mut seen = HashSet::new();
    for user_id in request.user_id_list.iter().filter(|id| seen.insert(&***id)) {
        let changed =
            existing_user(cx, &account, user_id).and_then(|user| change(cx, &account, &user));
        response.add(user_id, changed)?;
    }
    Ok(response)
}
