//! Users of Amazon Chime accounts.

pub mod invites;
pub mod links;
pub mod outbox;
pub mod record;
pub mod settings;
pub mod suspension;

use super::accounts::record::account_key;
use super::accounts::{
    AccountRecord, account_with_page, existing_account, not_of_type, supported_license,
    writable_account,
};
use super::next_token::Query;
use super::{Context, Empty};
use crate::protocol::error::{Error, Result};
use crate::protocol::shapes::{
    EmailAddress, License, List, NonEmptyString, PersonalPin, ProfileServiceMaxResults,
    SensitiveString, WithOthers,
};
use crate::store::{self, Key, Page, Table, Tx};
pub use record::UserRecord;
pub(super) use record::email_key;
use record::{
    AlexaForBusinessMetadata, Detail, RegistrationStatus, User, UserType, pin_key, user_key,
    users_by_type, users_of,
};
use serde::{Deserialize, Serialize};

/// How many users `BatchUpdateUser` takes.
const UPDATES_MAX: usize = 20;
/// How often a PIN is drawn anew because another user has it: with a billion users, one draw in ten
/// meets one.
const PIN_DRAWS_MAX: usize = 32;
/// The random numbers of which a PIN is made.
type PinRandomness = [u64; PIN_DRAWS_MAX];

// Shapes.

/// The request of `CreateUser`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateUserRequest {
    account_id: NonEmptyString,
    username: Option<SensitiveString>,
    email: Option<EmailAddress>,
    user_type: Option<UserType>,
}

/// The request of `GetUser`, `LogoutUser` and `ResetPersonalPIN`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UserRequest {
    account_id: NonEmptyString,
    user_id: NonEmptyString,
}

/// The request of `ListUsers`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListUsersRequest {
    account_id: NonEmptyString,
    user_email: Option<EmailAddress>,
    user_type: Option<UserType>,
    #[serde(default)]
    max_results: ProfileServiceMaxResults,
    next_token: Option<String>,
}

/// The request of `UpdateUser`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateUserRequest {
    account_id: NonEmptyString,
    user_id: NonEmptyString,
    license_type: Option<License>,
    user_type: Option<UserType>,
    alexa_for_business_metadata: Option<AlexaForBusinessMetadata>,
}

/// The request of `BatchUpdateUser`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct BatchUpdateUserRequest {
    account_id: NonEmptyString,
    update_user_request_items: List<UpdateUserRequestItem, UPDATES_MAX>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateUserRequestItem {
    user_id: NonEmptyString,
    license_type: Option<License>,
    user_type: Option<UserType>,
    alexa_for_business_metadata: Option<AlexaForBusinessMetadata>,
}

/// The answer of the operations that return one user.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct UserResponse {
    user: WithOthers<User>,
}

/// The answer of `ListUsers`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListUsersResponse {
    next_token: Option<String>,
    users: Vec<WithOthers<User>>,
}

/// The answer of the operations on many users: those that failed.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct UserErrorsResponse {
    user_errors: Vec<UserError>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct UserError {
    error_code: &'static str,
    error_message: String,
    user_id: String,
}

// Operations.

/// Creates a user who need not be invited: a shared device, or a person of an Enterprise account.
pub(super) fn create_user(
    cx: &mut Context<'_>,
    request: &CreateUserRequest,
) -> Result<UserResponse> {
    let account = writable_account(cx, &request.account_id)?;
    let user_type = request.user_type.unwrap_or(UserType::PrivateUser);
    check_may_have(&account, user_type)?;
    if let Some(email) = &request.email {
        check_free(cx, &account, email)?;
    }
    let username = request.username.clone().filter(|name| !name.trim().is_empty());
    let name = username.or_else(|| request.email.as_ref().map(name_of));
    let random = cx.random();
    let personal_pin = match user_type {
        UserType::PrivateUser => Some(new_pin(&cx.tx, &random)?),
        // Recorded: a shared device has none.
        UserType::SharedDevice => None,
    };
    let user = UserRecord {
        display_name: name.clone(),
        full_name: name,
        personal_pin,
        primary_email: request.email.clone(),
        registration_status: RegistrationStatus::Registered,
        registered_on: Some(cx.now),
        ..UserRecord::of(&account, cx.new_id(), user_type)
    };
    cx.tx.insert(&user)?;
    Ok(UserResponse { user: User::of(user, &account, Detail::WithPin, cx.form) })
}

