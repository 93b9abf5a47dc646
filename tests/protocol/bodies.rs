//! What a body may be, and what each that may not is told.

use super::{Request, check};
use crate::harness::{Client, Server};
use proptest::prelude::*;
use serde_json::{Value, json};

#[track_caller]
fn refused(client: &Client, body: &[u8], message: &str) {
    check(&client.send("POST", "/accounts", body), "BadRequestException", message);
}

#[test]
fn a_body_that_is_no_json_object_is_refused() {
    let server = Server::start();
    let client = server.client();
    let object = "The body must be a JSON object";
    for body in [
        "{",
        "{\"Name\"",
        "{\"Name\":\"a",
        "{\"Name\":\"a\"",
        "{\"Name\":\"a\"}}",
        "{\"Name\":\"a\"} {\"Name\":\"b\"}",
        "{\"Name\":\"a\",}",
        "{'Name':'a'}",
        "{Name:\"a\"}",
        "{\"Name\":\"a\"/**/}",
        "{\"Name\":NaN}",
        "{\"Name\":01}",
        "{\"Name\":\"a\nb\"}",
        "{\"Name\":\"\\x\"}",
        "[]",
        "[{\"Name\":\"a\"}]",
        "\"Name\"",
        "null",
        "true",
        "1",
        " ",
        "Name=a",
        "<Name>a</Name>",
        "\u{feff}{\"Name\":\"a\"}",
    ] {
        refused(&client, body.as_bytes(), object);
    }
    assert_eq!(client.ok("ListAccounts", json!({}))["Accounts"], json!([]));
}

#[test]
fn a_body_that_is_not_utf_8_is_refused() {
    let server = Server::start();
    let client = server.client();
    refused(&client, b"{\"Name\":\"\xff\"}", "must be UTF-8; it stops being so after 9 bytes");
    refused(&client, b"{\"Name\":\"\xed\xa0\x80\"}", "must be UTF-8");
    refused(&client, b"\xff\xfe{\0}\0", "must be UTF-8; it stops being so after 0 bytes");
    refused(&client, b"{\0\"\0N\0", "The body must be a JSON object");
    refused(&client, b"\x1f\x8b\x08\0", "must be UTF-8");
}

#[test]
fn deep_nesting_costs_the_server_nothing() {
    let server = Server::start();
    let client = server.client();
    let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
    let member = |member: &str, text: &str| format!("{{\"{member}\":{text}}}").into_bytes();
    refused(&client, open.as_bytes(), "The body must be a JSON object");
    refused(&client, &member("Name", &open), "The body must be a JSON object");
    refused(&client, &member("Name", &format!("{open}{close}")), "at 'Name'");
    refused(&client, "{\"a\":".repeat(100_000).as_bytes(), "The body must be a JSON object");
    let unknown = format!("{{\"Name\":\"a\",\"Unknown\":{open}{close}}}");
    assert_eq!(client.send("POST", "/accounts", unknown.as_bytes()).status, 201);
}

