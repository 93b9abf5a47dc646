//! HTTP by hand: tests must be able to send what no library would.

use ::http::HeaderMap;
use campanile::protocol::error::Exception;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a test waits for an answer before it fails.
const TIMEOUT: Duration = Duration::from_mins(1);

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// The headers in their order, names as they were written.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        header.map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Returns the exception and the message of an error, which has the one form of all errors.
    pub fn error(&self) -> (String, String) {
        let body = self.json();
        let exception = self.header("x-amzn-errortype").expect("errors name their type");
        let known = Exception::ALL.iter().find(|known| known.name() == exception).unwrap();
        assert_eq!(self.status, known.status().as_u16(), "{self:?}");
        assert_eq!(body["Code"], known.code(), "{self:?}");
        assert_eq!(body["RequestId"], self.header("x-amzn-requestid").unwrap(), "{self:?}");
        assert_eq!(body["Resource"], Value::Null, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        (exception.to_owned(), body["Message"].as_str().unwrap().to_owned())
    }
}

/// Writes a request as it goes over the wire.
pub fn request(method: &str, target: &str, headers: &HeaderMap, body: &[u8]) -> Vec<u8> {
    let mut request = format!("{method} {target} HTTP/1.1\r\n").into_bytes();
    for (name, value) in headers {
        request.extend(name.as_str().as_bytes());
        request.extend(b": ");
        request.extend(value.as_bytes());
        request.extend(b"\r\n");
    }
    if !body.is_empty() || method == "POST" || method == "PUT" {
        request.extend(format!("content-length: {}\r\n", body.len()).as_bytes());
    }
    request.extend(b"\r\n");
    request.extend(body);
    request
}

/// Sends bytes on a connection of their own, and reads one answer.
pub fn exchange(address: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    // A server that has seen enough may close before all is sent; its answer counts.
    stream.write_all(request).ok();
    read_answer(&mut stream)
}

/// Reads one answer from a connection.
pub fn read_answer(stream: &mut TcpStream) -> Answer {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        let count = stream.read(&mut byte).unwrap();
        assert!(count > 0, "the connection ended in '{}'", String::from_utf8_lossy(&head));
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut answer = Answer { status, headers, body: String::new() };
    let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    answer.body = String::from_utf8(body).unwrap();
    answer
}
