//! STS and IAM on the same port, for their own clients: the AWS Query protocol, form in, XML out.

use super::decode::members_of;
use super::error::{Error, Exception, Result};
use super::route::Routed;
use super::{Admitted, Api, Done, Incoming, Request, answer, log, put_retry_after};
use crate::operations::{Form, Operation};
use crate::store::Tx;
use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::sync::Arc;

const XML: HeaderValue = HeaderValue::from_static("text/xml");
/// What IAM leaves as it is in the policy documents that it returns: they are encoded as RFC 3986 has
/// it ("`GetRolePolicy`" of the API reference).
const DOCUMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A service that speaks the protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Service {
    /// The name that requests are signed for.
    name: &'static str,
    version: &'static str,
    namespace: &'static str,
}

const STS: Service = Service {
    name: "sts",
    version: "2011-06-15",
    namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
};
const IAM: Service = Service {
    name: "iam",
    version: "2010-05-08",
    namespace: "https://iam.amazonaws.com/doc/2010-05-08/",
};

/// Tells whether a request is for one of them: the Chime API has no operation at the root.
pub(super) fn is_for(request: &Request) -> bool {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let names_action = query.split('&').any(|pair| pair.starts_with("Action="));
    path == "/" && (request.method == Method::POST || request.method == Method::GET && names_action)
}

/// Answers a request to one of them.
pub(super) async fn respond(
    api: &Arc<Api>,
    request: &Request,
    request_id: &str,
) -> Response<Bytes> {
    let asked = Asked::of(request);
    match api.answer(|tx| asked.admit(api, request, request_id, tx)).await {
        Ok(done) => {
            let body = asked.body(&done, request_id);
            answer(StatusCode::OK, request_id, XML, body.into())
        }
        Err(error) => {
            log(request, &error, request_id);
            refusal(asked.service(), &error, request_id)
        }
    }
}

/// Returns the answer that tells of an error, in the form that the request's client reads.
pub(super) fn failure(request: &Request, error: &Error, request_id: &str) -> Response<Bytes> {
    refusal(Asked::of(request).service(), error, request_id)
}

fn refusal(service: Service, error: &Error, request_id: &str) -> Response<Bytes> {
    let status = match code(error.exception()) {
        "InvalidAction" | "Throttling" => StatusCode::BAD_REQUEST,
        _ => error.exception().status(),
    };
    let body = error_body(service, error, request_id);
    let mut response = answer(status, request_id, XML, body.into());
    put_retry_after(&mut response, error);
    response
}

/// The form of a request, decoded.
struct Asked<'r> {
    action: Cow<'r, str>,
    version: Cow<'r, str>,
    parameters: Vec<(Cow<'r, str>, Cow<'r, str>)>,
}

impl<'r> Asked<'r> {
    fn of(request: &'r Request) -> Self {
        let form = match request.method {
            Method::GET => request.target.split_once('?').unwrap_or_default().1.as_bytes(),
            _ => &request.body,
        };
        let mut parameters: Vec<_> = form_urlencoded::parse(form).collect();
        let mut take = |name: &str| {
            let at = parameters.iter().position(|(other, _)| other == name);
            at.map(|at| parameters.remove(at).1).unwrap_or_default()
        };
        Self { action: take("Action"), version: take("Version"), parameters }
    }

    /// Returns which service is asked: STS, unless the version is IAM's.
    fn service(&self) -> Service {
        if self.version == IAM.version { IAM } else { STS }
    }

