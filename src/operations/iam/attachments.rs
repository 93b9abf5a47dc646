//! What users and roles may do: inline policies of their own, and managed policies attached to them.

use super::{
    aws_account_of, check_document, limit_exceeded, no_such_entity, policies, quota_exceeded,
    roles, users,
};
use crate::access::policy::{Kind, characters};
use crate::access::{Identity, RoleRecord, UserRecord, parse_iam_arn};
use crate::operations::{Context, Empty};
use crate::protocol::error::{Error, Result};
use crate::protocol::shapes::{AwsAccountId, IamName, PolicyArn, PolicyDocument};
use serde::{Deserialize, Serialize};

// Shapes.

macro_rules! requests {
    ($(#[$doc:meta] $request:ident { $name:ident $(, $member:ident: $shape:ty)* })*) => { $(
        #[$doc]
        #[derive(Clone, Debug, Deserialize)]
        #[serde(rename_all = "PascalCase")]
        pub struct $request {
            aws_account_id: Option<AwsAccountId>,
            $name: IamName<64>,
            $($member: $shape,)*
        }
    )* };
}

requests! {
    /// A request about all policies of a user.
    UserPoliciesRequest { user_name }
    /// A request about an inline policy of a user.
    UserPolicyRequest { user_name, policy_name: IamName<128> }
    /// The request of `PutUserPolicy`.
    PutUserPolicyRequest { user_name, policy_name: IamName<128>, policy_document: PolicyDocument }
    /// A request about a managed policy and a user.
    AttachUserPolicyRequest { user_name, policy_arn: PolicyArn }
    /// A request about all policies of a role.
    RolePoliciesRequest { role_name }
    /// A request about an inline policy of a role.
    RolePolicyRequest { role_name, policy_name: IamName<128> }
    /// The request of `PutRolePolicy`.
    PutRolePolicyRequest { role_name, policy_name: IamName<128>, policy_document: PolicyDocument }
    /// A request about a managed policy and a role.
    AttachRolePolicyRequest { role_name, policy_arn: PolicyArn }
}

/// The answer of `GetUserPolicy`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetUserPolicyResponse {
    policy_document: String,
    policy_name: String,
    user_name: String,
}

/// The answer of `GetRolePolicy`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetRolePolicyResponse {
    policy_document: String,
    policy_name: String,
    role_name: String,
}

/// The answer of `ListUserPolicies` and `ListRolePolicies`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListInlinePoliciesResponse {
    is_truncated: bool,
    policy_names: Vec<String>,
}

/// The answer of `ListAttachedUserPolicies` and `ListAttachedRolePolicies`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListAttachedPoliciesResponse {
    attached_policies: Vec<AttachedPolicy>,
    is_truncated: bool,
}

/// A managed policy that is attached.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct AttachedPolicy {
    policy_arn: String,
    policy_name: String,
}

// Operations.

/// Adds or replaces an inline policy of a user.
pub(in crate::operations) fn put_user_policy(
    cx: &mut Context<'_>,
    request: &PutUserPolicyRequest,
) -> Result<Empty> {
    let user = user(cx, request.aws_account_id.as_ref(), &request.user_name)?;
    put(cx, &user, &request.policy_name, &request.policy_document)
}

/// Adds or replaces an inline policy of a role.
pub(in crate::operations) fn put_role_policy(
    cx: &mut Context<'_>,
    request: &PutRolePolicyRequest,
) -> Result<Empty> {
    let role = role(cx, request.aws_account_id.as_ref(), &request.role_name)?;
    put(cx, &role, &request.policy_name, &request.policy_document)
}

/// Returns an inline policy of a user.
pub(in crate::operations) fn get_user_policy(
    cx: &mut Context<'_>,
    request: &UserPolicyRequest,
) -> Result<GetUserPolicyResponse> {
    let user = user(cx, request.aws_account_id.as_ref(), &request.user_name)?;
    let (policy_name, policy_document) = inline(&user, &request.policy_name)?;
    Ok(GetUserPolicyResponse { policy_document, policy_name, user_name: user.user_name })
}

