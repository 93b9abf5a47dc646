//! Which pages a browser lets call, and what it tells them.

use super::Request;
use crate::harness::{Answer, Options, Server, exchange};

const ORIGIN: &str = "https://admin.example.com";

fn server(origins: &[&str]) -> Server {
    let cors_origins = origins.iter().map(|&origin| origin.to_owned()).collect();
    Server::start_with(Options { cors_origins, ..Options::default() }, |_| Ok(()))
}

fn call(server: &Server, origin: &str) -> Answer {
    let mut request = Request::signed(&server.client(), "GET", "/accounts", "");
    request.set_header("origin", origin);
    request.send(server.address)
}

fn preflight(server: &Server, origin: &str) -> Answer {
    let request = format!(
        "OPTIONS /accounts/a?operation=b HTTP/1.1\r\nhost: a\r\norigin: {origin}\r\n\
         access-control-request-method: POST\r\n\
         access-control-request-headers: authorization,content-type,x-amz-date,x-odd\r\n\r\n"
    );
    exchange(server.address, request.as_bytes())
}

fn cors_headers(answer: &Answer) -> Vec<&str> {
    let names = answer.headers.iter().map(|(name, _)| name.as_str());
    names.filter(|name| name.starts_with("access-control-")).collect()
}

#[test]
fn by_default_no_page_may_call() {
    let server = server(&[]);
    let answer = call(&server, ORIGIN);
    assert_eq!((answer.status, cors_headers(&answer)), (200, vec![]));
    let answer = preflight(&server, ORIGIN);
    assert_eq!(answer.error().0, "MissingAuthenticationTokenException");
    assert_eq!(cors_headers(&answer), [""; 0]);
}

#[test]
fn a_page_of_an_allowed_origin_reads_what_it_is_answered() {
    let server = server(&["https://other.example.com", ORIGIN]);
    let mut unsigned = Request::signed(&server.client(), "GET", "/accounts", "");
    unsigned.headers.remove("authorization");
    unsigned.set_header("origin", ORIGIN);
    for (answer, status) in [(call(&server, ORIGIN), 200), (unsigned.send(server.address), 403)] {
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("access-control-allow-origin"), Some(ORIGIN));
        assert_eq!(answer.header("vary"), Some("Origin"));
        let exposed = answer.header("access-control-expose-headers").unwrap().to_lowercase();
        for name in ["x-amzn-requestid", "x-amzn-errortype", "date"] {
            assert!(exposed.split(", ").any(|other| other == name), "{exposed}");
        }
    }
}

#[test]
fn a_preflight_is_unsigned_and_lists_methods_and_the_headers_asked_for() {
    let server = server(&[ORIGIN]);
    let answer = preflight(&server, ORIGIN);
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    assert_eq!(answer.header("access-control-allow-origin"), Some(ORIGIN));
    assert_eq!(answer.header("access-control-allow-methods"), Some("GET, POST, PUT, DELETE"));
    assert_eq!(
        answer.header("access-control-allow-headers"),
        Some("authorization,content-type,x-amz-date,x-odd")
    );
    assert_eq!(answer.header("access-control-max-age"), Some("7200"));
    assert_eq!(answer.header("content-length"), None);
}

#[test]
fn a_page_of_another_origin_is_not_let_in() {
    let server = server(&[ORIGIN]);
    for origin in [
        "https://evil.example.com",
        "http://admin.example.com",
        "https://admin.example.com:8443",
        "https://admin.example.com.evil.com",
        "https://ADMIN.example.com",
        "https://admin.example.com/",
        "null",
        "*",
    ] {
        let answer = call(&server, origin);
        assert_eq!((answer.status, cors_headers(&answer)), (200, vec![]), "{origin}");
        assert_eq!(cors_headers(&preflight(&server, origin)), [""; 0], "{origin}");
    }
}

#[test]
fn a_star_lets_every_origin_in() {
    let server = server(&["*"]);
    for origin in [ORIGIN, "http://localhost:3000", "null"] {
        assert_eq!(call(&server, origin).header("access-control-allow-origin"), Some(origin));
        assert_eq!(preflight(&server, origin).status, 204);
    }
    // Without an origin there is no page.
    let answer = server.client().send("GET", "/accounts", b"");
    assert_eq!(cors_headers(&answer), [""; 0]);
}
