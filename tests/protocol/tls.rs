//! HTTPS: versions, handshakes that fail or never end, limits, and another certificate at a signal.

use super::{Request, check};
use crate::harness::http::Connection;
use crate::harness::process::{Process, campanile, with_root};
use crate::harness::tls::{Authority, TlsConnection, shown};
use crate::harness::{Client, Options, Server};
use rustls::ProtocolVersion;
use rustls::version::{TLS12, TLS13};
use serde_json::json;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// How long a client may take for its handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a test waits for what a signal brings about.
const TIMEOUT: Duration = Duration::from_mins(1);

fn start(authority: &Authority) -> Server {
    let options = Options { tls: Some(authority.tls()), ..Options::default() };
    Server::start_with(options, |_| Ok(()))
}

fn start_process(authority: &Authority) -> Process {
    start_process_with(authority, "info")
}

fn start_process_with(authority: &Authority, log_level: &str) -> Process {
    let mut command = campanile();
    command.env("CAMPANILE_LOG_LEVEL", log_level);
    command.args(["serve", "--store", "memory:", "--listen", "127.0.0.1:0"]);
    command.arg("--tls-cert").arg(authority.cert()).arg("--tls-key").arg(authority.key());
    Process::start_with(with_root(&mut command))
}

/// Checks that a signed call is answered.
fn works(client: &Client, connection: &mut TlsConnection) {
    connection.send(&Request::signed(client, "GET", "/accounts", "").bytes());
    assert_eq!(connection.answer().status, 200);
}

#[test]
fn signed_calls_are_answered_over_tls_1_2_and_1_3() {
    let authority = Authority::new();
    let server = start(&authority);
    let client = server.client();
    for (version, name) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)]
    {
        let mut connection = authority.connect_with(server.address, &[version]).unwrap();
        let tls = &connection.stream().conn;
        assert_eq!(tls.protocol_version(), Some(name));
        assert_eq!(tls.alpn_protocol(), Some(&b"http/1.1"[..]));
        let body = r#"{"Name":"a"}"#;
        connection.send(&Request::signed(&client, "POST", "/accounts", body).bytes());
        assert_eq!(connection.answer().status, 201);
        works(&client, &mut connection);
        let mut last = Request::signed(&client, "GET", "/accounts", "");
        last.set_header("connection", "close");
        connection.send(&last.bytes());
        assert_eq!(connection.answer().status, 200);
        // The end is one that TLS vouches for.
        connection.assert_closed();
    }
}

#[test]
fn links_in_invites_begin_with_https() {
    let authority = Authority::new();
    let server = start(&authority);
    let client = server.client();
    let mut connection = authority.connect(server.address);
    let mut call = |method: &str, target: &str, body: &str| {
        connection.send(&Request::signed(&client, method, target, body).bytes());
        connection.answer().json()
    };
    let account = call("POST", "/accounts", r#"{"Name":"a"}"#);
    let account = account["Account"]["AccountId"].as_str().unwrap();
    let emails = json!({"UserEmailList": ["jane@example.com"]}).to_string();
    call("POST", &format!("/accounts/{account}/users?operation=add"), &emails);
    let users = call("GET", &format!("/accounts/{account}/users"), "");
    let user = users["Users"][0]["UserId"].as_str().unwrap();
    let invite = call("GET", &format!("/campanile/accounts/{account}/users/{user}/invite"), "");
    let begin = format!("https://{}/invites/", server.address);
    assert!(invite.to_string().contains(&begin), "{invite}");
}

#[test]
fn plain_http_ends_its_connection_and_no_other() {
    let authority = Authority::new();
    for (level, is_told) in [("info", false), ("debug", true)] {
        let process = start_process_with(&authority, level);
        let client = process.client();
        let mut plain = Connection::open(process.address);
        plain.send(&Request::signed(&client, "GET", "/accounts", "").bytes());
        let answer = plain.rest();
        assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
        works(&client, &mut authority.connect(process.address));
        let log = process.stop().stderr;
        assert_eq!(log.contains("a TLS handshake failed: "), is_told, "{log}");
    }
}

#[test]
fn a_certificate_that_the_client_does_not_know_ends_its_connection_and_no_other() {
    let authority = Authority::new();
    let server = start(&authority);
    let stranger = Authority::new();
    let refused = stranger.connect_with(server.address, rustls::ALL_VERSIONS).map(|_| ());
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("invalid peer certificate"), "{error}");
    works(&server.client(), &mut authority.connect(server.address));
}