/// Returns an inline policy of a role.
pub(in crate::operations) fn get_role_policy(
    cx: &mut Context<'_>,
    request: &RolePolicyRequest,
) -> Result<GetRolePolicyResponse> {
    let role = role(cx, request.aws_account_id.as_ref(), &request.role_name)?;
    let (policy_name, policy_document) = inline(&role, &request.policy_name)?;
    Ok(GetRolePolicyResponse { policy_document, policy_name, role_name: role.role_name })
}

/// Deletes an inline policy of a user.
pub(in crate::operations) fn delete_user_policy(
    cx: &mut Context<'_>,
    request: &UserPolicyRequest,
) -> Result<Empty> {
    let user = user(cx, request.aws_account_id.as_ref(), &request.user_name)?;
    delete(cx, &user, &request.policy_name)
}

/// Deletes an inline policy of a role.
pub(in crate::operations) fn delete_role_policy(
    cx: &mut Context<'_>,
    request: &RolePolicyRequest,
) -> Result<Empty> {
    let role = role(cx, request.aws_account_id.as_ref(), &request.role_name)?;
    delete(cx, &role, &request.policy_name)
}

/// Lists the names of a user's inline policies.
pub(in crate::operations) fn list_user_policies(
    cx: &mut Context<'_>,
    request: &UserPoliciesRequest,
) -> Result<ListInlinePoliciesResponse> {
    Ok(list_inline(&user(cx, request.aws_account_id.as_ref(), &request.user_name)?))
}

/// Lists the names of a role's inline policies.
pub(in crate::operations) fn list_role_policies(
    cx: &mut Context<'_>,
    request: &RolePoliciesRequest,
) -> Result<ListInlinePoliciesResponse> {
    Ok(list_inline(&role(cx, request.aws_account_id.as_ref(), &request.role_name)?))
}

/// Attaches a managed policy to a user.
pub(in crate::operations) fn attach_user_policy(
    cx: &mut Context<'_>,
    request: &AttachUserPolicyRequest,
) -> Result<Empty> {
    let user = user(cx, request.aws_account_id.as_ref(), &request.user_name)?;
    attach(cx, &user, &request.policy_arn)
}

/// Attaches a managed policy to a role.
pub(in crate::operations) fn attach_role_policy(
    cx: &mut Context<'_>,
    request: &AttachRolePolicyRequest,
) -> Result<Empty> {
    let role = role(cx, request.aws_account_id.as_ref(), &request.role_name)?;
    attach(cx, &role, &request.policy_arn)
}

/// Detaches a managed policy from a user.
pub(in crate::operations) fn detach_user_policy(
    cx: &mut Context<'_>,
    request: &AttachUserPolicyRequest,
) -> Result<Empty> {
    let user = user(cx, request.aws_account_id.as_ref(), &request.user_name)?;
    detach(cx, &user, &request.policy_arn)
}

/// Detaches a managed policy from a role.
pub(in crate::operations) fn detach_role_policy(
    cx: &mut Context<'_>,
    request: &AttachRolePolicyRequest,
) -> Result<Empty> {
    let role = role(cx, request.aws_account_id.as_ref(), &request.role_name)?;
    detach(cx, &role, &request.policy_arn)
}

/// Lists the managed policies that are attached to a user.
pub(in crate::operations) fn list_attached_user_policies(
    cx: &mut Context<'_>,
    request: &UserPoliciesRequest,
) -> Result<ListAttachedPoliciesResponse> {
    Ok(list_attached(&user(cx, request.aws_account_id.as_ref(), &request.user_name)?))
}

/// Lists the managed policies that are attached to a role.
pub(in crate::operations) fn list_attached_role_policies(
    cx: &mut Context<'_>,
    request: &RolePoliciesRequest,
) -> Result<ListAttachedPoliciesResponse> {
    Ok(list_attached(&role(cx, request.aws_account_id.as_ref(), &request.role_name)?))
}

// Helpers.

fn user(
    cx: &Context<'_>,
    aws_account_id: Option<&AwsAccountId>,
    user_name: &str,
) -> Result<UserRecord> {
    users::find(cx, &aws_account_of(cx, aws_account_id)?, user_name)
}

