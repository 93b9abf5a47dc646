//! What the API does: a line for each operation.
//!
//! An operation is an ordinary function over one open transaction. It never opens, commits,
//! retries, authenticates, parses or serialises anything, and reads no clock: time and ids come
//! from its [`Context`], so that a second run gives the same answer.

pub mod accounts;
pub mod audit;
mod context;
pub mod iam;
pub mod invocations;
pub mod layout;
mod next_token;
pub mod sts;
pub mod transfer;
pub mod users;

pub use context::{Admission, Context, Empty, Form, Terms};
pub use next_token::TokenKey;

use accounts::{directories, domains, life, settings};
use users::{invites, suspension};

use crate::access::raise_generation;
use crate::protocol::decode::{Members, encode};
use crate::protocol::error::Result;
use crate::store::Access;
use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::sync::LazyLock;

/// Returns every operation that the server knows, in the order of the resources.
///
/// A URI's query literal is what tells apart the operations that share a path. What is not here is
/// answered `UnknownOperationException`.
pub fn table() -> Vec<Operation> {
    [chime(), campanile(), iam()].into_iter().flatten().collect()
}

/// Returns the operations of Chime's own model.
#[rustfmt::skip] // A line an operation.
fn chime() -> Vec<Operation> {
    let (get, post, put, delete) = (Method::GET, Method::POST, Method::PUT, Method::DELETE);
    vec![
        write("CreateAccount", &post, "/accounts", 201, accounts::create_account),
        write("DeleteAccount", &delete, "/accounts/{accountId}", 204, accounts::delete_account),
        read("GetAccount", &get, "/accounts/{accountId}", 200, accounts::get_account),
        read("ListAccounts", &get, "/accounts", 200, accounts::list_accounts),
        write("UpdateAccount", &post, "/accounts/{accountId}", 200, accounts::update_account),

        read("GetAccountSettings", &get, "/accounts/{accountId}/settings", 200, settings::get_account_settings),
        write("UpdateAccountSettings", &put, "/accounts/{accountId}/settings", 204, settings::update_account_settings),
        write("AssociateSigninDelegateGroupsWithAccount", &post, "/accounts/{accountId}?operation=associate-signin-delegate-groups", 200, settings::associate_signin_delegate_groups),
        write("DisassociateSigninDelegateGroupsFromAccount", &post, "/accounts/{accountId}?operation=disassociate-signin-delegate-groups", 200, settings::disassociate_signin_delegate_groups),
        read("GetRetentionSettings", &get, "/accounts/{accountId}/retention-settings", 200, settings::get_retention_settings),
        write("PutRetentionSettings", &put, "/accounts/{accountId}/retention-settings", 204, settings::put_retention_settings),

        write("BatchSuspendUser", &post, "/accounts/{accountId}/users?operation=suspend", 200, suspension::batch_suspend_user),
        write("BatchUnsuspendUser", &post, "/accounts/{accountId}/users?operation=unsuspend", 200, suspension::batch_unsuspend_user),
        write("BatchUpdateUser", &post, "/accounts/{accountId}/users", 200, users::batch_update_user),
        write("CreateUser", &post, "/accounts/{accountId}/users?operation=create", 201, users::create_user),
        read("GetUser", &get, "/accounts/{accountId}/users/{userId}", 200, users::get_user),
        read("GetUserSettings", &get, "/accounts/{accountId}/users/{userId}/settings", 200, users::settings::get_user_settings),
        write("InviteUsers", &post, "/accounts/{accountId}/users?operation=add", 201, invites::invite_users)
            .after_delivery(invites::invites_after_delivery),
        read("ListUsers", &get, "/accounts/{accountId}/users", 200, users::list_users),
        write("LogoutUser", &post, "/accounts/{accountId}/users/{userId}?operation=logout", 204, users::logout_user),
        write("ResetPersonalPIN", &post, "/accounts/{accountId}/users/{userId}?operation=reset-personal-pin", 200, users::reset_personal_pin),
        write("UpdateUser", &post, "/accounts/{accountId}/users/{userId}", 200, users::update_user),
        write("UpdateUserSettings", &put, "/accounts/{accountId}/users/{userId}/settings", 204, users::settings::update_user_settings),
    ]
}

