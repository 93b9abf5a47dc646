//! Signatures are checked against AWS's own test suite, against AWS's own signer, and against
//! everything that must be refused.

mod oracle;
mod refusals;
mod suite;

use super::client::{Credentials, sign};
use super::{Signature, SignedRequest, SigningKey, path_is_normal};
use crate::protocol::error::Result;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;

const ACCESS_KEY_ID: &str = "AKIDEXAMPLE";
const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const CREDENTIALS: Credentials<'_> = Credentials {
    access_key_id: ACCESS_KEY_ID,
    secret_access_key: SECRET_ACCESS_KEY,
    session_token: None,
};
const HOST: &str = "chime.us-east-1.amazonaws.com";
const REGION: &str = "us-east-1";
const SERVICE: &str = "chime";
/// 2015-08-30T12:36:00Z, the time of AWS's test suite.
const NOW_S: i64 = 1_440_938_160;

#[derive(Clone, Debug)]
struct Request {
    method: String,
    target: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Request {
    fn new(method: &str, target: &str) -> Self {
        let headers = HeaderMap::from_iter([(http::header::HOST, HeaderValue::from_static(HOST))]);
        Self { method: method.to_owned(), target: target.to_owned(), headers, body: Vec::new() }
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        self.headers.append(name, HeaderValue::from_str(value).unwrap());
        self
    }

    fn signed(self) -> Self {
        self.signed_with(&CREDENTIALS)
    }

    fn signed_with(mut self, credentials: &Credentials<'_>) -> Self {
        let added = sign(&self.as_signed(), credentials, REGION, SERVICE, now(0)).unwrap();
        self.headers.extend(added);
        self
    }

    fn replace_header(&mut self, name: &str, from: &str, to: &str) {
        let value = self.headers.get_mut(name).unwrap();
        let text = value.to_str().unwrap();
        assert!(text.contains(from), "{name}: {text}");
        *value = HeaderValue::from_str(&text.replace(from, to)).unwrap();
    }

    fn as_signed(&self) -> SignedRequest<'_> {
        let Self { method, target, headers, body } = self;
        SignedRequest { method, target, headers, body }
    }

    fn verify(&self) -> Result<()> {
        self.verify_at(now(0), SERVICE)
    }

    fn verify_at(&self, now: Timestamp, service: &str) -> Result<()> {
        let request = self.as_signed();
        let signature = Signature::parse(&request)?;
        // An unknown access key has some other secret.
        let known = signature.access_key_id() == ACCESS_KEY_ID;
        let secret = if known { SECRET_ACCESS_KEY } else { "another secret" };
        signature.verify(&request, service, now, &SigningKey::derive(secret, signature.scope()))
    }
}

fn now(offset_s: i64) -> Timestamp {
    Timestamp::from_second(NOW_S + offset_s).unwrap()
}

#[test]
fn our_own_signatures_verify() {
    Request::new("GET", "/accounts").signed().verify().unwrap();
    let request = Request::new("PUT", "/phone-numbers/%2B1206?b=2&a=%20&a=+#");
    let mut request = request.header("content-type", "application/json").header("x-b", "  1   2 ");
    request.body = b"{}".to_vec();
    let credentials = Credentials { session_token: Some("token=="), ..CREDENTIALS };
    let request = request.signed_with(&credentials);
    request.verify().unwrap();
    let signed = request.as_signed();
    assert_eq!(Signature::parse(&signed).unwrap().session_token(), Some("token=="));
}

#[test]
fn a_date_header_will_do_in_either_format() {
    for date in ["Sun, 30 Aug 2015 12:36:00 GMT", "20150830T123600Z"] {
        let mut request = Request::new("GET", "/accounts").signed();
        request.headers.remove("x-amz-date");
        // The time is in the string to sign even if no header with it is signed.
        let mut request = request.header("date", date);
        request.replace_header("authorization", ";x-amz-date", "");
        let error = request.verify().unwrap_err();
        assert!(error.message().contains("AWS4-HMAC-SHA256\n20150830T123600Z\n"), "{error}");

        let text = error.message().split("should have been\n'").last().unwrap();
        let text = text.strip_suffix("'\n").unwrap();
        let scope = Signature::parse(&request.as_signed()).unwrap().scope().to_string();
        assert!(text.contains(&scope));
        let signed = request.as_signed();
        let key = SigningKey::derive(SECRET_ACCESS_KEY, Signature::parse(&signed).unwrap().scope());
        let hmac = super::hex(ring::hmac::sign(&key.0, text.as_bytes()).as_ref());
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope},SignedHeaders=host,Signature={}",
            std::str::from_utf8(&hmac).unwrap()
        );
        request.headers.insert("authorization", authorization.parse().unwrap());
        request.verify().unwrap();
    }
}

#[test]
fn normal_paths() {
    for path in ["/", "/a", "/a/", "/a/b", "/...", "/%2e%2e", "/a.", "/.a"] {
        assert!(path_is_normal(path), "{path}");
    }
    for path in ["", "a", "*", "//", "/.", "/..", "/a//", "//a", "/a/./b", "/a/../b", "/a/.."] {
        assert!(!path_is_normal(path), "{path}");
    }
}

#[test]
fn secrets_are_not_printed() {
    let credentials = Credentials { session_token: Some("token=="), ..CREDENTIALS };
    let request = Request::new("GET", "/accounts?X-Amz-Security-Token=hidden");
    let request = request.signed_with(&credentials);
    let signed = request.as_signed();
    let signature = Signature::parse(&signed).unwrap();
    let key = SigningKey::derive(SECRET_ACCESS_KEY, signature.scope());
    assert_eq!(format!("{key:?}"), "SigningKey(***)");
    let texts = format!("{signed:?} {signature:?} {credentials:?}");
    for secret in ["token==", "hidden", "bPxRfiCY"] {
        assert!(!texts.contains(secret), "{texts}");
    }
}
