//! Reads what a client claims about its signature: from `Authorization`, or from a presigned query.
//!
//! A claim is complete and unambiguous, or it is refused here.

use super::{
    ALGORITHM, Error, Exception, Result, Scope, Signature, SignedRequest, TERMINATOR, X_AMZ_DATE,
    X_AMZ_SECURITY_TOKEN, canonical, date, invalid,
};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::{AUTHORIZATION, DATE, HeaderName};
use jiff::{SignedDuration, Timestamp};
use ring::digest;
use std::borrow::Cow;

/// The longest time for which a request can be presigned: a week.
const EXPIRES_S_MAX: u32 = 604_800;

/// The presigned query's parameters, in the order of [`Parameters`].
const PARAMETER_NAMES: [&[u8]; 7] = [
    b"X-Amz-Algorithm",
    b"X-Amz-Credential",
    b"X-Amz-Date",
    b"X-Amz-Expires",
    b"X-Amz-Security-Token",
    b"X-Amz-Signature",
    b"X-Amz-SignedHeaders",
];

type Parameters<'a> = [Option<Cow<'a, str>>; PARAMETER_NAMES.len()];

/// Reads the signature of a request from where its client put it.
pub(super) fn parse<'a>(request: &SignedRequest<'a>) -> Result<Signature<'a>> {
    let parameters = parameters(request.query())?;
    let [algorithm, credential, _, _, _, signature, _] = &parameters;
    let presigned = algorithm.is_some() || credential.is_some() || signature.is_some();
    match (header(request, &AUTHORIZATION)?, presigned) {
        (Some(authorization), false) => from_header(request, authorization),
        (None, true) => from_query(request, parameters),
        (None, false) => Err(Error::new(
            Exception::MissingAuthenticationTokenException,
            "Missing Authentication Token",
        )),
        (Some(_), true) => Err(incomplete(
            "The request is signed twice: in the Authorization header and in the query string.",
        )),
    }
}

fn from_header<'a>(request: &SignedRequest<'a>, authorization: &'a str) -> Result<Signature<'a>> {
    let [credential, signed_headers, signature] = fields(authorization)?;
    let date = match header(request, &X_AMZ_DATE)? {
        Some(date) => Some(date),
        None => header(request, &DATE)?,
    };
    let (Some(credential), Some(signed_headers), Some(signature), Some(date)) =
        (credential, signed_headers, signature, date)
    else {
        // All that is missing is told at once:
        // aws-samples/amazon-elasticsearch-service-with-authentication#4.
        let mut texts = Vec::new();
        for (field, name) in [
            (credential, "'Credential' parameter."),
            (signature, "'Signature' parameter."),
            (signed_headers, "'SignedHeaders' parameter."),
            (date, "existence of either a 'X-Amz-Date' or a 'Date' header."),
        ] {
            if field.is_none() {
                texts.push(format!("Authorization header requires {name}"));
            }
        }
        return Err(incomplete(texts.join(" ")));
    };
    let (timestamp, time) = match date::from_basic(date) {
        Some(timestamp) => (timestamp, Cow::Borrowed(date)),
        None if request.headers.contains_key(X_AMZ_DATE) => return Err(bad_date(date)),
        None => {
            let timestamp = date::from_http(date).ok_or_else(|| bad_date(date))?;
            (timestamp, Cow::Owned(date::basic(timestamp)))
        }
    };
    let (access_key_id, scope) = credential_parts(Cow::Borrowed(credential))?;
    Ok(Signature {
        access_key_id,
        scope,
        signed_headers: Cow::Borrowed(signed_headers),
        hmac: Cow::Borrowed(signature),
        session_token: header(request, &X_AMZ_SECURITY_TOKEN)?.map(Cow::Borrowed),
        timestamp,
        time,
        expires: None,
    })
}

fn from_query<'a>(
    request: &SignedRequest<'a>,
    parameters: Parameters<'a>,
) -> Result<Signature<'a>> {
    let [algorithm, credential, date, expires, session_token, signature, signed_headers] =
        parameters;
    if required(algorithm, "X-Amz-Algorithm")? != ALGORITHM {
        return Err(unsupported_algorithm());
    }
    let (access_key_id, scope) = credential_parts(required(credential, "X-Amz-Credential")?)?;
    let time = required(date, "X-Amz-Date")?;
    let timestamp: Timestamp = date::from_basic(&time).ok_or_else(|| bad_date(&time))?;
    let expires = expires_parsed(&required(expires, "X-Amz-Expires")?)?;
    let header_token = header(request, &X_AMZ_SECURITY_TOKEN)?.map(Cow::Borrowed);
    if session_token.is_some() && header_token.is_some() {
        return Err(incomplete("The session token is given twice: in a header and in the query."));
    }
    Ok(Signature {
        access_key_id,
        scope,
        signed_headers: required(signed_headers, "X-Amz-SignedHeaders")?,
        hmac: required(signature, "X-Amz-Signature")?,
        session_token: session_token.or(header_token),
        timestamp,
        time,
        expires: Some(expires),
    })
}

