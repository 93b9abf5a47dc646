//! Signatures: no request makes the verifier panic, pass without the key, or tell a secret; and
//! whatever our signer signs is believed, until one thing of it is changed.
//!
//! The input is a request as text: method and target, headers a line each, an empty line, the body.

#![no_main]

use campanile::protocol::error::{Error, Exception};
use campanile::protocol::sigv4::client::{Credentials, sign};
use campanile::protocol::sigv4::{Signature, SignedRequest, SigningKey};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use libfuzzer_sys::{Corpus, fuzz_target};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// The key of the seeds is another, so that none of them can pass.
const CREDENTIALS: Credentials<'_> =
    Credentials { access_key_id: "AKIDEXAMPLE", secret_access_key: SECRET, session_token: None };

struct Request<'a> {
    method: &'a str,
    target: &'a str,
    headers: HeaderMap,
    body: &'a [u8],
}

impl<'a> Request<'a> {
    fn parse(input: &'a [u8]) -> Option<Self> {
        let end = input.windows(2).position(|pair| pair == b"\n\n")?;
        let (head, body) = (&input[..end], &input[end + 2..]);
        let mut lines = head.split(|&byte| byte == b'\n');
        let (method, target) = std::str::from_utf8(lines.next()?).ok()?.split_once(' ')?;
        // The HTTP library lets neither a space nor a control character into a target.
        if target.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return None;
        }
        let mut headers = HeaderMap::new();
        for line in lines {
            let colon = line.iter().position(|&byte| byte == b':')?;
            let name = HeaderName::from_bytes(&line[..colon]).ok()?;
            headers.append(name, HeaderValue::from_bytes(&line[colon + 1..]).ok()?);
        }
        Some(Self { method, target, headers, body })
    }

    fn signed(&self) -> SignedRequest<'_> {
        let Self { method, target, ref headers, body } = *self;
        SignedRequest { method, target, headers, body }
    }

    fn verify(&self) -> Result<(), Error> {
        let request = self.signed();
        let signature = Signature::parse(&request)?;
        let key = SigningKey::derive(SECRET, signature.scope());
        signature.verify(&request, "chime", now(), &key)
    }
}

/// 2015-08-30T12:36:00Z, the time of the seeds and of AWS's own test suite.
fn now() -> Timestamp {
    Timestamp::from_second(1_440_938_160).expect("it is in range")
}

fn refused_quietly(request: &Request<'_>) {
    let error = request.verify().expect_err("nobody signs without the key");
    assert!(!error.message().contains(SECRET));
    assert_eq!(error.exception().status().as_u16(), 403);
}

fuzz_target!(|input: &[u8]| -> Corpus {
    let Some(mut request) = Request::parse(input) else { return Corpus::Reject };
    refused_quietly(&request);

    for name in ["authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"] {
        request.headers.remove(name);
    }
    let unsigned = request.verify().expect_err("it is unsigned");
    // Another exception means that the query claims to be signed.
    if unsigned.exception() != Exception::MissingAuthenticationTokenException {
        return Corpus::Keep;
    }
    request.headers.insert("host", HeaderValue::from_static("localhost"));
    let added = sign(&request.signed(), &CREDENTIALS, "us-east-1", "chime", now())
        .expect("the credentials are visible ASCII");
    request.headers.extend(added);
    request.verify().expect("what we signed is believed");

    let longer = [request.body, b"x"].concat();
    refused_quietly(&Request { body: &longer, headers: request.headers.clone(), ..request });
    let method = format!("{}X", request.method);
    refused_quietly(&Request { method: &method, headers: request.headers.clone(), ..request });
    let separator = if request.target.contains('?') { '&' } else { '?' };
    let target = format!("{}{separator}x", request.target);
    refused_quietly(&Request { target: &target, headers: request.headers.clone(), ..request });
    request.headers.insert("host", HeaderValue::from_static("elsewhere"));
    refused_quietly(&request);
    Corpus::Keep
});
