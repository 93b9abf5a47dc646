//! The operations of AWS STS: who the caller is, and credentials for a while.

use super::Context;
use crate::access::policy::{
    Decision, Kind, MANAGED_POLICY_CHARACTERS_MAX, Policy, Principal, Request, decide,
};
use crate::access::{
    self, Identity, NONCE_BYTES, RoleRecord, Session, SessionOf, assumed_role_arn, parse_iam_arn,
};
use crate::clock::Timestamp;
use crate::protocol::error::{Error, Exception, Result};
use crate::protocol::shapes::{
    ExternalId, PolicyDocument, RoleArn, RoleSessionName, SessionDuration,
};
use serde::{Deserialize, Serialize};

const ASSUME_ROLE: &str = "sts:AssumeRole";
/// How long a session lasts that a root or another session asks for, at the most, in seconds.
const SHORT_SECONDS_MAX: u32 = 3600;
/// How long a session of a user lasts if nobody says, in seconds.
const USER_SECONDS: u32 = 43_200;
/// How long a session of a role lasts if nobody says, in seconds.
const ROLE_SECONDS: u32 = 3600;
const MILLISECONDS: i64 = 1000;

// Shapes.

/// The request of `GetCallerIdentity`.
#[derive(Clone, Debug, Deserialize)]
pub struct GetCallerIdentityRequest {}

/// The request of `GetSessionToken`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetSessionTokenRequest {
    duration_seconds: Option<SessionDuration<129_600>>,
    serial_number: Option<String>,
    token_code: Option<String>,
}

/// The request of `AssumeRole`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AssumeRoleRequest {
    role_arn: RoleArn,
    role_session_name: RoleSessionName,
    duration_seconds: Option<SessionDuration<43_200>>,
    external_id: Option<ExternalId>,
    policy: Option<PolicyDocument>,
    serial_number: Option<String>,
    source_identity: Option<String>,
    token_code: Option<String>,
}

/// The answer of `GetCallerIdentity`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetCallerIdentityResponse {
    arn: String,
    user_id: String,
    account: String,
}

/// The answer of `GetSessionToken`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetSessionTokenResponse {
    credentials: Credentials,
}

/// The answer of `AssumeRole`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AssumeRoleResponse {
    assumed_role_user: AssumedRoleUser,
    credentials: Credentials,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct AssumedRoleUser {
    arn: String,
    assumed_role_id: String,
}

/// Temporary credentials. `Debug` hides what is secret of them.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Credentials {
    access_key_id: String,
    expiration: Timestamp,
    secret_access_key: access::Secret,
    session_token: access::Secret,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

// Operations.

/// Says who the caller is.
#[expect(clippy::unnecessary_wraps, reason = "an operation returns a result")]
pub(super) fn get_caller_identity(
    cx: &mut Context<'_>,
    _: &GetCallerIdentityRequest,
) -> Result<GetCallerIdentityResponse> {
    Ok(GetCallerIdentityResponse {
        arn: cx.caller.arn.clone(),
        user_id: cx.caller.user_id.clone(),
        account: cx.caller.aws_account_id.clone(),
    })
}

/// Gives a user, or a root, credentials of its own for a while.
pub(super) fn get_session_token(
    cx: &mut Context<'_>,
    request: &GetSessionTokenRequest,
) -> Result<GetSessionTokenResponse> {
    refuse_second_factor(request.serial_number.as_ref().or(request.token_code.as_ref()))?;
    let caller = cx.caller;
    if caller.session_issued.is_some() {
        let message = "Cannot call GetSessionToken with session credentials";
        return Err(Error::new(Exception::AccessDeniedException, message));
    }
    let asked = request.duration_seconds.map(SessionDuration::get);
    let (of, seconds) = match &caller.principal {
        access::Principal::User { user_name } => {
            let (user_name, user_id) = (user_name.clone(), caller.user_id.clone());
            (SessionOf::User { user_name, user_id }, asked.unwrap_or(USER_SECONDS))
        }
        // "The duration of a root's session is one hour at the most" (GetSessionToken of the API
        // reference).
        access::Principal::Root => {
            (SessionOf::Root, asked.unwrap_or(SHORT_SECONDS_MAX).min(SHORT_SECONDS_MAX))
        }
        access::Principal::DeploymentRoot => {
            (SessionOf::DeploymentRoot, asked.unwrap_or(SHORT_SECONDS_MAX).min(SHORT_SECONDS_MAX))
        }
        access::Principal::AssumedRole { .. } => {
            return Err(Error::failure("a session began no session"));
        }
    };
    let aws_account_id = caller.aws_account_id.clone();
    let credentials = session(cx, aws_account_id, of, seconds, None);
    Ok(GetSessionTokenResponse { credentials })
}

