//! Signatures in the query: links that work for whoever has them, until they expire.

use super::signer::Unsigned;
use super::{Request, check};
use crate::harness::{Client, Server, exchange};
use serde_json::json;

const WEEK_S: u64 = 604_800;

fn presigned(client: &Client, expires_s: u64) -> Request {
    let target = "/accounts?name=a%2Bb%20c&max-results=1";
    Unsigned::new(client, "GET", target, "").presigned(client, expires_s)
}

#[test]
fn a_link_needs_no_header_but_the_host() {
    let server = Server::start();
    let client = server.client();
    client.create_account("a+b c");
    let request = presigned(&client, 60);
    let bytes = format!("GET {} HTTP/1.1\r\nhost: {}\r\n\r\n", request.target, server.address);
    let answer = exchange(server.address, bytes.as_bytes());
    assert_eq!(answer.json()["Accounts"][0]["Name"], "a+b c");
    // The order of the pairs is not part of the signature.
    let (path, query) = request.target.split_once('?').unwrap();
    let mut pairs: Vec<&str> = query.split('&').collect();
    pairs.reverse();
    let reversed = Request { target: format!("{path}?{}", pairs.join("&")), ..request.clone() };
    assert_eq!(reversed.send(server.address).status, 200);
}

#[test]
fn a_link_lasts_as_long_as_it_says() {
    let server = Server::start();
    let client = server.client();
    let (minute, week) = (presigned(&client, 60), presigned(&client, WEEK_S));
    let status = |request: &Request| request.send(server.address).status;
    server.move_time(50_000);
    assert_eq!((status(&minute), status(&week)), (200, 200));
    server.move_time(11_000);
    let expired = "Signature expired: ";
    check(&minute.send(server.address), "InvalidSignatureException", expired);
    server.move_time(604_700_000);
    assert_eq!(status(&week), 200);
    server.move_time(40_000);
    check(&week.send(server.address), "InvalidSignatureException", expired);
}

#[test]
fn a_link_may_last_a_second_or_a_week_and_nothing_else() {
    let server = Server::start();
    let client = server.client();
    for expires_s in [2, WEEK_S] {
        assert_eq!(presigned(&client, expires_s).send(server.address).status, 200);
    }
    // A second may pass on the way: what matters is that the number as such is accepted.
    if let Some(exception) = presigned(&client, 1).send(server.address).header("x-amzn-errortype") {
        assert_eq!(exception, "InvalidSignatureException");
    }
    let message = "X-Amz-Expires must be a number of seconds from 1 to 604800.";
    for expires_s in [0, WEEK_S + 1] {
        let answer = presigned(&client, expires_s).send(server.address);
        check(&answer, "IncompleteSignatureException", message);
    }
    for text in ["-1", "%2B60", "60.0", "0x3C", "sixty", "99999999999999999999", "60%20"] {
        let mut request = presigned(&client, 60);
        request.target =
            request.target.replace("X-Amz-Expires=60", &format!("X-Amz-Expires={text}"));
        check(&request.send(server.address), "IncompleteSignatureException", message);
    }
}

#[test]
fn a_link_from_the_future_is_not_yet_current() {
    let server = Server::start();
    let client = server.client();
    let ahead = |seconds: i64| {
        let client = Client { clock: client.clock.apart(seconds * 1000), ..client.clone() };
        presigned(&client, 60).send(server.address)
    };
    assert_eq!(ahead(295).status, 200);
    check(&ahead(310), "InvalidSignatureException", "Signature not yet current: ");
}

