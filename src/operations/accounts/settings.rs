//! What an account is set to: its settings, its sign-in delegate groups, its message retention.

use super::record::{AccountRecord, AccountSettings, Retention, SigninDelegateGroup};
use super::{AccountRequest, enterprise_account, existing_account, not_of_type, writable_account};
use crate::clock::Timestamp;
use crate::operations::{Context, Empty};
use crate::protocol::error::{Error, Result};
use crate::protocol::shapes::{NonEmptyList, NonEmptyString, RetentionDays, WithOthers};
use serde::{Deserialize, Serialize};

/// How many sign-in delegate groups an account may have: they come back with every account of a
/// page. AWS documents no limit.
pub(in super::super) const SIGNIN_DELEGATE_GROUPS_MAX: usize = 100;
/// After how long what is too old is deleted for good ("Turning on chat retention" of the
/// Administration Guide).
const GRACE_MILLISECONDS: i64 = 30 * 24 * 60 * 60 * 1000;

// Shapes.

/// The request of `UpdateAccountSettings`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateAccountSettingsRequest {
    account_id: NonEmptyString,
    account_settings: AccountSettingsChange,
}

/// The settings that are to be changed.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AccountSettingsChange {
    disable_remote_control: Option<bool>,
    enable_dial_out: Option<bool>,
}

/// The answer of `GetAccountSettings`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetAccountSettingsResponse {
    account_settings: WithOthers<AccountSettingsShape>,
}

/// The settings as clients see them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct AccountSettingsShape {
    disable_remote_control: bool,
    enable_dial_out: bool,
}

/// The request of `AssociateSigninDelegateGroupsWithAccount`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AssociateSigninDelegateGroupsRequest {
    account_id: NonEmptyString,
    signin_delegate_groups: Vec<SigninDelegateGroup>,
}

/// The request of `DisassociateSigninDelegateGroupsFromAccount`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DisassociateSigninDelegateGroupsRequest {
    account_id: NonEmptyString,
    group_names: NonEmptyList<String>,
}

/// The request of `PutRetentionSettings`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PutRetentionSettingsRequest {
    account_id: NonEmptyString,
    retention_settings: RetentionSettings,
}

/// The answer of `GetRetentionSettings`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetRetentionSettingsResponse {
    initiate_deletion_timestamp: Option<Timestamp>,
    retention_settings: RetentionSettings,
}

/// For how long messages are kept; for ever, where nothing is said.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct RetentionSettings {
    conversation_retention_settings: Option<MessageRetentionSettings>,
    room_retention_settings: Option<MessageRetentionSettings>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct MessageRetentionSettings {
    retention_days: Option<RetentionDays>,
}

impl From<AccountSettings> for WithOthers<AccountSettingsShape> {
    fn from(settings: AccountSettings) -> Self {
        let shape = AccountSettingsShape {
            disable_remote_control: settings.disable_remote_control,
            enable_dial_out: settings.enable_dial_out,
        };
        Self { shape, others: settings.others }
    }
}

impl From<Retention> for RetentionSettings {
    fn from(retention: Retention) -> Self {
        let settings = |days: Option<RetentionDays>| {
            days.map(|days| MessageRetentionSettings { retention_days: Some(days) })
        };
        Self {
            conversation_retention_settings: settings(retention.conversation_days),
            room_retention_settings: settings(retention.room_days),
        }
    }
}

impl RetentionSettings {
    /// Returns what is to be stored of these settings and of when they take effect.
    pub(in super::super) fn retention(self, deletion: Option<Timestamp>) -> Retention {
        let days =
            |settings: Option<MessageRetentionSettings>| settings.and_then(|it| it.retention_days);
        Retention {
            conversation_days: days(self.conversation_retention_settings),
            room_days: days(self.room_retention_settings),
            initiate_deletion_timestamp: deletion,
        }
    }
}

// Operations.

/// Returns what an account lets its users do.
pub(in super::super) fn get_account_settings(
    cx: &mut Context<'_>,
    request: &AccountRequest,
) -> Result<GetAccountSettingsResponse> {
    let account = existing_account(cx, &request.account_id)?;
    Ok(GetAccountSettingsResponse { account_settings: account.settings.into() })
}

