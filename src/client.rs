//! The client behind every command that talks to a running server: signs a request and sends it.

use crate::access::Secret;
use crate::clock::Clock;
use crate::config::variable;
use crate::operations::{Operation, find, table};
use crate::protocol::SIGNING_NAME;
use crate::protocol::route::member_name;
use crate::protocol::sigv4::SignedRequest;
use crate::protocol::sigv4::client::{Credentials, sign};
use http::{HeaderMap, HeaderValue, Method};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

const DEFAULT_ENDPOINT: &str = "http://127.0.0.1:8018";
const CA_BUNDLE: &str = "AWS_CA_BUNDLE";
/// How often a call is tried that the server asks to be made later.
const ATTEMPTS_MAX: u32 = 5;
/// How long it waits for that at the most; a server that asks for more gets no further attempt.
const RETRY_AFTER_SECONDS_MAX: u64 = 30;
const DEFAULT_REGION: &str = "us-east-1";
/// The characters that RFC 3986 leaves as they are.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A server, and the credential to call it with.
#[derive(Debug)]
pub struct Client {
    endpoint: String,
    region: String,
    access_key_id: String,
    secret_access_key: Secret,
    session_token: Option<String>,
    /// Keeps its connections from call to call.
    agent: ureq::Agent,
}

/// Why a call has no answer.
#[derive(Debug)]
pub enum CallError {
    /// The call cannot be made as it was asked for.
    Usage(String),
    /// No answer came back.
    Transport(String),
    /// The server answered with an error: its exception, and its message.
    Service(&'static str, String, String),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) | Self::Transport(message) => f.write_str(message),
            // The AWS CLI's words, which scripts look for.
            Self::Service(operation, exception, message) => write!(
                f,
                "An error occurred ({exception}) when calling the {operation} operation: {message}"
            ),
        }
    }
}

impl std::error::Error for CallError {}

impl Client {
    /// Takes the endpoint and the credential from where every AWS client takes them.
    pub fn from_environment(endpoint_url: Option<String>) -> Result<Self, CallError> {
        let required = |name: &str| {
            variable(name).ok_or_else(|| {
                CallError::Usage(format!(
                    "{name} is not set. Set it to what `campanile serve` printed on its first \
                     start"
                ))
            })
        };
        let endpoint = endpoint_url
            .or_else(|| variable("AWS_ENDPOINT_URL_CHIME"))
            .or_else(|| variable("AWS_ENDPOINT_URL"))
            .unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned());
        let is_tls = endpoint.to_ascii_lowercase().starts_with("https:");
        let bundle = variable(CA_BUNDLE).filter(|_| is_tls);
        let roots = bundle.as_deref().map(authorities).transpose()?.unwrap_or(RootCerts::WebPki);
        let tls = TlsConfig::builder().root_certs(roots).build();
        let agent = ureq::Agent::config_builder().http_status_as_error(false).tls_config(tls);
        Ok(Self {
            endpoint,
            region: variable("AWS_REGION")
                .or_else(|| variable("AWS_DEFAULT_REGION"))
                .unwrap_or_else(|| DEFAULT_REGION.to_owned()),
            access_key_id: required("AWS_ACCESS_KEY_ID")?,
            secret_access_key: Secret::new(required("AWS_SECRET_ACCESS_KEY")?),
            session_token: variable("AWS_SESSION_TOKEN"),
            agent: agent.build().new_agent(),
        })
    }

    /// Returns the server's URL.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Calls an operation by its name; answers what it returned, if it returns anything.
    pub fn call(
        &self,
        name: &str,
        members: Map<String, Value>,
    ) -> Result<Option<Value>, CallError> {
        Ok(serde_json::from_str(&self.call_text(name, members)?).ok())
    }

    /// Calls an operation by its name; answers the very text that it returned.
    pub fn call_text(&self, name: &str, members: Map<String, Value>) -> Result<String, CallError> {
        let operation = find(name).ok_or_else(|| CallError::Usage(unknown(name)))?;
        let (target, body) = target_and_body(operation, members)?;
        for _ in 1..ATTEMPTS_MAX {
            let response = self.send(operation, &target, &body)?;
            match retry_after(&response) {
                Some(wait) => thread::sleep(wait),
                None => return answer(operation, response),
            }
        }
        answer(operation, self.send(operation, &target, &body)?)
    }

    fn send(
        &self,
        operation: &Operation,
        target: &str,
        body: &[u8],
    ) -> Result<http::Response<ureq::Body>, CallError> {
        let url = format!("{}{target}", self.endpoint.trim_end_matches('/'));
        let uri: http::Uri = url.parse().map_err(|error| {
            CallError::Usage(format!("the endpoint '{}' is no URL: {error}", self.endpoint))
        })?;
        let authority = uri.authority().map(ToString::to_string).ok_or_else(|| {
            CallError::Usage(format!(
                "the endpoint '{}' names no host. Write it as http://host:port",
                self.endpoint
            ))
        })?;
        let mut request = http::Request::new(body.to_vec());
        *request.method_mut() = operation.method.clone();
        let host = HeaderValue::try_from(authority)
            .map_err(|error| CallError::Usage(format!("the endpoint's host: {error}")))?;
        request.headers_mut().insert(http::header::HOST, host);
        if !body.is_empty() {
            let json = HeaderValue::from_static("application/json");
            request.headers_mut().insert(http::header::CONTENT_TYPE, json);
        }
        let signed = self.sign(&SignedRequest {
            method: operation.method.as_str(),
            target: uri.path_and_query().map_or("/", |target| target.as_str()),
            headers: request.headers(),
            body,
        })?;
        request.headers_mut().extend(signed);
        *request.uri_mut() = uri;
        self.agent.run(request).map_err(|error| unanswered(&url, &error))
    }
}

