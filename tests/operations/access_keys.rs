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
    assert_eq!(exception, "NoSuchEntityException");
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
        (ids, page["Marker"].clone())
    };
    let (ids, token) = accounts(json!({"AwsAccountId": "444455556666"}));
    assert_eq!((json!(ids), token), (json!(["444455556666", "444455556666"]), json!(null)));
    let (ids, token) = accounts(json!({"MaxItems": 2}));
    assert_eq!(json!(ids), json!(["111122223333", "444455556666"]));
    assert_eq!(accounts(json!({"Marker": token})).0.len(), 1);
}

#[test]
fn an_aws_account_deals_with_its_own_keys_alone() {
    let server = Server::start();
    let (mine, theirs) = (server.client_of("444455556666"), server.client_of("777788889999"));
    let other = json!({"AwsAccountId": "777788889999"});
    for operation in ["CreateAccessKey", "ListAccessKeys"] {
        let (exception, message) = mine.error(operation, other.clone());
        assert_eq!(exception, "ForbiddenException");
        assert_eq!(
            message,
            "User: arn:aws:iam::444455556666:root is not authorized to act in the AWS account \
             777788889999"
        );
    }
    for operation in ["DeleteAccessKey", "UpdateAccessKey"] {
        let members = json!({"AccessKeyId": theirs.access_key_id, "Status": "Inactive"});
        let (exception, _) = mine.error(operation, members);
        assert_eq!(exception, "NoSuchEntityException", "what is not mine is not there");
    }
    assert_eq!(theirs.ok("ListAccessKeys", json!({}))["AccessKeyMetadata"][0]["Status"], "Active");
    mine.ok("DeleteAccessKey", json!({"AccessKeyId": mine.access_key_id}));
}

#[test]
fn a_key_is_replaced_without_a_moment_without_one() {
    let server = Server::start();
    let old = server.client_of("444455556666");
    let new = old.clone().with_key(&old.ok("CreateAccessKey", json!({}))["AccessKey"]);
    let (exception, message) = old.error("CreateAccessKey", json!({}));
    assert_eq!(exception, "LimitExceededException");
    assert_eq!(message, "Cannot exceed quota for AccessKeysPerUser: 2");

    let status = |status: &str| json!({"AccessKeyId": old.access_key_id, "Status": status});
    new.ok("UpdateAccessKey", status("Inactive"));
    assert_eq!(old.error("ListAccounts", json!({})).0, "UnrecognizedClientException");
    new.ok("UpdateAccessKey", status("Active"));
    old.ok("ListAccounts", json!({}));
    new.ok("DeleteAccessKey", json!({"AccessKeyId": old.access_key_id}));
    assert_eq!(old.error("ListAccounts", json!({})).0, "UnrecognizedClientException");
    new.ok("CreateAccessKey", json!({}));
}

#[test]
fn the_root_key_of_the_settings_is_not_among_the_stored_ones() {
    let server = Server::start();
    let root = server.client();
    assert_eq!(root.ok("ListAccessKeys", json!({}))["AccessKeyMetadata"], json!([]));
    let (exception, _) = root.error("DeleteAccessKey", json!({"AccessKeyId": ROOT_ACCESS_KEY_ID}));
    assert_eq!(exception, "NoSuchEntityException");
    let (exception, message) = root.error("CreateAccessKey", json!({"AwsAccountId": "12345"}));
    assert_eq!(exception, "BadRequestException");
    assert!(message.contains("AwsAccountId") && message.contains(r"^\d{12}$"), "{message}");
}

#[test]
fn a_key_that_was_never_used_says_so() {
    let server = Server::start();
    let root = server.client();
    root.ok("iam:CreateUser", json!({"UserName": "jane"}));
    let made = root.ok("CreateAccessKey", json!({"UserName": "JANE"}));
    let key = json!({"AccessKeyId": made["AccessKey"]["AccessKeyId"]});
    let never = json!({"LastUsedDate": null, "Region": "N/A", "ServiceName": "N/A"});
    let expected = json!({"AccessKeyLastUsed": never, "UserName": "jane"});
    assert_eq!(root.ok("GetAccessKeyLastUsed", key.clone()), expected);
    let other = server.client_of("444455556666");
    assert_eq!(other.error("GetAccessKeyLastUsed", key).0, "NoSuchEntityException");
    let of_root = json!({"AccessKeyId": ROOT_ACCESS_KEY_ID});
    assert_eq!(root.error("GetAccessKeyLastUsed", of_root).0, "NoSuchEntityException");
}
