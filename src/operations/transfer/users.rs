//! Users that come in as they were.

use super::accounts::AccountItem;
use super::saved::{self, Item, SavedTimestamp, put, put_over, put_some};
use super::{ITEMS_MAX, Import, ImportResponse, Outcome, Refusal, Settled, differing};
use crate::operations::accounts::record::{AccountStatus, account_key};
use crate::operations::accounts::{AccountRecord, supported_license};
use crate::operations::users::record::{
    AlexaForBusinessMetadata, Detail, InviteStatus, RegistrationStatus, User, UserType, pin_key,
    user_key,
};
use crate::operations::users::settings::TelephonySettings;
use crate::operations::users::{UserRecord, email_key, invites};
use crate::operations::{Context, Form};
use crate::protocol::decode::Fault;
use crate::protocol::error::{Error, Result};
use crate::protocol::shapes::{
    AwsAccountId, EmailAddress, License, List, Others, PersonalPin, SensitiveString, ShortString,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};

/// The members of a user that are kept as such. What is not here is kept beside them.
const MEMBERS: [&str; 22] = [
    "AccountId",
    "AlexaForBusinessMetadata",
    "Delegates",
    "Devices",
    "DisplayName",
    "EmailAlias",
    "FullName",
    "InvitedOn",
    "IsProTrial",
    "LastActiveOn",
    "LicenseType",
    "PersonalPIN",
    "PresenceVisibility",
    "PrimaryEmail",
    "PrimaryProvisionedNumber",
    "RegisteredOn",
    "UserId",
    "UserInvitationStatus",
    "UserLocale",
    "UserRegistrationStatus",
    "UserType",
    "Vanity",
];

// Shapes.

/// The request of `ImportUsers`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImportUsersRequest {
    /// The accounts that these users were saved with, as `ImportAccounts` takes them. A dry run
    /// takes them for imported; and users come into a suspended account with it, and not later.
    accounts: Option<List<Item, ITEMS_MAX>>,
    aws_account_id: Option<AwsAccountId>,
    dry_run: Option<bool>,
    overwrite: Option<bool>,
    users: List<Item, ITEMS_MAX>,
}