/// Returns the extension operations: what AWS left to its consoles.
#[rustfmt::skip] // A line an operation.
fn campanile() -> Vec<Operation> {
    let (get, post, put, delete) = (Method::GET, Method::POST, Method::PUT, Method::DELETE);
    vec![
        write("ActivateAccount", &post, "/campanile/accounts/{accountId}?operation=activate", 200, life::activate_account),
        write("SuspendAccount", &post, "/campanile/accounts/{accountId}?operation=suspend", 200, life::suspend_account),
        read("ListDeletedAccounts", &get, "/campanile/deleted-accounts", 200, life::list_deleted_accounts),
        write("RestoreAccount", &post, "/campanile/deleted-accounts/{accountId}?operation=restore", 200, life::restore_account),
        write("ClaimDomain", &post, "/campanile/accounts/{accountId}/domains", 201, domains::claim_domain)
            .for_verifier(),
        read("ListDomains", &get, "/campanile/accounts/{accountId}/domains", 200, domains::list_domains),
        write("ReleaseDomain", &delete, "/campanile/accounts/{accountId}/domains/{domainName}", 200, domains::release_domain),
        read("GetInvite", &get, "/campanile/accounts/{accountId}/users/{userId}/invite", 200, invites::get_invite),
        write("ConnectDirectory", &put, "/campanile/accounts/{accountId}/directory", 200, directories::connect_directory),
        write("DisconnectDirectory", &delete, "/campanile/accounts/{accountId}/directory", 200, directories::disconnect_directory),
        write("ConnectOpenId", &put, "/campanile/accounts/{accountId}/open-id", 200, directories::connect_open_id),
        write("DisconnectOpenId", &delete, "/campanile/accounts/{accountId}/open-id", 200, directories::disconnect_open_id),
        write("UpdateSupportedLicenses", &put, "/campanile/accounts/{accountId}/supported-licenses", 200, directories::update_supported_licenses),

        read("ExportAccounts", &get, "/campanile/export/accounts", 200, transfer::export::export_accounts),
        read("ExportUsers", &get, "/campanile/export/users", 200, transfer::export::export_users),
        write("ImportAccounts", &post, "/campanile/import/accounts", 200, transfer::accounts::import_accounts),
        write("ImportUsers", &post, "/campanile/import/users", 200, transfer::users::import_users),

        read("cloudtrail:LookupEvents", &get, "/campanile/events", 200, audit::lookup::lookup_events),
    ]
}

