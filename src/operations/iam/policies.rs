//! Managed policies: documents with versions that users and roles share.

use super::{
    aws_account_of, check_document, check_quota, delete_conflict, entity_already_exists,
    limit_exceeded, no_such_entity, unique_id,
};
use crate::access::policy::{Kind, MANAGED_POLICY_CHARACTERS_MAX, Managed, managed};
use crate::access::quotas::Quota;
use crate::access::{Permissions, PolicyRecord, PolicyVersionRecord, parse_iam_arn};
use crate::clock::Timestamp;
use crate::operations::next_token::Query;
use crate::operations::{Context, Empty};
use crate::protocol::error::{Error, Exception, Result};
use crate::protocol::shapes::{
    AwsAccountId, IamDescription, IamName, IamPath, MaxItems, PolicyArn, PolicyDocument,
    PolicyVersionId,
};
use crate::store::Page;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

// Shapes.

/// The request of `CreatePolicy`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreatePolicyRequest {
    aws_account_id: Option<AwsAccountId>,
    policy_name: IamName<128>,
    policy_document: PolicyDocument,
    description: Option<IamDescription>,
    #[serde(rename = "Path")]
    _path: Option<IamPath>,
}

/// A request about one policy. Its ARN says of which AWS account it is.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PolicyRequest {
    policy_arn: PolicyArn,
}

/// The request of `CreatePolicyVersion`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreatePolicyVersionRequest {
    policy_arn: PolicyArn,
    policy_document: PolicyDocument,
    #[serde(default)]
    set_as_default: bool,
}

/// A request about one version of a policy.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PolicyVersionRequest {
    policy_arn: PolicyArn,
    version_id: PolicyVersionId,
}

/// The request of `ListPolicies`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListPoliciesRequest {
    aws_account_id: Option<AwsAccountId>,
    #[serde(default)]
    scope: Scope,
    marker: Option<String>,
    #[serde(default)]
    max_items: MaxItems,
}

/// Which policies are listed.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names are IAM's")]
pub enum Scope {
    #[default]
    All,
    #[serde(rename = "AWS")]
    Aws,
    Local,
}

/// The answer of the operations that return a policy.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PolicyResponse {
    policy: ManagedPolicy,
}

/// The answer of the operations that return a version of a policy.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PolicyVersionResponse {
    policy_version: PolicyVersion,
}

/// The answer of `ListPolicies`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListPoliciesResponse {
    is_truncated: bool,
    marker: Option<String>,
    policies: Vec<ManagedPolicy>,
}

/// The answer of `ListPolicyVersions`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListPolicyVersionsResponse {
    is_truncated: bool,
    versions: Vec<PolicyVersion>,
}

/// A managed policy, without its document.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ManagedPolicy {
    arn: String,
    create_date: Timestamp,
    default_version_id: String,
    description: Option<String>,
    is_attachable: bool,
    path: &'static str,
    policy_id: Option<String>,
    policy_name: String,
    update_date: Timestamp,
}

/// A version of a managed policy; lists leave its document out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyVersion {
    create_date: Timestamp,
    document: Option<String>,
    is_default_version: bool,
    version_id: String,
}

impl From<PolicyRecord> for ManagedPolicy {
    fn from(record: PolicyRecord) -> Self {
        Self {
            arn: record.arn(),
            create_date: record.create_date,
            default_version_id: version_id(record.default_version),
            description: record.description,
            is_attachable: true,
            path: "/",
            policy_id: Some(record.policy_id),
            policy_name: record.policy_name,
            update_date: record.update_date,
        }
    }
}

impl From<&Managed> for ManagedPolicy {
    fn from(managed: &Managed) -> Self {
        Self {
            arn: managed.arn.to_owned(),
            create_date: managed.create_date,
            default_version_id: managed.default_version_id.to_owned(),
            description: Some(managed.description.to_owned()),
            is_attachable: true,
            path: "/",
            policy_id: None,
            policy_name: managed.policy_name.to_owned(),
            update_date: managed.update_date,
        }
    }
}

impl PolicyVersion {
    fn of(record: &PolicyRecord, number: u32, version: &PolicyVersionRecord) -> Self {
        Self {
            create_date: version.create_date,
            document: Some(version.document.clone()),
            is_default_version: number == record.default_version,
            version_id: version_id(number),
        }
    }

    fn of_managed(managed: &Managed) -> Self {
        Self {
            create_date: managed.update_date,
            document: Some(managed.document.to_owned()),
            is_default_version: true,
            version_id: managed.default_version_id.to_owned(),
        }
    }

    fn without_document(self) -> Self {
        Self { document: None, ..self }
    }
}

// Operations.

