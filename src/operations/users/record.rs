//! A user: as it is stored, and as clients see it.

use super::super::Form;
use super::super::accounts::AccountRecord;
use super::settings::TelephonySettings;
use crate::clock::Timestamp;
use crate::protocol::shapes::{
    EmailAddress, License, Others, PersonalPin, SensitiveString, WithOthers,
};
use crate::store::{Key, Record, Table};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A user as clients see it.
///
/// Members that the service model does not have were seen on the wire in January 2019 (samples of
/// the API reference); SDKs ignore them. They stand in alphabetical order: that is their order on
/// the wire. What an answer leaves out is null, and not absent.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct User {
    account_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alexa_for_business_metadata: Option<Nullable<AlexaForBusinessMetadata>>,
    delegates: Value,
    devices: Value,
    display_name: Option<SensitiveString>,
    email_alias: Value,
    full_name: Option<SensitiveString>,
    invited_on: Option<Timestamp>,
    is_pro_trial: Option<bool>,
    last_active_on: Value,
    license_type: Option<License>,
    #[serde(rename = "PersonalPIN")]
    personal_pin: Option<PersonalPin>,
    presence_visibility: Value,
    primary_email: Option<EmailAddress>,
    primary_provisioned_number: Option<SensitiveString>,
    registered_on: Option<Timestamp>,
    user_id: String,
    user_invitation_status: Option<InviteStatus>,
    user_locale: Value,
    user_registration_status: Option<RegistrationStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_type: Option<Nullable<UserType>>,
    vanity: Value,
}

/// A member that is there, with a value or with null.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Nullable<T>(Option<T>);

/// How much of a user an answer tells, as recorded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in super::super) enum Detail {
    /// Everything: `GetUser`.
    Full,
    /// Everything but whether others see the user's presence: `ResetPersonalPIN`, `CreateUser`.
    WithPin,
    /// No PIN either: `ListUsers`.
    Listed,
}

/// What kind of user this is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names are AWS's")]
pub enum UserType {
    PrivateUser,
    SharedDevice,
}

/// Whether a user can sign in.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names are AWS's")]
pub enum RegistrationStatus {
    Unregistered,
    Registered,
    Suspended,
}

/// What became of an invite.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names are AWS's")]
pub enum InviteStatus {
    Pending,
    Accepted,
    Failed,
}

/// Whether a user is a room of Alexa for Business.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AlexaForBusinessMetadata {
    /// The ARN of the room.
    pub alexa_for_business_room_arn: Option<SensitiveString>,
    /// Whether Alexa for Business is on.
    pub is_alexa_for_business_enabled: Option<bool>,
}

/// A user as it is stored.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the members are those of the shape")]
pub struct UserRecord {
    pub aws_account_id: String,
    pub account_id: String,
    pub user_id: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub alexa_for_business_metadata: AlexaForBusinessMetadata,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub delegates: Value,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub devices: Value,
    pub display_name: Option<SensitiveString>,
    #[serde(default = "no_aliases", skip_serializing_if = "is_empty_list")]
    pub email_alias: Value,
    pub full_name: Option<SensitiveString>,
    pub invited_on: Option<Timestamp>,
    pub is_pro_trial: bool,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub last_active_on: Value,
    pub license_type: License,
    pub personal_pin: Option<PersonalPin>,
    pub presence_visibility: Value,
    pub primary_email: Option<EmailAddress>,
    pub primary_provisioned_number: Option<SensitiveString>,
    /// As the user was left; whether it is suspended its generation tells, too.
    pub registration_status: RegistrationStatus,
    pub registered_on: Option<Timestamp>,
    pub user_invitation_status: Option<InviteStatus>,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub user_locale: Value,
    pub user_type: UserType,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub vanity: Value,
    /// The account's generation when the user came, or was last let in again.
    #[serde(default, skip_serializing_if = "is_default")]
    pub generation: u64,
    /// The invite that the user was last sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invite_id: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub telephony: TelephonySettings,
    /// When the user was last signed out of every session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_out_timestamp: Option<Timestamp>,
    /// What an imported user had besides.
    #[serde(default, skip_serializing_if = "Others::is_empty")]
    pub others: Others,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn no_aliases() -> Value {
    json!([])
}

fn is_empty_list(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}

impl UserRecord {
    /// Makes a new user of an account, Unregistered, with what the service gave to all of them.
    pub fn of(account: &AccountRecord, user_id: String, user_type: UserType) -> Self {
        Self {
            aws_account_id: account.aws_account_id.clone(),
            account_id: account.account_id.clone(),
            user_id,
            alexa_for_business_metadata: AlexaForBusinessMetadata {
                alexa_for_business_room_arn: None,
                is_alexa_for_business_enabled: Some(false),
            },
            delegates: Value::Null,
            devices: Value::Null,
            display_name: None,
            email_alias: no_aliases(),
            full_name: None,
            invited_on: None,
            is_pro_trial: false,
            last_active_on: Value::Null,
            license_type: account.default_license,
            personal_pin: None,
            presence_visibility: "Public".into(),
            primary_email: None,
            primary_provisioned_number: None,
            registration_status: RegistrationStatus::Unregistered,
            registered_on: None,
            user_invitation_status: None,
            user_locale: Value::Null,
            user_type,
            vanity: Value::Null,
            generation: account.user_generation,
            invite_id: None,
            telephony: TelephonySettings::default(),
            signed_out_timestamp: None,
            others: Others::new(),
        }
    }