    fn admit<'a>(
        &self,
        api: &'a Api,
        request: &Request,
        request_id: &str,
        tx: Tx<'_>,
    ) -> Result<Admitted<'a>> {
        let service = self.service();
        let signed = api.authenticate(&request.signed(), &tx, service.name)?;
        request.outcome.note_caller(&signed.0.caller);
        let operation = self.operation(api).ok_or_else(|| {
            let Self { action, version, .. } = self;
            let message = format!("Could not find operation {action} for version {version}");
            Error::new(Exception::UnknownOperationException, message)
        })?;
        self.refuse_structures()?;
        let own = |(name, value): &(Cow<'_, str>, Cow<'r, str>)| {
            (Cow::Owned(name.clone().into_owned()), value.clone())
        };
        let members = self.parameters.iter().map(own).collect();
        let routed = Routed { operation, form: Form::Current, members };
        api.admit(Incoming { request, request_id, body: Ok(&[]) }, signed, routed, tx)
    }

    fn operation<'a>(&self, api: &'a Api) -> Option<&'a Operation> {
        let service = self.service();
        if self.version != service.version {
            return None;
        }
        api.router.named(&format!("{}:{}", service.name, self.action))
    }

    /// Lists and structures are parameters with a dot. None of the operations here has one that may be
    /// left out without doing another thing than was asked for.
    fn refuse_structures(&self) -> Result<()> {
        match self.parameters.iter().find(|(name, _)| name.contains('.')) {
            None => Ok(()),
            Some((name, _)) => Err(Error::bad_request(format!(
                "The parameter {name} is not known here. Leave it out"
            ))),
        }
    }

    fn body(&self, done: &Done, request_id: &str) -> String {
        let (action, service) = (&self.action, self.service());
        let mut result = String::new();
        // An operation that returns no members has no result.
        if done.body != b"{}"
            && let Ok(json) = serde_json::from_slice(&done.body)
        {
            write_element(&mut result, &format!("{action}Result"), json, service);
        }
        format!(
            "<{action}Response xmlns=\"{}\">{result}<ResponseMetadata>\
             <RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>\n",
            service.namespace
        )
    }
}

/// Writes JSON that an operation answered as the protocol has it: a member is an element of its name,
/// and a list's elements are called `member`. What is null is not there.
fn write_element(out: &mut String, name: &str, json: &RawValue, service: Service) {
    let text = json.get();
    let content = match text.as_bytes().first() {
        Some(b'n') => return,
        Some(b'{') => {
            let mut content = String::new();
            for (name, member) in members_of(text).unwrap_or_default() {
                write_element(&mut content, &name, member, service);
            }
            content
        }
        Some(b'[') => {
            let elements: Vec<&RawValue> = serde_json::from_str(text).unwrap_or_default();
            let mut content = String::new();
            for element in elements {
                write_element(&mut content, "member", element, service);
            }
            content
        }
        Some(b'"') => {
            let value: String = serde_json::from_str(text).unwrap_or_default();
            if service == IAM && name.ends_with("Document") {
                utf8_percent_encode(&value, DOCUMENT).to_string()
            } else {
                escaped(&value)
            }
        }
        _ => text.to_owned(),
    };
    out.extend(["<", name, ">", &content, "</", name, ">"]);
}

fn error_body(service: Service, error: &Error, request_id: &str) -> String {
    let sender = error.exception().status().is_client_error();
    let kind = if sender { "Sender" } else { "Receiver" };
    format!(
        "<ErrorResponse xmlns=\"{}\"><Error><Type>{kind}</Type><Code>{}</Code>\
         <Message>{}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>\n",
        service.namespace,
        code(error.exception()),
        escaped(error.message())
    )
}

/// Returns the name by which the Query protocol's services call an error ("Common Errors" of the API
/// references of STS and IAM).
fn code(exception: Exception) -> &'static str {
    match exception {
        Exception::BadRequestException => "ValidationError",
        Exception::ExpiredTokenException => "ExpiredToken",
        Exception::ForbiddenException | Exception::AccessDeniedException => "AccessDenied",
        Exception::InvalidSignatureException => "SignatureDoesNotMatch",
        Exception::IncompleteSignatureException => "IncompleteSignature",
        Exception::MissingAuthenticationTokenException => "MissingAuthenticationToken",
        Exception::UnrecognizedClientException => "InvalidClientTokenId",
        Exception::UnknownOperationException => "InvalidAction",
        // All of AWS's SDKs retry this name, in every mode.
        Exception::ThrottledClientException | Exception::ThrottlingException => "Throttling",
        Exception::ServiceUnavailableException => "ServiceUnavailable",
        Exception::ServiceFailureException => "InternalFailure",
        // IAM's own have their codes.
        other => other.code(),
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
