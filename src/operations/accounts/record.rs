//! An account: as it is stored, and as clients see it.

use super::super::Form;
use crate::clock::Timestamp;
use crate::protocol::shapes::{License, Others, RetentionDays, ShortString, WithOthers};
use crate::store::{Error, Key, Record, Result, Table};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// For how long a deleted account can be restored ("Deleting Enterprise accounts" of the
/// Administration Guide).
const RESTORABLE_MILLISECONDS: i64 = 90 * 24 * 60 * 60 * 1000;

/// An account as clients see it.
///
/// Members that the service model does not have were seen on the wire in January 2019 (samples of
/// the API reference); SDKs ignore them. They stand in alphabetical order: that is their order on
/// the wire.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct Account {
    account_id: String,
    account_status: AccountStatus,
    account_type: AccountType,
    admins: Value,
    aws_account_id: String,
    billing_type: String,
    created_timestamp: Timestamp,
    default_license: License,
    delegation_status: String,
    directory_id: Option<String>,
    domains: Value,
    groups: Vec<LicenseGroup>,
    name: String,
    owner: Value,
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

impl fmt::Display for AccountType {
    /// Writes the name that AWS gave it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
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
    /// The group's name in the directory. The model does not require it.
    pub group_name: Option<ShortString>,
}

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
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub admins: Value,
    pub billing_type: String,
    pub created_timestamp: Timestamp,
    pub default_license: License,
    pub delegation_status: String,
    pub directory_id: Option<String>,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub domains: Value,
    pub groups: Vec<LicenseGroup>,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub owner: Value,
    pub signin_delegate_groups: Vec<SigninDelegateGroup>,
    pub supported_licenses: Vec<License>,
    pub use_pro_trial_license: bool,
    /// When the account was deleted. It can be restored for 90 days from then on.
    pub deleted_timestamp: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "AccountSettings::is_default")]
    pub settings: AccountSettings,
    #[serde(default, skip_serializing_if = "Retention::is_default")]
    pub retention: Retention,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_id_config: Option<OpenIdConfig>,
    /// Users of an older generation are suspended, all at once and however many they are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub user_generation: u64,
    /// When all of the account's users were last signed out of every session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_out_timestamp: Option<Timestamp>,
    /// What an imported account had besides.
    #[serde(default, skip_serializing_if = "Others::is_empty")]
    pub others: Others,
}

/// What an account lets its users do.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AccountSettings {
    /// Whether nobody may control another's screen.
    pub disable_remote_control: bool,
    /// Whether meetings may call telephones.
    pub enable_dial_out: bool,
    /// What imported settings had besides.
    #[serde(default, skip_serializing_if = "Others::is_empty")]
    pub others: Others,
}

/// For how long messages are kept; for ever, where nothing is said.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Retention {
    /// Of conversations.
    pub conversation_days: Option<RetentionDays>,
    /// Of rooms.
    pub room_days: Option<RetentionDays>,
    /// When what is too old is deleted for good.
    pub initiate_deletion_timestamp: Option<Timestamp>,
}

/// The OpenID Connect provider that an account's users sign in with.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct OpenIdConfig {
    /// The name under which the provider knows the account.
    pub client_id: String,
    /// The provider's URL.
    pub issuer: String,
}

impl AccountSettings {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Retention {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl AccountRecord {
    /// Makes a new Team account with what the service gave to all of them.
    pub fn team(aws_account_id: &str, account_id: String, name: &str, now: Timestamp) -> Self {
        Self {
            aws_account_id: aws_account_id.to_owned(),
            account_id,
            name: name.to_owned(),
            account_type: AccountType::Team,
            account_status: AccountStatus::Active,
            admins: Value::Null,
            billing_type: "SeatBilling".to_owned(),
            created_timestamp: now,
            default_license: License::Pro,
            delegation_status: "NoDelegation".to_owned(),
            directory_id: None,
            domains: Value::Null,
            groups: Vec::new(),
            owner: Value::Null,
            signin_delegate_groups: Vec::new(),
            supported_licenses: vec![License::Basic, License::Pro],
            use_pro_trial_license: false,
            deleted_timestamp: None,
            settings: AccountSettings::default(),
            retention: Retention::default(),
            open_id_config: None,
            user_generation: 0,
            signed_out_timestamp: None,
            others: Others::new(),
        }
    }

