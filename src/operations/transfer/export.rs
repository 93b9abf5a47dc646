//! Everything goes out: accounts with their settings and domains, and users with theirs.

use super::users::user_settings;
use crate::clock::Timestamp;
use crate::operations::Context;
use crate::operations::accounts::AccountRecord;
use crate::operations::accounts::domains::{DOMAINS_MAX, Domain, DomainRecord, domains_of};
use crate::operations::accounts::record::{
    Account, AccountSettings, OpenIdConfig, Retention, account_key, accounts_of,
};
use crate::operations::accounts::settings::{AccountSettingsShape, RetentionSettings};
use crate::operations::next_token::Query;
use crate::operations::users::UserRecord;
use crate::operations::users::record::{Detail, User};
use crate::protocol::error::Result;
use crate::protocol::shapes::{AwsAccountId, ProfileServiceMaxResults, WithOthers};
use crate::store::{Key, Page, Table};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;

// Shapes. An item is what ImportAccounts and ImportUsers take; what is the default is null.

/// The request of `ExportAccounts` and `ExportUsers`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExportRequest {
    aws_account_id: Option<AwsAccountId>,
    next_token: Option<String>,
    #[serde(default)]
    max_results: ProfileServiceMaxResults,
}

/// The answer of `ExportAccounts`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExportAccountsResponse {
    accounts: Vec<AccountItem>,
    next_token: Option<String>,
}

/// The answer of `ExportUsers`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExportUsersResponse {
    next_token: Option<String>,
    users: Vec<UserItem>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct AccountItem {
    account: WithOthers<Account>,
    account_settings: Option<WithOthers<AccountSettingsShape>>,
    domains: Vec<Domain>,
    initiate_deletion_timestamp: Option<Timestamp>,
    open_id_config: Option<OpenIdConfig>,
    retention_settings: Option<RetentionSettings>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct UserItem {
    user: WithOthers<User>,
    user_settings: Option<Value>,
}

// Operations.

/// Returns the accounts that are not deleted, by their ids, with everything that is set of them.
pub(in super::super) fn export_accounts(
    cx: &mut Context<'_>,
    request: &ExportRequest,
) -> Result<ExportAccountsResponse> {
    let aws_account_id = super::target(cx, request.aws_account_id.as_ref())?;
    let query = Query { operation: "ExportAccounts", filters: &aws_account_id };
    let after = query.position(cx, request.next_token.as_deref())?;
    let limit = request.max_results.get();
    let page: Page<AccountRecord> =
        cx.tx.page(&accounts_of(&aws_account_id), after.as_ref(), limit)?;
    let next_token = query.token(cx, page.next.as_ref());
    let mut domains = domains_by_account(cx, &page.items)?;
    let live = page.items.into_iter().filter(AccountRecord::is_live);
    let accounts = live.map(|account| {
        let domains = domains.remove(&account.account_id).unwrap_or_default();
        account_item(cx, account, domains)
    });
    Ok(ExportAccountsResponse { accounts: accounts.collect(), next_token })
}

/// Returns the users of the accounts that are not deleted, by account and id.
pub(in super::super) fn export_users(
    cx: &mut Context<'_>,
    request: &ExportRequest,
) -> Result<ExportUsersResponse> {
    let aws_account_id = super::target(cx, request.aws_account_id.as_ref())?;
    let query = Query { operation: "ExportUsers", filters: &aws_account_id };
    let after = query.position(cx, request.next_token.as_deref())?;
    let all = Key::of(Table::Users).string(&aws_account_id);
    let page: Page<UserRecord> = cx.tx.page(&all, after.as_ref(), request.max_results.get())?;
    let next_token = query.token(cx, page.next.as_ref());
    cx.tx.fetch(page.items.iter().map(|user| account_key(&aws_account_id, &user.account_id)))?;
    let mut accounts: HashMap<String, Option<AccountRecord>> = HashMap::new();
    let mut users = Vec::new();
    for user in page.items {
        if !accounts.contains_key(&user.account_id) {
            let key = account_key(&aws_account_id, &user.account_id);
            accounts.insert(user.account_id.clone(), cx.tx.get(&key)?);
        }
        let account = accounts.get(&user.account_id).and_then(Option::as_ref);
        // The users of a deleted account are there for as long as it can be restored.
        if let Some(account) = account.filter(|account| account.is_live()) {
            let user_settings = user_settings(&user);
            let user = User::of(user, account, Detail::Full, cx.form);
            users.push(UserItem { user, user_settings });
        }
    }
    Ok(ExportUsersResponse { next_token, users })
}

/// Returns the domains of accounts that stand one behind the other, read at once.
fn domains_by_account(
    cx: &Context<'_>,
    accounts: &[AccountRecord],
) -> Result<HashMap<String, Vec<DomainRecord>>> {
    let mut by_account: HashMap<String, Vec<DomainRecord>> = HashMap::new();
    if let (Some(first), Some(last)) = (accounts.first(), accounts.last()) {
        let of = |account: &AccountRecord| domains_of(&account.aws_account_id, &account.account_id);
        let domains_max = accounts.len() * DOMAINS_MAX;
        let domains: Vec<DomainRecord> = cx.tx.between(&of(first), &of(last), domains_max)?;
        for domain in domains {
            by_account.entry(domain.account_id.clone()).or_default().push(domain);
        }
    }
    Ok(by_account)
}

fn account_item(
    cx: &Context<'_>,
    mut account: AccountRecord,
    domains: Vec<DomainRecord>,
) -> AccountItem {
    let settings = std::mem::take(&mut account.settings);
    let retention = std::mem::take(&mut account.retention);
    let is_kept = retention != Retention::default();
    AccountItem {
        account_settings: (settings != AccountSettings::default()).then(|| settings.into()),
        domains: domains.into_iter().map(Domain::from).collect(),
        initiate_deletion_timestamp: retention.initiate_deletion_timestamp,
        open_id_config: account.open_id_config.take(),
        retention_settings: is_kept.then(|| retention.into()),
        account: Account::of(account, cx.form),
    }
}