fn role(
    cx: &Context<'_>,
    aws_account_id: Option<&AwsAccountId>,
    role_name: &str,
) -> Result<RoleRecord> {
    roles::find(cx, &aws_account_of(cx, aws_account_id)?, role_name)
}

fn put<I: Identity>(
    cx: &mut Context<'_>,
    identity: &I,
    policy_name: &str,
    document: &str,
) -> Result<Empty> {
    let characters_max = I::INLINE_CHARACTERS_MAX;
    check_document(document, Kind::Identity, characters_max)?;
    let mut permissions = identity.permissions().clone();
    permissions.inline.insert(policy_name.to_owned(), document.to_owned());
    // IAM's quota is for all of them together, and without the blanks.
    let together: usize = permissions.inline.values().map(|document| characters(document)).sum();
    if together > characters_max {
        return Err(limit_exceeded(format!(
            "Maximum policy size of {characters_max} bytes exceeded for {} {}",
            I::KIND,
            identity.name()
        )));
    }
    cx.tx.update(identity, &identity.clone().with_permissions(permissions))?;
    Ok(Empty {})
}

fn inline<I: Identity>(identity: &I, policy_name: &str) -> Result<(String, String)> {
    let inline = &identity.permissions().inline;
    let (policy_name, document) =
        inline.get_key_value(policy_name).ok_or_else(|| no_such_policy(identity, policy_name))?;
    Ok((policy_name.clone(), document.clone()))
}

fn delete<I: Identity>(cx: &mut Context<'_>, identity: &I, policy_name: &str) -> Result<Empty> {
    let mut permissions = identity.permissions().clone();
    permissions.inline.remove(policy_name).ok_or_else(|| no_such_policy(identity, policy_name))?;
    cx.tx.update(identity, &identity.clone().with_permissions(permissions))?;
    Ok(Empty {})
}

fn no_such_policy<I: Identity>(identity: &I, policy_name: &str) -> Error {
    no_such_entity(format!(
        "The {} policy with name {policy_name} cannot be found for {}.",
        I::KIND,
        identity.name()
    ))
}

fn list_inline(identity: &impl Identity) -> ListInlinePoliciesResponse {
    let policy_names = identity.permissions().inline.keys().cloned().collect();
    ListInlinePoliciesResponse { is_truncated: false, policy_names }
}

fn attach<I: Identity>(cx: &mut Context<'_>, identity: &I, policy_arn: &str) -> Result<Empty> {
    let policy_arn = policies::attachable(cx, identity.aws_account_id(), policy_arn)?;
    let mut permissions = identity.permissions().clone();
    if !permissions.attached.insert(policy_arn) {
        return Ok(Empty {});
    }
    let max = cx.terms.quotas.get(I::ATTACHED_QUOTA);
    if permissions.attached.len() > max {
        return Err(quota_exceeded(I::ATTACHED_QUOTA, max));
    }
    cx.tx.update(identity, &identity.clone().with_permissions(permissions))?;
    Ok(Empty {})
}

fn detach<I: Identity>(cx: &mut Context<'_>, identity: &I, policy_arn: &str) -> Result<Empty> {
    let mut permissions = identity.permissions().clone();
    if !permissions.attached.remove(policy_arn) {
        return Err(no_such_entity(format!(
            "Policy {policy_arn} was not found attached to {} {}.",
            I::KIND,
            identity.name()
        )));
    }
    cx.tx.update(identity, &identity.clone().with_permissions(permissions))?;
    Ok(Empty {})
}

fn list_attached(identity: &impl Identity) -> ListAttachedPoliciesResponse {
    let attached = identity.permissions().attached.iter().map(|arn| AttachedPolicy {
        policy_name: parse_iam_arn(arn, "policy")
            .map(|(_, name)| name.to_owned())
            .unwrap_or_default(),
        policy_arn: arn.clone(),
    });
    ListAttachedPoliciesResponse { attached_policies: attached.collect(), is_truncated: false }
}
