//! Users, roles, policies and access keys: who may call, and what. AWS keeps them in IAM; the names of
//! operations, members and errors are IAM's.
//!
//! Everything is of the caller's AWS account. The deployment's root alone may name another.

pub mod access_keys;
pub mod attachments;
pub mod entities;
pub mod policies;
pub mod roles;
pub mod users;

use super::Context;
use crate::access::policy::{Kind, Policy, characters};
use crate::access::quotas::Quota;
use crate::protocol::error::{Error, Exception, Result};
use crate::protocol::shapes::AwsAccountId;
use crate::store::Key;

/// Returns the AWS account that a request is about.
fn aws_account_of(cx: &Context<'_>, asked: Option<&AwsAccountId>) -> Result<String> {
    cx.aws_account(asked).ok_or_else(|| {
        let (arn, other) = (&cx.caller.arn, asked.map_or("", |asked| asked));
        Error::forbidden(format!("User: {arn} is not authorized to act in the AWS account {other}"))
    })
}

/// Refuses a policy document that is malformed or too long.
pub(super) fn check_document(document: &str, kind: Kind, characters_max: usize) -> Result<()> {
    Policy::parse(document, kind).map_err(|fault| {
        Error::new(Exception::MalformedPolicyDocumentException, fault.to_string())
    })?;
    let characters = characters(document);
    if characters > characters_max {
        return Err(limit_exceeded(format!(
            "The policy document has {characters} characters that are not blank; it may have \
             {characters_max}"
        )));
    }
    Ok(())
}

/// Refuses one more where there are as many as a quota allows of what is stored under a beginning.
fn check_quota(cx: &Context<'_>, quota: Quota, beginning: &Key) -> Result<()> {
    let max = cx.terms.quotas.get(quota);
    if cx.tx.count(beginning, max)? < max {
        return Ok(());
    }
    Err(quota_exceeded(quota, max))
}

fn quota_exceeded(quota: Quota, max: usize) -> Error {
    limit_exceeded(format!("Cannot exceed quota for {quota}: {max}"))
}

fn no_such_entity(message: impl Into<String>) -> Error {
    Error::new(Exception::NoSuchEntityException, message)
}

fn entity_already_exists(kind: &str, name: &str) -> Error {
    let message = format!("{kind} with name {name} already exists.");
    Error::new(Exception::EntityAlreadyExistsException, message)
}

fn delete_conflict(message: &str) -> Error {
    Error::new(Exception::DeleteConflictException, message)
}

fn limit_exceeded(message: impl Into<String>) -> Error {
    Error::new(Exception::LimitExceededException, message)
}

/// Returns a unique id in IAM's form, such as AIDA….
fn unique_id(cx: &mut Context<'_>, prefix: &str) -> String {
    crate::access::unique_id(prefix, &cx.random_bytes::<11>())
}