/// Splits an `Authorization` header into its credential, signed headers and signature.
fn fields(authorization: &str) -> Result<[Option<&str>; 3]> {
    let authorization = authorization.trim_ascii();
    if authorization.is_empty() {
        return Err(incomplete("Authorization header cannot be empty"));
    }
    let (algorithm, rest) = authorization.split_once(' ').unwrap_or((authorization, ""));
    if algorithm != ALGORITHM {
        return Err(unsupported_algorithm());
    }
    let (mut credential, mut signed_headers, mut signature) = (None, None, None);
    for field in rest.split(',').map(str::trim_ascii) {
        if rest.is_empty() {
            break;
        }
        let Some((name, value)) = field.split_once('=') else {
            return Err(incomplete(format!(
                "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with \
                 SHA-256 and encoded with Base64): '{}'.",
                BASE64_STANDARD.encode(digest::digest(&digest::SHA256, authorization.as_bytes()))
            )));
        };
        let slot = match name {
            "Credential" => &mut credential,
            "SignedHeaders" => &mut signed_headers,
            "Signature" => &mut signature,
            _ => continue,
        };
        if slot.replace(value).is_some() {
            let text = format!("Authorization header has more than one '{name}' parameter.");
            return Err(incomplete(text));
        }
    }
    Ok([credential, signed_headers, signature].map(|it| it.filter(|value| !value.is_empty())))
}

/// Finds the parameters of a presigned query.
fn parameters(query: &str) -> Result<Parameters<'_>> {
    let mut parameters = Parameters::default();
    for (raw_name, raw_value) in canonical::pairs(query) {
        let name = canonical::decoded(raw_name);
        if !name.starts_with(b"X-Amz-") {
            continue;
        }
        for (slot, known) in parameters.iter_mut().zip(PARAMETER_NAMES) {
            if name != known {
                continue;
            }
            let shown = String::from_utf8_lossy(known);
            let value = match canonical::decoded(raw_value) {
                Cow::Borrowed(value) => std::str::from_utf8(value).ok().map(Cow::Borrowed),
                Cow::Owned(value) => String::from_utf8(value).ok().map(Cow::Owned),
            };
            let value = value
                .ok_or_else(|| incomplete(format!("Query parameter '{shown}' is not UTF-8.")))?;
            if slot.replace(value).is_some() {
                let text = format!("Query parameter '{shown}' is given more than once.");
                return Err(incomplete(text));
            }
        }
    }
    Ok(parameters)
}

fn required<'a>(parameter: Option<Cow<'a, str>>, name: &str) -> Result<Cow<'a, str>> {
    parameter.filter(|value| !value.is_empty()).ok_or_else(|| {
        incomplete(format!(
            "AWS query-string parameters must include '{name}'. Re-examine the query-string \
             parameters."
        ))
    })
}

/// Splits a credential into the access key and the scope.
fn credential_parts(credential: Cow<'_, str>) -> Result<(Cow<'_, str>, Scope<'_>)> {
    let [key, date, region, service, terminator] = match credential {
        Cow::Borrowed(text) => five_parts(text)?.map(Cow::Borrowed),
        Cow::Owned(text) => five_parts(&text)?.map(|part| Cow::Owned(part.to_owned())),
    };
    if terminator != TERMINATOR {
        let text = format!("Credential should be scoped with a valid terminator: '{TERMINATOR}'");
        return Err(invalid(text));
    }
    if key.is_empty() {
        return Err(incomplete("Credential has no access key."));
    }
    Ok((key, Scope { date, region, service }))
}

fn five_parts(credential: &str) -> Result<[&str; 5]> {
    let mut parts = credential.split('/');
    let five = [parts.next(), parts.next(), parts.next(), parts.next(), parts.next()];
    match (five, parts.next()) {
        ([Some(key), Some(date), Some(region), Some(service), Some(end)], None) => {
            Ok([key, date, region, service, end])
        }
        // AWS echoes the credential. The usual cause is a secret in the place of the access key
        // (boto/boto3#1752), which must not reach a log.
        _ => Err(incomplete(
            "Credential must have exactly 5 slash-delimited elements, e.g. \
             keyid/date/region/service/term",
        )),
    }
}

fn expires_parsed(text: &str) -> Result<SignedDuration> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u32>() {
        Ok(seconds @ 1..=EXPIRES_S_MAX) if digits => Ok(SignedDuration::from_secs(seconds.into())),
        _ => Err(incomplete(format!(
            "X-Amz-Expires must be a number of seconds from 1 to {EXPIRES_S_MAX}."
        ))),
    }
}

/// Returns the value of a header that may be given once.
fn header<'a>(request: &SignedRequest<'a>, name: &HeaderName) -> Result<Option<&'a str>> {
    let mut values = request.headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(incomplete(format!("The header '{name}' is given more than once.")));
    }
    let text = value.to_str();
    text.map(Some).map_err(|_| incomplete(format!("The header '{name}' is not visible ASCII.")))
}

fn unsupported_algorithm() -> Error {
    // Not echoed: what is not a signature may well be a password.
    incomplete(format!("Unsupported algorithm or scheme: this service accepts {ALGORITHM} only."))
}

fn bad_date(date: &str) -> Error {
    incomplete(format!("Date must be in ISO-8601 'basic format'. Got '{date}'."))
}

fn incomplete(message: impl Into<String>) -> Error {
    Error::new(Exception::IncompleteSignatureException, message)
}
