//! Amazon Chime accounts.

use super::next_token::Query;
use super::{Context, Empty, Form};
use crate::clock::Timestamp;
use crate::protocol::error::{Error, Result};
use crate::protocol::shapes::{
    AccountName, EmailAddress, License, NonEmptyString, ProfileServiceMaxResults,
};
use crate::store::{Key, Page, Record, Table};
use serde::{Deserialize, Serialize};

// Shapes. The members of an answer stand in alphabetical order: that is their order on the wire.

/// The request of `CreateAccount`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateAccountRequest {
    name: AccountName,
}

/// The request of `DeleteAccount`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteAccountRequest {
    account_id: NonEmptyString,
}

/// The request of `GetAccount`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetAccountRequest {
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

/// The answer of `CreateAccount`, `GetAccount` and `UpdateAccount`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AccountResponse {
    account: Account,
}

/// The answer of `ListAccounts`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListAccountsResponse {
    accounts: Vec<Account>,
    next_token: Option<String>,
}

/// An account as clients see it.
///
/// Members that the service model does not have were seen on the wire in January 2019 (samples of
/// the API reference); SDKs ignore them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Account {
    account_id: String,
    account_status: AccountStatus,
    account_type: AccountType,
    admins: Option<()>,
    aws_account_id: String,
    billing_type: String,
    created_timestamp: Timestamp,
    default_license: License,
    delegation_status: String,
    directory_id: Option<String>,
    domains: Option<()>,
    groups: Vec<LicenseGroup>,
    name: String,
    owner: Option<()>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signin_delegate_groups: Option<Vec<SigninDelegateGroup>>,
    supported_licenses: Vec<License>,
    use_pro_trial_license: bool,
}

/// Where an account's identities come from.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names are AWS's")]
pub enum AccountType {
    Team,
    EnterpriseDirectory,
    #[serde(rename = "EnterpriseLWA")]
    EnterpriseLwa,
    #[serde(rename = "EnterpriseOIDC")]
    EnterpriseOidc,
}

/// Whether an account can be used.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names are AWS's")]
pub enum AccountStatus {
    Suspended,
    Active,
}

/// A directory group whose members get a licence.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct LicenseGroup {
    /// The group's name in the directory.
    pub group_id: String,
    /// What its members get.
    pub license: License,
}

/// A directory group whose members may act as delegates.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SigninDelegateGroup {
    /// The group's name in the directory.
    pub group_name: String,
}

// The record.

/// An account as it is stored.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the members are those of the shape")]
pub struct AccountRecord {
    pub aws_account_id: String,
    pub account_id: String,
    pub name: String,
    pub account_type: AccountType,
    pub account_status: AccountStatus,
    pub billing_type: String,
    pub created_timestamp: Timestamp,
    pub default_license: License,
    pub delegation_status: String,
    pub directory_id: Option<String>,
    pub groups: Vec<LicenseGroup>,
    pub signin_delegate_groups: Vec<SigninDelegateGroup>,
    pub supported_licenses: Vec<License>,
    pub use_pro_trial_license: bool,
    /// When the account was deleted. It can be restored for 90 days from then on.
    pub deleted_timestamp: Option<Timestamp>,
}

impl Record for AccountRecord {
    const VERSION: u32 = 1;

    fn key(&self) -> Key {
        account_key(&self.aws_account_id, &self.account_id)
    }

    fn index_keys(&self) -> Vec<Key> {
        let by_name =
            || accounts_by_name(&self.aws_account_id).string(&self.name).string(&self.account_id);
        if self.deleted_timestamp.is_none() { vec![by_name()] } else { Vec::new() }
    }
}

fn account_key(aws_account_id: &str, account_id: &str) -> Key {
    Key::of(Table::Accounts).string(aws_account_id).string(account_id)
}

fn accounts_by_name(aws_account_id: &str) -> Key {
    Key::of(Table::AccountsByName).string(aws_account_id)
}

// Operations.

/// Creates a Team account.
pub(super) fn create_account(
    cx: &mut Context<'_>,
    request: &CreateAccountRequest,
) -> Result<AccountResponse> {
    let account = AccountRecord {
        aws_account_id: cx.caller.aws_account_id.clone(),
        account_id: cx.new_id(),
        name: (*request.name).to_owned(),
        account_type: AccountType::Team,
        account_status: AccountStatus::Active,
        billing_type: "SeatBilling".to_owned(),
        created_timestamp: cx.now,
        default_license: License::Pro,
        delegation_status: "NoDelegation".to_owned(),
        directory_id: None,
        groups: Vec::new(),
        signin_delegate_groups: Vec::new(),
        supported_licenses: vec![License::Basic, License::Pro],
        use_pro_trial_license: false,
        deleted_timestamp: None,
    };
    cx.tx.insert(&account)?;
    Ok(response(cx, account))
}

/// Puts an account away for 90 days, in which it can be restored.
pub(super) fn delete_account(
    cx: &mut Context<'_>,
    request: &DeleteAccountRequest,
) -> Result<Empty> {
    let account = existing_account(cx, &request.account_id)?;
    let deleted = AccountRecord { deleted_timestamp: Some(cx.now), ..account.clone() };
    cx.tx.update(&account, &deleted)?;
    Ok(Empty {})
}

/// Returns an account.
pub(super) fn get_account(
    cx: &mut Context<'_>,
    request: &GetAccountRequest,
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
    if email.is_some() {
        // No account has users yet, so that no address belongs to any.
        return Ok(ListAccountsResponse { accounts: Vec::new(), next_token: None });
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
    let old = existing_account(cx, &request.account_id)?;
    let mut account = old.clone();
    if let Some(name) = &request.name {
        (**name).clone_into(&mut account.name);
    }
    if let Some(license) = request.default_license {
        account.default_license = supported_license(&account, license)?;
    }
    cx.tx.update(&old, &account)?;
    Ok(response(cx, account))
}

// Helpers.

/// Returns an account of the caller's AWS account that is not deleted.
fn existing_account(cx: &Context<'_>, account_id: &str) -> Result<AccountRecord> {
    let key = account_key(&cx.caller.aws_account_id, account_id);
    let account = cx.tx.get::<AccountRecord>(&key)?;
    account
        .filter(|account| account.deleted_timestamp.is_none())
        .ok_or_else(|| Error::not_found(format!("Account {account_id} not found")))
}

fn supported_license(account: &AccountRecord, license: License) -> Result<License> {
    if account.supported_licenses.contains(&license) {
        return Ok(license);
    }
    Err(Error::bad_request(format!(
        "1 validation error detected: Value '{license:?}' at 'DefaultLicense' failed to satisfy \
         constraint: Member must be one of the account's supported licenses: {:?}",
        account.supported_licenses
    )))
}

fn response(cx: &Context<'_>, account: AccountRecord) -> AccountResponse {
    AccountResponse { account: Account::of(account, cx.form) }
}

impl Account {
    fn of(record: AccountRecord, form: Form) -> Self {
        Self {
            account_id: record.account_id,
            account_status: record.account_status,
            account_type: record.account_type,
            admins: None,
            aws_account_id: record.aws_account_id,
            billing_type: record.billing_type,
            created_timestamp: record.created_timestamp,
            default_license: record.default_license,
            delegation_status: record.delegation_status,
            directory_id: record.directory_id,
            domains: None,
            groups: record.groups,
            name: record.name,
            owner: None,
            // The recorded answers under /console predate the member.
            signin_delegate_groups: (form == Form::Current)
                .then_some(record.signin_delegate_groups),
            supported_licenses: record.supported_licenses,
            use_pro_trial_license: record.use_pro_trial_license,
        }
    }
}
