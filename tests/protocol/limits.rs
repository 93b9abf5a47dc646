//! How much a request may be, and what more than that is told.

use super::{Request, check};
use crate::harness::http::{self, Connection};
use crate::harness::{Client, Server, exchange};
use ::http::{HeaderName, HeaderValue};

const BODY_BYTES_MAX: usize = 1 << 20;

/// Returns the body of a `CreateAccount` that has so many bytes.
fn body(bytes: usize) -> String {
    let body = r#"{"Name":"a","Unknown":""}"#;
    body.replace("\"\"}", &format!("\"{}\"}}", "x".repeat(bytes - body.len())))
}

fn works(client: &Client, connection: &mut Connection) {
    connection.send(&Request::signed(client, "GET", "/accounts", "").bytes());
    assert_eq!(connection.answer().status, 200);
}

#[test]
fn a_body_may_have_a_mebibyte() {
    let server = Server::start();
    let client = server.client();
    assert_eq!(body(BODY_BYTES_MAX).len(), BODY_BYTES_MAX);
    let answer = client.send("POST", "/accounts", body(BODY_BYTES_MAX).as_bytes());
    assert_eq!(answer.status, 201, "{answer:?}");
    let mut connection = Connection::open(server.address);
    let long = body(BODY_BYTES_MAX + 1);
    connection.send(&Request::signed(&client, "POST", "/accounts", &long).bytes());
    let message = "The request's body may have 1048576 bytes; it has 1048577";
    check(&connection.answer(), "RequestEntityTooLargeException", message);
    works(&client, &mut connection);
}

#[test]
fn chunks_may_have_a_mebibyte_together() {
    let server = Server::start();
    let client = server.client();
    for (bytes, status) in [(BODY_BYTES_MAX, 201), (BODY_BYTES_MAX + 1, 413)] {
        let request = Request::signed(&client, "POST", "/accounts", &body(bytes));
        let framing = "transfer-encoding: chunked\r\n";
        let mut bytes = http::head("POST", "/accounts", &request.headers, framing);
        for chunk in request.body.chunks(60_000) {
            bytes.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend(chunk);
            bytes.extend(b"\r\n");
        }
        bytes.extend(b"0\r\n\r\n");
        let mut connection = Connection::open(server.address);
        connection.send(&bytes);
        let answer = connection.answer();
        assert_eq!(answer.status, status, "{answer:?}");
        if status == 413 {
            check(&answer, "RequestEntityTooLargeException", "may have 1048576 bytes");
        }
        works(&client, &mut connection);
    }
}

#[test]
fn a_client_that_asks_first_is_told_before_it_sends() {
    let server = Server::start();
    let client = server.client();
    let ask = |length: usize| {
        let request = Request::signed(&client, "POST", "/accounts", &body(length));
        let framing = format!("content-length: {length}\r\nexpect: 100-continue\r\n");
        let mut connection = Connection::open(server.address);
        connection.send(&http::head("POST", "/accounts", &request.headers, &framing));
        (request, connection)
    };
    let (request, mut connection) = ask(100);
    assert!(connection.read_head().starts_with("HTTP/1.1 100 "));
    connection.send(&request.body);
    assert_eq!(connection.answer().status, 201);

    let (_, mut connection) = ask(BODY_BYTES_MAX + 1);
    check(&connection.answer(), "RequestEntityTooLargeException", "it has 1048577");
    // What comes next could be the body or another request.
    connection.assert_closed();
}

#[test]
fn a_body_beyond_all_measure_is_refused_without_being_read() {
    let server = Server::start();
    let mut connection = Connection::open(server.address);
    connection.send(b"POST /accounts HTTP/1.1\r\nhost: a\r\ncontent-length: 1099511627776\r\n\r\n");
    let block = vec![b'x'; 1 << 16];
    for _ in 0..(18 << 20) / block.len() {
        connection.send(&block);
    }
    check(&connection.answer(), "RequestEntityTooLargeException", "it has 1099511627776");
    connection.assert_closed();
}

#[test]
fn a_target_may_have_8_kibibytes() {
    let server = Server::start();
    let client = server.client();
    let target = |bytes: usize| format!("/accounts?unknown={}", "x".repeat(bytes - 18));
    assert_eq!(client.send("GET", &target(8192), b"").status, 200);
    for bytes in [8193, 16_000, 30_000] {
        let mut connection = Connection::open(server.address);
        connection.send(&Request::signed(&client, "GET", &target(bytes), "").bytes());
        let message = format!("The request's URI has {bytes} bytes; it may have 8192");
        check(&connection.answer(), "RequestUriTooLongException", &message);
        works(&client, &mut connection);
    }
    let line = format!("GET {} HTTP/1.1\r\nhost: a\r\n\r\n", target(70_000));
    check(
        &exchange(server.address, line.as_bytes()),
        "RequestHeaderFieldsTooLargeException",
        "The request's line and headers may have 32768 bytes",
    );
}

#[test]
fn headers_may_have_32_kibibytes() {
    let server = Server::start();
    let client = server.client();
    let with_header = |bytes: usize| {
        let mut request = Request::signed(&client, "GET", "/accounts", "");
        request.headers.insert("x-padding", HeaderValue::try_from("x".repeat(bytes)).unwrap());
        request
    };
    assert_eq!(with_header(30_000).send(server.address).status, 200);
    for bytes in [33_000, 100_000] {
        let mut connection = Connection::open(server.address);
        connection.send(&with_header(bytes).bytes());
        let message = "The request's line and headers may have 32768 bytes and 100 headers";
        check(&connection.answer(), "RequestHeaderFieldsTooLargeException", message);
        // Up to some length the server finds the end of the head, and can go on behind it.
        if bytes < 64 << 10 {
            works(&client, &mut connection);
        } else {
            connection.assert_closed();
        }
    }
}

#[test]
fn there_may_be_100_headers() {
    let server = Server::start();
    let client = server.client();
    let with_headers = |count: usize| {
        let mut request = Request::signed(&client, "GET", "/accounts", "");
        for i in request.headers.len()..count {
            let name = HeaderName::try_from(format!("x-{i}")).unwrap();
            request.headers.insert(name, HeaderValue::from_static("a"));
        }
        request.send(server.address)
    };
    assert_eq!(with_headers(100).status, 200);
    check(&with_headers(101), "RequestHeaderFieldsTooLargeException", "100 headers");
}
