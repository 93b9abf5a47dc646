//! Connections: kept, shared by requests, and closed.

use super::{Request, check};
use crate::harness::http::Connection;
use crate::harness::{Server, http};
use serde_json::json;

#[test]
fn a_connection_is_kept_after_an_error() {
    let server = Server::start();
    let client = server.client();
    let mut connection = Connection::open(server.address);
    let bad = |method, target, body| Request::signed(&client, method, target, body);
    let mut unsigned = bad("GET", "/accounts", "");
    unsigned.headers.remove("authorization");
    for (request, status) in [
        (bad("POST", "/accounts", "{"), 400),
        (bad("GET", "/accounts/none", ""), 404),
        (bad("GET", "/nowhere", "with a body"), 404),
        (bad("GET", "/accounts?name=%", ""), 400),
        (unsigned, 403),
        (bad("POST", "/accounts", r#"{"Name":"a"}"#), 201),
        (bad("GET", "/accounts", ""), 200),
    ] {
        connection.send(&request.bytes());
        assert_eq!(connection.answer().status, status);
    }
}

#[test]
fn requests_sent_together_are_answered_in_their_order() {
    let server = Server::start();
    let client = server.client();
    let created = client.create_account("a");
    let mut bytes = Vec::new();
    for i in 0..20 {
        let target =
            if i % 2 == 0 { format!("/accounts/{created}") } else { format!("/accounts/{i}") };
        bytes.extend(Request::signed(&client, "GET", &target, "").bytes());
        let body = json!({"Name": format!("b{i}")}).to_string();
        bytes.extend(Request::signed(&client, "POST", "/accounts", &body).bytes());
    }
    let mut connection = Connection::open(server.address);
    connection.send(&bytes);
    for i in 0..20 {
        let answer = connection.answer();
        if i % 2 == 0 {
            assert_eq!(answer.json()["Account"]["AccountId"], created.as_str());
        } else {
            check(&answer, "NotFoundException", &format!("Account {i} not found"));
        }
        assert_eq!(connection.answer().json()["Account"]["Name"], format!("b{i}"));
    }
}

#[test]
fn a_request_may_arrive_byte_by_byte() {
    let server = Server::start();
    let request = Request::signed(&server.client(), "POST", "/accounts", r#"{"Name":"a"}"#);
    let mut connection = Connection::open(server.address);
    for byte in request.bytes() {
        connection.send(&[byte]);
    }
    assert_eq!(connection.answer().status, 201);
}

#[test]
fn a_client_may_ask_for_the_end() {
    let server = Server::start();
    let mut request = Request::signed(&server.client(), "GET", "/accounts", "");
    request.set_header("connection", "close");
    let mut connection = Connection::open(server.address);
    connection.send(&request.bytes());
    let answer = connection.answer();
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    connection.assert_closed();
}

#[test]
fn a_client_that_has_said_all_is_still_answered() {
    let server = Server::start();
    let mut connection = Connection::open(server.address);
    connection.send(&Request::signed(&server.client(), "GET", "/accounts", "").bytes());
    connection.finish();
    assert_eq!(connection.answer().status, 200);
    connection.assert_closed();
}

#[test]
fn http_1_0_is_answered_and_closed() {
    let server = Server::start();
    let request = Request::signed(&server.client(), "GET", "/accounts", "");
    let head = http::head("GET", "/accounts", &request.headers, "");
    let head = String::from_utf8(head).unwrap().replace("HTTP/1.1", "HTTP/1.0");
    let mut connection = Connection::open(server.address);
    connection.send(head.as_bytes());
    let answer = connection.answer();
    assert_eq!((answer.status, answer.json()), (200, json!({"Accounts": [], "NextToken": null})));
    connection.assert_closed();
}
