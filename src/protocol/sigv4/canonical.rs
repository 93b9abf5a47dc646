//! The canonical request: the one spelling of a request that its signer and its verifier share.
//!
//! It is written into a single buffer, straight from the raw request.

use super::SignedRequest;
use http::header::{GetAll, HeaderMap, HeaderValue};
use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use std::ops::Range;

/// Headers whose values are credentials, or may hold some.
const SECRET_HEADERS: &[&str] =
    &["authorization", "cookie", "proxy-authorization", "x-amz-security-token"];

/// The query parameter whose value is a credential.
const SECRET_PARAMETER: &[u8] = b"X-Amz-Security-Token";

const REDACTED: &[u8] = b"***";

/// Everything that a canonical request is made of.
pub(super) struct Canonical<'a> {
    pub(super) request: &'a SignedRequest<'a>,
    /// Lower-case names in ascending order, separated by semicolons.
    pub(super) signed_headers: &'a str,
    /// The headers that `signed_headers` lists, in its order.
    pub(super) headers: Vec<SignedHeader<'a>>,
    /// The SHA-256 of the body, in hexadecimal digits.
    pub(super) payload_hash: &'a [u8],
    pub(super) presigned: bool,
}

/// A header that takes part in the signature, looked up once.
pub(super) struct SignedHeader<'a> {
    pub(super) name: &'a str,
    pub(super) values: GetAll<'a, HeaderValue>,
}

impl<'a> SignedHeader<'a> {
    /// Finds the values of a header, of which there may be none.
    pub(super) fn of(headers: &'a HeaderMap, name: &'a str) -> Self {
        Self { name, values: headers.get_all(name) }
    }
}

/// What a signer does to the path before encoding it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum PathForm {
    /// Removes dot segments as RFC 3986 (5.2.4) does, and empty ones.
    Normalized,
    /// As `Normalized`, but botocore leaves no slash for a dot segment at the end.
    NormalizedWithoutSlash,
    /// Nothing.
    Raw,
}

impl PathForm {
    /// Returns the forms in which a signer may have signed `path`.
    pub(super) fn candidates(path: &str) -> &'static [Self] {
        if super::path_is_normal(path) {
            // Normalising would not change it.
            return &[Self::Raw];
        }
        if path.ends_with("/.") || path.ends_with("/..") {
            return &[Self::Normalized, Self::NormalizedWithoutSlash, Self::Raw];
        }
        &[Self::Normalized, Self::Raw]
    }

    fn of(self, path: &str) -> Cow<'_, str> {
        if self == Self::Raw || super::path_is_normal(path) {
            return Cow::Borrowed(path);
        }
        let mut segments = Vec::new();
        for segment in path.split('/') {
            match segment {
                "" | "." => {}
                ".." => drop(segments.pop()),
                segment => segments.push(segment),
            }
        }
        let slash = path.ends_with('/')
            || self == Self::Normalized && (path.ends_with("/.") || path.ends_with("/.."));
        let end = if slash && !segments.is_empty() { "/" } else { "" };
        Cow::Owned(format!("/{}{end}", segments.join("/")))
    }
}