/// Returns who may call, and what: IAM's operations, by IAM's names.
#[rustfmt::skip] // A line an operation.
fn iam() -> Vec<Operation> {
    vec![
        iam_write("iam:CreateAccessKey", "/campanile/iam?operation=create-access-key", iam::access_keys::create_access_key).on(Resource::User).answering_secret(),
        iam_read("iam:ListAccessKeys", "/campanile/iam?operation=list-access-keys", iam::access_keys::list_access_keys).on(Resource::User),
        iam_write("iam:UpdateAccessKey", "/campanile/iam?operation=update-access-key", iam::access_keys::update_access_key).on(Resource::User),
        iam_read("iam:GetAccessKeyLastUsed", "/campanile/iam?operation=get-access-key-last-used", iam::access_keys::get_access_key_last_used).on(Resource::AccessKey),
        iam_write("iam:DeleteAccessKey", "/campanile/iam?operation=delete-access-key", iam::access_keys::delete_access_key).on(Resource::User),

        iam_write("iam:CreateUser", "/campanile/iam?operation=create-user", iam::users::create_user).on(Resource::User),
        iam_read("iam:GetUser", "/campanile/iam?operation=get-user", iam::users::get_user).on(Resource::User),
        iam_read("iam:ListUsers", "/campanile/iam?operation=list-users", iam::users::list_users),
        iam_write("iam:UpdateUser", "/campanile/iam?operation=update-user", iam::users::update_user).on(Resource::RenamedUser),
        iam_write("iam:DeleteUser", "/campanile/iam?operation=delete-user", iam::users::delete_user).on(Resource::User),
        iam_write("iam:PutUserPolicy", "/campanile/iam?operation=put-user-policy", iam::attachments::put_user_policy).on(Resource::User),
        iam_read("iam:GetUserPolicy", "/campanile/iam?operation=get-user-policy", iam::attachments::get_user_policy).on(Resource::User),
        iam_read("iam:ListUserPolicies", "/campanile/iam?operation=list-user-policies", iam::attachments::list_user_policies).on(Resource::User),
        iam_write("iam:DeleteUserPolicy", "/campanile/iam?operation=delete-user-policy", iam::attachments::delete_user_policy).on(Resource::User),
        iam_write("iam:AttachUserPolicy", "/campanile/iam?operation=attach-user-policy", iam::attachments::attach_user_policy).on(Resource::User),
        iam_read("iam:ListAttachedUserPolicies", "/campanile/iam?operation=list-attached-user-policies", iam::attachments::list_attached_user_policies).on(Resource::User),
        iam_write("iam:DetachUserPolicy", "/campanile/iam?operation=detach-user-policy", iam::attachments::detach_user_policy).on(Resource::User),

        iam_write("iam:CreateRole", "/campanile/iam?operation=create-role", iam::roles::create_role).on(Resource::Role),
        iam_read("iam:GetRole", "/campanile/iam?operation=get-role", iam::roles::get_role).on(Resource::Role),
        iam_read("iam:ListRoles", "/campanile/iam?operation=list-roles", iam::roles::list_roles),
        iam_write("iam:UpdateRole", "/campanile/iam?operation=update-role", iam::roles::update_role).on(Resource::Role),
        iam_write("iam:UpdateAssumeRolePolicy", "/campanile/iam?operation=update-assume-role-policy", iam::roles::update_assume_role_policy).on(Resource::Role),
        iam_write("iam:DeleteRole", "/campanile/iam?operation=delete-role", iam::roles::delete_role).on(Resource::Role),
        iam_write("iam:PutRolePolicy", "/campanile/iam?operation=put-role-policy", iam::attachments::put_role_policy).on(Resource::Role),
        iam_read("iam:GetRolePolicy", "/campanile/iam?operation=get-role-policy", iam::attachments::get_role_policy).on(Resource::Role),
        iam_read("iam:ListRolePolicies", "/campanile/iam?operation=list-role-policies", iam::attachments::list_role_policies).on(Resource::Role),
        iam_write("iam:DeleteRolePolicy", "/campanile/iam?operation=delete-role-policy", iam::attachments::delete_role_policy).on(Resource::Role),
        iam_write("iam:AttachRolePolicy", "/campanile/iam?operation=attach-role-policy", iam::attachments::attach_role_policy).on(Resource::Role),
        iam_read("iam:ListAttachedRolePolicies", "/campanile/iam?operation=list-attached-role-policies", iam::attachments::list_attached_role_policies).on(Resource::Role),
        iam_write("iam:DetachRolePolicy", "/campanile/iam?operation=detach-role-policy", iam::attachments::detach_role_policy).on(Resource::Role),

        iam_write("iam:CreatePolicy", "/campanile/iam?operation=create-policy", iam::policies::create_policy).on(Resource::Policy),
        iam_read("iam:GetPolicy", "/campanile/iam?operation=get-policy", iam::policies::get_policy).on(Resource::Policy),
        iam_read("iam:ListPolicies", "/campanile/iam?operation=list-policies", iam::policies::list_policies),
        iam_read("iam:ListEntitiesForPolicy", "/campanile/iam?operation=list-entities-for-policy", iam::entities::list_entities_for_policy).on(Resource::Policy),
        iam_write("iam:DeletePolicy", "/campanile/iam?operation=delete-policy", iam::policies::delete_policy).on(Resource::Policy),
        iam_write("iam:CreatePolicyVersion", "/campanile/iam?operation=create-policy-version", iam::policies::create_policy_version).on(Resource::Policy),
        iam_read("iam:GetPolicyVersion", "/campanile/iam?operation=get-policy-version", iam::policies::get_policy_version).on(Resource::Policy),
        iam_read("iam:ListPolicyVersions", "/campanile/iam?operation=list-policy-versions", iam::policies::list_policy_versions).on(Resource::Policy),
        iam_write("iam:SetDefaultPolicyVersion", "/campanile/iam?operation=set-default-policy-version", iam::policies::set_default_policy_version).on(Resource::Policy),
        iam_write("iam:DeletePolicyVersion", "/campanile/iam?operation=delete-policy-version", iam::policies::delete_policy_version).on(Resource::Policy),
    ]
}

