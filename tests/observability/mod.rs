//! What the server tells of itself: the access log, metrics and their documentation, and spans.

mod access_log;
mod alerts;
mod documents;
mod metrics;
mod scrapers;
mod spans;

use crate::harness::{Answer, Client, exchange, http};
use ::http::{HeaderName, HeaderValue};
use std::net::SocketAddr;

/// Sends a signed request with headers that are not signed.
fn send_with(
    client: &Client,
    method: &str,
    target: &str,
    headers: &[(&'static str, &str)],
) -> Answer {
    let mut all = client.signed(method, target, b"", "chime");
    for (name, value) in headers {
        all.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    exchange(client.address, &http::request(method, target, &all, b""))
}

/// Sends a request that nobody has signed.
fn ask(address: SocketAddr, method: &str, path: &str) -> Answer {
    exchange(address, format!("{method} {path} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes())
}
