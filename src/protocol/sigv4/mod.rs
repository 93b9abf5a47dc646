//! AWS Signature Version 4: who sent a request, and that it arrived as it was sent.
//!
//! Everything is computed from the raw request target and the received body; nothing that the
//! client says about its request is believed before the signature over it has been verified.

mod canonical;
mod claim;
pub mod client;
mod date;
#[cfg(test)]
mod tests;

use crate::protocol::error::{Error, Exception, Result};
use canonical::{Canonical, PathForm, SignedHeader};
use http::HeaderName;
use jiff::{SignedDuration, Timestamp};
use ring::{digest, hmac};
use std::borrow::Cow;
use std::fmt;

/// The only signing algorithm that this server and its command-line client speak.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The last part of every credential scope.
const TERMINATOR: &str = "aws4_request";

const X_AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
const X_AMZ_SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// How far the clocks of client and server may be apart.
const SKEW_MAX: SignedDuration = SignedDuration::from_mins(5);

/// How many bytes a region in a credential scope may have; it becomes part of cache keys.
const REGION_BYTES_MAX: usize = 64;

/// Headers that clients leave unsigned although their names begin with `x-amz-`.
///
/// The first is added by AWS's content network on the way; the other two are left out of presigned
/// requests by AWS's own signers (aws-sigv4, `canonical_request.rs`). This server reads none of them.
const UNSIGNED_AMZ_HEADERS: &[&str] = &["x-amz-cf-id", "x-amz-checksum-mode", "x-amz-user-agent"];

/// A request as it was received, before anything was decoded.
///
/// Over HTTP/2 the caller puts `:authority` into `headers` as `host`.
#[derive(Clone, Copy)]
pub struct SignedRequest<'a> {
    /// The method, in upper case.
    pub method: &'a str,
    /// The path and query exactly as they stood on the request line.
    pub target: &'a str,
    /// Every header of the request.
    pub headers: &'a http::HeaderMap,
    /// The whole body.
    pub body: &'a [u8],
}

/// What a client claims about its request: who signed it, when, and for what.
///
/// Only `Authorization` or the query were read to make one. Nothing in it is true before
/// [`Signature::verify`] said so.
pub struct Signature<'a> {
    access_key_id: Cow<'a, str>,
    scope: Scope<'a>,
    signed_headers: Cow<'a, str>,
    /// The HMAC, in hexadecimal digits.
    hmac: Cow<'a, str>,
    session_token: Option<Cow<'a, str>>,
    timestamp: Timestamp,
    /// `timestamp` in ISO 8601's basic format.
    time: Cow<'a, str>,
    /// How long a presigned request stays valid; none for a signature in the header.
    expires: Option<SignedDuration>,
}

/// The credential scope: the day, region and service that a signing key is good for.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Scope<'a> {
    /// The day, as `YYYYMMDD`.
    pub date: Cow<'a, str>,
    /// The region that the client is configured for.
    pub region: Cow<'a, str>,
    /// The service's signing name.
    pub service: Cow<'a, str>,
}

/// A secret access key, narrowed to one [`Scope`].
#[derive(Clone)]
pub struct SigningKey(hmac::Key);

/// Whether `path` contains neither empty nor dot segments, so that normalising would not change it.
///
/// Clients normalise the path before they sign it, so `/accounts/a/../b` carries the signature of
/// `/accounts/b`. A path for which this is true is signed by nobody's signature but its own. For
/// any other path the router must answer that no such resource exists, whatever an operation would
/// make of an empty or dotted identifier.
#[must_use]
pub fn path_is_normal(path: &str) -> bool {
    let Some(path) = path.strip_prefix('/') else { return false };
    let mut segments = path.split('/');
    // A trailing slash survives normalisation.
    let last = segments.next_back();
    !matches!(last, Some("." | "..")) && !segments.any(|it| matches!(it, "" | "." | ".."))
}

impl<'a> Signature<'a> {
    /// Reads the signature of a request from its `Authorization` header or its query.
    pub fn parse(request: &SignedRequest<'a>) -> Result<Self> {
        claim::parse(request)
    }

    /// Returns the access key that the request claims to be signed with.
    #[must_use]
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// Returns the session token that came with the request.
    ///
    /// The caller must check that it belongs to the access key.
    #[must_use]
    pub fn session_token(&self) -> Option<&str> {
        self.session_token.as_deref()
    }

