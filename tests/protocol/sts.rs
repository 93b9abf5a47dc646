//! `sts:GetCallerIdentity`: the Query protocol, on the port of the API.

use super::Request;
use crate::harness::{Answer, Client, ROOT_AWS_ACCOUNT_ID, Server};

const CALL: &str = "Action=GetCallerIdentity&Version=2011-06-15";

/// Signs for STS as the SDKs do, who post a form.
fn signed(client: &Client, method: &str, target: &str, body: &str) -> Request {
    let mut request = Request::signed(client, method, target, body);
    request.headers = client.signed(method, target, body.as_bytes(), "sts");
    request
}

fn post(client: &Client, body: &str) -> Answer {
    signed(client, "POST", "/", body).send(client.address)
}

fn identity(answer: &Answer) -> String {
    let id = answer.header("x-amzn-requestid").unwrap();
    assert_eq!(answer.header("content-type"), Some("text/xml"), "{answer:?}");
    answer.body.replace(id, "ID")
}

#[track_caller]
fn check_error(answer: &Answer, status: u16, kind: &str, code: &str, message: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    let body = identity(answer);
    let start = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error>\
         <Type>{kind}</Type><Code>{code}</Code><Message>{message}"
    );
    assert!(body.starts_with(&start), "{body}");
    assert!(
        body.ends_with("</Message></Error><RequestId>ID</RequestId></ErrorResponse>\n"),
        "{body}"
    );
}

#[test]
fn a_caller_is_told_who_it_is() {
    let server = Server::start();
    let other = server.client_of("444455556666");
    for (client, account) in [(server.client(), ROOT_AWS_ACCOUNT_ID), (other, "444455556666")] {
        let expected = format!(
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
             <GetCallerIdentityResult><Arn>arn:aws:iam::{account}:root</Arn>\
             <UserId>{account}</UserId><Account>{account}</Account></GetCallerIdentityResult>\
             <ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata>\
             </GetCallerIdentityResponse>\n"
        );
        for request in [
            signed(&client, "POST", "/", CALL),
            signed(&client, "POST", "/", "Version=2011-06-15&Action=GetCallerIdentity"),
            signed(&client, "GET", &format!("/?{CALL}"), ""),
        ] {
            let answer = request.send(server.address);
            assert_eq!((answer.status, identity(&answer)), (200, expected.clone()));
        }
    }
}

#[test]
fn another_action_is_invalid() {
    let server = Server::start();
    let client = server.client();
    for (body, message) in [
        (
            "Action=GetFederationToken&Version=2011-06-15",
            "Could not find operation GetFederationToken",
        ),
        ("Action=CreateUser&Version=2011-06-15", "Could not find operation CreateUser for version"),
        ("Action=GetCallerIdentity&Version=2010-01-01", "Could not find operation"),
        ("Action=GetCallerIdentity", "Could not find operation"),
        ("Version=2011-06-15", "Could not find operation"),
        ("", "Could not find operation"),
        ("Action=%3Ca%26b%3E&Version=1", "Could not find operation &lt;a&amp;b&gt; for version 1"),
        ("Action=a%00%1Bb&Version=1", "Could not find operation a\u{fffd}\u{fffd}b for version 1"),
        ("Action=%FF&Version=1", "Could not find operation \u{fffd} for version 1"),
    ] {
        check_error(&post(&client, body), 400, "Sender", "InvalidAction", message);
    }
    let answer = signed(&client, "GET", "/?Action=Nothing", "").send(server.address);
    check_error(&answer, 400, "Sender", "InvalidAction", "Could not find operation Nothing");
}

#[test]
fn a_signature_is_good_for_one_service() {
    let server = Server::start();
    let client = server.client();
    let for_chime = client.send("POST", "/", CALL.as_bytes());
    let message = "Credential should be scoped to correct service: 'sts'";
    check_error(&for_chime, 403, "Sender", "SignatureDoesNotMatch", message);
    let for_sts = signed(&client, "GET", "/accounts", "").send(server.address);
    let (exception, message) = for_sts.error();
    assert_eq!(exception, "InvalidSignatureException");
    assert_eq!(message, "Credential should be scoped to correct service: 'chime'");
}

#[test]
fn what_is_refused_is_refused_in_xml() {
    let server = Server::start();
    let client = server.client();
    let mut request = signed(&client, "POST", "/", CALL);
    request.body.push(b'&');
    let message = "The request signature we calculated does not match";
    let answer = request.send(server.address);
    check_error(&answer, 403, "Sender", "SignatureDoesNotMatch", message);

    let mut request = signed(&client, "POST", "/", CALL);
    request.headers.remove("authorization");
    let answer = request.send(server.address);
    let message = "Missing Authentication Token";
    check_error(&answer, 403, "Sender", "MissingAuthenticationToken", message);

    let mut request = signed(&client, "POST", "/", CALL);
    request.set_header("authorization", "AWS4-HMAC-SHA256 Credential=a");
    let answer = request.send(server.address);
    check_error(&answer, 403, "Sender", "IncompleteSignature", "Authorization header requires");

    let unknown = Client { access_key_id: "AKIAUNKNOWN".to_owned(), ..client.clone() };
    let message = "The security token included in the request is invalid.";
    check_error(&post(&unknown, CALL), 403, "Sender", "InvalidClientTokenId", message);
}

#[test]
fn the_root_is_no_path_of_the_api() {
    let server = Server::start();
    let answer = server.client().send("GET", "/", b"");
    assert_eq!(answer.error().0, "UnknownOperationException");
}