/// Returns the operations of STS. They have no path of their own: clients know them by STS's protocol.
///
/// Who gets credentials is recorded as what changes something is.
pub fn sts() -> Vec<Operation> {
    let post = Method::POST;
    vec![
        read("sts:GetCallerIdentity", &post, "/", 200, sts::get_caller_identity)
            .on(Resource::Caller),
        write("sts:GetSessionToken", &post, "/", 200, sts::get_session_token).on(Resource::Caller),
        write("sts:AssumeRole", &post, "/", 200, sts::assume_role).on(Resource::RoleToAssume),
    ]
}

/// Returns the operation with a name. Those of other services than Chime's need not name theirs where
/// Chime has none of the same name: `ListAccessKeys` is `iam:ListAccessKeys`.
pub fn find(name: &str) -> Option<&'static Operation> {
    static TABLE: LazyLock<Vec<Operation>> = LazyLock::new(table);
    let named = |line: &Operation| {
        if line.name == name { Some(0) } else { (line.event_name() == name).then_some(1) }
    };
    let found = TABLE.iter().filter_map(|line| Some((named(line)?, line)));
    found.min_by_key(|(distance, _)| *distance).map(|(_, line)| line)
}

/// A line of the table.
pub struct Operation {
    /// The name, as AWS writes it.
    pub name: &'static str,
    /// The HTTP method.
    pub method: Method,
    /// The path with its placeholders, and the query literal if there is one.
    pub uri: &'static str,
    /// The status of success.
    pub status: u16,
    /// Whether the operation changes anything.
    pub access: Access,
    /// What a policy can name of it.
    pub resource: Resource,
    action: String,
    prepare: Box<Prepare>,
    after_delivery: Option<Box<Prepare>>,
    /// Whether what it wrote is something for the verifier of domains.
    pub wakes_verifier: bool,
    /// Whether what it answers must not be stored as it is.
    pub answers_secret: bool,
}

type Prepare = dyn Fn(&Members<'_>) -> Result<Call> + Send + Sync;

/// An operation with its decoded request, ready to run, and to run again.
pub type Call = Box<dyn Fn(&mut Context<'_>) -> Result<Vec<u8>> + Send>;

impl Operation {
    /// Decodes a request.
    pub fn prepare(&self, members: &Members<'_>) -> Result<Call> {
        (self.prepare)(members)
    }

    /// Decodes a request for what answers it once the mail that it caused was tried; nothing, for the
    /// many operations that cause none.
    pub fn prepare_after_delivery(&self, members: &Members<'_>) -> Result<Option<Call>> {
        self.after_delivery.as_ref().map(|prepare| prepare(members)).transpose()
    }

    /// Says what a policy can name of the operation.
    fn on(self, resource: Resource) -> Self {
        Self { resource, ..self }
    }

    /// Says that the verifier of domains is to look at what the operation wrote.
    fn for_verifier(self) -> Self {
        Self { wakes_verifier: true, ..self }
    }

    fn answering_secret(self) -> Self {
        Self { answers_secret: true, ..self }
    }

    /// Says what answers the operation once the mail that it caused was tried: it only reads.
    fn after_delivery<Q, R>(self, run: fn(&mut Context<'_>, &Q) -> Result<R>) -> Self
    where
        Q: DeserializeOwned + Send + 'static,
        R: Serialize + 'static,
    {
        Self { after_delivery: Some(prepare(run)), ..self }
    }

    /// Returns the name that policies know the operation by.
    pub fn action(&self) -> &str {
        &self.action
    }

    /// Returns the name that events of the audit have for the operation: that without its service.
    pub fn event_name(&self) -> &'static str {
        self.name.rsplit(':').next().unwrap_or(self.name)
    }
}

/// What an operation is about, as far as policies can name it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Resource {
    /// Nothing: the resource of a policy's statement must be `*`, as for all of Chime's.
    Any,
    /// The caller alone: nobody need be allowed it.
    Caller,
    /// A user, by the request's `UserName`; the caller, where it names none.
    User,
    /// A user, by the request's `UserName`, and by the `NewUserName` that it is to have: both must be
    /// allowed, as in IAM, so that nobody takes a name that policies let do more.
    RenamedUser,
    /// The user whose key the request's `AccessKeyId` is; nobody can be named for a root's key.
    AccessKey,
    /// A role, by the request's `RoleName`.
    Role,
    /// A role, by the request's `RoleArn`; the role has a say in it.
    RoleToAssume,
    /// A managed policy, by the request's `PolicyArn`, or the `PolicyName` of a new one.
    Policy,
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.name, self.method, self.uri)
    }
}