/// Returns a user, with its PIN.
pub(super) fn get_user(cx: &mut Context<'_>, request: &UserRequest) -> Result<UserResponse> {
    let (account, user) = user_in(cx, &request.account_id, &request.user_id, existing_account)?;
    Ok(UserResponse { user: User::of(user, &account, Detail::Full, cx.form) })
}

/// Lists the users of an account by their ids.
pub(super) fn list_users(
    cx: &mut Context<'_>,
    request: &ListUsersRequest,
) -> Result<ListUsersResponse> {
    let ListUsersRequest { account_id, user_email: email, user_type, .. } = request;
    let query = Query { operation: "ListUsers", filters: (account_id, email, user_type) };
    let after = query.position(cx, request.next_token.as_deref());
    let (aws_account_id, limit) = (&cx.caller.aws_account_id, request.max_results.get());
    let users = match user_type {
        Some(user_type) => users_by_type(aws_account_id, account_id, *user_type),
        None => users_of(aws_account_id, account_id),
    };
    let (account, page) = match email {
        Some(email) => {
            let account = account_key(aws_account_id, account_id);
            cx.tx.fetch([account, email_key(aws_account_id, email)])?;
            let account = existing_account(cx, account_id)?;
            after?;
            let user = user_with_email(cx, &account, email)?
                .filter(|user| user_type.is_none_or(|user_type| user.user_type == user_type));
            (account, Page { items: user.into_iter().collect(), next: None })
        }
        None => account_with_page(cx, account_id, &users, after, limit)?,
    };
    let next_token = query.token(cx, page.next.as_ref());
    let shown = |user| User::of(user, &account, Detail::Listed, cx.form);
    Ok(ListUsersResponse { next_token, users: page.items.into_iter().map(shown).collect() })
}

/// Signs a user out of every session.
pub(super) fn logout_user(cx: &mut Context<'_>, request: &UserRequest) -> Result<Empty> {
    let (_, old) = user_in(cx, &request.account_id, &request.user_id, writable_account)?;
    let user = UserRecord { signed_out_timestamp: Some(cx.now), ..old.clone() };
    cx.tx.update(&old, &user)?;
    Ok(Empty {})
}

/// Gives a user another PIN; the old one is free at once.
pub(super) fn reset_personal_pin(
    cx: &mut Context<'_>,
    request: &UserRequest,
) -> Result<UserResponse> {
    let (account, old) = user_in(cx, &request.account_id, &request.user_id, writable_account)?;
    let random = cx.random();
    let user = UserRecord { personal_pin: Some(new_pin(&cx.tx, &random)?), ..old.clone() };
    cx.tx.update(&old, &user)?;
    Ok(UserResponse { user: User::of(user, &account, Detail::WithPin, cx.form) })
}

/// Changes a user's licence, type or Alexa for Business.
pub(super) fn update_user(
    cx: &mut Context<'_>,
    request: &UpdateUserRequest,
) -> Result<UserResponse> {
    let account = writable_account(cx, &request.account_id)?;
    let item = UpdateUserRequestItem {
        user_id: request.user_id.clone(),
        license_type: request.license_type,
        user_type: request.user_type,
        alexa_for_business_metadata: request.alexa_for_business_metadata.clone(),
    };
    update_item(cx, &account, &item)?;
    let user = User::only_id((*request.user_id).to_owned(), cx.form);
    Ok(UserResponse { user })
}

