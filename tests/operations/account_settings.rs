//! What an account is set to: its settings, its sign-in delegate groups, its message retention.

use super::{create_enterprise_account, get_account, members_for};
use crate::harness::{Client, Server};
use campanile::clock::Timestamp;
use serde_json::{Value, json};

const DAY_MILLISECONDS: i64 = 24 * 60 * 60 * 1000;

#[test]
fn settings_are_off_and_change_one_by_one() {
    let server = Server::start();
    let client = server.client();
    let account_id = client.create_account("a");
    let answer = client.call("GetAccountSettings", json!({"AccountId": account_id}));
    let expected = r#"{"AccountSettings":{"DisableRemoteControl":false,"EnableDialOut":false}}"#;
    assert_eq!(answer.body, expected);
    for (change, remote, dial) in [
        (json!({"EnableDialOut": true}), false, true),
        (json!({"DisableRemoteControl": true}), true, true),
        (json!({"DisableRemoteControl": null}), true, true),
        (json!({}), true, true),
        (json!({"DisableRemoteControl": false, "EnableDialOut": false}), false, false),
    ] {
        let members = json!({"AccountId": account_id, "AccountSettings": change});
        let answer = client.call("UpdateAccountSettings", members);
        assert_eq!((answer.status, answer.body.as_str()), (204, ""));
        let settings = client.ok("GetAccountSettings", json!({"AccountId": account_id}));
        let expected = json!({"DisableRemoteControl": remote, "EnableDialOut": dial});
        assert_eq!(settings["AccountSettings"], expected);
    }
    let (exception, message) =
        client.error("UpdateAccountSettings", json!({"AccountId": account_id}));
    assert_eq!(exception, "BadRequestException");
    assert!(message.contains("'AccountSettings'"), "{message}");
}

fn associate(client: &Client, account_id: &str, names: &[&str]) {
    let groups: Vec<_> = names.iter().map(|name| json!({"GroupName": name})).collect();
    let members = json!({"AccountId": account_id, "SigninDelegateGroups": groups});
    let answer = client.call("AssociateSigninDelegateGroupsWithAccount", members);
    assert_eq!((answer.status, answer.body.as_str()), (200, "{}"));
    assert_eq!(answer.header("content-length"), Some("2"), "the recorded length");
}