fn read<Q, R>(
    name: &'static str,
    method: &Method,
    uri: &'static str,
    status: u16,
    run: fn(&mut Context<'_>, &Q) -> Result<R>,
) -> Operation
where
    Q: DeserializeOwned + Send + 'static,
    R: Serialize + 'static,
{
    let service = if uri.starts_with("/campanile/") { "campanile" } else { "chime" };
    let action = if name.contains(':') { name.to_owned() } else { format!("{service}:{name}") };
    Operation {
        name,
        method: method.clone(),
        uri,
        status,
        access: Access::Read,
        action,
        resource: Resource::Any,
        prepare: prepare(run),
        after_delivery: None,
        wakes_verifier: false,
        answers_secret: false,
    }
}

fn write<Q, R>(
    name: &'static str,
    method: &Method,
    uri: &'static str,
    status: u16,
    run: fn(&mut Context<'_>, &Q) -> Result<R>,
) -> Operation
where
    Q: DeserializeOwned + Send + 'static,
    R: Serialize + 'static,
{
    Operation { access: Access::Write, ..read(name, method, uri, status, run) }
}

/// Makes a line of one of IAM's operations that only reads. IAM's API has no resources in its URIs.
fn iam_read<Q, R>(
    name: &'static str,
    uri: &'static str,
    run: fn(&mut Context<'_>, &Q) -> Result<R>,
) -> Operation
where
    Q: DeserializeOwned + Send + 'static,
    R: Serialize + 'static,
{
    read(name, &Method::POST, uri, 200, run)
}

/// Makes a line of one of IAM's operations that changes who may do what.
fn iam_write<Q, R>(
    name: &'static str,
    uri: &'static str,
    run: fn(&mut Context<'_>, &Q) -> Result<R>,
) -> Operation
where
    Q: DeserializeOwned + Send + 'static,
    R: Serialize + 'static,
{
    let prepare = prepare_change_of_access(run);
    Operation { prepare, ..write(name, &Method::POST, uri, 200, run) }
}

fn prepare<Q, R>(run: fn(&mut Context<'_>, &Q) -> Result<R>) -> Box<Prepare>
where
    Q: DeserializeOwned + Send + 'static,
    R: Serialize + 'static,
{
    Box::new(move |members| {
        let request: Q = members.decode()?;
        let call: Call = Box::new(move |cx| encode(&run(cx, &request)?));
        Ok(call)
    })
}

/// Prepares what changes who may do what: the next request must see it.
fn prepare_change_of_access<Q, R>(run: fn(&mut Context<'_>, &Q) -> Result<R>) -> Box<Prepare>
where
    Q: DeserializeOwned + Send + 'static,
    R: Serialize + 'static,
{
    Box::new(move |members| {
        let request: Q = members.decode()?;
        let call: Call = Box::new(move |cx| {
            let response = run(cx, &request)?;
            raise_generation(&mut cx.tx)?;
            encode(&response)
        });
        Ok(call)
    })
}