/// It takes as long as a handshake may.
#[test]
fn handshakes_that_never_end_keep_nobody_waiting() {
    let authority = Authority::new();
    let server = start(&authority);
    let begin = Instant::now();
    let mut silent: Vec<_> = (0..20).map(|_| Connection::open(server.address)).collect();
    // The head of a handshake record of 512 bytes, and no more.
    silent[0].send(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]);
    works(&server.client(), &mut authority.connect(server.address));
    assert!(begin.elapsed() < HANDSHAKE_TIMEOUT, "the others waited");
    for connection in &mut silent {
        connection.assert_closed();
    }
    assert!(begin.elapsed() >= HANDSHAKE_TIMEOUT, "they were closed before their time");
}

#[test]
fn heads_and_bodies_beyond_the_limits_are_told_so() {
    let authority = Authority::new();
    let server = start(&authority);
    let client = server.client();
    let mut long = Request::signed(&client, "GET", "/accounts", "");
    long.set_header("x-long", &"x".repeat(40 << 10));
    let mut connection = authority.connect(server.address);
    connection.send(&long.bytes());
    let message = "The request's line and headers may have 32768 bytes";
    check(&connection.answer(), "RequestHeaderFieldsTooLargeException", message);

    let mut connection = authority.connect(server.address);
    connection.send(b"no HTTP\r\n\r\n");
    check(&connection.answer(), "MalformedHttpRequestException", "not well-formed HTTP/1.1");

    let mut connection = authority.connect(server.address);
    let body = format!(r#"{{"Name":"{}"}}"#, "x".repeat(1 << 20));
    connection.send(&Request::signed(&client, "POST", "/accounts", &body).bytes());
    check(&connection.answer(), "RequestEntityTooLargeException", "may have 1048576 bytes");
    works(&client, &mut connection);
}

#[test]
fn a_request_that_has_begun_is_answered_before_the_server_ends() {
    let authority = Authority::new();
    let process = start_process(&authority);
    let mut connection = authority.connect(process.address);
    let mut request = Request::signed(&process.client(), "POST", "/accounts", r#"{"Name":"a"}"#);
    request.set_header("expect", "100-continue");
    let (head, body) = (request.bytes(), request.body.len());
    let (head, body) = head.split_at(head.len() - body);
    connection.send(head);
    assert!(connection.read_head().starts_with("HTTP/1.1 100 "));
    let begin = Instant::now();
    let mut silent = Connection::open(process.address);
    process.terminate();
    while !process.log().contains("stopping") {
        assert!(begin.elapsed() < TIMEOUT, "the server does not stop");
        thread::yield_now();
    }
    // Who has not finished the handshake has asked nothing: the end does not wait for its time.
    silent.assert_closed();
    assert!(begin.elapsed() < HANDSHAKE_TIMEOUT);
    connection.send(body);
    assert_eq!(connection.answer().status, 201);
    assert_eq!(process.wait().code, Some(0));
}

#[test]
fn a_signal_brings_another_certificate_to_new_connections() {
    let authority = Authority::new();
    let process = start_process(&authority);
    let client = process.client();
    let mut old = authority.connect(process.address);
    let first = shown(&mut old);
    let second = authority.issue();
    assert_ne!(first, second);
    // Written files change nothing by themselves.
    assert_eq!(shown(&mut authority.connect(process.address)), first);
    process.hang_up();
    let begin = Instant::now();
    while shown(&mut authority.connect(process.address)) != second {
        assert!(begin.elapsed() < TIMEOUT, "the new certificate is not shown");
    }
    works(&client, &mut old);
    assert_eq!(shown(&mut old), first);
    works(&client, &mut authority.connect(process.address));
    let ended = process.stop();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("new connections get the certificate in "), "{ended:?}");
}

#[test]
fn a_pair_that_cannot_be_used_changes_nothing() {
    let authority = Authority::new();
    let process = start_process(&authority);
    let client = process.client();
    let mut old = authority.connect(process.address);
    let first = shown(&mut old);
    let other = Authority::new();
    let key = fs::read_to_string(other.key()).unwrap();
    fs::copy(other.key(), authority.key()).unwrap();
    process.hang_up();
    let begin = Instant::now();
    while !process.log().contains("does not fit the certificate") {
        assert_eq!(shown(&mut authority.connect(process.address)), first);
        assert!(begin.elapsed() < TIMEOUT, "the log says nothing");
    }
    let mut new = authority.connect(process.address);
    assert_eq!(shown(&mut new), first);
    works(&client, &mut new);
    works(&client, &mut old);
    // And what is right again is taken.
    let second = authority.issue();
    process.hang_up();
    let begin = Instant::now();
    while shown(&mut authority.connect(process.address)) != second {
        assert!(begin.elapsed() < TIMEOUT, "the new certificate is not shown");
    }
    let log = process.stop().stderr;
    assert!(log.contains("ERROR") && log.contains(authority.key().to_str().unwrap()), "{log}");
    let secret = key.lines().nth(1).unwrap();
    assert!(!log.contains(secret), "{log}");
}
