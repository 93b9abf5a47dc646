//! Signed requests as they go over the wire.

use campanile::clock::Clock;
use campanile::protocol::SIGNING_NAME;
use campanile::protocol::sigv4::SignedRequest;
use campanile::protocol::sigv4::client::{Credentials, sign};
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue};
use std::net::SocketAddr;

pub const ACCESS_KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
pub const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
pub const AWS_ACCOUNT_ID: &str = "111122223333";

/// What boto3 sends besides, unsigned.
const UNSIGNED: &str = "Accept-Encoding: identity\r\n\
    User-Agent: Boto3/1.42.0 md/Botocore#1.42.0 ua/2.1 os/linux#6.1 md/arch#x86_64 \
    lang/python#3.13.0 md/pyimpl#CPython cfg/retry-mode#legacy Botocore/1.42.0\r\n";

/// Writes a request with a signature of this moment.
pub fn push_signed(
    out: &mut Vec<u8>,
    address: SocketAddr,
    method: &str,
    target: &str,
    body: &[u8],
) {
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(HOST, HeaderValue::try_from(address.to_string()).unwrap());
    if !body.is_empty() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let request = SignedRequest { method, target, headers: &headers, body };
    let credentials = Credentials {
        access_key_id: ACCESS_KEY_ID,
        secret_access_key: SECRET_ACCESS_KEY,
        session_token: None,
    };
    let now = Clock::system().now().into();
    let signature = sign(&request, &credentials, "us-east-1", SIGNING_NAME, now).unwrap();
    for part in [method, " ", target, " HTTP/1.1\r\n", UNSIGNED] {
        out.extend_from_slice(part.as_bytes());
    }
    for (name, value) in headers.iter().chain(&signature) {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
    if !body.is_empty() {
        out.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
}

/// Returns a GET with a signature of this moment.
pub fn get(address: SocketAddr, target: &str) -> Vec<u8> {
    let mut request = Vec::new();
    push_signed(&mut request, address, "GET", target, b"");
    request
}

/// Returns a source of requests that goes round and round in a pool: a signature is good for five
/// minutes, so that a run need not sign while it measures.
pub fn cycle(pool: &[Vec<u8>]) -> impl FnMut(&mut Vec<u8>) + Send {
    let mut pool = pool.iter().cycle();
    move |out| out.extend_from_slice(pool.next().expect("the pool is not empty"))
}

/// Returns a source of `CreateAccount` requests, each signed when it is sent.
pub fn create_accounts(address: SocketAddr) -> impl FnMut(&mut Vec<u8>) + Send {
    move |out| {
        let body = format!("{{\"Name\":\"Account {:016x}\"}}", rand::random::<u64>());
        push_signed(out, address, "POST", "/accounts", body.as_bytes());
    }
}

/// Returns a source of the same, each a call with an id as SDKs send it, behind the request line.
pub fn create_accounts_once(address: SocketAddr) -> impl FnMut(&mut Vec<u8>) + Send {
    let mut create = create_accounts(address);
    move |out| {
        let begin = out.len();
        create(out);
        let headers = begin + out[begin..].windows(2).position(|end| end == b"\r\n").unwrap() + 2;
        let id = uuid::Builder::from_random_bytes(rand::random()).into_uuid();
        let lines = format!("amz-sdk-invocation-id: {id}\r\namz-sdk-request: attempt=1\r\n");
        out.splice(headers..headers, lines.into_bytes());
    }
}