impl Canonical<'_> {
    /// Writes the canonical request.
    pub(super) fn bytes(&self, path_form: PathForm) -> Vec<u8> {
        self.written(path_form, false)
    }

    /// Writes the canonical request for people, without the secrets that it may contain.
    pub(super) fn redacted(&self) -> Vec<u8> {
        self.written(PathForm::Normalized, true)
    }

    fn written(&self, path_form: PathForm, redact: bool) -> Vec<u8> {
        // Enough for a request without a session token.
        let mut out = Vec::with_capacity(768);
        out.extend_from_slice(self.request.method.as_bytes());
        out.push(b'\n');
        push_path(&mut out, &path_form.of(self.request.path()));
        out.push(b'\n');
        self.push_query(&mut out, redact);
        out.push(b'\n');
        for SignedHeader { name, values } in &self.headers {
            out.extend_from_slice(name.as_bytes());
            out.push(b':');
            if redact && SECRET_HEADERS.contains(name) {
                out.extend_from_slice(REDACTED);
            } else {
                for (i, value) in values.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    push_header_value(&mut out, value.as_bytes());
                }
            }
            out.push(b'\n');
        }
        out.push(b'\n');
        out.extend_from_slice(self.signed_headers.as_bytes());
        out.push(b'\n');
        out.extend_from_slice(self.payload_hash);
        out
    }

    fn push_query(&self, out: &mut Vec<u8>, redact: bool) {
        let query = self.request.query();
        if query.is_empty() {
            return;
        }
        let mut encoded = Vec::with_capacity(query.len() + 16);
        let mut parameters: Vec<(Range<usize>, Range<usize>)> = Vec::new();
        for (name, value) in pairs(query) {
            let start = encoded.len();
            push_query_text(&mut encoded, name);
            let middle = encoded.len();
            let name = encoded.get(start..middle).unwrap_or_default();
            if self.presigned && name == b"X-Amz-Signature" {
                encoded.truncate(start);
                continue;
            }
            if redact && name.eq_ignore_ascii_case(SECRET_PARAMETER) {
                encoded.extend_from_slice(REDACTED);
            } else {
                push_query_text(&mut encoded, value);
            }
            parameters.push((start..middle, middle..encoded.len()));
        }
        let text = |range: &Range<usize>| encoded.get(range.clone()).unwrap_or_default();
        // Name and value are compared one after the other: `-` sorts before `=`.
        parameters.sort_unstable_by(|a, b| {
            text(&a.0).cmp(text(&b.0)).then_with(|| text(&a.1).cmp(text(&b.1)))
        });
        for (i, (name, value)) in parameters.iter().enumerate() {
            if i > 0 {
                out.push(b'&');
            }
            out.extend_from_slice(text(name));
            out.push(b'=');
            out.extend_from_slice(text(value));
        }
    }
}

/// Returns the raw names and values of a query.
pub(super) fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// Decodes a name or value of a query.
pub(super) fn decoded(text: &str) -> Cow<'_, [u8]> {
    // aws-sigv4 signs a raw `+` as a space; botocore encodes both and never sends one.
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        return Cow::Owned(percent_decode_str(&spaced).collect());
    }
    percent_decode_str(text).into()
}

/// Encodes the path once more, although it is encoded already: only Amazon S3 wants it as it is.
fn push_path(out: &mut Vec<u8>, path: &str) {
    push_runs(out, path.as_bytes(), |byte| is_unreserved(byte) || byte == b'/', push_encoded);
}

/// Decodes and encodes part of a query, so that every spelling of it comes out as one.
fn push_query_text(out: &mut Vec<u8>, text: &str) {
    if text.bytes().all(is_unreserved) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    push_runs(out, &decoded(text), is_unreserved, push_encoded);
}

fn push_header_value(out: &mut Vec<u8>, value: &[u8]) {
    let mut words = value.trim_ascii().split(|&byte| byte == b' ').filter(|word| !word.is_empty());
    if let Some(word) = words.next() {
        out.extend_from_slice(word);
    }
    for word in words {
        out.push(b' ');
        out.extend_from_slice(word);
    }
}

/// Copies runs of `plain` bytes at once, and gives each other byte to `push`.
fn push_runs(
    out: &mut Vec<u8>,
    mut bytes: &[u8],
    plain: impl Fn(u8) -> bool,
    push: impl Fn(&mut Vec<u8>, u8),
) {
    loop {
        let end = bytes.iter().position(|&byte| !plain(byte)).unwrap_or(bytes.len());
        let (run, rest) = bytes.split_at(end);
        out.extend_from_slice(run);
        let Some((&byte, rest)) = rest.split_first() else { return };
        push(out, byte);
        bytes = rest;
    }
}

fn push_encoded(out: &mut Vec<u8>, byte: u8) {
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 };
    out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}