/// Reads the authorities that the AWS CLI would believe, in the place of the public ones.
fn authorities(path: &str) -> Result<RootCerts, CallError> {
    let wrong =
        |reason: &str| CallError::Usage(format!("{CA_BUNDLE} is the file {path}: {reason}"));
    let pem = std::fs::read(path).map_err(|error| wrong(&format!("it cannot be read: {error}")))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {}
            Err(_) => return Err(wrong("it is not in PEM form")),
        }
    }
    if certificates.is_empty() {
        return Err(wrong("it must hold certificates, from -----BEGIN CERTIFICATE----- on"));
    }
    Ok(RootCerts::Specific(Arc::new(certificates)))
}

fn unanswered(url: &str, error: &ureq::Error) -> CallError {
    let is_tls = match error {
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) => true,
        ureq::Error::Io(error) => {
            error.get_ref().is_some_and(<dyn Error + Send + Sync>::is::<rustls::Error>)
        }
        _ => false,
    };
    CallError::Transport(if is_tls {
        format!(
            "SSL validation failed for {url}: {error}. If the certificate is of an authority of \
             your own, name its PEM file in {CA_BUNDLE}"
        )
    } else {
        format!(
            "Could not connect to the endpoint URL \"{url}\": {error}. Is `campanile serve` \
             running there?"
        )
    })
}

impl Client {
    fn sign(&self, request: &SignedRequest<'_>) -> Result<HeaderMap, CallError> {
        let credentials = Credentials {
            access_key_id: &self.access_key_id,
            secret_access_key: self.secret_access_key.expose(),
            session_token: self.session_token.as_deref(),
        };
        let now = Clock::system().now().into();
        sign(request, &credentials, &self.region, SIGNING_NAME, now).map_err(|_| {
            CallError::Usage(
                "AWS_ACCESS_KEY_ID, AWS_SESSION_TOKEN or AWS_REGION holds a character that \
                 cannot stand in a header"
                    .to_owned(),
            )
        })
    }
}

/// Returns how long to wait before a call is made again, where the server has refused to do it now:
/// nothing of it was done.
fn retry_after(response: &http::Response<ureq::Body>) -> Option<Duration> {
    let seconds = response.headers().get(http::header::RETRY_AFTER)?.to_str().ok()?;
    let seconds: u64 = seconds.parse().ok()?;
    (seconds <= RETRY_AFTER_SECONDS_MAX).then(|| Duration::from_secs(seconds))
}

fn answer(
    operation: &Operation,
    mut response: http::Response<ureq::Body>,
) -> Result<String, CallError> {
    let status = response.status();
    let exception = response
        .headers()
        .get("x-amzn-errortype")
        .and_then(|name| name.to_str().ok())
        .unwrap_or(status.as_str())
        .to_owned();
    let text = response
        .body_mut()
        .read_to_string()
        .map_err(|error| CallError::Transport(format!("the answer broke off: {error}")))?;
    if !status.is_success() {
        let body = serde_json::from_str::<Value>(&text).ok();
        let message = body.as_ref().and_then(|body| body.get("Message")?.as_str()).unwrap_or(&text);
        return Err(CallError::Service(operation.name, exception, message.to_owned()));
    }
    Ok(text)
}

/// Puts the members where the operation's line of the table says that they belong.
pub fn target_and_body(
    operation: &Operation,
    mut members: Map<String, Value>,
) -> Result<(String, Vec<u8>), CallError> {
    let (path, query) = operation.uri.split_once('?').unwrap_or((operation.uri, ""));
    let mut target = String::new();
    for segment in path.split('/').skip(1) {
        target.push('/');
        match segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            None => target.push_str(segment),
            Some(name) => {
                let member = member_name(name);
                let value = members.remove(&member).ok_or_else(|| {
                    CallError::Usage(format!("{} needs the member {member}", operation.name))
                })?;
                target.extend(utf8_percent_encode(&text(&member, &value)?, RESERVED));
            }
        }
    }
    let mut pairs: Vec<String> = Vec::new();
    pairs.extend((!query.is_empty()).then(|| query.to_owned()));
    if operation.method == Method::GET {
        for (member, value) in &members {
            let value = text(member, value)?;
            pairs.push(format!("{}={}", uri_name(member), utf8_percent_encode(&value, RESERVED)));
        }
    }
    if !pairs.is_empty() {
        target = format!("{target}?{}", pairs.join("&"));
    }
    let has_body = operation.method == Method::POST || operation.method == Method::PUT;
    let body = if has_body { Value::Object(members).to_string().into_bytes() } else { Vec::new() };
    Ok((target, body))
}

fn text(member: &str, value: &Value) -> Result<String, CallError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        _ => Err(CallError::Usage(format!("{member} stands in the URI: it must be a string"))),
    }
}

/// Returns the URI name of a member: `MaxResults` is `max-results`.
fn uri_name(member: &str) -> String {
    let mut name = String::new();
    for letter in member.chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

fn unknown(name: &str) -> String {
    format!("'{name}' is no operation of this release. It has: {}", operation_names())
}

/// Returns the names of all operations, as a person reads them.
pub fn operation_names() -> String {
    let names: Vec<_> = table().iter().map(|operation| operation.name).collect();
    names.join(", ")
}