#[test]
fn every_part_of_a_link_is_bound_by_its_signature() {
    let server = Server::start();
    let client = server.client();
    let good = presigned(&client, 60);
    let mismatch = "The request signature we calculated does not match";
    let signature = good.target.find("X-Amz-Signature=").unwrap() + "X-Amz-Signature=".len();
    let digit = if good.target.as_bytes()[signature] == b'0' { "1" } else { "0" };
    let flipped = format!("{}{digit}{}", &good.target[..signature], &good.target[signature + 1..]);
    let changed = |from: &str, to: &str| {
        assert!(good.target.contains(from), "{from}: {}", good.target);
        good.target.replacen(from, to, 1)
    };
    for target in [
        changed("/accounts", "/accounts/a"),
        changed("/accounts", "/console/accounts"),
        changed("name=a", "name=b"),
        changed("max-results=1", "max-results=2"),
        changed("max-results=1&", ""),
        changed("X-Amz-Expires=60", "X-Amz-Expires=61"),
        changed("eu%2Dwest%2D1", "eu%2Dwest%2D2"),
        format!("{}&next-token=a", good.target),
        flipped,
    ] {
        let answer = Request { target, ..good.clone() }.send(server.address);
        check(&answer, "InvalidSignatureException", mismatch);
    }
    let deletion = Request { method: "DELETE".to_owned(), ..good.clone() };
    check(&deletion.send(server.address), "InvalidSignatureException", mismatch);
    let with_body = Request { body: b"a".to_vec(), ..good.clone() };
    check(&with_body.send(server.address), "InvalidSignatureException", mismatch);
    let mut elsewhere = good.clone();
    elsewhere.set_header("host", "chime.us-east-1.amazonaws.com");
    check(&elsewhere.send(server.address), "InvalidSignatureException", mismatch);
    assert_eq!(good.send(server.address).status, 200);
}

#[test]
fn a_link_that_lacks_a_part_or_has_one_twice_is_incomplete() {
    let server = Server::start();
    let client = server.client();
    let good = presigned(&client, 60);
    let (path, query) = good.target.split_once('?').unwrap();
    let parts = [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-Signature",
        "X-Amz-SignedHeaders",
    ];
    for part in parts {
        let is_part = |pair: &&str| pair.starts_with(&format!("{part}="));
        let rest: Vec<&str> = query.split('&').filter(|pair| !is_part(pair)).collect();
        let target = format!("{path}?{}", rest.join("&"));
        let answer = Request { target, ..good.clone() }.send(server.address);
        let message = format!("AWS query-string parameters must include '{part}'");
        check(&answer, "IncompleteSignatureException", &message);

        let pair = query.split('&').find(is_part).unwrap();
        let target = format!("{}&{pair}", good.target);
        let answer = Request { target, ..good.clone() }.send(server.address);
        let message = format!("Query parameter '{part}' is given more than once.");
        check(&answer, "IncompleteSignatureException", &message);
    }
    let other = good.target.replace("AWS4%2DHMAC%2DSHA256", "AWS4-HMAC-SHA1");
    let answer = Request { target: other, ..good.clone() }.send(server.address);
    check(&answer, "IncompleteSignatureException", "Unsupported algorithm");
}

#[test]
fn a_link_may_write_with_the_body_it_was_made_for() {
    let server = Server::start();
    let client = server.client();
    let body = r#"{"Name":"My"}"#;
    let unsigned = Unsigned::new(&client, "POST", "/accounts", body);
    let request = unsigned.presigned(&client, 60);
    let other = Request { body: br#"{"Name":"Mx"}"#.to_vec(), ..request.clone() };
    check(&other.send(server.address), "InvalidSignatureException", "does not match");
    assert_eq!(request.send(server.address).status, 201);
    assert_eq!(client.ok("ListAccounts", json!({}))["Accounts"].as_array().unwrap().len(), 1);
}

#[test]
fn a_link_ends_with_its_key() {
    let server = Server::start();
    let client = server.client_of("444455556666");
    let request = presigned(&client, WEEK_S);
    assert_eq!(request.send(server.address).status, 200);
    server.client().ok("DeleteAccessKey", json!({"AccessKeyId": client.access_key_id}));
    let answer = request.send(server.address);
    check(&answer, "UnrecognizedClientException", "security token");
}
