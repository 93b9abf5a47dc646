//! When access keys were last used: told a minute later at the most, and never forgotten at a stop.

use super::eventually;
use crate::harness::{Client, Options, Server};
use campanile::store::{Access, Engine, Key, Memory, Table};
use serde_json::{Value, json};
use std::sync::Arc;

const MINUTE: i64 = 60 * 1000;

fn last_used(root: &Client, of: &Client) -> Value {
    let key = json!({"AccessKeyId": of.access_key_id});
    root.ok("iam:GetAccessKeyLastUsed", key)["AccessKeyLastUsed"].clone()
}

fn policy() -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": "chime:ListAccounts", "Resource": "*"},
    })
}

#[test]
fn a_key_tells_within_a_minute_when_it_was_last_used_and_where() {
    let server = Server::start();
    let jane = server.user("jane", &policy());
    let before = json!(jane.clock.clock().now());
    let abroad = Client { region: "ap-southeast-2".to_owned(), ..jane.clone() };
    abroad.ok("ListAccounts", json!({}));
    let after = json!(jane.clock.clock().now());
    server.move_time(MINUTE);
    let root = server.client();
    eventually(|| last_used(&root, &jane)["Region"] == "ap-southeast-2");
    let used = last_used(&root, &jane);
    assert_eq!(used["ServiceName"], "chime");
    let date = used["LastUsedDate"].as_str().unwrap();
    assert!((before.as_str().unwrap()..=after.as_str().unwrap()).contains(&date), "{used}");

    // What is refused was signed all the same.
    server
        .client()
        .with_key(&json!({
            "AccessKeyId": jane.access_key_id,
            "SecretAccessKey": jane.secret_access_key,
        }))
        .error("CreateAccount", json!({"Name": "a"}));
    server.move_time(MINUTE);
    let root = server.client();
    eventually(|| last_used(&root, &jane)["Region"] == "eu-west-1");
    assert!(last_used(&root, &jane)["LastUsedDate"].as_str().unwrap() > date);
}

#[test]
fn a_signature_that_is_wrong_is_no_use_of_the_key() {
    let server = Server::start();
    let (used, unused) = (server.client_of("444455556666"), server.client_of("777788889999"));
    let forged = Client { secret_access_key: "forged".to_owned(), ..unused.clone() };
    let (exception, _) = forged.error("ListAccounts", json!({}));
    assert_eq!(exception, "InvalidSignatureException");
    used.ok("ListAccounts", json!({}));
    server.move_time(MINUTE);
    let root = server.client();
    eventually(|| last_used(&root, &used)["ServiceName"] == "chime");
    assert_eq!(last_used(&root, &unused)["LastUsedDate"], Value::Null);
}

/// Both keys, so that the second is told of only where the deleted one did no harm.
#[test]
fn a_use_of_a_key_that_is_gone_is_forgotten() {
    let server = Server::start();
    let (gone, kept) = (server.client_of("444455556666"), server.client_of("777788889999"));
    gone.ok("ListAccounts", json!({}));
    kept.ok("ListAccounts", json!({}));
    server.client().ok("DeleteAccessKey", json!({"AccessKeyId": gone.access_key_id}));
    server.move_time(MINUTE);
    let root = server.client();
    eventually(|| last_used(&root, &kept)["ServiceName"] == "chime");
    root.ok("DeleteAccessKey", json!({"AccessKeyId": kept.access_key_id}));
    // That nothing is left of either is looked at when the server ends.
}

#[test]
fn a_stop_stores_what_was_noted_and_nothing_is_found_anew() {
    let engine: Arc<dyn Engine> = Arc::new(Memory::default());
    let start = || {
        let engine = Some(Arc::clone(&engine));
        Server::start_with(Options { engine, ..Options::default() }, |_| Ok(()))
    };
    let get = |key: &Key| engine.begin(Access::Read).unwrap().get(key.as_bytes()).unwrap();
    let generation = Key::of(Table::AccessGeneration);

    let server = start();
    let client = server.client_of("444455556666");
    let before = get(&generation);
    client.ok("ListAccounts", json!({}));
    drop(server);
    assert!(before.is_some());
    assert_eq!(get(&generation), before, "what callers may do has not changed");
    let server = start();
    assert_eq!(last_used(&server.client(), &client)["ServiceName"], "chime");
}
