//! The life of an account beside its use: suspended, active again, deleted, restored, purged.
//!
//! AWS left these to its console and its support. Extension operations do them here.

use super::record::{Account, AccountStatus, account_key, deleted_accounts};
use super::{AccountRecord, AccountRequest, AccountResponse, existing_account, response};
use crate::clock::Timestamp;
use crate::operations::next_token::Query;
use crate::operations::{Context, users};
use crate::protocol::error::{Error, Result};
use crate::protocol::shapes::{ProfileServiceMaxResults, WithOthers};
use crate::store::{self, Key, Page, Table, Tx};
use serde::{Deserialize, Serialize};

/// How many users one transaction of the sweeper removes at the most.
const PURGED_USERS_MAX: usize = 200;

// Shapes.

/// The request of `ListDeletedAccounts`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListDeletedAccountsRequest {
    next_token: Option<String>,
    #[serde(default)]
    max_results: ProfileServiceMaxResults,
}

/// The answer of `ListDeletedAccounts`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListDeletedAccountsResponse {
    deleted_accounts: Vec<DeletedAccount>,
    next_token: Option<String>,
}

/// A deleted account, and until when it can be restored.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DeletedAccount {
    account: WithOthers<Account>,
    deleted_timestamp: Timestamp,
    restorable_until_timestamp: Timestamp,
}

// Operations.

/// Stops every change to an account but its activation and its deletion.
pub(in super::super) fn suspend_account(
    cx: &mut Context<'_>,
    request: &AccountRequest,
) -> Result<AccountResponse> {
    set_status(cx, &request.account_id, AccountStatus::Suspended)
}

/// Lets a suspended account be used again.
pub(in super::super) fn activate_account(
    cx: &mut Context<'_>,
    request: &AccountRequest,
) -> Result<AccountResponse> {
    set_status(cx, &request.account_id, AccountStatus::Active)
}

/// Lists the accounts that can be restored, in the order in which they were deleted.
pub(in super::super) fn list_deleted_accounts(
    cx: &mut Context<'_>,
    request: &ListDeletedAccountsRequest,
) -> Result<ListDeletedAccountsResponse> {
    let query = Query { operation: "ListDeletedAccounts", filters: () };
    let after = query.position(cx, request.next_token.as_deref())?;
    let index = deleted_accounts(&cx.caller.aws_account_id);
    let page: Page<AccountRecord> =
        cx.tx.page(&index, after.as_ref(), request.max_results.get())?;
    let next_token = query.token(cx, page.next.as_ref());
    let (form, now) = (cx.form, cx.now);
    let deleted_accounts = page
        .items
        .into_iter()
        .filter_map(|account| {
            let deleted_timestamp = account.deleted_timestamp?;
            let restorable_until_timestamp = account.restorable_until()?;
            (now < restorable_until_timestamp).then(|| DeletedAccount {
                account: Account::of(account, form),
                deleted_timestamp,
                restorable_until_timestamp,
            })
        })
        .collect();
    Ok(ListDeletedAccountsResponse { deleted_accounts, next_token })
}

/// Brings a deleted account back, with all that it had, within its 90 days.
pub(in super::super) fn restore_account(
    cx: &mut Context<'_>,
    request: &AccountRequest,
) -> Result<AccountResponse> {
    let id = &*request.account_id;
    let key = account_key(&cx.caller.aws_account_id, id);
    let old: AccountRecord = cx
        .tx
        .get(&key)?
        .filter(|account| !is_purgeable(account, cx.now))
        .ok_or_else(|| Error::not_found(format!("Account {id} not found")))?;
    if old.is_live() {
        return Err(Error::conflict(format!("Account {id} is not deleted")));
    }
    let account = AccountRecord { deleted_timestamp: None, ..old.clone() };
    cx.tx.update(&old, &account)?;
    Ok(response(cx, account))
}

/// Removes for good a part of what can be restored no longer; answers whether more is left.
pub fn purge(tx: &mut Tx<'_>, now: Timestamp) -> store::Result<bool> {
    let oldest: Page<AccountRecord> = tx.page(&Key::of(Table::DeletedAccounts), None, 1)?;
    let Some(account) = oldest.items.first().filter(|account| is_purgeable(account, now)) else {
        return Ok(false);
    };
    if !users::purge(tx, account, PURGED_USERS_MAX)? {
        tx.delete(account)?;
    }
    Ok(true)
}

// Helpers.

fn set_status(
    cx: &mut Context<'_>,
    account_id: &str,
    account_status: AccountStatus,
) -> Result<AccountResponse> {
    let old = existing_account(cx, account_id)?;
    let mut account = AccountRecord { account_status, ..old.clone() };
    if account_status == AccountStatus::Suspended {
        account.signed_out_timestamp = Some(cx.now);
    }
    cx.tx.update(&old, &account)?;
    Ok(response(cx, account))
}

fn is_purgeable(account: &AccountRecord, now: Timestamp) -> bool {
    account.restorable_until().is_some_and(|until| until <= now)
}