/// Gives a caller whom a role trusts the role's credentials for a while.
pub(super) fn assume_role(
    cx: &mut Context<'_>,
    request: &AssumeRoleRequest,
) -> Result<AssumeRoleResponse> {
    refuse_second_factor(request.serial_number.as_ref().or(request.token_code.as_ref()))?;
    if request.source_identity.is_some() {
        return Err(Error::bad_request("SourceIdentity is not known here. Leave it out"));
    }
    let role = trusting_role(cx, request)?;
    let seconds = request.duration_seconds.map_or(ROLE_SECONDS, SessionDuration::get);
    let chained = cx.caller.session_issued.is_some();
    let seconds_max = if chained { SHORT_SECONDS_MAX } else { role.max_session_duration };
    if seconds > seconds_max {
        return Err(Error::bad_request(format!(
            "The requested DurationSeconds exceeds the {} set for this role: it is {seconds}, and may \
             be {seconds_max}",
            if chained {
                "1 hour session limit for roles assumed by role chaining,"
            } else {
                "MaxSessionDuration"
            }
        )));
    }
    if let Some(policy) = &request.policy {
        super::iam::check_document(policy, Kind::Identity, MANAGED_POLICY_CHARACTERS_MAX)?;
    }
    let session_name = (*request.role_session_name).to_owned();
    let assumed_role_user = AssumedRoleUser {
        arn: assumed_role_arn(&role.aws_account_id, &role.role_name, &session_name),
        assumed_role_id: format!("{}:{session_name}", role.role_id),
    };
    let of = SessionOf::Role { role_name: role.role_name, role_id: role.role_id, session_name };
    let policy = request.policy.as_deref().map(str::to_owned);
    let credentials = session(cx, role.aws_account_id, of, seconds, policy);
    Ok(AssumeRoleResponse { assumed_role_user, credentials })
}

// Helpers.

/// Returns the role, if it trusts the caller, and the caller may ask for it. Who is refused does not
/// learn whether there is such a role.
fn trusting_role(cx: &Context<'_>, request: &AssumeRoleRequest) -> Result<RoleRecord> {
    let denied = || {
        Error::new(
            Exception::AccessDeniedException,
            format!(
                "User: {} is not authorized to perform: {ASSUME_ROLE} on resource: {}",
                cx.caller.arn, &*request.role_arn
            ),
        )
    };
    if matches!(cx.caller.principal, access::Principal::Root | access::Principal::DeploymentRoot) {
        let message = "Roles may not be assumed by root accounts.";
        return Err(Error::new(Exception::AccessDeniedException, message));
    }
    let (aws_account_id, role_name) =
        parse_iam_arn(&request.role_arn, RoleRecord::KIND).ok_or_else(denied)?;
    let role = RoleRecord::find(&cx.tx, aws_account_id, role_name)?.ok_or_else(denied)?;
    let trust = Policy::parse(&role.assume_role_policy_document, Kind::Trust)
        .map_err(|fault| Error::failure(format!("a stored trust policy is malformed: {fault}")))?;
    let mut context = cx.origin.conditions(cx.caller, cx.now);
    context.insert("sts:RoleSessionName", &*request.role_session_name);
    if let Some(external_id) = &request.external_id {
        context.insert("sts:ExternalId", &**external_id);
    }
    let (arns, resource) = (cx.caller.arns(), role.arn());
    let arns: Vec<&str> = arns.iter().map(AsRef::as_ref).collect();
    let trusts = |aws_account_id: &str| {
        let principal = Principal { aws_account_id, arns: &arns };
        let request = Request {
            principal: &principal,
            action: ASSUME_ROLE,
            resource: &resource,
            context: &context,
        };
        decide([&trust], &request) == Decision::Allowed
    };
    // A role that trusts an AWS account leaves it to that account whom of its own it lets assume the
    // role. One that trusts a user of its own AWS account needs nobody else's word.
    let is_user = matches!(cx.caller.principal, access::Principal::User { .. });
    let by_itself = is_user && role.aws_account_id == cx.caller.aws_account_id && trusts("");
    let by_both = cx.decision == Decision::Allowed && trusts(&cx.caller.aws_account_id);
    if by_itself || by_both { Ok(role) } else { Err(denied()) }
}

fn refuse_second_factor(given: Option<&String>) -> Result<()> {
    match given {
        None => Ok(()),
        Some(_) => Err(Error::bad_request(
            "SerialNumber and TokenCode are of a second factor, which nobody has here. Leave them out",
        )),
    }
}

/// Begins a session.
fn session(
    cx: &mut Context<'_>,
    aws_account_id: String,
    of: SessionOf,
    seconds: u32,
    policy: Option<String>,
) -> Credentials {
    let random = cx.random_bytes::<{ Session::RANDOM_BYTES }>();
    let (access_key_id, secret_access_key) = Session::generate_access_key(&random);
    let expires = cx.now.plus(i64::from(seconds) * MILLISECONDS);
    let session = Session {
        access_key_id: access_key_id.clone(),
        secret_access_key: secret_access_key.clone(),
        aws_account_id,
        of,
        issued: cx.now,
        expires,
        policy,
    };
    let nonce = cx.random_bytes::<NONCE_BYTES>();
    let session_token = session.token(&cx.terms.seal, nonce);
    Credentials { access_key_id, expiration: expires, secret_access_key, session_token }
}
