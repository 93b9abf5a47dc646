//! Access keys: what users and roots sign their requests with.

use super::{aws_account_of, check_quota, no_such_entity, users};
use crate::access::quotas::Quota;
use crate::access::{AccessKeyLastUsedRecord, AccessKeyRecord, Principal, Status};
use crate::clock::Timestamp;
use crate::operations::next_token::Query;
use crate::operations::{Context, Empty};
use crate::protocol::error::Result;
use crate::protocol::shapes::{AwsAccountId, IamName, MaxItems, NonEmptyString};
use crate::store::Page;
use serde::{Deserialize, Serialize};

// Shapes.

/// The request of `CreateAccessKey`: for a user, for the root of an AWS account, or for the caller.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateAccessKeyRequest {
    aws_account_id: Option<AwsAccountId>,
    user_name: Option<IamName<64>>,
}

/// A request about one access key.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AccessKeyRequest {
    access_key_id: NonEmptyString,
    user_name: Option<IamName<64>>,
}

/// The request of `UpdateAccessKey`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateAccessKeyRequest {
    access_key_id: NonEmptyString,
    user_name: Option<IamName<64>>,
    status: Status,
}

/// The request of `GetAccessKeyLastUsed`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetAccessKeyLastUsedRequest {
    access_key_id: NonEmptyString,
}

/// The request of `ListAccessKeys`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListAccessKeysRequest {
    aws_account_id: Option<AwsAccountId>,
    user_name: Option<IamName<64>>,
    marker: Option<String>,
    #[serde(default)]
    max_items: MaxItems,
}

/// The answer of `CreateAccessKey`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateAccessKeyResponse {
    access_key: AccessKey,
}

/// The answer of `GetAccessKeyLastUsed`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetAccessKeyLastUsedResponse {
    access_key_last_used: AccessKeyLastUsed,
    user_name: Option<String>,
}

/// When an access key was last used, for which service, and in which region.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct AccessKeyLastUsed {
    last_used_date: Option<Timestamp>,
    region: String,
    service_name: String,
}

/// The answer of `ListAccessKeys`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListAccessKeysResponse {
    access_key_metadata: Vec<AccessKey>,
    is_truncated: bool,
    marker: Option<String>,
}

/// An access key; its secret is told once, when it is made.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct AccessKey {
    access_key_id: String,
    arn: String,
    aws_account_id: String,
    create_date: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_access_key: Option<String>,
    status: Status,
    user_name: Option<String>,
}

impl From<AccessKeyRecord> for AccessKey {
    fn from(record: AccessKeyRecord) -> Self {
        Self {
            arn: record.arn(),
            access_key_id: record.access_key_id,
            aws_account_id: record.aws_account_id,
            create_date: record.create_date,
            secret_access_key: None,
            status: record.status,
            user_name: record.user_name,
        }
    }
}

impl From<Option<AccessKeyLastUsedRecord>> for AccessKeyLastUsed {
    fn from(record: Option<AccessKeyLastUsedRecord>) -> Self {
        match record {
            Some(record) => Self {
                last_used_date: Some(record.last_used_date),
                region: record.region,
                service_name: record.service_name,
            },
            // IAM's word for what there is not.
            None => Self {
                last_used_date: None,
                region: "N/A".to_owned(),
                service_name: "N/A".to_owned(),
            },
        }
    }
}

// Operations.

/// Makes an access key.
pub(in crate::operations) fn create_access_key(
    cx: &mut Context<'_>,
    request: &CreateAccessKeyRequest,
) -> Result<CreateAccessKeyResponse> {
    let aws_account_id = aws_account_of(cx, request.aws_account_id.as_ref())?;
    let user_name = match (&request.user_name, &cx.caller.principal) {
        (Some(user_name), _) => Some(&**user_name),
        (None, Principal::User { user_name }) => Some(user_name.as_str()),
        (None, Principal::AssumedRole { .. }) => {
            users::named_or_caller(cx, &aws_account_id, None)?;
            None
        }
        (None, Principal::DeploymentRoot | Principal::Root) => None,
    };
    let user = user_name.map(|name| users::find(cx, &aws_account_id, name)).transpose()?;
    let user_name = user.map(|user| user.user_name);
    let keys = AccessKeyRecord::by_user(&aws_account_id, user_name.as_deref());
    check_quota(cx, Quota::AccessKeysPerUser, &keys)?;
    let random = cx.random_bytes::<{ AccessKeyRecord::RANDOM_BYTES }>();
    let seal = &cx.terms.seal;
    let (record, secret) =
        AccessKeyRecord::generate(aws_account_id, user_name, cx.now, &random, seal);
    cx.tx.insert(&record)?;
    let secret_access_key = Some(secret.expose().to_owned());
    Ok(CreateAccessKeyResponse {
        access_key: AccessKey { secret_access_key, ..AccessKey::from(record) },
    })
}

