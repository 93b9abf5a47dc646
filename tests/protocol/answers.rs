//! The form that every answer has: its headers, and the one body of all errors.

use super::{Request, check};
use crate::harness::http::Connection;
use crate::harness::{Answer, Server, exchange};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Asserts the recorded form of an error, byte for byte.
#[track_caller]
fn check_form(answer: &Answer, status: u16, exception: &str, code: &str) {
    let (found, message) = answer.error();
    assert_eq!((answer.status, found.as_str()), (status, exception), "{answer:?}");
    let body = format!(
        r#"{{"Code":"{code}","Message":{},"RequestId":"{}","Resource":null}}"#,
        Value::from(message),
        answer.header("x-amzn-requestid").unwrap()
    );
    assert_eq!(answer.body, body);
    assert_eq!(answer.header("content-length"), Some(body.len().to_string().as_str()));
}

#[test]
fn every_error_has_the_one_form() {
    let server = Server::start();
    let client = server.client();
    let stranger = server.client_of("444455556666");
    let send =
        |method: &str, target: &str, body: &str| client.send(method, target, body.as_bytes());
    let raw = |request: &str| exchange(server.address, request.as_bytes());
    let long = "a".repeat(9_000);

    check_form(&send("POST", "/accounts", "{"), 400, "BadRequestException", "BadRequest");
    check_form(&send("GET", "/accounts/none", ""), 404, "NotFoundException", "NotFound");
    let forbidden = stranger.call("ListAccessKeys", json!({"AwsAccountId": "111122223333"}));
    check_form(&forbidden, 403, "ForbiddenException", "Forbidden");
    // What stands outside the service model carries its name as its code.
    let alike = |answer: Answer, status, name| check_form(&answer, status, name, name);
    alike(send("GET", "/nowhere", ""), 404, "UnknownOperationException");
    alike(
        raw("GET /accounts HTTP/1.1\r\nhost: a\r\n\r\n"),
        403,
        "MissingAuthenticationTokenException",
    );
    alike(
        raw("GET / HTTP/1.1\r\nhost: a\r\nauthorization: Basic YQ==\r\n\r\n"),
        403,
        "IncompleteSignatureException",
    );
    let mut tampered = Request::signed(&client, "GET", "/accounts", "");
    tampered.target.push_str("?name=a");
    alike(tampered.send(server.address), 403, "InvalidSignatureException");
    let mut unknown = client.clone();
    unknown.access_key_id = "AKIAUNKNOWN".to_owned();
    alike(unknown.send("GET", "/accounts", b""), 403, "UnrecognizedClientException");
    alike(
        client.send("POST", "/accounts", &vec![b' '; (1 << 20) + 1]),
        413,
        "RequestEntityTooLargeException",
    );
    alike(
        raw(&format!("GET /{long} HTTP/1.1\r\nhost: a\r\n\r\n")),
        414,
        "RequestUriTooLongException",
    );
    alike(
        raw(&format!("GET / HTTP/1.1\r\nhost: {}\r\n\r\n", long.repeat(4))),
        431,
        "RequestHeaderFieldsTooLargeException",
    );
    alike(raw("nonsense\r\n\r\n"), 400, "MalformedHttpRequestException");
}

#[test]
fn a_success_is_json_with_its_length() {
    let server = Server::start();
    let client = server.client();
    let created = client.send("POST", "/accounts", br#"{"Name":"My"}"#);
    let listed = client.send("GET", "/accounts", b"");
    for (answer, status) in [(created, 201), (listed, 200)] {
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("content-length"), Some(answer.body.len().to_string().as_str()));
        assert!(answer.header("date").is_some());
        assert_eq!(answer.header("x-amzn-errortype"), None);
        assert!(!answer.body.contains(": ") && !answer.body.contains('\n'), "compact");
    }
}

/// Recorded in the samples of the API reference: a type, and neither a length nor a body.
#[test]
fn a_deletion_answers_204_with_a_type_and_without_a_length() {
    let server = Server::start();
    let client = server.client();
    let target = format!("/accounts/{}", client.create_account("My"));
    let mut connection = Connection::open(server.address);
    connection.send(&Request::signed(&client, "DELETE", &target, "").bytes());
    let answer = connection.answer_without_body();
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("content-length"), None);
    assert_eq!(answer.header("transfer-encoding"), None);
    // Nothing stands between this answer and the next.
    connection.send(&Request::signed(&client, "GET", &target, "").bytes());
    check(&connection.answer(), "NotFoundException", "not found");
}

#[test]
fn members_stand_in_alphabetical_order_at_every_level() {
    let server = Server::start();
    let client = server.client();
    let sorted = |text: &str| serde_json::from_str::<Value>(text).unwrap().to_string();
    assert_eq!(sorted(r#"{"b":{"d":1,"c":2},"a":3}"#), r#"{"a":3,"b":{"c":2,"d":1}}"#);
    proptest!(ProptestConfig::with_cases(32), |(name in "\\PC{0,99}\\S")| {
        let created = client.call("CreateAccount", json!({"Name": name}));
        prop_assert_eq!(&created.json()["Account"]["Name"], &json!(name));
        let id = created.json()["Account"]["AccountId"].as_str().unwrap().to_owned();
        for (method, target, body) in [
            ("GET", format!("/accounts/{id}"), ""),
            ("GET", format!("/console/accounts/{id}"), ""),
            ("POST", format!("/accounts/{id}"), r#"{"DefaultLicense":"Basic"}"#),
            ("GET", "/accounts?max-results=2".to_owned(), ""),
            ("GET", "/console/accounts?max-results=2".to_owned(), ""),
            ("POST", "/campanile/iam?operation=create-access-key".to_owned(), r#"{"AwsAccountId":"444455556666"}"#),
            ("POST", "/campanile/iam?operation=list-access-keys".to_owned(), r#"{"MaxItems":1}"#),
            ("GET", "/accounts/none".to_owned(), ""),
        ] {
            let answer = client.send(method, &target, body.as_bytes());
            prop_assert_eq!(&answer.body, &sorted(&answer.body));
        }
        prop_assert_eq!(&created.body, &sorted(&created.body));
    });
}
