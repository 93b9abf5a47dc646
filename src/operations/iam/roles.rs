//! Roles of an AWS account: what callers become for a while who are trusted with it.

use super::users::ListRequest;
use super::{
    aws_account_of, check_document, check_quota, delete_conflict, entity_already_exists,
    no_such_entity, unique_id,
};
use crate::access::policy::{Kind, TRUST_POLICY_CHARACTERS_MAX};
use crate::access::quotas::Quota;
use crate::access::{Permissions, RoleRecord};
use crate::clock::Timestamp;
use crate::operations::next_token::Query;
use crate::operations::{Context, Empty};
use crate::protocol::error::Result;
use crate::protocol::shapes::{
    AwsAccountId, IamDescription, IamName, IamPath, MaxSessionDuration, PolicyDocument,
};
use crate::store::Page;
use serde::{Deserialize, Serialize};

// Shapes.

/// The request of `CreateRole`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateRoleRequest {
    aws_account_id: Option<AwsAccountId>,
    role_name: IamName<64>,
    assume_role_policy_document: PolicyDocument,
    description: Option<IamDescription>,
    #[serde(default)]
    max_session_duration: MaxSessionDuration,
    #[serde(rename = "Path")]
    _path: Option<IamPath>,
}

/// A request about one role.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RoleRequest {
    aws_account_id: Option<AwsAccountId>,
    role_name: IamName<64>,
}

/// The request of `UpdateRole`: what is not named stays.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateRoleRequest {
    aws_account_id: Option<AwsAccountId>,
    role_name: IamName<64>,
    description: Option<IamDescription>,
    max_session_duration: Option<MaxSessionDuration>,
}

/// The request of `UpdateAssumeRolePolicy`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateAssumeRolePolicyRequest {
    aws_account_id: Option<AwsAccountId>,
    role_name: IamName<64>,
    policy_document: PolicyDocument,
}

/// The answer of the operations that return a role.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RoleResponse {
    role: Role,
}

/// The answer of `ListRoles`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListRolesResponse {
    is_truncated: bool,
    marker: Option<String>,
    roles: Vec<Role>,
}

/// A role of an AWS account.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Role {
    arn: String,
    assume_role_policy_document: String,
    create_date: Timestamp,
    description: Option<String>,
    max_session_duration: u32,
    path: &'static str,
    role_id: String,
    role_name: String,
}

impl From<RoleRecord> for Role {
    fn from(record: RoleRecord) -> Self {
        Self {
            arn: record.arn(),
            assume_role_policy_document: record.assume_role_policy_document,
            create_date: record.create_date,
            description: record.description,
            max_session_duration: record.max_session_duration,
            path: "/",
            role_id: record.role_id,
            role_name: record.role_name,
        }
    }
}

// Operations.

/// Makes a role, whose sessions may do nothing yet.
pub(in crate::operations) fn create_role(
    cx: &mut Context<'_>,
    request: &CreateRoleRequest,
) -> Result<RoleResponse> {
    let aws_account_id = aws_account_of(cx, request.aws_account_id.as_ref())?;
    let role_name = &*request.role_name;
    let document = &*request.assume_role_policy_document;
    check_document(document, Kind::Trust, TRUST_POLICY_CHARACTERS_MAX)?;
    if RoleRecord::find(&cx.tx, &aws_account_id, role_name)?.is_some() {
        return Err(entity_already_exists("Role", role_name));
    }
    check_quota(cx, Quota::RolesPerAccount, &RoleRecord::all(&aws_account_id))?;
    let role = RoleRecord {
        aws_account_id,
        role_name: role_name.to_owned(),
        role_id: unique_id(cx, "AROA"),
        create_date: cx.now,
        description: request.description.as_deref().map(str::to_owned),
        assume_role_policy_document: document.to_owned(),
        max_session_duration: request.max_session_duration.get(),
        permissions: Permissions::default(),
    };
    cx.tx.insert(&role)?;
    Ok(RoleResponse { role: role.into() })
}

/// Returns a role.
pub(in crate::operations) fn get_role(
    cx: &mut Context<'_>,
    request: &RoleRequest,
) -> Result<RoleResponse> {
    let aws_account_id = aws_account_of(cx, request.aws_account_id.as_ref())?;
    Ok(RoleResponse { role: find(cx, &aws_account_id, &request.role_name)?.into() })
}

/// Lists the roles of an AWS account by name.
pub(in crate::operations) fn list_roles(
    cx: &mut Context<'_>,
    request: &ListRequest,
) -> Result<ListRolesResponse> {
    let aws_account_id = aws_account_of(cx, request.aws_account_id.as_ref())?;
    let query = Query { operation: "iam:ListRoles", filters: &aws_account_id };
    let after = query.marker(cx, request.marker.as_deref())?;
    let index = RoleRecord::all(&aws_account_id);
    let page: Page<RoleRecord> = cx.tx.page(&index, after.as_ref(), request.max_items.get())?;
    Ok(ListRolesResponse {
        is_truncated: page.next.is_some(),
        marker: query.token(cx, page.next.as_ref()),
        roles: page.items.into_iter().map(Role::from).collect(),
    })
}

/// Changes what a role is for, or how long its sessions may last.
pub(in crate::operations) fn update_role(
    cx: &mut Context<'_>,
    request: &UpdateRoleRequest,
) -> Result<Empty> {
    let aws_account_id = aws_account_of(cx, request.aws_account_id.as_ref())?;
    let old = find(cx, &aws_account_id, &request.role_name)?;
    let mut role = old.clone();
    if let Some(description) = &request.description {
        role.description = Some((**description).to_owned());
    }
    if let Some(seconds) = request.max_session_duration {
        role.max_session_duration = seconds.get();
    }
    cx.tx.update(&old, &role)?;
    Ok(Empty {})
}

/// Changes who may assume a role.
pub(in crate::operations) fn update_assume_role_policy(
    cx: &mut Context<'_>,
    request: &UpdateAssumeRolePolicyRequest,
) -> Result<Empty> {
    let aws_account_id = aws_account_of(cx, request.aws_account_id.as_ref())?;
    let document = &*request.policy_document;
    check_document(document, Kind::Trust, TRUST_POLICY_CHARACTERS_MAX)?;
    let old = find(cx, &aws_account_id, &request.role_name)?;
    let role = RoleRecord { assume_role_policy_document: document.to_owned(), ..old.clone() };
    cx.tx.update(&old, &role)?;
    Ok(Empty {})
}

/// Deletes a role that has no policies; its sessions end with it.
pub(in crate::operations) fn delete_role(
    cx: &mut Context<'_>,
    request: &RoleRequest,
) -> Result<Empty> {
    let aws_account_id = aws_account_of(cx, request.aws_account_id.as_ref())?;
    let role = find(cx, &aws_account_id, &request.role_name)?;
    if !role.permissions.is_empty() {
        return Err(delete_conflict("Cannot delete entity, must delete policies first."));
    }
    cx.tx.delete(&role)?;
    Ok(Empty {})
}

/// Returns the role with a name.
pub(super) fn find(cx: &Context<'_>, aws_account_id: &str, role_name: &str) -> Result<RoleRecord> {
    RoleRecord::find(&cx.tx, aws_account_id, role_name)?
        .ok_or_else(|| no_such_entity(format!("The role with name {role_name} cannot be found.")))
}
