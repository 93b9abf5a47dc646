//! Amazon Chime accounts.

pub mod directories;
pub mod domains;
pub mod life;
pub mod record;
pub mod settings;

use super::next_token::Query;
use super::users::{self, UserRecord};
use super::{Context, Empty};
use crate::protocol::error::{Error, Result};
use crate::protocol::shapes::{
    AccountName, EmailAddress, License, NonEmptyString, ProfileServiceMaxResults, WithOthers,
};
use crate::store::{Key, Page, Position, Record};
pub use record::AccountRecord;
use record::{Account, AccountStatus, AccountType, account_key, accounts_by_name};
use serde::{Deserialize, Serialize};

// Shapes. The members of an answer stand in alphabetical order: that is their order on the wire.

/// The request of `CreateAccount`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateAccountRequest {
    name: AccountName,
}

/// The request of the operations that take an account and nothing else.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AccountRequest {
    account_id: NonEmptyString,
}

/// The request of `ListAccounts`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListAccountsRequest {
    name: Option<AccountName>,
    user_email: Option<EmailAddress>,
    next_token: Option<String>,
    #[serde(default)]
    max_results: ProfileServiceMaxResults,
}

/// The request of `UpdateAccount`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateAccountRequest {
    account_id: NonEmptyString,
    name: Option<AccountName>,
    default_license: Option<License>,
}

/// The answer of the operations that return one account.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AccountResponse {
    account: WithOthers<Account>,
}

/// The answer of `ListAccounts`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListAccountsResponse {
    accounts: Vec<WithOthers<Account>>,
    next_token: Option<String>,
}

// Operations.

/// Creates a Team account.
pub(super) fn create_account(
    cx: &mut Context<'_>,
    request: &CreateAccountRequest,
) -> Result<AccountResponse> {
    let account =
        AccountRecord::team(&cx.caller.aws_account_id, cx.new_id(), &request.name, cx.now);
    cx.tx.insert(&account)?;
    Ok(response(cx, account))
}

/// Puts an account away for 90 days, in which it can be restored.
pub(super) fn delete_account(cx: &mut Context<'_>, request: &AccountRequest) -> Result<Empty> {
    let account = existing_account(cx, &request.account_id)?;
    check_deletable(cx, &account)?;
    domains::drop_pending(cx, &account)?;
    let deleted = AccountRecord {
        deleted_timestamp: Some(cx.now),
        signed_out_timestamp: Some(cx.now),
        ..account.clone()
    };
    cx.tx.update(&account, &deleted)?;
    Ok(Empty {})
}

/// Returns an account.
pub(super) fn get_account(
    cx: &mut Context<'_>,
    request: &AccountRequest,
) -> Result<AccountResponse> {
    let account = existing_account(cx, &request.account_id)?;
    Ok(response(cx, account))
}

/// Lists the caller's accounts by name.
pub(super) fn list_accounts(
    cx: &mut Context<'_>,
    request: &ListAccountsRequest,
) -> Result<ListAccountsResponse> {
    let name = request.name.as_deref().unwrap_or_default();
    let email = request.user_email.as_deref();
    let query = Query { operation: "ListAccounts", filters: (name, email) };
    let after = query.position(cx, request.next_token.as_deref())?;
    if let Some(email) = &request.user_email {
        let found = account_of_user(cx, email)?.filter(|account| account.name.starts_with(name));
        let accounts = found.into_iter().map(|account| Account::of(account, cx.form)).collect();
        return Ok(ListAccountsResponse { accounts, next_token: None });
    }
    let index = accounts_by_name(&cx.caller.aws_account_id).string_prefix(name);
    let page: Page<AccountRecord> =
        cx.tx.page(&index, after.as_ref(), request.max_results.get())?;
    let next_token = query.token(cx, page.next.as_ref());
    let accounts = page.items.into_iter().map(|account| Account::of(account, cx.form)).collect();
    Ok(ListAccountsResponse { accounts, next_token })
}

/// Changes the name or the default licence of an account.
pub(super) fn update_account(
    cx: &mut Context<'_>,
    request: &UpdateAccountRequest,
) -> Result<AccountResponse> {
    let old = writable_account(cx, &request.account_id)?;
    let mut account = old.clone();
    if let Some(name) = &request.name {
        (**name).clone_into(&mut account.name);
    }
    if let Some(license) = request.default_license {
        account.default_license = supported_license(&account, license, "DefaultLicense")?;
    }
    cx.tx.update(&old, &account)?;
    Ok(response(cx, account))
}