/// Changes those settings that the request has.
pub(in super::super) fn update_account_settings(
    cx: &mut Context<'_>,
    request: &UpdateAccountSettingsRequest,
) -> Result<Empty> {
    let old = writable_account(cx, &request.account_id)?;
    let mut account = old.clone();
    let change = request.account_settings;
    if let Some(disable_remote_control) = change.disable_remote_control {
        account.settings.disable_remote_control = disable_remote_control;
    }
    if let Some(enable_dial_out) = change.enable_dial_out {
        account.settings.enable_dial_out = enable_dial_out;
    }
    cx.tx.update(&old, &account)?;
    Ok(Empty {})
}

/// Adds directory groups, in the order of the request, behind those that the account has.
pub(in super::super) fn associate_signin_delegate_groups(
    cx: &mut Context<'_>,
    request: &AssociateSigninDelegateGroupsRequest,
) -> Result<Empty> {
    let old = writable_account(cx, &request.account_id)?;
    let mut account = old.clone();
    let groups = &mut account.signin_delegate_groups;
    for group in request.signin_delegate_groups.iter().filter(|it| it.group_name.is_some()) {
        if !groups.contains(group) {
            groups.push(group.clone());
        }
    }
    let count = groups.len();
    if count > SIGNIN_DELEGATE_GROUPS_MAX {
        return Err(Error::bad_request(format!(
            "1 validation error detected: Value at 'SigninDelegateGroups' failed to satisfy \
             constraint: An account may have {SIGNIN_DELEGATE_GROUPS_MAX} sign-in delegate \
             groups, and would have {count}"
        )));
    }
    cx.tx.update(&old, &account)?;
    Ok(Empty {})
}

/// Takes directory groups away: all that the request names, or none if one is not there.
pub(in super::super) fn disassociate_signin_delegate_groups(
    cx: &mut Context<'_>,
    request: &DisassociateSigninDelegateGroupsRequest,
) -> Result<Empty> {
    let old = writable_account(cx, &request.account_id)?;
    let mut account = old.clone();
    for name in request.group_names.iter() {
        if !old.signin_delegate_groups.iter().any(|group| group.is_named(name)) {
            return Err(Error::not_found(format!(
                "Sign-in delegate group '{name}' not found in account {}",
                old.account_id
            )));
        }
        account.signin_delegate_groups.retain(|group| !group.is_named(name));
    }
    cx.tx.update(&old, &account)?;
    Ok(Empty {})
}

/// Returns for how long an Enterprise account keeps messages.
pub(in super::super) fn get_retention_settings(
    cx: &mut Context<'_>,
    request: &AccountRequest,
) -> Result<GetRetentionSettingsResponse> {
    let AccountRecord { retention, .. } = match existing_account(cx, &request.account_id)? {
        account if account.is_enterprise() => account,
        account => return Err(not_of_type(&account, "an Enterprise")),
    };
    Ok(GetRetentionSettingsResponse {
        initiate_deletion_timestamp: retention.initiate_deletion_timestamp,
        retention_settings: retention.into(),
    })
}

/// Says for how long an Enterprise account keeps messages. What becomes too old by it is deleted for
/// good 30 days later, so that a change can be taken back.
pub(in super::super) fn put_retention_settings(
    cx: &mut Context<'_>,
    request: &PutRetentionSettingsRequest,
) -> Result<Empty> {
    let old = enterprise_account(cx, &request.account_id)?;
    let retention = request.retention_settings.retention(old.retention.initiate_deletion_timestamp);
    if retention == old.retention {
        return Ok(Empty {});
    }
    let deletes = retention.conversation_days.is_some() || retention.room_days.is_some();
    let deletion = deletes.then(|| cx.now.plus(GRACE_MILLISECONDS));
    let retention = Retention { initiate_deletion_timestamp: deletion, ..retention };
    cx.tx.update(&old, &AccountRecord { retention, ..old.clone() })?;
    Ok(Empty {})
}

impl SigninDelegateGroup {
    fn is_named(&self, name: &str) -> bool {
        self.group_name.as_deref() == Some(name)
    }
}
