//! Signs requests, for this program's own command-line client.

use super::canonical::{Canonical, PathForm, SignedHeader};
use super::{
    ALGORITHM, Scope, SignedRequest, SigningKey, X_AMZ_DATE, X_AMZ_SECURITY_TOKEN, date, hex,
    sha256_hex, string_to_sign,
};
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue};
use jiff::Timestamp;
use ring::hmac;
use std::borrow::Cow;
use std::fmt;

/// Headers that proxies and HTTP libraries change or drop on the way.
///
/// The lists of aws-sigv4 (`settings.rs`) and botocore (`SIGNED_HEADERS_BLACKLIST`) together.
const UNSIGNED_HEADERS: &[&str] = &[
    "authorization",
    "connection",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-amzn-trace-id",
];

/// What a request is signed with.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// The public name of the key.
    pub access_key_id: &'a str,
    /// The key itself.
    pub secret_access_key: &'a str,
    /// The token that temporary credentials come with.
    pub session_token: Option<&'a str>,
}

/// Returns the headers that sign `request` once they are added to it.
///
/// Every header of `request` is signed unless it may change on the way. `host` must be among them,
/// or the server will refuse the signature.
pub fn sign(
    request: &SignedRequest<'_>,
    credentials: &Credentials<'_>,
    region: &str,
    service: &str,
    now: Timestamp,
) -> Result<HeaderMap, InvalidHeaderValue> {
    let time = date::basic(now);
    let mut added = HeaderMap::new();
    added.insert(X_AMZ_DATE, HeaderValue::from_str(&time)?);
    if let Some(token) = credentials.session_token {
        let mut token = HeaderValue::from_str(token)?;
        token.set_sensitive(true);
        added.insert(X_AMZ_SECURITY_TOKEN, token);
    }
    let mut headers = request.headers.clone();
    headers.extend(added.clone());

    let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
    names.retain(|name| !UNSIGNED_HEADERS.contains(name));
    names.sort_unstable();
    let signed_headers = names.join(";");
    let canonical = Canonical {
        request: &SignedRequest { headers: &headers, ..*request },
        signed_headers: &signed_headers,
        headers: names.iter().map(|name| SignedHeader::of(&headers, name)).collect(),
        payload_hash: &sha256_hex(request.body),
        presigned: false,
    };
    let scope = Scope {
        date: Cow::Borrowed(time.get(..8).unwrap_or_default()),
        region: Cow::Borrowed(region),
        service: Cow::Borrowed(service),
    };
    let text = string_to_sign(&time, &scope, &canonical.bytes(PathForm::Normalized));
    let key = SigningKey::derive(credentials.secret_access_key, &scope);
    let signature = hex(hmac::sign(&key.0, &text).as_ref());
    let authorization = format!(
        "{ALGORITHM} Credential={}/{scope}, SignedHeaders={signed_headers}, Signature={}",
        credentials.access_key_id,
        String::from_utf8_lossy(&signature)
    );
    added.insert(AUTHORIZATION, HeaderValue::from_str(&authorization)?);
    Ok(added)
}

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({} ***)", self.access_key_id)
    }
}