/// A user with its settings.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct UserItem {
    user: Option<UserMembers>,
    user_settings: Option<UserSettingsItem>,
    #[serde(skip)]
    others: Others,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UserMembers {
    account_id: Option<ShortString>,
    alexa_for_business_metadata: Option<AlexaItem>,
    delegates: Option<Value>,
    devices: Option<Value>,
    display_name: Option<SensitiveString>,
    email_alias: Option<Value>,
    full_name: Option<SensitiveString>,
    invited_on: Option<SavedTimestamp>,
    is_pro_trial: Option<bool>,
    last_active_on: Option<Value>,
    license_type: Option<License>,
    #[serde(rename = "PersonalPIN")]
    personal_pin: Option<PersonalPin>,
    presence_visibility: Option<Value>,
    primary_email: Option<EmailAddress>,
    primary_provisioned_number: Option<SensitiveString>,
    registered_on: Option<SavedTimestamp>,
    user_id: Option<ShortString>,
    user_invitation_status: Option<InviteStatus>,
    user_locale: Option<Value>,
    user_registration_status: Option<RegistrationStatus>,
    user_type: Option<UserType>,
    vanity: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct AlexaItem {
    alexa_for_business_room_arn: Option<SensitiveString>,
    is_alexa_for_business_enabled: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct UserSettingsItem {
    telephony: Option<TelephonyItem>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct TelephonyItem {
    inbound_calling: Option<bool>,
    outbound_calling: Option<bool>,
    #[serde(rename = "SMS")]
    sms: Option<bool>,
}

// Operations.

/// Imports users: those for whom it fails are told, and the others are imported.
pub(in super::super) fn import_users(
    cx: &mut Context<'_>,
    request: &ImportUsersRequest,
) -> Result<ImportResponse> {
    let aws_account_id = request.aws_account_id.as_ref();
    let mut import = Import::new(cx, aws_account_id, request.dry_run, request.overwrite)?;
    let together = request.accounts.as_deref().unwrap_or_default();
    let mut accounts = Accounts::new(cx, &import, together)?;
    let items: Vec<_> = request.users.iter().map(|item| UserItem::of(&item.0)).collect();
    fetch(cx, &import, items.iter().flatten())?;
    for (index, item) in items.into_iter().enumerate() {
        let settled = item
            .map_err(Refusal::from)
            .and_then(|item| import_user(cx, &mut import, &mut accounts, &item));
        import.add(index, settled)?;
    }
    Ok(import.response)
}

/// Has what concerns users looked up at once that is going to be looked at one by one.
fn fetch<'a>(
    cx: &Context<'_>,
    import: &Import,
    items: impl Iterator<Item = &'a UserItem>,
) -> Result<()> {
    let (mut keys, mut unique_keys) = (BTreeSet::new(), BTreeSet::new());
    for item in items {
        if let Ok((account_id, user_id)) = item.ids() {
            keys.insert(account_key(&import.aws_account_id, account_id));
            keys.insert(user_key(&import.aws_account_id, account_id, user_id));
        }
        let said = item.user.as_ref();
        let email = said.and_then(|it| it.primary_email.as_ref());
        unique_keys.extend(email.map(|email| email_key(&import.aws_account_id, email)));
        unique_keys.extend(said.and_then(|it| it.personal_pin.as_ref()).map(pin_key));
    }
    cx.tx.fetch(keys)?;
    cx.tx.fetch_found(unique_keys)?;
    Ok(())
}

/// Tells what is wrong with each member of a user's documents.
pub fn check(item: &Value) -> Result<(), Vec<Fault>> {
    UserItem::of(item).map(drop)
}

fn import_user(
    cx: &mut Context<'_>,
    import: &mut Import,
    accounts: &mut Accounts,
    item: &UserItem,
) -> Settled {
    let (account_id, user_id) = item.ids()?;
    let account = accounts.open(cx, import, account_id)?;
    let key = user_key(&import.aws_account_id, account_id, user_id);
    let old: Option<UserRecord> = cx.tx.get(&key)?;
    if !import.claim(key) {
        return Err(Refusal::new(Error::conflict(format!(
            "User {user_id} stands in the request twice"
        ))));
    }
    // Whether a user is suspended is what the user is, however it came about.
    let shown = old.as_ref().map(|old| UserRecord {
        registration_status: old.status_in(account),
        generation: account.user_generation,
        ..old.clone()
    });
    let base = shown.clone().unwrap_or_else(|| {
        let user_type = UserType::PrivateUser;
        UserRecord::of(account, user_id.to_owned(), user_type)
    });
    let mut user = item.over(base);
    let outcome = import.outcome(shown.is_some(), || {
        shown.as_ref().filter(|shown| **shown != user).map(|shown| {
            let names = differences(shown, &user, account);
            format!("User {user_id} in {}", names.join(", "))
        })
    })?;
    if matches!(outcome, Outcome::Unchanged) {
        return Ok(outcome);
    }
    if shown.as_ref().is_none_or(|shown| shown.license_type != user.license_type) {
        supported_license(account, user.license_type, "LicenseType")
            .map_err(|error| Refusal::at("User.LicenseType", error))?;
    }
    check_free(cx, import, &user)?;
    if import.dry_run {
        return Ok(outcome);
    }
    match (&old, &shown) {
        (Some(old), Some(shown)) => {
            if shown.registration_status != user.registration_status {
                // Neither the link nor the sessions of another status are of use.
                invites::withdraw(&mut cx.tx, old)?;
                user.invite_id = None;
                user.signed_out_timestamp = Some(cx.now);
            }
            cx.tx.update(old, &user)?;
        }
        _ => cx.tx.insert(&user)?,
    }
    Ok(outcome)
}

/// Refuses an address or a PIN that another user has.
fn check_free(
    cx: &Context<'_>,
    import: &mut Import,
    user: &UserRecord,
) -> std::result::Result<(), Refusal> {
    let is_other = |found: &UserRecord| {
        (&found.user_id, &found.account_id, &found.aws_account_id)
            != (&user.user_id, &user.account_id, &user.aws_account_id)
    };
    if let Some(email) = &user.primary_email {
        let key = email_key(&user.aws_account_id, email);
        let found: Option<UserRecord> = cx.tx.find(&key)?;
        let whose = found.filter(is_other).map(|it| {
            format!("It is the address of user {} of account {}", it.user_id, it.account_id)
        });
        if let Some(whose) = whose.or_else(|| twice(import, key, "address")) {
            return Err(Refusal::at("User.PrimaryEmail", Error::conflict(whose)));
        }
    }
    if let Some(pin) = &user.personal_pin {
        let key = pin_key(pin);
        let found: Option<UserRecord> = cx.tx.find(&key)?;
        let whose = found.filter(is_other).map(|it| {
            // The users of another AWS account are none of the caller's business.
            if it.aws_account_id == user.aws_account_id {
                format!("It is the PIN of user {} of account {}", it.user_id, it.account_id)
            } else {
                "It is the PIN of a user of another AWS account of this deployment".to_owned()
            }
        });
        if let Some(whose) = whose.or_else(|| twice(import, key, "PIN")) {
            return Err(Refusal::at("User.PersonalPIN", Error::conflict(whose)));
        }
    }
    Ok(())
}

fn twice(import: &mut Import, key: crate::store::Key, what: &str) -> Option<String> {
    (!import.claim(key)).then(|| format!("Another user of the request has the same {what}"))
}

/// Names what would change of a user.
fn differences(old: &UserRecord, new: &UserRecord, account: &AccountRecord) -> Vec<String> {
    let shown = |user: &UserRecord| {
        let shape = User::of(user.clone(), account, Detail::Full, Form::Current);
        serde_json::to_value(shape).unwrap_or_default()
    };
    let mut names = differing(&shown(old), &shown(new));
    names.extend((old.telephony != new.telephony).then(|| "UserSettings".to_owned()));
    names
}

impl UserItem {
    fn of(item: &Value) -> std::result::Result<Self, Vec<Fault>> {
        let others = saved::others(item, "User", &MEMBERS);
        Ok(Self { others, ..saved::decode(item)? })
    }

    /// Returns the ids of the account and of the user.
    fn ids(&self) -> std::result::Result<(&str, &str), Vec<Fault>> {
        let members = self.user.as_ref();
        let account_id = members.and_then(|it| it.account_id.as_deref());
        let user_id = members.and_then(|it| it.user_id.as_deref());
        match (account_id, user_id) {
            (Some(account_id), Some(user_id)) => Ok((account_id, user_id)),
            (account_id, user_id) => {
                let missing =
                    [("User.AccountId", account_id), ("User.UserId", user_id)].into_iter();
                let missing = missing.filter(|(_, id)| id.is_none());
                Err(missing.map(|(member, _)| saved::missing(member)).collect())
            }
        }
    }

    /// Puts what the documents say over what there is.
    fn over(&self, mut user: UserRecord) -> UserRecord {
        if let Some(said) = &self.user {
            if let Some(alexa) = &said.alexa_for_business_metadata {
                let AlexaForBusinessMetadata {
                    alexa_for_business_room_arn,
                    is_alexa_for_business_enabled,
                } = &mut user.alexa_for_business_metadata;
                put_some(alexa_for_business_room_arn, alexa.alexa_for_business_room_arn.as_ref());
                let enabled = alexa.is_alexa_for_business_enabled.as_ref();
                put_some(is_alexa_for_business_enabled, enabled);
            }
            put(&mut user.delegates, said.delegates.as_ref());
            put(&mut user.devices, said.devices.as_ref());
            put_some(&mut user.display_name, said.display_name.as_ref());
            put(&mut user.email_alias, said.email_alias.as_ref());
            put_some(&mut user.full_name, said.full_name.as_ref());
            put_some(&mut user.invited_on, said.invited_on.map(|it| it.0).as_ref());
            put(&mut user.is_pro_trial, said.is_pro_trial.as_ref());
            put(&mut user.last_active_on, said.last_active_on.as_ref());
            put(&mut user.license_type, said.license_type.as_ref());
            put_some(&mut user.personal_pin, said.personal_pin.as_ref());
            put(&mut user.presence_visibility, said.presence_visibility.as_ref());
            put_some(&mut user.primary_email, said.primary_email.as_ref());
            let number = said.primary_provisioned_number.as_ref();
            put_some(&mut user.primary_provisioned_number, number);
            put(&mut user.registration_status, said.user_registration_status.as_ref());
            put_some(&mut user.registered_on, said.registered_on.map(|it| it.0).as_ref());
            put_some(&mut user.user_invitation_status, said.user_invitation_status.as_ref());
            put(&mut user.user_locale, said.user_locale.as_ref());
            put(&mut user.user_type, said.user_type.as_ref());
            put(&mut user.vanity, said.vanity.as_ref());
        }
        if let Some(said) = self.user_settings.as_ref().and_then(|it| it.telephony.as_ref()) {
            let TelephonySettings { inbound_calling, outbound_calling, sms } = &mut user.telephony;
            put(inbound_calling, said.inbound_calling.as_ref());
            put(outbound_calling, said.outbound_calling.as_ref());
            put(sms, said.sms.as_ref());
        }
        put_over(&mut user.others, &self.others);
        user
    }
}

/// The accounts that a request's users belong to.
#[derive(Debug)]
struct Accounts {
    /// As they come with the request.
    together: HashMap<String, AccountRecord>,
    /// As they are stored.
    stored: HashMap<String, Option<AccountRecord>>,
}

impl Accounts {
    fn new(cx: &Context<'_>, import: &Import, items: &[Item]) -> Result<Self> {
        let mut accounts = Self { together: HashMap::new(), stored: HashMap::new() };
        for (index, item) in items.iter().enumerate() {
            // What is wrong with an account ImportAccounts tells.
            let Ok(item) = AccountItem::of(&item.0) else {
                return Err(Error::bad_request(format!(
                    "1 validation error detected: Value at 'Accounts[{index}]' failed to satisfy \
                     constraint: Member must be an account that ImportAccounts takes"
                )));
            };
            let Some(account_id) = item.account_id() else { continue };
            let stored = accounts.stored(cx, import, account_id)?.cloned();
            if let Some(account) = item.planned(cx, &import.aws_account_id, stored) {
                accounts.together.insert(account_id.to_owned(), account);
            }
        }
        Ok(accounts)
    }

    /// Returns an account that users may be imported into.
    fn open(
        &mut self,
        cx: &Context<'_>,
        import: &Import,
        account_id: &str,
    ) -> std::result::Result<&AccountRecord, Refusal> {
        self.stored(cx, import, account_id)?;
        let together = self.together.get(account_id);
        let stored = self.stored.get(account_id).and_then(Option::as_ref);
        let account = match (together, stored) {
            (Some(together), _) if import.dry_run => together,
            (_, Some(stored)) if stored.is_live() => stored,
            _ => {
                let error = Error::not_found(format!("Account {account_id} not found"));
                return Err(Refusal::at("User.AccountId", error));
            }
        };
        let comes_suspended =
            together.is_some_and(|it| it.account_status == AccountStatus::Suspended);
        if account.account_status == AccountStatus::Suspended && !comes_suspended {
            let error = Error::forbidden(format!(
                "Account {account_id} is suspended. Activate it with ActivateAccount, or import \
                 its own document, with the status Suspended, together with its users"
            ));
            return Err(Refusal::at("User.AccountId", error));
        }
        Ok(account)
    }

    fn stored(
        &mut self,
        cx: &Context<'_>,
        import: &Import,
        account_id: &str,
    ) -> Result<Option<&AccountRecord>> {
        if !self.stored.contains_key(account_id) {
            let account = cx.tx.get(&account_key(&import.aws_account_id, account_id))?;
            self.stored.insert(account_id.to_owned(), account);
        }
        Ok(self.stored.get(account_id).and_then(Option::as_ref))
    }
}

/// Returns what `ExportUsers` shows besides a user: its settings, where they are not the default.
pub(super) fn user_settings(user: &UserRecord) -> Option<Value> {
    let is_default = user.telephony == TelephonySettings::default();
    (!is_default).then(|| json!({ "Telephony": user.telephony }))
}
