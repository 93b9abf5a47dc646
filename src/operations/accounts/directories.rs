//! Where an Enterprise account's people and licences come from: a directory, an OpenID provider, and
//! the licences that it may give at all.
//!
//! Extension operations: AWS left these to its console.

use super::record::{AccountType, LicenseGroup, OpenIdConfig};
use super::{
    AccountRecord, AccountRequest, AccountResponse, enterprise_account, not_of_type, response,
    supported_license, writable_account,
};
use crate::operations::{Context, users};
use crate::protocol::error::{Error, Result};
use crate::protocol::shapes::{License, List, NonEmptyList, NonEmptyString, ShortString};
use serde::Deserialize;

/// How many groups of a directory may give licences.
pub(in super::super) const GROUPS_MAX: usize = 100;

// Shapes.

/// The request of `ConnectDirectory`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ConnectDirectoryRequest {
    account_id: NonEmptyString,
    directory_id: ShortString,
    groups: Option<List<LicenseGroupItem, GROUPS_MAX>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LicenseGroupItem {
    group_id: ShortString,
    license: License,
}

/// The request of `ConnectOpenId`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ConnectOpenIdRequest {
    account_id: NonEmptyString,
    client_id: ShortString,
    issuer: ShortString,
}

/// The request of `UpdateSupportedLicenses`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateSupportedLicensesRequest {
    account_id: NonEmptyString,
    supported_licenses: NonEmptyList<License>,
}

// Operations.

/// Connects a directory to an Enterprise account that has none, or changes the groups of the one it
/// has.
pub(in super::super) fn connect_directory(
    cx: &mut Context<'_>,
    request: &ConnectDirectoryRequest,
) -> Result<AccountResponse> {
    let old = enterprise_account(cx, &request.account_id)?;
    let other_directory =
        old.directory_id.as_deref().is_some_and(|id| id != &*request.directory_id);
    if old.account_type == AccountType::EnterpriseOidc || other_directory {
        return Err(connected(&old));
    }
    let groups = request.groups.as_deref().unwrap_or_default();
    for group in groups {
        supported_license(&old, group.license, "Groups")?;
    }
    let group = |item: &LicenseGroupItem| LicenseGroup {
        group_id: (*item.group_id).to_owned(),
        license: item.license,
    };
    let account = AccountRecord {
        account_type: AccountType::EnterpriseDirectory,
        directory_id: Some((*request.directory_id).to_owned()),
        groups: groups.iter().map(group).collect(),
        ..old.clone()
    };
    cx.tx.update(&old, &account)?;
    Ok(response(cx, account))
}

/// Disconnects an account's directory; its users sign in with Login with Amazon from then on.
pub(in super::super) fn disconnect_directory(
    cx: &mut Context<'_>,
    request: &AccountRequest,
) -> Result<AccountResponse> {
    disconnect(cx, &request.account_id, AccountType::EnterpriseDirectory)
}

/// Connects an OpenID provider to an Enterprise account that has none, or changes the one it has.
pub(in super::super) fn connect_open_id(
    cx: &mut Context<'_>,
    request: &ConnectOpenIdRequest,
) -> Result<AccountResponse> {
    let old = enterprise_account(cx, &request.account_id)?;
    if old.account_type == AccountType::EnterpriseDirectory {
        return Err(connected(&old));
    }
    // OpenID Connect Discovery 1.0, section 3.
    if !request.issuer.starts_with("https://") {
        return Err(Error::bad_request(
            "1 validation error detected: Value at 'Issuer' failed to satisfy constraint: Member \
             must be a URL that begins with https://",
        ));
    }
    let config = OpenIdConfig {
        client_id: (*request.client_id).to_owned(),
        issuer: (*request.issuer).to_owned(),
    };
    let account = AccountRecord {
        account_type: AccountType::EnterpriseOidc,
        open_id_config: Some(config),
        ..old.clone()
    };
    cx.tx.update(&old, &account)?;
    Ok(response(cx, account))
}

/// Disconnects an account's OpenID provider; its users sign in with Login with Amazon from then on.
pub(in super::super) fn disconnect_open_id(
    cx: &mut Context<'_>,
    request: &AccountRequest,
) -> Result<AccountResponse> {
    disconnect(cx, &request.account_id, AccountType::EnterpriseOidc)
}

/// Says which licences an account may give: all that are given are among them.
pub(in super::super) fn update_supported_licenses(
    cx: &mut Context<'_>,
    request: &UpdateSupportedLicensesRequest,
) -> Result<AccountResponse> {
    let old = writable_account(cx, &request.account_id)?;
    let mut supported_licenses = Vec::new();
    for &license in request.supported_licenses.iter() {
        if !supported_licenses.contains(&license) {
            supported_licenses.push(license);
        }
    }
    for &license in old.supported_licenses.iter().filter(|it| !supported_licenses.contains(it)) {
        if let Some(user) = whose(cx, &old, license)? {
            return Err(Error::conflict(format!(
                "License {license:?} of account {} is in use: {user}",
                old.account_id
            )));
        }
    }
    let account = AccountRecord { supported_licenses, ..old.clone() };
    cx.tx.update(&old, &account)?;
    Ok(response(cx, account))
}

// Helpers.

fn disconnect(
    cx: &mut Context<'_>,
    account_id: &str,
    account_type: AccountType,
) -> Result<AccountResponse> {
    let old = writable_account(cx, account_id)?;
    if old.account_type != account_type {
        return Err(not_of_type(&old, &format!("an {account_type}")));
    }
    let account = AccountRecord {
        account_type: AccountType::EnterpriseLwa,
        directory_id: None,
        groups: Vec::new(),
        open_id_config: None,
        ..old.clone()
    };
    cx.tx.update(&old, &account)?;
    Ok(response(cx, account))
}

fn connected(account: &AccountRecord) -> Error {
    let to = match (&account.directory_id, &account.open_id_config) {
        (Some(directory), _) => {
            format!("directory {directory}. Disconnect it with DisconnectDirectory")
        }
        (None, Some(config)) => format!("{}. Disconnect it with DisconnectOpenId", config.issuer),
        (None, None) => "another provider. Disconnect that".to_owned(),
    };
    Error::conflict(format!("Account {} is connected to {to} first", account.account_id))
}

/// Returns what has a licence, if anything does.
fn whose(
    cx: &Context<'_>,
    account: &AccountRecord,
    license: License,
) -> Result<Option<&'static str>> {
    if account.default_license == license {
        return Ok(Some("it is the default license"));
    }
    if account.groups.iter().any(|group| group.license == license) {
        return Ok(Some("a group of the directory gives it"));
    }
    Ok(users::any_with_license(cx, account, license)?.then_some("a user has it"))
}