    /// Tells whether the account is of one of the Enterprise types.
    pub fn is_enterprise(&self) -> bool {
        self.account_type != AccountType::Team
    }

    /// Tells whether licences come from the groups of a directory or an OpenID provider, and users
    /// with them.
    pub fn has_identity_provider(&self) -> bool {
        matches!(self.account_type, AccountType::EnterpriseDirectory | AccountType::EnterpriseOidc)
    }

    /// Returns until when a deleted account can be restored.
    pub fn restorable_until(&self) -> Option<Timestamp> {
        self.deleted_timestamp.map(|deleted| deleted.plus(RESTORABLE_MILLISECONDS))
    }

    /// Tells whether the account is to be seen: it is not deleted.
    pub fn is_live(&self) -> bool {
        self.deleted_timestamp.is_none()
    }
}

impl Record for AccountRecord {
    const VERSION: u32 = 2;

    fn key(&self) -> Key {
        account_key(&self.aws_account_id, &self.account_id)
    }

    fn index_keys(&self) -> Vec<Key> {
        let Some(deleted) = self.deleted_timestamp else {
            let index = accounts_by_name(&self.aws_account_id);
            return vec![index.string(&self.name).string(&self.account_id)];
        };
        let deleted = deleted.to_string();
        vec![
            Key::of(Table::DeletedAccounts)
                .string(&deleted)
                .string(&self.aws_account_id)
                .string(&self.account_id),
            deleted_accounts(&self.aws_account_id).string(&deleted).string(&self.account_id),
        ]
    }

    /// Version 2 added members, each of which has a default.
    fn upgrade(from: u32, record: Value) -> Result<Value> {
        match from {
            1 => Ok(record),
            _ => Err(Error::Corrupt(format!("version {from} of an account was never written"))),
        }
    }
}

/// Returns the key of an account.
pub(in super::super) fn account_key(aws_account_id: &str, account_id: &str) -> Key {
    accounts_of(aws_account_id).string(account_id)
}

/// Returns the accounts of an AWS account, the deleted ones among them, by their ids.
pub(in super::super) fn accounts_of(aws_account_id: &str) -> Key {
    Key::of(Table::Accounts).string(aws_account_id)
}

pub(super) fn accounts_by_name(aws_account_id: &str) -> Key {
    Key::of(Table::AccountsByName).string(aws_account_id)
}

pub(super) fn deleted_accounts(aws_account_id: &str) -> Key {
    Key::of(Table::DeletedAccountsByAwsAccount).string(aws_account_id)
}

impl Account {
    /// Shows a record in one of the API's forms.
    pub(in super::super) fn of(record: AccountRecord, form: Form) -> WithOthers<Self> {
        let shape = Self {
            account_id: record.account_id,
            account_status: record.account_status,
            account_type: record.account_type,
            admins: record.admins,
            aws_account_id: record.aws_account_id,
            billing_type: record.billing_type,
            created_timestamp: record.created_timestamp,
            default_license: record.default_license,
            delegation_status: record.delegation_status,
            directory_id: record.directory_id,
            domains: record.domains,
            groups: record.groups,
            name: record.name,
            owner: record.owner,
            // The recorded answers under /console predate the member.
            signin_delegate_groups: (form == Form::Current)
                .then_some(record.signin_delegate_groups),
            supported_licenses: record.supported_licenses,
            use_pro_trial_license: record.use_pro_trial_license,
        };
        WithOthers { shape, others: record.others }
    }
}