#[test]
fn a_repeated_member_is_refused_even_if_nobody_reads_it() {
    let server = Server::start();
    let client = server.client();
    refused(&client, br#"{"Name":"a","Name":"a"}"#, "'Name' stands in it twice");
    refused(&client, br#"{"Name":"a","\u004eame":"b"}"#, "'Name' stands in it twice");
    refused(&client, br#"{"Name":null,"Name":"b"}"#, "'Name' stands in it twice");
    refused(&client, br#"{"Name":"a","Other":1,"Other":2}"#, "'Other' stands in it twice");
}

#[test]
fn unknown_members_are_ignored() {
    let server = Server::start();
    let client = server.client();
    for unknown in [
        r#""name":"b""#,
        r#""NAME":1"#,
        r#""":null"#,
        r#""AccountType":"EnterpriseOIDC""#,
        r#""AwsAccountId":"444455556666""#,
        r#""Number":1e999"#,
        r#""Number":-123456789012345678901234567890.5"#,
        r#""Text":"\ud800""#,
        r#""Tree":{"a":[{"b":null}]}"#,
    ] {
        let answer =
            client.send("POST", "/accounts", format!(r#"{{{unknown},"Name":"a"}}"#).as_bytes());
        assert_eq!(answer.status, 201, "{unknown}: {answer:?}");
        let account = &answer.json()["Account"];
        assert_eq!((&account["Name"], &account["AccountType"]), (&json!("a"), &json!("Team")));
        assert_eq!(account["AwsAccountId"], crate::harness::ROOT_AWS_ACCOUNT_ID);
    }
}

#[test]
fn a_missing_or_wrong_member_is_named() {
    let server = Server::start();
    let client = server.client();
    let missing = "1 validation error detected: Value null at 'Name' failed to satisfy constraint: \
         Member must not be null";
    for body in ["", "{}", r#"{"Name":null}"#, r#"{"name":"a"}"#] {
        refused(&client, body.as_bytes(), missing);
    }
    for value in ["1", "1.5", "true", "[]", r#"["a"]"#, "{}", r#"{"S":"a"}"#] {
        let body = format!(r#"{{"Name":{value}}}"#);
        refused(
            &client,
            body.as_bytes(),
            "at 'Name' failed to satisfy constraint: Member must be a string",
        );
    }
    refused(&client, br#"{"Name":"\ud800"}"#, "at 'Name'");
    refused(&client, br#"{"Name":""}"#, "length greater than or equal to 1");
    refused(&client, br#"{"Name":" \t"}"#, "regular expression pattern");
    let long = |length: usize| json!({"Name": "𝄞".repeat(length)});
    client.ok("CreateAccount", long(100));
    refused(&client, long(101).to_string().as_bytes(), "less than or equal to 100 (it has 101)");
    let id = client.create_account("a");
    for license in [json!("pro"), json!("Gold"), json!(1), json!(["Pro"]), json!({"Pro": null})] {
        let (exception, message) =
            client.error("UpdateAccount", json!({"AccountId": id, "DefaultLicense": license}));
        assert_eq!(exception, "BadRequestException", "{license}: {message}");
        assert!(message.contains("at 'DefaultLicense'"), "{license}: {message}");
    }
}

#[test]
fn a_member_that_the_uri_holds_is_not_taken_from_the_body() {
    let server = Server::start();
    let client = server.client();
    let (id, other) = (client.create_account("a"), client.create_account("b"));
    let body = json!({"AccountId": other, "Name": "c"}).to_string();
    let answer = client.send("POST", &format!("/accounts/{id}"), body.as_bytes());
    assert_eq!(answer.json()["Account"]["AccountId"], id.as_str());
    assert_eq!(client.ok("GetAccount", json!({"AccountId": other}))["Account"]["Name"], "b");
}

#[test]
fn the_body_of_get_and_delete_is_signed_and_otherwise_ignored() {
    let server = Server::start();
    let client = server.client();
    let id = client.create_account("a");
    for body in [&b"{\"Name\":\"b\"}"[..], b"nonsense", b"\xff"] {
        let answer = client.send("GET", "/accounts?name=a", body);
        assert_eq!(answer.json()["Accounts"][0]["Name"], "a");
    }
    assert_eq!(client.send("DELETE", &format!("/accounts/{id}"), b"nonsense").status, 204);
}

#[test]
fn an_encoded_body_is_refused_by_its_header() {
    let server = Server::start();
    let mut request = Request::signed(&server.client(), "POST", "/accounts", r#"{"Name":"a"}"#);
    request.set_header("content-encoding", "identity");
    assert_eq!(request.send(server.address).status, 201);
    for encoding in ["gzip", "aws-chunked", "br"] {
        request.set_header("content-encoding", encoding);
        let message = format!("without a Content-Encoding; it has \"{encoding}\"");
        check(&request.send(server.address), "BadRequestException", &message);
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        "[A-Za-z ]{0,120}".prop_map(Value::from),
        proptest::sample::select(vec!["Pro", "Basic", "ProTrial"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::hash_map(name(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn name() -> impl Strategy<Value = String> {
    let known = vec!["Name", "AccountId", "DefaultLicense", "AwsAccountId", "MaxResults"];
    prop_oneof![proptest::sample::select(known).prop_map(str::to_owned), ".{0,6}"]
}

#[test]
fn any_body_is_answered_well_or_as_a_bad_request() {
    let server = Server::start();
    let client = server.client();
    let targets = ["/accounts", "/console/accounts", "/campanile/iam?operation=list-users"]
        .map(str::to_owned)
        .to_vec();
    let targets = [targets, vec![format!("/accounts/{}", client.create_account("a"))]].concat();
    let body = prop_oneof![
        6 => proptest::collection::hash_map(name(), json_value(), 0..4)
            .prop_map(|members| Value::Object(members.into_iter().collect()).to_string().into_bytes()),
        1 => json_value().prop_map(|value| value.to_string().into_bytes()),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
        2 => (json_value(), any::<proptest::sample::Index>()).prop_map(|(value, index)| {
            let mut text = json!({ "Name": value }).to_string().into_bytes();
            text.truncate(index.index(text.len()));
            text
        }),
    ];
    proptest!(|(body in body, target in proptest::sample::select(targets))| {
        let answer = client.send("POST", &target, &body);
        match answer.status {
            200 | 201 => drop(answer.json()),
            _ => prop_assert_eq!(answer.error().0, "BadRequestException"),
        }
    });
}
