//! `NextToken`: good for the query that returned it, and for nothing else.

use super::check;
use crate::harness::{Client, Server};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

fn filled(server: &Server) -> Client {
    let client = server.client();
    for name in ["a1", "a2", "a3", "b1", "b2"] {
        client.create_account(name);
    }
    client
}

/// Returns the token behind the first account of a query.
fn token(client: &Client, mut query: Value) -> String {
    query["MaxResults"] = 1.into();
    let page = client.ok("ListAccounts", query);
    page["NextToken"].as_str().unwrap_or_else(|| panic!("{page}")).to_owned()
}

fn names(page: &Value) -> Vec<&str> {
    let accounts = page["Accounts"].as_array().unwrap();
    accounts.iter().map(|account| account["Name"].as_str().unwrap()).collect()
}

#[track_caller]
fn refused(client: &Client, operation: &str, query: Value) {
    let message = "1 validation error detected: Value at 'NextToken' failed to satisfy \
                   constraint: Member must be a token that this operation returned for the same \
                   filters";
    check(&client.call(operation, query), "BadRequestException", message);
}

#[test]
fn no_token_is_like_a_good_one() {
    let server = Server::start();
    let client = filled(&server);
    let token = token(&client, json!({}));
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(&token).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let flipped = BASE64_URL_SAFE_NO_PAD.encode(flipped);
        refused(&client, "ListAccounts", json!({"NextToken": flipped}));
    }
    for length in 0..token.len() {
        refused(&client, "ListAccounts", json!({"NextToken": &token[..length]}));
    }
    let last = token.chars().last().unwrap();
    let same_bits = if last == 'A' { 'B' } else { 'A' };
    for other in [
        format!("{token}A"),
        format!("{token}="),
        format!("{token} "),
        format!(" {token}"),
        format!("{token}\n"),
        format!("{token}{token}"),
        format!("{}{same_bits}", &token[..token.len() - 1]),
        BASE64_URL_SAFE_NO_PAD.encode([&bytes[..], &[0]].concat()),
        "null".to_owned(),
        "1".to_owned(),
        "\0".to_owned(),
        "ü".to_owned(),
    ] {
        refused(&client, "ListAccounts", json!({"NextToken": other}));
    }
    let page = client.ok("ListAccounts", json!({"NextToken": token}));
    assert_eq!(names(&page), ["a2", "a3", "b1", "b2"]);
}

#[test]
fn a_token_belongs_to_its_filters() {
    let server = Server::start();
    let client = filled(&server);
    let all = token(&client, json!({}));
    let prefixed = token(&client, json!({"Name": "a"}));
    for query in [
        json!({"NextToken": all, "Name": "a"}),
        json!({"NextToken": all, "UserEmail": "a@b.c"}),
        json!({"NextToken": prefixed}),
        json!({"NextToken": prefixed, "Name": "a1"}),
        json!({"NextToken": prefixed, "Name": "A"}),
        json!({"NextToken": prefixed, "Name": "b"}),
        json!({"NextToken": prefixed, "Name": "a", "UserEmail": "a@b.c"}),
    ] {
        refused(&client, "ListAccounts", query);
    }
    let page = client.ok("ListAccounts", json!({"NextToken": prefixed, "Name": "a"}));
    assert_eq!(names(&page), ["a2", "a3"]);
}

#[test]
fn a_token_belongs_to_its_aws_account_and_not_to_a_key() {
    let server = Server::start();
    let mine = filled(&server);
    let (other, sibling) = (server.client_of("444455556666"), server.client_of("111122223333"));
    for name in ["a1", "a2", "a3"] {
        other.create_account(name);
    }
    let (my_token, other_token) = (token(&mine, json!({})), token(&other, json!({})));
    refused(&other, "ListAccounts", json!({"NextToken": my_token}));
    refused(&mine, "ListAccounts", json!({"NextToken": other_token}));
    let page = sibling.ok("ListAccounts", json!({"NextToken": my_token, "MaxResults": 1}));
    assert_eq!(names(&page), ["a2"]);
}

#[test]
fn a_token_belongs_to_its_operation() {
    let server = Server::start();
    let client = filled(&server);
    server.client_of("444455556666");
    server.client_of("444455556666");
    let keys = client.ok("ListAccessKeys", json!({"MaxItems": 1}))["Marker"].clone();
    refused(&client, "ListAccounts", json!({"NextToken": keys}));
    let refused = |members| {
        let (exception, message) = client.error("ListAccessKeys", members);
        assert_eq!(exception, "BadRequestException");
        assert!(message.contains("'Marker'"), "{message}");
    };
    refused(json!({"Marker": token(&client, json!({}))}));
    refused(json!({"Marker": keys, "AwsAccountId": "444455556666"}));
    let rest = client.ok("ListAccessKeys", json!({"Marker": keys}));
    assert_eq!(rest["AccessKeyMetadata"].as_array().unwrap().len(), 1);
}

#[test]
fn a_token_belongs_to_its_deployment() {
    let (one, other) = (Server::start(), Server::start());
    let token = token(&filled(&one), json!({}));
    refused(&filled(&other), "ListAccounts", json!({"NextToken": token}));
}

#[test]
fn a_token_serves_again_with_another_page_size_under_either_prefix() {
    let server = Server::start();
    let client = filled(&server);
    let console = Client { prefix: "/console", ..client.clone() };
    let token = token(&client, json!({}));
    for (max_results, expected) in [(1, vec!["a2"]), (2, vec!["a2", "a3"]), (1, vec!["a2"])] {
        let query = json!({"NextToken": token, "MaxResults": max_results});
        assert_eq!(names(&client.ok("ListAccounts", query.clone())), expected);
        assert_eq!(names(&console.ok("ListAccounts", query)), expected);
    }
    let last = client.ok("ListAccounts", json!({"NextToken": token, "MaxResults": 4}));
    assert_eq!(last["NextToken"], Value::Null);
    assert_eq!(names(&last), ["a2", "a3", "b1", "b2"]);
}

#[test]
fn a_token_outlives_the_server_as_its_accounts_do() {
    let server = Server::start();
    let token = token(&filled(&server), json!({}));
    let durable = server.is_durable();
    let server = server.restart();
    if durable {
        let page = server.client().ok("ListAccounts", json!({"NextToken": token}));
        assert_eq!(names(&page), ["a2", "a3", "b1", "b2"]);
    } else {
        refused(&server.client(), "ListAccounts", json!({"NextToken": token}));
    }
}