/// Makes a managed policy with its first version.
pub(in crate::operations) fn create_policy(
    cx: &mut Context<'_>,
    request: &CreatePolicyRequest,
) -> Result<PolicyResponse> {
    let aws_account_id = aws_account_of(cx, request.aws_account_id.as_ref())?;
    let (policy_name, document) = (&*request.policy_name, &*request.policy_document);
    check_document(document, Kind::Identity, MANAGED_POLICY_CHARACTERS_MAX)?;
    if PolicyRecord::find(&cx.tx, &aws_account_id, policy_name)?.is_some() {
        return Err(entity_already_exists("A policy", policy_name));
    }
    let all = PolicyRecord::all(&aws_account_id);
    check_quota(cx, Quota::CustomerManagedPoliciesPerAccount, &all)?;
    let version = PolicyVersionRecord { document: document.to_owned(), create_date: cx.now };
    let policy = PolicyRecord {
        aws_account_id,
        policy_name: policy_name.to_owned(),
        policy_id: unique_id(cx, "ANPA"),
        create_date: cx.now,
        update_date: cx.now,
        description: request.description.as_deref().map(str::to_owned),
        default_version: 1,
        next_version: 2,
        versions: BTreeMap::from([(1, version)]),
    };
    cx.tx.insert(&policy)?;
    Ok(PolicyResponse { policy: policy.into() })
}

/// Returns a managed policy, AWS's own among them.
pub(in crate::operations) fn get_policy(
    cx: &mut Context<'_>,
    request: &PolicyRequest,
) -> Result<PolicyResponse> {
    let policy = match find(cx, &request.policy_arn)? {
        Found::Aws(managed) => managed.into(),
        Found::Own(record) => record.into(),
    };
    Ok(PolicyResponse { policy })
}

/// Lists managed policies: AWS's own on the first page, then those of the AWS account by name.
pub(in crate::operations) fn list_policies(
    cx: &mut Context<'_>,
    request: &ListPoliciesRequest,
) -> Result<ListPoliciesResponse> {
    let aws_account_id = aws_account_of(cx, request.aws_account_id.as_ref())?;
    let query = Query { operation: "iam:ListPolicies", filters: (&aws_account_id, request.scope) };
    let after = query.marker(cx, request.marker.as_deref())?;
    let mut policies: Vec<ManagedPolicy> = Vec::new();
    if after.is_none() && request.scope != Scope::Local {
        policies.extend(managed().iter().map(ManagedPolicy::from));
    }
    if request.scope == Scope::Aws {
        return Ok(ListPoliciesResponse { is_truncated: false, marker: None, policies });
    }
    let index = PolicyRecord::all(&aws_account_id);
    let page: Page<PolicyRecord> = cx.tx.page(&index, after.as_ref(), request.max_items.get())?;
    policies.extend(page.items.into_iter().map(ManagedPolicy::from));
    Ok(ListPoliciesResponse {
        is_truncated: page.next.is_some(),
        marker: query.token(cx, page.next.as_ref()),
        policies,
    })
}

/// Deletes a managed policy that is attached to nobody and has one version left.
pub(in crate::operations) fn delete_policy(
    cx: &mut Context<'_>,
    request: &PolicyRequest,
) -> Result<Empty> {
    let policy = find_own(cx, &request.policy_arn)?;
    if cx.tx.any(&Permissions::attachments_of(&policy.arn()))? {
        return Err(delete_conflict("Cannot delete a policy attached to entities."));
    }
    if policy.versions.len() > 1 {
        return Err(delete_conflict(
            "This policy has more than one version. Before you delete a policy, you must delete the \
             policy's versions. The default version is deleted with the policy.",
        ));
    }
    cx.tx.delete(&policy)?;
    Ok(Empty {})
}

/// Adds a version to a managed policy.
pub(in crate::operations) fn create_policy_version(
    cx: &mut Context<'_>,
    request: &CreatePolicyVersionRequest,
) -> Result<PolicyVersionResponse> {
    let document = &*request.policy_document;
    check_document(document, Kind::Identity, MANAGED_POLICY_CHARACTERS_MAX)?;
    let old = find_own(cx, &request.policy_arn)?;
    let max = cx.terms.quotas.get(Quota::VersionsPerManagedPolicy);
    if old.versions.len() >= max {
        return Err(limit_exceeded(format!(
            "A managed policy can have up to {max} versions. Before you create a new version, you \
             must delete an existing version."
        )));
    }
    let mut policy = old.clone();
    let number = policy.next_version;
    let version = PolicyVersionRecord { document: document.to_owned(), create_date: cx.now };
    policy.next_version += 1;
    policy.versions.insert(number, version.clone());
    if request.set_as_default {
        policy.default_version = number;
        policy.update_date = cx.now;
    }
    cx.tx.update(&old, &policy)?;
    let policy_version = PolicyVersion::of(&policy, number, &version).without_document();
    Ok(PolicyVersionResponse { policy_version })
}

