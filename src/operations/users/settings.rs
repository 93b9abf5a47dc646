//! What a user may do with telephones.

use super::{UserRecord, user_in};
use crate::operations::accounts::{existing_account, writable_account};
use crate::operations::{Context, Empty};
use crate::protocol::error::Result;
use serde::{Deserialize, Serialize};

// Shapes. The model asks nothing of these two ids; what does not exist is not found.

/// The request of `GetUserSettings`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetUserSettingsRequest {
    account_id: String,
    user_id: String,
}

/// The request of `UpdateUserSettings`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateUserSettingsRequest {
    account_id: String,
    user_id: String,
    user_settings: UserSettings,
}

/// The answer of `GetUserSettings`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetUserSettingsResponse {
    user_settings: UserSettings,
}

/// The settings of a user.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct UserSettings {
    pub(in super::super) telephony: TelephonySettings,
}

/// What a user may do with telephones; nothing, until somebody says otherwise ("Managing user phone
/// numbers" of the Administration Guide).
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TelephonySettings {
    /// Whether the user may be called.
    pub inbound_calling: bool,
    /// Whether the user may call.
    pub outbound_calling: bool,
    /// Whether the user may send and get text messages.
    #[serde(rename = "SMS")]
    pub sms: bool,
}

// Operations.

/// Returns the settings of a user.
pub(in super::super) fn get_user_settings(
    cx: &mut Context<'_>,
    request: &GetUserSettingsRequest,
) -> Result<GetUserSettingsResponse> {
    let (_, user) = user_in(cx, &request.account_id, &request.user_id, existing_account)?;
    Ok(GetUserSettingsResponse { user_settings: UserSettings { telephony: user.telephony } })
}

/// Changes the settings of a user.
pub(in super::super) fn update_user_settings(
    cx: &mut Context<'_>,
    request: &UpdateUserSettingsRequest,
) -> Result<Empty> {
    let (_, old) = user_in(cx, &request.account_id, &request.user_id, writable_account)?;
    let telephony = request.user_settings.telephony;
    cx.tx.update(&old, &UserRecord { telephony, ..old.clone() })?;
    Ok(Empty {})
}