    /// Returns the scope of the signing key that the client used.
    #[must_use]
    pub fn scope(&self) -> &Scope<'a> {
        &self.scope
    }

    /// Refuses a scope or a time that no key could make acceptable.
    ///
    /// [`Signature::verify`] includes this. A caller that caches signing keys calls it before it
    /// derives one, so that only the current days' keys for this service are ever cached.
    pub fn verify_scope(&self, service: &str, now: Timestamp) -> Result<()> {
        let Scope { date, region, service: claimed } = &self.scope;
        if Some(date.as_ref()) != self.time.get(..8) {
            return Err(invalid(format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date \
                 from HTTP: '{date}' != '{}', from '{}'.",
                self.time.get(..8).unwrap_or_default(),
                self.time
            )));
        }
        let region_byte = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-';
        if region.is_empty() || region.len() > REGION_BYTES_MAX || !region.bytes().all(region_byte)
        {
            let text = format!("Credential should be scoped to a valid Region, not '{region}'");
            return Err(invalid(text));
        }
        if claimed != service {
            let text = format!("Credential should be scoped to correct service: '{service}'");
            return Err(invalid(text));
        }
        self.verify_time(now)
    }

    /// Verifies that `request` is the one that was signed, with `key`, for `service`, and lately.
    ///
    /// `request` must be what this signature was parsed from, and `key` the one derived for
    /// [`Signature::scope`] from the secret of [`Signature::access_key_id`].
    ///
    /// A signature binds the method, the signed headers, the body, the path up to what
    /// [`path_is_normal`] says, and the *decoded* query pairs, a `+` being a space, without their
    /// order. So the caller must route by the raw path, route nothing that is not normal, treat
    /// `a` and `a=` alike, and refuse a query parameter given twice where it reads one.
    pub fn verify(
        &self,
        request: &SignedRequest<'_>,
        service: &str,
        now: Timestamp,
        key: &SigningKey,
    ) -> Result<()> {
        self.verify_scope(service, now)?;
        let headers = self.verified_headers(request)?;
        let payload_hash = sha256_hex(request.body);
        verify_payload_header(request, &payload_hash)?;

        let canonical = Canonical {
            request,
            signed_headers: &self.signed_headers,
            headers,
            payload_hash: &payload_hash,
            presigned: self.expires.is_some(),
        };
        let claimed = hex_decoded(&self.hmac).unwrap_or_default();
        // Most signers normalise the path and some can be told not to. Accepting both is sound: an
        // unnormalised form is one-to-one with the raw path, and only paths that are not
        // normal, which no router may match, share a normalised form with another path.
        for &form in PathForm::candidates(request.path()) {
            let string_to_sign = self.string_to_sign(&canonical.bytes(form));
            if hmac::verify(&key.0, &string_to_sign, &claimed).is_ok() {
                return Ok(());
            }
        }
        Err(self.mismatch(&canonical))
    }

    fn verify_time(&self, now: Timestamp) -> Result<()> {
        let age = now.duration_since(self.timestamp);
        let time = &self.time;
        if age < -SKEW_MAX {
            return Err(invalid(format!(
                "Signature not yet current: {time} is still later than {} ({} + 5 min.)",
                date::basic_after(now, SKEW_MAX),
                date::basic(now)
            )));
        }
        match self.expires {
            Some(expires) if age > expires => Err(invalid(format!(
                "Signature expired: {} is now earlier than {}",
                date::basic_after(self.timestamp, expires),
                date::basic(now)
            ))),
            None if age > SKEW_MAX => Err(invalid(format!(
                "Signature expired: {time} is now earlier than {} ({} - 5 min.)",
                date::basic_after(now, -SKEW_MAX),
                date::basic(now)
            ))),
            _ => Ok(()),
        }
    }

    fn verified_headers<'s>(
        &'s self,
        request: &SignedRequest<'s>,
    ) -> Result<Vec<SignedHeader<'s>>> {
        let mut headers = Vec::with_capacity(8);
        let mut previous = "";
        let mut host_signed = false;
        let mut amz_headers_signed = 0;
        for name in self.signed_headers.split(';') {
            // Ascending and without duplicates, so that counting proves completeness below.
            if name <= previous || name.bytes().any(|it| it.is_ascii_uppercase()) {
                return Err(invalid(
                    "SignedHeaders must be lower-case header names in ascending order, separated \
                     by semicolons.",
                ));
            }
            let header = SignedHeader::of(request.headers, name);
            if header.values.iter().next().is_none() {
                let text = format!("The request has no header '{name}' but SignedHeaders lists it");
                return Err(invalid(text));
            }
            host_signed |= name == "host";
            amz_headers_signed += usize::from(must_be_signed(name));
            previous = name;
            headers.push(header);
        }
        if !host_signed {
            // Recorded from the real service: aws/aws-sdk-php#2469.
            let text = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.";
            return Err(invalid(text));
        }
        let names = || request.headers.keys().filter(|name| must_be_signed(name.as_str()));
        if names().count() == amz_headers_signed {
            return Ok(headers);
        }
        let signed = |name: &str| self.signed_headers.split(';').any(|it| it == name);
        let unsigned = names().find(|name| !signed(name.as_str()));
        Err(invalid(format!(
            "'{}' must be a 'SignedHeader' in the AWS Authorization.",
            unsigned.map_or("", |name| name.as_str())
        )))
    }

    fn string_to_sign(&self, canonical: &[u8]) -> Vec<u8> {
        string_to_sign(&self.time, &self.scope, canonical)
    }

    fn mismatch(&self, canonical: &Canonical<'_>) -> Error {
        let string_to_sign = self.string_to_sign(&canonical.bytes(PathForm::Normalized));
        invalid(format!(
            "The request signature we calculated does not match the signature you provided. Check \
             your AWS Secret Access Key and signing method. Consult the service documentation for \
             details.\n\n\
             The Canonical String for this request should have been\n'{}'\n\n\
             The String-to-Sign should have been\n'{}'\n",
            String::from_utf8_lossy(&canonical.redacted()),
            String::from_utf8_lossy(&string_to_sign)
        ))
    }
}