/// Lists access keys, without their secrets: those of a user, or all of an AWS account. The
/// deployment's root sees those of all AWS accounts if it names none.
pub(in crate::operations) fn list_access_keys(
    cx: &mut Context<'_>,
    request: &ListAccessKeysRequest,
) -> Result<ListAccessKeysResponse> {
    let asked = request.aws_account_id.as_ref();
    let index = match (&request.user_name, &cx.caller.principal) {
        (None, Principal::DeploymentRoot) => {
            AccessKeyRecord::by_aws_account(asked.map(|asked| &**asked))
        }
        (None, Principal::User { user_name }) => {
            AccessKeyRecord::by_user(&aws_account_of(cx, asked)?, Some(user_name))
        }
        (None, _) => AccessKeyRecord::by_aws_account(Some(&aws_account_of(cx, asked)?)),
        (Some(user_name), _) => {
            let user = users::find(cx, &aws_account_of(cx, asked)?, user_name)?;
            AccessKeyRecord::by_user(&user.aws_account_id, Some(&user.user_name))
        }
    };
    let filters = (asked.map(|asked| &**asked), request.user_name.as_deref());
    let query = Query { operation: "iam:ListAccessKeys", filters };
    let after = query.marker(cx, request.marker.as_deref())?;
    let page: Page<AccessKeyRecord> =
        cx.tx.page(&index, after.as_ref(), request.max_items.get())?;
    let marker = query.token(cx, page.next.as_ref());
    let access_key_metadata = page.items.into_iter().map(AccessKey::from).collect();
    Ok(ListAccessKeysResponse { access_key_metadata, is_truncated: marker.is_some(), marker })
}

/// Lets an access key sign, or keeps it from that.
pub(in crate::operations) fn update_access_key(
    cx: &mut Context<'_>,
    request: &UpdateAccessKeyRequest,
) -> Result<Empty> {
    let old = find_of(cx, &request.access_key_id, request.user_name.as_ref())?;
    let record = AccessKeyRecord { status: request.status, ..old.clone() };
    cx.tx.update(&old, &record)?;
    Ok(Empty {})
}

/// Tells when an access key was last used, as far as that is stored: up to a minute ago.
pub(in crate::operations) fn get_access_key_last_used(
    cx: &mut Context<'_>,
    request: &GetAccessKeyLastUsedRequest,
) -> Result<GetAccessKeyLastUsedResponse> {
    let record = find(cx, &request.access_key_id, |_| true)?;
    let last_used = AccessKeyLastUsedRecord::find(&cx.tx, &record.access_key_id)?;
    Ok(GetAccessKeyLastUsedResponse {
        access_key_last_used: last_used.into(),
        user_name: record.user_name,
    })
}

/// Ends an access key; requests that it signed are refused from then on.
pub(in crate::operations) fn delete_access_key(
    cx: &mut Context<'_>,
    request: &AccessKeyRequest,
) -> Result<Empty> {
    let record = find_of(cx, &request.access_key_id, request.user_name.as_ref())?;
    if let Some(last_used) = AccessKeyLastUsedRecord::find(&cx.tx, &record.access_key_id)? {
        cx.tx.delete(&last_used)?;
    }
    cx.tx.delete(&record)?;
    Ok(Empty {})
}

// Helpers.

/// Returns an access key that the caller's AWS account has: of a user, if one is named.
fn find_of(
    cx: &Context<'_>,
    access_key_id: &str,
    user_name: Option<&IamName<64>>,
) -> Result<AccessKeyRecord> {
    // A user who names nobody means itself.
    let by = match &cx.caller.principal {
        Principal::User { user_name } => Some(user_name.as_str()),
        _ => None,
    };
    let asked = user_name.map(|it| &**it).or(by);
    find(cx, access_key_id, |record| {
        let of = record.user_name.as_deref().unwrap_or_default();
        asked.is_none_or(|asked| asked.eq_ignore_ascii_case(of))
    })
}

/// Returns an access key that the caller's AWS account has, if it is asked for.
fn find(
    cx: &Context<'_>,
    access_key_id: &str,
    is_asked_for: impl Fn(&AccessKeyRecord) -> bool,
) -> Result<AccessKeyRecord> {
    let is_ours = |record: &AccessKeyRecord| {
        record.aws_account_id == cx.caller.aws_account_id || cx.caller.is_deployment_root()
    };
    let record = AccessKeyRecord::find(&cx.tx, access_key_id)?;
    record.filter(|record| is_ours(record) && is_asked_for(record)).ok_or_else(|| {
        no_such_entity(format!("The Access Key with id {access_key_id} cannot be found."))
    })
}
