//! Access keys: extension operations with which the deployment's root lets others in.
//!
//! AWS makes keys in IAM; the names of operations and members are IAM's.

use super::next_token::Query;
use super::{Context, Empty};
use crate::access::{AccessKeyRecord, Status};
use crate::clock::Timestamp;
use crate::protocol::error::{Error, Result};
use crate::protocol::shapes::{AwsAccountId, NonEmptyString, ProfileServiceMaxResults};
use crate::store::Page;
use serde::{Deserialize, Serialize};

// Shapes.

/// The request of `CreateAccessKey`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateAccessKeyRequest {
    aws_account_id: AwsAccountId,
}

/// The request of `DeleteAccessKey`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteAccessKeyRequest {
    access_key_id: NonEmptyString,
}

/// The request of `ListAccessKeys`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListAccessKeysRequest {
    aws_account_id: Option<AwsAccountId>,
    next_token: Option<String>,
    #[serde(default)]
    max_results: ProfileServiceMaxResults,
}

/// The answer of `CreateAccessKey`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateAccessKeyResponse {
    access_key: AccessKey,
}

/// The answer of `ListAccessKeys`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListAccessKeysResponse {
    access_key_metadata: Vec<AccessKey>,
    next_token: Option<String>,
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
        }
    }
}

// Operations.

/// Makes an access key for an AWS account.
pub(super) fn create_access_key(
    cx: &mut Context<'_>,
    request: &CreateAccessKeyRequest,
) -> Result<CreateAccessKeyResponse> {
    let (record, secret) = AccessKeyRecord::generate(
        (*request.aws_account_id).to_owned(),
        cx.now,
        &cx.random_bytes::<{ AccessKeyRecord::RANDOM_BYTES }>(),
        &cx.terms.seal,
    );
    cx.tx.insert(&record)?;
    let secret_access_key = Some(secret.expose().to_owned());
    Ok(CreateAccessKeyResponse {
        access_key: AccessKey { secret_access_key, ..AccessKey::from(record) },
    })
}

/// Ends an access key; requests that it signed are refused from then on.
pub(super) fn delete_access_key(
    cx: &mut Context<'_>,
    request: &DeleteAccessKeyRequest,
) -> Result<Empty> {
    let access_key_id = &*request.access_key_id;
    let record = AccessKeyRecord::find(&cx.tx, access_key_id)?
        .ok_or_else(|| Error::not_found(format!("Access key {access_key_id} not found")))?;
    cx.tx.delete(&record)?;
    Ok(Empty {})
}

/// Lists access keys, without their secrets.
pub(super) fn list_access_keys(
    cx: &mut Context<'_>,
    request: &ListAccessKeysRequest,
) -> Result<ListAccessKeysResponse> {
    let aws_account_id = request.aws_account_id.as_deref();
    let query = Query { operation: "ListAccessKeys", filters: aws_account_id };
    let after = query.position(cx, request.next_token.as_deref())?;
    let index = AccessKeyRecord::by_aws_account(aws_account_id);
    let page: Page<AccessKeyRecord> =
        cx.tx.page(&index, after.as_ref(), request.max_results.get())?;
    let next_token = query.token(cx, page.next.as_ref());
    let access_key_metadata = page.items.into_iter().map(AccessKey::from).collect();
    Ok(ListAccessKeysResponse { access_key_metadata, next_token })
}