impl<'a> SignedRequest<'a> {
    fn path(&self) -> &'a str {
        self.target.split_once('?').map_or(self.target, |(path, _)| path)
    }

    fn query(&self) -> &'a str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }
}

impl SigningKey {
    /// Derives the key that signs in `scope` for the owner of `secret_access_key`.
    #[must_use]
    pub fn derive(secret_access_key: &str, scope: &Scope<'_>) -> Self {
        let mut key = hmac::Key::new(
            hmac::HMAC_SHA256,
            [b"AWS4", secret_access_key.as_bytes()].concat().as_slice(),
        );
        for part in [&*scope.date, &*scope.region, &*scope.service, TERMINATOR] {
            key = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref());
        }
        Self(key)
    }
}

fn verify_payload_header(request: &SignedRequest<'_>, payload_hash: &[u8]) -> Result<()> {
    // The hash is ours in any case. A client whose own hash differs, or that wanted an unsigned
    // payload, is told so instead of being left with a puzzling mismatch.
    for value in request.headers.get_all("x-amz-content-sha256") {
        if value.as_bytes() != payload_hash {
            return Err(invalid(
                "The header 'x-amz-content-sha256' is not the SHA-256 of the body that was \
                 received. This service does not accept unsigned or chunked payloads.",
            ));
        }
    }
    Ok(())
}

fn must_be_signed(name: &str) -> bool {
    name.starts_with("x-amz-") && !UNSIGNED_AMZ_HEADERS.contains(&name)
}

fn string_to_sign(time: &str, scope: &Scope<'_>, canonical: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(192);
    for part in [ALGORITHM, "\n", time, "\n"] {
        text.extend_from_slice(part.as_bytes());
    }
    for part in [&*scope.date, &*scope.region, &*scope.service] {
        text.extend_from_slice(part.as_bytes());
        text.push(b'/');
    }
    text.extend_from_slice(TERMINATOR.as_bytes());
    text.push(b'\n');
    text.extend_from_slice(&sha256_hex(canonical));
    text
}

fn sha256_hex(bytes: &[u8]) -> [u8; 64] {
    // Half of the operations have no body.
    const EMPTY: &[u8; 64] = b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    if bytes.is_empty() {
        return *EMPTY;
    }
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(digest: &[u8]) -> [u8; 64] {
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
    let mut text = [0; 64];
    for ([high, low], byte) in text.as_chunks_mut().0.iter_mut().zip(digest) {
        (*high, *low) = (digit(byte >> 4), digit(byte & 15));
    }
    text
}

fn hex_decoded(text: &str) -> Option<[u8; 32]> {
    // Upper case is refused: no signer writes it, and a signature has one spelling.
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
    let mut bytes = [0; 32];
    for (byte, [high, low]) in bytes.iter_mut().zip(digits.as_chunks().0) {
        *byte = value(*high)? << 4 | value(*low)?;
    }
    Some(bytes)
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(Exception::InvalidSignatureException, message)
}

impl fmt::Debug for SignedRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers and query may hold session tokens.
        write!(f, "SignedRequest({} {})", self.method, self.path())
    }
}

impl fmt::Debug for Signature<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({} {} {})", self.access_key_id, self.scope, self.time)
    }
}

impl fmt::Display for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{TERMINATOR}", self.date, self.region, self.service)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(***)")
    }
}