    /// Returns the user's status in its account.
    pub fn status_in(&self, account: &AccountRecord) -> RegistrationStatus {
        if self.generation < account.user_generation {
            RegistrationStatus::Suspended
        } else {
            self.registration_status
        }
    }
}

impl Record for UserRecord {
    const VERSION: u32 = 1;

    fn key(&self) -> Key {
        user_key(&self.aws_account_id, &self.account_id, &self.user_id)
    }

    fn index_keys(&self) -> Vec<Key> {
        let index = users_by_type(&self.aws_account_id, &self.account_id, self.user_type);
        vec![index.string(&self.user_id)]
    }

    fn unique_keys(&self) -> Vec<Key> {
        let email = self.primary_email.as_ref().map(|it| email_key(&self.aws_account_id, it));
        let pin = self.personal_pin.as_ref().map(pin_key);
        email.into_iter().chain(pin).collect()
    }

    fn mark_keys(&self) -> Vec<Key> {
        let of = |table| Key::of(table).string(&self.aws_account_id).string(&self.account_id);
        let license = format!("{:?}", self.license_type);
        let mut marks = vec![of(Table::UsersByLicense).string(&license).string(&self.user_id)];
        if self.registration_status != RegistrationStatus::Suspended {
            let unsuspended = of(Table::UnsuspendedUsers).number(self.generation);
            marks.push(unsuspended.string(&self.user_id));
        }
        marks
    }
}

/// Returns the key of a user.
pub(in super::super) fn user_key(aws_account_id: &str, account_id: &str, user_id: &str) -> Key {
    users_of(aws_account_id, account_id).string(user_id)
}

/// Returns the users of an account, by their ids.
pub(in super::super) fn users_of(aws_account_id: &str, account_id: &str) -> Key {
    Key::of(Table::Users).string(aws_account_id).string(account_id)
}

pub(super) fn users_by_type(aws_account_id: &str, account_id: &str, user_type: UserType) -> Key {
    let users = Key::of(Table::UsersByType).string(aws_account_id).string(account_id);
    users.string(&format!("{user_type:?}"))
}

/// Returns the key that a user has whose address differs from this one in case alone, or not at all.
pub(in super::super) fn email_key(aws_account_id: &str, email: &EmailAddress) -> Key {
    Key::of(Table::UsersByEmail).string(aws_account_id).string(&email.mailbox())
}

/// Returns the key that the user with a PIN has.
pub(in super::super) fn pin_key(pin: &PersonalPin) -> Key {
    Key::of(Table::UsersByPersonalPin).string(pin)
}

impl User {
    /// Shows a record of an account in one of the API's forms.
    pub(in super::super) fn of(
        record: UserRecord,
        account: &AccountRecord,
        detail: Detail,
        form: Form,
    ) -> WithOthers<Self> {
        let status = record.status_in(account);
        // The recorded answers under /console predate these members.
        let is_current = form == Form::Current;
        let shape = Self {
            account_id: Some(record.account_id),
            alexa_for_business_metadata: is_current
                .then_some(Nullable(Some(record.alexa_for_business_metadata))),
            delegates: record.delegates,
            devices: record.devices,
            display_name: record.display_name,
            email_alias: record.email_alias,
            full_name: record.full_name,
            invited_on: record.invited_on,
            is_pro_trial: Some(record.is_pro_trial),
            last_active_on: record.last_active_on,
            license_type: Some(record.license_type),
            personal_pin: record.personal_pin.filter(|_| detail != Detail::Listed),
            presence_visibility: match detail {
                Detail::Full => record.presence_visibility,
                Detail::WithPin | Detail::Listed => Value::Null,
            },
            primary_email: record.primary_email,
            primary_provisioned_number: record.primary_provisioned_number,
            registered_on: record.registered_on,
            user_id: record.user_id,
            user_invitation_status: record.user_invitation_status,
            user_locale: record.user_locale,
            user_registration_status: Some(status),
            user_type: is_current.then_some(Nullable(Some(record.user_type))),
            vanity: record.vanity,
        };
        WithOthers { shape, others: record.others }
    }

    /// Shows no more of a user than who it is, as `UpdateUser` does.
    pub(super) fn only_id(user_id: String, form: Form) -> WithOthers<Self> {
        let is_current = form == Form::Current;
        let shape = Self {
            user_id,
            alexa_for_business_metadata: is_current.then_some(Nullable(None)),
            user_type: is_current.then_some(Nullable(None)),
            ..Self::default()
        };
        WithOthers { shape, others: Others::new() }
    }
}