/// Returns a version of a managed policy with its document.
pub(in crate::operations) fn get_policy_version(
    cx: &mut Context<'_>,
    request: &PolicyVersionRequest,
) -> Result<PolicyVersionResponse> {
    let policy_version = match find(cx, &request.policy_arn)? {
        Found::Own(record) => {
            let number = request.version_id.number();
            let version = version(&record, number)?;
            PolicyVersion::of(&record, number, version)
        }
        Found::Aws(managed) if *managed.default_version_id == *request.version_id.to_string() => {
            PolicyVersion::of_managed(managed)
        }
        Found::Aws(managed) => return Err(no_such_version(managed.arn, &request.version_id)),
    };
    Ok(PolicyVersionResponse { policy_version })
}

/// Lists the versions of a managed policy, the newest first.
pub(in crate::operations) fn list_policy_versions(
    cx: &mut Context<'_>,
    request: &PolicyRequest,
) -> Result<ListPolicyVersionsResponse> {
    let versions: Vec<PolicyVersion> = match find(cx, &request.policy_arn)? {
        Found::Aws(managed) => vec![PolicyVersion::of_managed(managed)],
        Found::Own(record) => {
            let newest_first = record.versions.iter().rev();
            newest_first.map(|(number, it)| PolicyVersion::of(&record, *number, it)).collect()
        }
    };
    let versions = versions.into_iter().map(PolicyVersion::without_document).collect();
    Ok(ListPolicyVersionsResponse { is_truncated: false, versions })
}

/// Puts a version of a managed policy in force.
pub(in crate::operations) fn set_default_policy_version(
    cx: &mut Context<'_>,
    request: &PolicyVersionRequest,
) -> Result<Empty> {
    let (old, number) = find_own_version(cx, request)?;
    let policy = PolicyRecord { default_version: number, update_date: cx.now, ..old.clone() };
    cx.tx.update(&old, &policy)?;
    Ok(Empty {})
}

/// Deletes a version of a managed policy that is not in force.
pub(in crate::operations) fn delete_policy_version(
    cx: &mut Context<'_>,
    request: &PolicyVersionRequest,
) -> Result<Empty> {
    let (old, number) = find_own_version(cx, request)?;
    if number == old.default_version {
        return Err(delete_conflict("Cannot delete the default version of a policy."));
    }
    let mut policy = old.clone();
    policy.versions.remove(&number);
    cx.tx.update(&old, &policy)?;
    Ok(Empty {})
}

// Helpers.

/// A managed policy.
pub(super) enum Found {
    /// A policy that AWS made.
    Aws(&'static Managed),
    /// A policy of an AWS account.
    Own(PolicyRecord),
}

/// Returns the ARN of a policy as it is stored, if an identity of the AWS account can have it.
pub(super) fn attachable(
    cx: &Context<'_>,
    aws_account_id: &str,
    policy_arn: &str,
) -> Result<String> {
    match find(cx, policy_arn)? {
        Found::Aws(managed) => Ok(managed.arn.to_owned()),
        Found::Own(record) if record.aws_account_id == aws_account_id => Ok(record.arn()),
        Found::Own(_) => Err(no_such_policy(policy_arn)),
    }
}

/// Returns the policy with an ARN, if the caller can know of it.
pub(super) fn find(cx: &Context<'_>, policy_arn: &str) -> Result<Found> {
    let own = parse_iam_arn(policy_arn, "policy").filter(|(account, _)| {
        *account == cx.caller.aws_account_id || cx.caller.is_deployment_root()
    });
    if let Some(managed) = Managed::find(policy_arn) {
        return Ok(Found::Aws(managed));
    }
    let (aws_account_id, policy_name) = own.ok_or_else(|| no_such_policy(policy_arn))?;
    let record = PolicyRecord::find(&cx.tx, aws_account_id, policy_name)?;
    record.map(Found::Own).ok_or_else(|| no_such_policy(policy_arn))
}

/// Returns a policy that can be changed.
fn find_own(cx: &Context<'_>, policy_arn: &str) -> Result<PolicyRecord> {
    match find(cx, policy_arn)? {
        Found::Own(record) => Ok(record),
        Found::Aws(managed) => Err(Error::new(
            Exception::AccessDeniedException,
            format!("Policy {} is AWS's own and cannot be changed.", managed.arn),
        )),
    }
}

/// Returns a policy that can be changed, and the number of a version that it has.
fn find_own_version(
    cx: &Context<'_>,
    request: &PolicyVersionRequest,
) -> Result<(PolicyRecord, u32)> {
    let policy = find_own(cx, &request.policy_arn)?;
    let number = request.version_id.number();
    version(&policy, number)?;
    Ok((policy, number))
}

fn version(record: &PolicyRecord, number: u32) -> Result<&PolicyVersionRecord> {
    let found = record.versions.get(&number);
    found.ok_or_else(|| no_such_version(&record.arn(), &version_id(number)))
}

fn version_id(number: u32) -> String {
    format!("v{number}")
}

fn no_such_policy(policy_arn: &str) -> Error {
    no_such_entity(format!("Policy {policy_arn} does not exist or is not attachable."))
}

fn no_such_version(policy_arn: &str, version_id: &dyn std::fmt::Display) -> Error {
    no_such_entity(format!("Policy {policy_arn} version {version_id} does not exist."))
}