// Helpers.

/// Returns an account of the caller's AWS account that is not deleted.
pub(super) fn existing_account(cx: &Context<'_>, account_id: &str) -> Result<AccountRecord> {
    let key = account_key(&cx.caller.aws_account_id, account_id);
    let account = cx.tx.get::<AccountRecord>(&key)?;
    account
        .filter(AccountRecord::is_live)
        .ok_or_else(|| Error::not_found(format!("Account {account_id} not found")))
}

/// Returns an account and a page of what is in it, looked up at once. What is wrong with the account is
/// told first.
pub(super) fn account_with_page<R: Record>(
    cx: &Context<'_>,
    account_id: &str,
    index: &Key,
    after: Result<Option<Position>>,
    limit: usize,
) -> Result<(AccountRecord, Page<R>)> {
    if let Ok(after) = &after {
        let account = account_key(&cx.caller.aws_account_id, account_id);
        cx.tx.fetch_with_page([account], index, after.as_ref(), limit)?;
    }
    let account = existing_account(cx, account_id)?;
    Ok((account, cx.tx.page(index, after?.as_ref(), limit)?))
}

/// Returns an account that may be changed: it exists, and is not suspended.
pub(super) fn writable_account(cx: &Context<'_>, account_id: &str) -> Result<AccountRecord> {
    let account = existing_account(cx, account_id)?;
    if account.account_status == AccountStatus::Suspended {
        return Err(Error::forbidden(format!(
            "Account {account_id} is suspended: it can be read, activated and deleted, and not \
             changed otherwise"
        )));
    }
    Ok(account)
}

/// Returns an account that may be changed and is of an Enterprise type.
pub(super) fn enterprise_account(cx: &Context<'_>, account_id: &str) -> Result<AccountRecord> {
    let account = writable_account(cx, account_id)?;
    if account.is_enterprise() { Ok(account) } else { Err(not_of_type(&account, "an Enterprise")) }
}

/// Says that an account is not of the type that an operation is for.
pub(super) fn not_of_type(account: &AccountRecord, needed: &str) -> Error {
    Error::bad_request(format!(
        "Account {} is of type {}; this needs {needed} account",
        account.account_id, account.account_type
    ))
}

/// Asks what AWS asked before it deleted an account: Team accounts have no users but suspended ones,
/// Enterprise accounts have released their domains ("Deleting Enterprise accounts" of the
/// Administration Guide).
fn check_deletable(cx: &Context<'_>, account: &AccountRecord) -> Result<()> {
    let id = &account.account_id;
    if account.account_type == AccountType::Team {
        if users::any_unsuspended(cx, account)? {
            return Err(Error::unprocessable(format!(
                "Account {id} has users who are not suspended. Suspend them with BatchSuspendUser \
                 first"
            )));
        }
    } else if domains::any_claimed(cx, account)? {
        return Err(Error::unprocessable(format!(
            "Account {id} has claimed domains. Release them with ReleaseDomain first"
        )));
    }
    Ok(())
}

/// Returns the account to which the user with an address belongs.
fn account_of_user(cx: &Context<'_>, email: &EmailAddress) -> Result<Option<AccountRecord>> {
    let key = users::email_key(&cx.caller.aws_account_id, email);
    let Some(user) = cx.tx.find::<UserRecord>(&key)? else { return Ok(None) };
    let account = cx.tx.get(&account_key(&user.aws_account_id, &user.account_id))?;
    Ok(account.filter(AccountRecord::is_live))
}

/// Returns a licence that an account supports.
pub(super) fn supported_license(
    account: &AccountRecord,
    license: License,
    member: &str,
) -> Result<License> {
    if account.supported_licenses.contains(&license) {
        return Ok(license);
    }
    Err(Error::bad_request(format!(
        "1 validation error detected: Value '{license:?}' at '{member}' failed to satisfy \
         constraint: Member must be one of the account's supported licenses: {:?}",
        account.supported_licenses
    )))
}

pub(super) fn response(cx: &Context<'_>, account: AccountRecord) -> AccountResponse {
    AccountResponse { account: Account::of(account, cx.form) }
}
