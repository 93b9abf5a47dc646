//! What is not HTTP enough to reach the API is refused in the API's own form.

use super::{Request, check};
use crate::harness::http::{self, Connection};
use crate::harness::{Server, exchange};

#[track_caller]
fn malformed(server: &Server, request: &[u8]) {
    let mut connection = Connection::open(server.address);
    connection.send(request);
    let shown = String::from_utf8_lossy(request);
    let answer = connection.answer();
    assert_eq!(answer.status, 400, "{shown}: {answer:?}");
    check(&answer, "MalformedHttpRequestException", "not well-formed HTTP/1.1");
    connection.assert_closed();
}

#[test]
fn a_malformed_head_is_refused_in_json() {
    let server = Server::start();
    for request in [
        "nonsense\r\n\r\n",
        "GET\r\n\r\n",
        "GET /accounts\r\n\r\n",
        "GET  /accounts HTTP/1.1\r\n\r\n",
        "GET /accounts HTTP/1.1 x\r\n\r\n",
        "GET /accounts HTTP/1.2\r\n\r\n",
        "GET /accounts HTTP/3.0\r\n\r\n",
        "GET /accounts FTP/1.1\r\n\r\n",
        "GET /acc ounts HTTP/1.1\r\n\r\n",
        "G(T /accounts HTTP/1.1\r\n\r\n",
        "GET /accounts\0 HTTP/1.1\r\n\r\n",
        "GET /accounts HTTP/1.1\r\nno colon\r\n\r\n",
        "GET /accounts HTTP/1.1\r\n: no name\r\n\r\n",
        "GET /accounts HTTP/1.1\r\nsp ace: a\r\n\r\n",
        "GET /accounts HTTP/1.1\r\nspace : a\r\n\r\n",
        "GET /accounts HTTP/1.1\r\na: b\r\n folded\r\n\r\n",
        "GET /accounts HTTP/1.1\r\na: b\0c\r\n\r\n",
        "POST /accounts HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        "POST /accounts HTTP/1.1\r\ncontent-length: +1\r\n\r\n",
        "POST /accounts HTTP/1.1\r\ncontent-length: 0x1\r\n\r\n",
        "POST /accounts HTTP/1.1\r\ncontent-length: ten\r\n\r\n",
        "POST /accounts HTTP/1.1\r\ncontent-length: 99999999999999999999999\r\n\r\n",
        "POST /accounts HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "POST /accounts HTTP/1.1\r\ncontent-length: 1, 2\r\n\r\nab",
        "POST /accounts HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n",
        "POST /accounts HTTP/1.1\r\ntransfer-encoding: chunked, gzip\r\n\r\n",
        "POST /accounts HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        malformed(&server, request.as_bytes());
    }
    malformed(&server, b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n");
    malformed(&server, b"GET /acc\x80unts HTTP/1.1\r\n\r\n");
    malformed(&server, b"GET /accounts?a=\xff HTTP/1.1\r\n\r\n");
}

#[test]
fn a_target_without_a_path_is_malformed() {
    let server = Server::start();
    for line in ["GET accounts HTTP/1.1", "CONNECT example.com:80 HTTP/1.1"] {
        let answer = exchange(server.address, format!("{line}\r\nhost: a\r\n\r\n").as_bytes());
        check(&answer, "MalformedHttpRequestException", "target must be a path");
    }
}

/// What came before the fault is answered, and the fault is answered no less readably behind it.
#[test]
fn a_fault_behind_a_good_request_is_refused_in_json_too() {
    let server = Server::start();
    for fault in ["nonsense\r\n\r\n", "GET /accounts HTTP/1.1\r\nsp ace: a\r\n\r\n"] {
        let mut request = Request::signed(&server.client(), "GET", "/accounts", "").bytes();
        request.extend(fault.as_bytes());
        let mut connection = Connection::open(server.address);
        connection.send(&request);
        assert_eq!(connection.answer().status, 200);
        check(&connection.answer(), "MalformedHttpRequestException", "not well-formed");
        connection.assert_closed();
    }
}

#[test]
fn a_body_that_ends_early_is_malformed() {
    let server = Server::start();
    let request = Request::signed(&server.client(), "POST", "/accounts", r#"{"Name":"a"}"#);
    let mut bytes = request.bytes();
    bytes.pop();
    let mut connection = Connection::open(server.address);
    connection.send(&bytes);
    connection.finish();
    let message = "The request's body ended before its announced length";
    check(&connection.answer(), "MalformedHttpRequestException", message);
    connection.assert_closed();
    assert_eq!(
        server.client().send("GET", "/accounts", b"").json()["Accounts"][0].to_string(),
        "null"
    );
}

#[test]
fn a_body_may_come_in_chunks_that_are_well_formed() {
    let server = Server::start();
    let client = server.client();
    let chunked = |name: &str, chunks: &str| {
        let body = format!(r#"{{"Name":"{name}"}}"#);
        let request = Request::signed(&client, "POST", "/accounts", &body);
        let framing = "transfer-encoding: chunked\r\n";
        let head = http::head("POST", "/accounts", &request.headers, framing);
        exchange(server.address, &[&head, chunks.as_bytes()].concat())
    };
    let answer = chunked("a", "5\r\n{\"Nam\r\n7;x=y\r\ne\":\"a\"}\r\n0\r\nTrailer: a\r\n\r\n");
    assert_eq!(answer.status, 201, "{answer:?}");
    for chunks in [
        "zz\r\n",
        "-1\r\n{\r\n0\r\n\r\n",
        "5\r\n{\"Name\":\"b\"}\r\n0\r\n\r\n",
        "fffffffffffffffff\r\n",
    ] {
        check(&chunked("b", chunks), "MalformedHttpRequestException", "its chunks are malformed");
    }
}

/// Whoever stands before the server and reads the other of the two lengths must not be able to
/// hide a request in a body.
#[test]
fn a_request_with_two_lengths_ends_its_connection() {
    let server = Server::start();
    let client = server.client();
    let hidden = Request::signed(&client, "GET", "/accounts?name=hidden", "").bytes();
    let outer = Request::signed(&client, "POST", "/accounts", r#"{"Name":"a"}"#);
    let chunks = b"c\r\n{\"Name\":\"a\"}\r\n0\r\n\r\n";
    for framing in [
        "transfer-encoding: chunked\r\ncontent-length: 12\r\n",
        "content-length: 12\r\ntransfer-encoding: chunked\r\n",
    ] {
        let head = http::head("POST", "/accounts", &outer.headers, framing);
        let mut connection = Connection::open(server.address);
        connection.send(&[&head, &chunks[..], &hidden].concat());
        let answer = connection.answer();
        assert!(answer.status == 201 || answer.status == 400, "{answer:?}");
        connection.assert_closed();
    }
}

#[test]
fn equal_lengths_said_twice_are_one_length() {
    let server = Server::start();
    let request = Request::signed(&server.client(), "POST", "/accounts", r#"{"Name":"a"}"#);
    let framing = "content-length: 12\r\ncontent-length: 12\r\n";
    let head = http::head("POST", "/accounts", &request.headers, framing);
    let answer = exchange(server.address, &[&head, &request.body[..]].concat());
    assert_eq!(answer.status, 201, "{answer:?}");
}
