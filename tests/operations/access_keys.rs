//! The access-key operations.

use crate::harness::{ROOT_ACCESS_KEY_ID, Server};
use serde_json::json;

#[test]
fn a_key_lets_an_aws_account_in_until_it_is_deleted() {
    let server = Server::start();
    let root = server.client();
    let created = root.ok("CreateAccessKey", json!({"AwsAccountId": "444455556666"}));
    let key = &created["AccessKey"];
    assert_eq!(key["AwsAccountId"], "444455556666");
    assert_eq!(key["Arn"], "arn:aws:iam::444455556666:root");
    assert_eq!(key["Status"], "Active");
    let client = root.clone().with_key(key);
    client.create_account("a");

    root.ok("DeleteAccessKey", json!({"AccessKeyId": client.access_key_id}));
    let (exception, message) = client.error("ListAccounts", json!({}));
    assert_eq!(exception, "UnrecognizedClientException");
    assert_eq!(message, "The security token included in the request is invalid.");
    let (exception, _) =
        root.error("DeleteAccessKey", json!({"AccessKeyId": client.access_key_id}));
    assert_eq!(exception, "NotFoundException");
}

#[test]
fn a_secret_is_told_once() {
    let server = Server::start();
    let root = server.client();
    let created = root.ok("CreateAccessKey", json!({"AwsAccountId": "444455556666"}));
    let secret = created["AccessKey"]["SecretAccessKey"].as_str().unwrap();
    let listed = root.call("ListAccessKeys", json!({}));
    assert!(!listed.body.contains(secret));
    let mut expected = created["AccessKey"].clone();
    expected.as_object_mut().unwrap().remove("SecretAccessKey");
    assert_eq!(listed.json()["AccessKeyMetadata"], json!([expected]));
}

#[test]
fn keys_are_listed_by_aws_account_in_pages() {
    let server = Server::start();
    let root = server.client();
    for aws_account_id in ["444455556666", "111122223333", "444455556666"] {
        root.ok("CreateAccessKey", json!({"AwsAccountId": aws_account_id}));
    }
    let accounts = |members| {
        let page = root.ok("ListAccessKeys", members);
        let keys = page["AccessKeyMetadata"].as_array().unwrap().clone();
        let ids: Vec<_> = keys.iter().map(|key| key["AwsAccountId"].clone()).collect();
        (ids, page["NextToken"].clone())
    };
    let (ids, token) = accounts(json!({"AwsAccountId": "444455556666"}));
    assert_eq!((json!(ids), token), (json!(["444455556666", "444455556666"]), json!(null)));
    let (ids, token) = accounts(json!({"MaxResults": 2}));
    assert_eq!(json!(ids), json!(["111122223333", "444455556666"]));
    assert_eq!(accounts(json!({"NextToken": token})).0.len(), 1);
}

#[test]
fn only_the_deployments_root_may_deal_with_keys() {
    let server = Server::start();
    let client = server.client_of("444455556666");
    for (operation, members) in [
        ("CreateAccessKey", json!({"AwsAccountId": "444455556666"})),
        ("ListAccessKeys", json!({})),
        ("DeleteAccessKey", json!({"AccessKeyId": client.access_key_id})),
    ] {
        let (exception, message) = client.error(operation, members);
        assert_eq!(exception, "ForbiddenException");
        assert_eq!(
            message,
            format!(
                "User: arn:aws:iam::444455556666:root is not authorized to perform: \
                 campanile:{operation}"
            )
        );
    }
    client.ok("ListAccounts", json!({}));
}

#[test]
fn the_root_key_of_the_settings_is_not_among_the_stored_ones() {
    let server = Server::start();
    let root = server.client();
    assert_eq!(root.ok("ListAccessKeys", json!({}))["AccessKeyMetadata"], json!([]));
    let (exception, _) = root.error("DeleteAccessKey", json!({"AccessKeyId": ROOT_ACCESS_KEY_ID}));
    assert_eq!(exception, "NotFoundException");
    let (exception, message) = root.error("CreateAccessKey", json!({"AwsAccountId": "12345"}));
    assert_eq!(exception, "BadRequestException");
    assert!(message.contains("AwsAccountId") && message.contains(r"^\d{12}$"), "{message}");
}
