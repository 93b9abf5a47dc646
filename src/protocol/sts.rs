//! `sts:GetCallerIdentity` on the same port: the AWS Query protocol, form in, XML out.

use super::error::{Error, Exception, Result};
use super::{Api, Request, answer, guarded, log, put_retry_after};
use crate::operations::sts::{GetCallerIdentityResponse, get_caller_identity};
use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode};
use percent_encoding::percent_decode_str;

const XML: HeaderValue = HeaderValue::from_static("text/xml");
const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
const VERSION: &str = "2011-06-15";

/// Tells whether a request is for STS: the Chime API has no operation at the root.
pub(super) fn is_for(request: &Request) -> bool {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let names_action = query.split('&').any(|pair| pair.starts_with("Action="));
    path == "/" && (request.method == Method::POST || request.method == Method::GET && names_action)
}

/// Answers a request to STS.
pub(super) fn respond(api: &Api, request: &Request, request_id: &str) -> Response<Bytes> {
    match run(api, request) {
        Ok(identity) => {
            answer(StatusCode::OK, request_id, XML, identity_body(&identity, request_id).into())
        }
        Err(error) => {
            log(request, &error, request_id);
            failure(&error, request_id)
        }
    }
}

/// Returns the answer that tells of an error.
pub(super) fn failure(error: &Error, request_id: &str) -> Response<Bytes> {
    let status = match code(error.exception()) {
        "InvalidAction" | "Throttling" => StatusCode::BAD_REQUEST,
        _ => error.exception().status(),
    };
    let mut response = answer(status, request_id, XML, error_body(error, request_id).into());
    put_retry_after(&mut response, error);
    response
}

fn run(api: &Api, request: &Request) -> Result<GetCallerIdentityResponse> {
    let (credential, _) =
        guarded(|| api.store.read(|tx| api.authenticate(&request.signed(), &tx, "sts")))?;
    request.outcome.note_caller(&credential.caller);
    api.throttle_sts(&credential.caller)?;
    let form = match request.method {
        Method::GET => request.target.split_once('?').unwrap_or_default().1,
        _ => std::str::from_utf8(&request.body).unwrap_or_default(),
    };
    let value =
        |name: &str| form.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let action = percent_decode_str(value("Action").unwrap_or_default()).decode_utf8_lossy();
    let version = value("Version").unwrap_or_default();
    if action != "GetCallerIdentity" || version != VERSION {
        return Err(Error::new(
            Exception::UnknownOperationException,
            format!("Could not find operation {action} for version {version}"),
        ));
    }
    request.outcome.note_operation("sts:GetCallerIdentity");
    Ok(get_caller_identity(&credential.caller))
}

fn identity_body(identity: &GetCallerIdentityResponse, request_id: &str) -> String {
    let GetCallerIdentityResponse { account, arn, user_id } = identity;
    format!(
        "<GetCallerIdentityResponse xmlns=\"{NAMESPACE}\"><GetCallerIdentityResult>\
         <Arn>{arn}</Arn><UserId>{user_id}</UserId><Account>{account}</Account>\
         </GetCallerIdentityResult><ResponseMetadata><RequestId>{request_id}</RequestId>\
         </ResponseMetadata></GetCallerIdentityResponse>\n"
    )
}

fn error_body(error: &Error, request_id: &str) -> String {
    let sender = error.exception().status().is_client_error();
    let kind = if sender { "Sender" } else { "Receiver" };
    format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>{kind}</Type><Code>{}</Code>\
         <Message>{}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>\n",
        code(error.exception()),
        escaped(error.message())
    )
}

/// Returns the name by which the Query protocol's services call an error ("Common Errors" of the
/// STS API reference).
fn code(exception: Exception) -> &'static str {
    match exception {
        Exception::InvalidSignatureException => "SignatureDoesNotMatch",
        Exception::IncompleteSignatureException => "IncompleteSignature",
        Exception::MissingAuthenticationTokenException => "MissingAuthenticationToken",
        Exception::UnrecognizedClientException => "InvalidClientTokenId",
        Exception::UnknownOperationException => "InvalidAction",
        // All of AWS's SDKs retry this name, in every mode.
        Exception::ThrottledClientException => "Throttling",
        Exception::ServiceUnavailableException => "ServiceUnavailable",
        Exception::ServiceFailureException => "InternalFailure",
        other => other.name(),
    }
}

fn escaped(text: &str) -> String {
    // XML 1.0 has no way to write these.
    let unwritable =
        |c: char| c != '\n' && (c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}'));
    text.replace(unwritable, "\u{fffd}")
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