/// Changes many users; each of them as `UpdateUser` would, or not at all.
pub(super) fn batch_update_user(
    cx: &mut Context<'_>,
    request: &BatchUpdateUserRequest,
) -> Result<UserErrorsResponse> {
    let account = writable_account(cx, &request.account_id)?;
    let items = request.update_user_request_items.iter();
    fetch_users(&cx.tx, &account, items.map(|item| &*item.user_id))?;
    let mut response = UserErrorsResponse::default();
    for item in request.update_user_request_items.iter() {
        let updated = update_item(cx, &account, item);
        response.add(&item.user_id, updated)?;
    }
    Ok(response)
}

fn update_item(
    cx: &mut Context<'_>,
    account: &AccountRecord,
    item: &UpdateUserRequestItem,
) -> Result<()> {
    let old = existing_user(cx, account, &item.user_id)?;
    let mut user = old.clone();
    if let Some(license) = item.license_type {
        if account.has_identity_provider() {
            return Err(Error::bad_request(format!(
                "Account {} is of type {}: its users have the licenses of their groups",
                account.account_id, account.account_type
            )));
        }
        user.license_type = supported_license(account, license, "LicenseType")?;
    }
    if let Some(user_type) = item.user_type.filter(|it| *it != user.user_type) {
        check_may_have(account, user_type)?;
        user.user_type = user_type;
    }
    if let Some(metadata) = &item.alexa_for_business_metadata {
        user.alexa_for_business_metadata.change(metadata);
    }
    cx.tx.update(&old, &user)?;
    Ok(())
}

// Helpers.

impl UserErrorsResponse {
    /// Adds what went wrong with one user; what went wrong with the server fails the whole.
    fn add(&mut self, user_id: &str, result: Result<()>) -> Result<()> {
        let Err(error) = result else { return Ok(()) };
        if error.is_server_fault() {
            return Err(error);
        }
        self.user_errors.push(UserError {
            error_code: error.exception().code(),
            error_message: error.message().to_owned(),
            user_id: user_id.to_owned(),
        });
        Ok(())
    }
}

impl AlexaForBusinessMetadata {
    fn change(&mut self, change: &Self) {
        let Self { alexa_for_business_room_arn, is_alexa_for_business_enabled } = change;
        if alexa_for_business_room_arn.is_some() {
            self.alexa_for_business_room_arn.clone_from(alexa_for_business_room_arn);
        }
        self.is_alexa_for_business_enabled =
            is_alexa_for_business_enabled.or(self.is_alexa_for_business_enabled);
    }
}

/// Returns an account and a user of it, looked up at once. What is wrong with the account is told first.
pub(super) fn user_in(
    cx: &Context<'_>,
    account_id: &str,
    user_id: &str,
    find_account: fn(&Context<'_>, &str) -> Result<AccountRecord>,
) -> Result<(AccountRecord, UserRecord)> {
    let aws_account_id = &cx.caller.aws_account_id;
    let user = user_key(aws_account_id, account_id, user_id);
    cx.tx.fetch([account_key(aws_account_id, account_id), user])?;
    let account = find_account(cx, account_id)?;
    let user = existing_user(cx, &account, user_id)?;
    Ok((account, user))
}

/// Returns a user of an account.
pub(super) fn existing_user(
    cx: &Context<'_>,
    account: &AccountRecord,
    user_id: &str,
) -> Result<UserRecord> {
    let key = user_key(&account.aws_account_id, &account.account_id, user_id);
    cx.tx.get(&key)?.ok_or_else(|| Error::not_found(format!("User {user_id} not found")))
}

/// Has users looked up at once who are going to be looked at one by one, and their invites.
fn fetch_users<'a>(
    tx: &Tx<'_>,
    account: &AccountRecord,
    user_ids: impl Iterator<Item = &'a str>,
) -> store::Result<()> {
    let key = |id: &str| user_key(&account.aws_account_id, &account.account_id, id);
    let keys: Vec<_> = user_ids.map(key).collect();
    if !tx.fetch(keys.iter().cloned())? {
        return Ok(());
    }
    let mut users = Vec::with_capacity(keys.len());
    for key in &keys {
        users.extend(tx.get::<UserRecord>(key)?);
    }
    invites::fetch(tx, &users)
}

