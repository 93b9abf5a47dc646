//! What a client sees of signatures, routing, decoding, errors and limits: one file a subject.
//!
//! The harness asserts on every answer read here that it has a request id no other answer has.

mod acceptance;
mod answers;
mod bodies;
mod connections;
mod cors;
mod faults;
mod health;
mod invocations;
mod limits;
mod malformed;
mod next_token;
mod pages;
mod policies;
mod presigned;
mod queries;
mod routes;
mod secrets;
pub mod sessions;
mod signatures;
mod signer;
mod sts;
mod throttling;
mod tls;

use crate::harness::{Answer, Client, exchange, http};
use ::http::{HeaderMap, HeaderName, HeaderValue};
use std::net::SocketAddr;

/// A signed request that a test can still change.
#[derive(Clone)]
struct Request {
    method: String,
    target: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Request {
    fn signed(client: &Client, method: &str, target: &str, body: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: client.signed(method, target, body.as_bytes(), "chime"),
            body: body.into(),
        }
    }

    fn set_header(&mut self, name: &'static str, value: &str) {
        let value = HeaderValue::from_str(value).unwrap();
        self.headers.insert(HeaderName::from_static(name), value);
    }

    fn replace_in_header(&mut self, name: &'static str, from: &str, to: &str) {
        let value = self.headers[name].to_str().unwrap().to_owned();
        assert!(value.contains(from), "{name}: {value}");
        self.set_header(name, &value.replacen(from, to, 1));
    }

    fn bytes(&self) -> Vec<u8> {
        http::request(&self.method, &self.target, &self.headers, &self.body)
    }

    fn send(&self, address: SocketAddr) -> Answer {
        exchange(address, &self.bytes())
    }
}

/// Asserts an error's exception, and what its message says.
#[track_caller]
fn check(answer: &Answer, exception: &str, message: &str) {
    let (found, text) = answer.error();
    assert!(found == exception && text.contains(message), "{message} is not in {answer:?}");
}
