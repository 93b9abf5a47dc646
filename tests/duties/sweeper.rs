//! Deleted accounts: restored within their 90 days, gone for good after them.

use super::{DAY, eventually};
use crate::harness::{Client, Options, Server};
use serde_json::{Value, json};

const EMAIL: &str = "jane.doe@example.com";

/// Makes and deletes an account that a user with an address has been suspended in.
fn deleted_account(client: &Client, domain: &str, users: usize) -> String {
    let id = client.create_account("Old");
    let domain = json!({"AccountId": id, "DomainName": domain});
    client.ok("ClaimDomain", domain.clone());
    client.ok("CreateUser", json!({"AccountId": id, "Email": EMAIL}));
    for user in 1..users {
        let name = format!("user-{user}");
        client.ok("CreateUser", json!({"AccountId": id, "Username": name}));
    }
    client.ok("ReleaseDomain", domain);
    client.ok("DeleteAccount", json!({"AccountId": id}));
    id
}

fn deleted_accounts(client: &Client) -> Value {
    client.ok("ListDeletedAccounts", json!({}))["DeletedAccounts"].clone()
}

/// Invites the user of a deleted account into another, and tells whether the address was free.
fn invites(client: &Client, account_id: &str) -> bool {
    let members = json!({"AccountId": account_id, "UserEmailList": [EMAIL]});
    let invite = client.ok("InviteUsers", members)["Invites"][0].clone();
    assert_eq!(invite["InviteId"].is_string(), invite["Status"] == "Pending", "{invite}");
    invite["Status"] == "Pending"
}

#[test]
fn a_deleted_account_comes_back_on_its_89th_day_and_not_on_its_90th() {
    let server = Server::start();
    let early = deleted_account(&server.client(), "example.com", 1);
    server.move_time(89 * DAY);
    let client = server.client();
    let restored = client.ok("RestoreAccount", json!({"AccountId": early}));
    assert_eq!(restored["Account"]["Name"], "Old");
    let users = client.ok("ListUsers", json!({"AccountId": early}));
    assert_eq!(users["Users"][0]["PrimaryEmail"], EMAIL);
    client.ok("DeleteAccount", json!({"AccountId": early}));

    server.move_time(90 * DAY);
    let client = server.client();
    assert_eq!(deleted_accounts(&client), json!([]));
    let (exception, message) = client.error("RestoreAccount", json!({"AccountId": early}));
    assert!(exception == "NotFoundException" && message.contains(&early), "{message}");
}

/// More users than one transaction of the sweeper takes.
#[test]
fn what_was_deleted_90_days_ago_is_gone_for_good() {
    let server = Server::start();
    let client = server.client();
    deleted_account(&client, "example.com", 401);
    let other = client.create_account("New");
    assert!(!invites(&client, &other), "the address is kept for as long as it can be restored");
    server.move_time(89 * DAY);
    assert!(!invites(&server.client(), &other));
    server.move_time(DAY);
    let client = server.client();
    eventually(|| invites(&client, &other));
}

#[test]
fn what_became_old_while_the_server_was_stopped_is_gone_after_its_start() {
    let server = Server::start();
    if !server.is_durable() {
        return;
    }
    let client = server.client();
    deleted_account(&client, "example.com", 1);
    let other = client.create_account("New");
    let server = server.restart_with(Options { ahead: 90 * DAY, ..Options::default() });
    let client = server.client();
    eventually(|| invites(&client, &other));
}