/// Returns the user of an account who has an address.
fn user_with_email(
    cx: &Context<'_>,
    account: &AccountRecord,
    email: &EmailAddress,
) -> Result<Option<UserRecord>> {
    let user: Option<UserRecord> = cx.tx.find(&email_key(&account.aws_account_id, email))?;
    Ok(user.filter(|user| user.account_id == account.account_id))
}

/// Refuses people whom nobody invited into a Team account, as the service did (boto/boto3#2384).
fn check_may_have(account: &AccountRecord, user_type: UserType) -> Result<()> {
    if user_type == UserType::PrivateUser && !account.is_enterprise() {
        return Err(not_of_type(account, "an Enterprise"));
    }
    Ok(())
}

/// Says in people's words what the store would refuse: an address that a user has already.
fn check_free(cx: &Context<'_>, account: &AccountRecord, email: &EmailAddress) -> Result<()> {
    let taken: Option<UserRecord> = cx.tx.find(&email_key(&account.aws_account_id, email))?;
    let Some(user) = taken else { return Ok(()) };
    let of: Option<AccountRecord> =
        cx.tx.get(&account_key(&user.aws_account_id, &user.account_id))?;
    let kept = match of.and_then(|account| account.restorable_until()) {
        Some(until) => format!(", which is deleted and can be restored until {until}"),
        None => String::new(),
    };
    let UserRecord { account_id, user_id, .. } = user;
    Err(Error::conflict(format!(
        "The value at 'Email' is the address of user {user_id} of account {account_id}{kept}"
    )))
}

/// Returns a PIN that no user of the deployment has.
fn new_pin(tx: &Tx<'_>, random: &PinRandomness) -> Result<PersonalPin> {
    for &draw in random {
        let pin = PersonalPin::new(draw);
        if tx.find::<UserRecord>(&pin_key(&pin))?.is_none() {
            return Ok(pin);
        }
    }
    Err(Error::failure(format!("{PIN_DRAWS_MAX} PINs drawn at random are all in use")))
}

/// Makes a name of an address: `jane.doe@example.com` is Jane Doe.
pub fn name_of(email: &EmailAddress) -> SensitiveString {
    let local = email.split('@').next().unwrap_or_default();
    let words = local.split(['.', '_', '-', '+']).filter(|word| !word.is_empty());
    let capitalised = words.map(|word| {
        let mut letters = word.chars();
        let first = letters.next().into_iter().flat_map(char::to_uppercase);
        first.chain(letters).collect::<String>()
    });
    SensitiveString::new(capitalised.collect::<Vec<_>>().join(" "))
}

/// Tells whether an account has a user who is not suspended.
pub(super) fn any_unsuspended(cx: &Context<'_>, account: &AccountRecord) -> Result<bool> {
    let users = Key::of(Table::UnsuspendedUsers)
        .string(&account.aws_account_id)
        .string(&account.account_id)
        .number(account.user_generation);
    Ok(cx.tx.any(&users)?)
}

/// Tells whether a user of an account has a licence.
pub(super) fn any_with_license(
    cx: &Context<'_>,
    account: &AccountRecord,
    license: License,
) -> Result<bool> {
    let users = Key::of(Table::UsersByLicense)
        .string(&account.aws_account_id)
        .string(&account.account_id)
        .string(&format!("{license:?}"));
    Ok(cx.tx.any(&users)?)
}

/// Removes a user with the invite that it was sent.
fn remove(tx: &mut Tx<'_>, user: &UserRecord) -> store::Result<()> {
    invites::withdraw(tx, user)?;
    tx.delete(user)
}

/// Removes some of an account's users; answers whether there were any.
pub(super) fn purge(
    tx: &mut Tx<'_>,
    account: &AccountRecord,
    users_max: usize,
) -> store::Result<bool> {
    let users = users_of(&account.aws_account_id, &account.account_id);
    let page: Page<UserRecord> = tx.page(&users, None, users_max)?;
    invites::fetch(tx, &page.items)?;
    for user in &page.items {
        remove(tx, user)?;
    }
    Ok(!page.items.is_empty())
}