fn groups(client: &Client, account_id: &str) -> Vec<String> {
    let account = get_account(client, account_id);
    let listed = client.ok("ListAccounts", json!({}));
    let listed = listed["Accounts"].as_array().unwrap().iter();
    assert!(listed.filter(|it| it["AccountId"] == *account_id).all(|it| *it == account));
    let groups = account["SigninDelegateGroups"].as_array().unwrap().iter();
    groups.map(|group| group["GroupName"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn delegate_groups_keep_their_order_and_are_not_doubled() {
    let server = Server::start();
    let client = server.client();
    let account_id = client.create_account("a");
    associate(&client, &account_id, &["b", "a", "b"]);
    assert_eq!(groups(&client, &account_id), ["b", "a"]);
    associate(&client, &account_id, &["c", "a", "B"]);
    assert_eq!(groups(&client, &account_id), ["b", "a", "c", "B"]);
    associate(&client, &account_id, &[]);
    // The model does not ask for the name of a group: there is none in it.
    let nameless = json!({"AccountId": account_id, "SigninDelegateGroups": [{}]});
    client.ok("AssociateSigninDelegateGroupsWithAccount", nameless);
    assert_eq!(groups(&client, &account_id), ["b", "a", "c", "B"]);

    let members = json!({"AccountId": account_id, "GroupNames": ["a", "B", "a"]});
    let answer = client.call("DisassociateSigninDelegateGroupsFromAccount", members);
    assert_eq!((answer.status, answer.body.as_str()), (200, "{}"));
    assert_eq!(groups(&client, &account_id), ["b", "c"]);
}

#[test]
fn an_unknown_group_is_not_found_and_none_is_taken_away() {
    let server = Server::start();
    let client = server.client();
    let account_id = client.create_account("a");
    associate(&client, &account_id, &["a", "b"]);
    let members = json!({"AccountId": account_id, "GroupNames": ["a", "A"]});
    let (exception, message) = client.error("DisassociateSigninDelegateGroupsFromAccount", members);
    assert_eq!(exception, "NotFoundException");
    let expected = format!("Sign-in delegate group 'A' not found in account {account_id}");
    assert_eq!(message, expected);
    assert_eq!(groups(&client, &account_id), ["a", "b"]);
    let members = json!({"AccountId": account_id, "GroupNames": []});
    let (exception, message) = client.error("DisassociateSigninDelegateGroupsFromAccount", members);
    assert_eq!(exception, "BadRequestException");
    assert!(message.contains("'GroupNames'"), "{message}");
}

#[test]
fn an_account_has_a_hundred_delegate_groups_at_the_most() {
    let server = Server::start();
    let client = server.client();
    let account_id = client.create_account("a");
    let names: Vec<_> = (0..100).map(|number| number.to_string()).collect();
    associate(&client, &account_id, &names.iter().map(String::as_str).collect::<Vec<_>>());
    associate(&client, &account_id, &["7"]);
    let one_more = json!([{"GroupName": "7"}, {"GroupName": "100"}]);
    let members = json!({"AccountId": account_id, "SigninDelegateGroups": one_more});
    let (exception, message) = client.error("AssociateSigninDelegateGroupsWithAccount", members);
    assert_eq!(exception, "BadRequestException");
    assert!(
        message.contains("'SigninDelegateGroups'") && message.contains("would have 101"),
        "{message}"
    );
    assert_eq!(groups(&client, &account_id), names);
}

fn put_retention(client: &Client, account_id: &str, rooms: Value, conversations: Value) {
    let settings =
        json!({"RoomRetentionSettings": rooms, "ConversationRetentionSettings": conversations});
    let members = json!({"AccountId": account_id, "RetentionSettings": settings});
    let answer = client.call("PutRetentionSettings", members);
    // The model has members in the answer, and HTTP no body with this status.
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
}

#[test]
fn messages_are_kept_for_ever_until_days_are_set() {
    let server = Server::start();
    let client = server.client();
    let account_id = create_enterprise_account(&client, "example.com");
    let get = || client.ok("GetRetentionSettings", json!({"AccountId": account_id}));
    let off = concat!(
        r#"{"InitiateDeletionTimestamp":null,"RetentionSettings":"#,
        r#"{"ConversationRetentionSettings":null,"RoomRetentionSettings":null}}"#
    );
    let answer = client.call("GetRetentionSettings", json!({"AccountId": account_id}));
    assert_eq!(answer.body, off);

    let now = client.clock.clock().now();
    put_retention(
        &client,
        &account_id,
        json!({"RetentionDays": 5475}),
        json!({"RetentionDays": 1}),
    );
    let first = get();
    let settings = json!({
        "ConversationRetentionSettings": {"RetentionDays": 1},
        "RoomRetentionSettings": {"RetentionDays": 5475},
    });
    assert_eq!(first["RetentionSettings"], settings);
    let deletion: Timestamp =
        serde_json::from_value(first["InitiateDeletionTimestamp"].clone()).unwrap();
    let begin = now.plus(30 * DAY_MILLISECONDS);
    assert!((begin..begin.plus(60_000)).contains(&deletion), "30 days later: {deletion}");

    // What changes nothing does not put it off, and what changes something does.
    server.move_time(DAY_MILLISECONDS);
    put_retention(
        &client,
        &account_id,
        json!({"RetentionDays": 5475}),
        json!({"RetentionDays": 1}),
    );
    assert_eq!(get(), first);
    put_retention(&client, &account_id, json!({"RetentionDays": 5475}), json!({}));
    let second = get();
    assert!(
        second["InitiateDeletionTimestamp"].as_str() > first["InitiateDeletionTimestamp"].as_str()
    );
    assert_eq!(second["RetentionSettings"]["ConversationRetentionSettings"], json!(null));

    put_retention(&client, &account_id, json!(null), json!(null));
    let answer = client.call("GetRetentionSettings", json!({"AccountId": account_id}));
    assert_eq!(answer.body, off);
}

#[test]
fn retention_lasts_from_a_day_to_fifteen_years() {
    let server = Server::start();
    let client = server.client();
    let account_id = create_enterprise_account(&client, "example.com");
    for days in [json!(0), json!(5476), json!(-1), json!(1.5), json!("1")] {
        let settings = json!({"RoomRetentionSettings": {"RetentionDays": days}});
        let members = json!({"AccountId": account_id, "RetentionSettings": settings});
        let (exception, message) = client.error("PutRetentionSettings", members);
        assert_eq!(exception, "BadRequestException", "{days}");
        let member = "'RetentionSettings.RoomRetentionSettings.RetentionDays'";
        assert!(message.contains(member), "{message}");
    }
}

#[test]
fn team_accounts_have_no_retention() {
    let server = Server::start();
    let client = server.client();
    let account_id = client.create_account("team");
    for (operation, members) in [
        ("GetRetentionSettings", json!({"AccountId": account_id})),
        ("PutRetentionSettings", json!({"AccountId": account_id, "RetentionSettings": {}})),
    ] {
        let (exception, message) = client.error(operation, members);
        assert_eq!(exception, "BadRequestException");
        let expected =
            format!("Account {account_id} is of type Team; this needs an Enterprise account");
        assert_eq!(message, expected);
    }
    // With the last domain retention goes, too.
    client.ok("ClaimDomain", json!({"AccountId": account_id, "DomainName": "example.com"}));
    put_retention(&client, &account_id, json!({"RetentionDays": 7}), json!(null));
    client.ok("ReleaseDomain", json!({"AccountId": account_id, "DomainName": "example.com"}));
    client.ok("ClaimDomain", json!({"AccountId": account_id, "DomainName": "example.com"}));
    let retention = client.ok("GetRetentionSettings", json!({"AccountId": account_id}));
    assert_eq!(retention["RetentionSettings"]["RoomRetentionSettings"], json!(null));
    assert_eq!(retention["InitiateDeletionTimestamp"], json!(null));
}

#[test]
fn settings_of_an_account_that_is_not_there_are_not_found() {
    let server = Server::start();
    let mine = server.client();
    let account_id = mine.create_account("a");
    let theirs = server.client_of("444455556666");
    let change = json!({
        "AccountSettings": {},
        "GroupNames": ["a"],
        "RetentionSettings": {},
        "SigninDelegateGroups": [],
    });
    for operation in [
        "GetAccountSettings",
        "UpdateAccountSettings",
        "AssociateSigninDelegateGroupsWithAccount",
        "DisassociateSigninDelegateGroupsFromAccount",
        "GetRetentionSettings",
        "PutRetentionSettings",
    ] {
        for (client, id) in [(&mine, "nowhere"), (&theirs, account_id.as_str())] {
            let mut members = members_for(operation, &change);
            members["AccountId"] = json!(id);
            let (exception, message) = client.error(operation, members);
            assert_eq!(exception, "NotFoundException", "{operation}");
            assert_eq!(message, format!("Account {id} not found"));
        }
    }
}
