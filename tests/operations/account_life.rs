//! The life of an account: suspended and activated, deleted and restored.

use super::{
    create_enterprise_account, create_user, get_account, get_user, invite_user, members_for, walk,
};
use crate::harness::Server;
use campanile::operations::table;
use campanile::store::Access;
use serde_json::{Value, json};

const DAY_MILLISECONDS: i64 = 24 * 60 * 60 * 1000;

#[test]
fn a_suspended_account_is_read_activated_and_deleted_and_not_changed() {
    let server = Server::start();
    let client = server.client();
    let id = client.create_account("a");
    let user_id = invite_user(&client, &id, "jane@example.com");
    client.ok("ClaimDomain", json!({"AccountId": id, "DomainName": "example.com"}));
    let telephony = json!({"InboundCalling": true, "OutboundCalling": true, "SMS": true});
    let change = json!({
        "AccountId": id,
        "AccountSettings": {},
        "ClientId": "c",
        "DirectoryId": "d-1",
        "DomainName": "example.com",
        "GroupNames": ["a"],
        "Issuer": "https://id.example",
        "RetentionSettings": {},
        "SigninDelegateGroups": [],
        "SupportedLicenses": ["Pro"],
        "UpdateUserRequestItems": [],
        "UserEmailList": [],
        "UserId": user_id,
        "UserIdList": [],
        "UserSettings": {"Telephony": telephony},
    });
    let mut account = get_account(&client, &id);
    // Twice: what is suspended stays so.
    for _ in 0..2 {
        let suspended = client.ok("SuspendAccount", json!({"AccountId": id}));
        account["AccountStatus"] = json!("Suspended");
        assert_eq!(suspended, json!({"Account": account}));
    }
    let mut refused = 0;
    for operation in table().iter().filter(|it| it.uri.contains("{accountId}")) {
        let allowed = ["SuspendAccount", "ActivateAccount", "DeleteAccount", "RestoreAccount"];
        let members = members_for(operation.name, &change);
        if operation.access == Access::Read {
            client.ok(operation.name, members);
        } else if !allowed.contains(&operation.name) {
            let (exception, message) = client.error(operation.name, members);
            assert_eq!(exception, "ForbiddenException", "{}", operation.name);
            let expected = format!(
                "Account {id} is suspended: it can be read, activated and deleted, and not changed \
                 otherwise"
            );
            assert_eq!(message, expected);
            refused += 1;
        }
    }
    assert!(refused >= 20, "{refused}");
    assert_eq!(walk(&client, "ListAccounts", json!({}), "AccountStatus"), ["Suspended"]);
    let activated = client.ok("ActivateAccount", json!({"AccountId": id}));
    account["AccountStatus"] = json!("Active");
    assert_eq!(activated, json!({"Account": account}));
    assert_eq!(client.ok("ActivateAccount", json!({"AccountId": id})), activated);
    client.ok("UpdateAccount", json!({"AccountId": id, "Name": "b"}));
}

#[test]
fn a_suspended_account_is_deleted_and_comes_back_suspended() {
    let server = Server::start();
    let client = server.client();
    let id = client.create_account("a");
    client.ok("SuspendAccount", json!({"AccountId": id}));
    client.ok("DeleteAccount", json!({"AccountId": id}));
    let restored = client.ok("RestoreAccount", json!({"AccountId": id}));
    assert_eq!(restored["Account"]["AccountStatus"], "Suspended");
}

#[test]
fn a_team_is_deleted_once_all_its_users_are_suspended() {
    let server = Server::start();
    let client = server.client();
    let id = client.create_account("a");
    let user_id = invite_user(&client, &id, "jane@example.com");
    let (exception, message) = client.error("DeleteAccount", json!({"AccountId": id}));
    assert_eq!(exception, "UnprocessableEntityException");
    let expected = format!(
        "Account {id} has users who are not suspended. Suspend them with BatchSuspendUser first"
    );
    assert_eq!(message, expected);
    assert_eq!(get_account(&client, &id)["Name"], "a");
    client.ok("BatchSuspendUser", json!({"AccountId": id, "UserIdList": [user_id]}));
    client.ok("DeleteAccount", json!({"AccountId": id}));
}

#[test]
fn an_enterprise_account_is_deleted_once_its_domains_are_released() {
    let server = Server::start();
    let client = server.client();
    let id = create_enterprise_account(&client, "example.com");
    client.ok("ClaimDomain", json!({"AccountId": id, "DomainName": "example.org"}));
    let user_id = create_user(&client, &id, "jane@example.com");
    for domain in ["example.com", "example.org"] {
        let (exception, message) = client.error("DeleteAccount", json!({"AccountId": id}));
        assert_eq!(exception, "UnprocessableEntityException");
        let expected =
            format!("Account {id} has claimed domains. Release them with ReleaseDomain first");
        assert_eq!(message, expected);
        client.ok("ReleaseDomain", json!({"AccountId": id, "DomainName": domain}));
    }
    // That suspended its users, all at once: nothing is in the way.
    client.ok("DeleteAccount", json!({"AccountId": id}));
    client.ok("RestoreAccount", json!({"AccountId": id}));
    assert_eq!(get_user(&client, &id, &user_id)["UserRegistrationStatus"], "Suspended");
}

#[test]
fn a_deleted_account_is_listed_and_restored_with_all_that_it_had() {
    let server = Server::start();
    let client = server.client();
    let id = client.create_account("a");
    let groups = json!({"AccountId": id, "SigninDelegateGroups": [{"GroupName": "g"}]});
    client.ok("AssociateSigninDelegateGroupsWithAccount", groups);
    let account = get_account(&client, &id);
    client.ok("DeleteAccount", json!({"AccountId": id}));
    let listed = client.ok("ListDeletedAccounts", json!({}));
    let deleted = &listed["DeletedAccounts"][0];
    let times = ["DeletedTimestamp", "RestorableUntilTimestamp"].map(|it| &deleted[it]);
    let expected = json!({
        "DeletedAccounts": [{
            "Account": account,
            "DeletedTimestamp": times[0],
            "RestorableUntilTimestamp": times[1],
        }],
        "NextToken": null,
    });
    assert_eq!(listed, expected);
    let [deleted, until] =
        times.map(|it| serde_json::from_value::<campanile::clock::Timestamp>(it.clone()).unwrap());
    assert_eq!(deleted.plus(90 * DAY_MILLISECONDS), until);

    assert_eq!(client.ok("RestoreAccount", json!({"AccountId": id})), json!({"Account": account}));
    assert_eq!(get_account(&client, &id), account);
    assert_eq!(client.ok("ListDeletedAccounts", json!({}))["DeletedAccounts"], json!([]));
    assert_eq!(walk(&client, "ListAccounts", json!({}), "AccountId"), [id.as_str()]);
}

#[test]
fn deleted_accounts_are_listed_in_the_order_of_their_deletion() {
    let server = Server::start();
    let client = server.client();
    let ids: Vec<_> = ["a", "b", "c"].iter().map(|name| client.create_account(name)).collect();
    for index in [1, 2, 0] {
        server.move_time(1000);
        client.ok("DeleteAccount", json!({"AccountId": ids[index]}));
    }
    let order = json!([ids[1], ids[2], ids[0]]);
    for max in [1, 2, 3] {
        let accounts = walk(&client, "ListDeletedAccounts", json!({"MaxResults": max}), "Account");
        let found: Vec<_> = accounts.iter().map(|it| &it["AccountId"]).collect();
        assert_eq!(json!(found), order);
    }
    let page = client.ok("ListDeletedAccounts", json!({"MaxResults": 1}));
    let elsewhere = json!({"NextToken": page["NextToken"]});
    assert_eq!(client.error("ListAccounts", elsewhere.clone()).0, "BadRequestException");
    let theirs = server.client_of("444455556666");
    assert_eq!(theirs.ok("ListDeletedAccounts", json!({}))["DeletedAccounts"], json!([]));
    assert_eq!(theirs.error("ListDeletedAccounts", elsewhere).0, "BadRequestException");
}

#[test]
fn an_account_can_be_restored_for_ninety_days() {
    let server = Server::start();
    let client = server.client();
    let id = client.create_account("a");
    client.ok("DeleteAccount", json!({"AccountId": id}));
    server.move_time(90 * DAY_MILLISECONDS - 60_000);
    client.ok("RestoreAccount", json!({"AccountId": id}));
    client.ok("DeleteAccount", json!({"AccountId": id}));
    server.move_time(90 * DAY_MILLISECONDS);
    assert_eq!(client.ok("ListDeletedAccounts", json!({}))["DeletedAccounts"], json!([]));
    let (exception, message) = client.error("RestoreAccount", json!({"AccountId": id}));
    assert_eq!(exception, "NotFoundException");
    assert_eq!(message, format!("Account {id} not found"));
}

#[test]
fn only_what_is_deleted_is_restored() {
    let server = Server::start();
    let client = server.client();
    let id = client.create_account("a");
    let (exception, message) = client.error("RestoreAccount", json!({"AccountId": id}));
    assert_eq!(exception, "ConflictException");
    assert_eq!(message, format!("Account {id} is not deleted"));
    client.ok("DeleteAccount", json!({"AccountId": id}));
    let theirs = server.client_of("444455556666");
    for (client, id) in [(&client, "nowhere"), (&theirs, id.as_str())] {
        let (exception, message) = client.error("RestoreAccount", json!({"AccountId": id}));
        assert_eq!(exception, "NotFoundException");
        assert_eq!(message, format!("Account {id} not found"));
    }
    for operation in ["SuspendAccount", "ActivateAccount"] {
        let (exception, _) = client.error(operation, json!({"AccountId": id}));
        assert_eq!(exception, "NotFoundException", "{operation} of a deleted account");
    }
}

#[test]
fn a_deleted_account_keeps_the_addresses_of_its_users() {
    let server = Server::start();
    let client = server.client();
    let id = create_enterprise_account(&client, "example.com");
    create_user(&client, &id, "jane@example.com");
    client.ok("ReleaseDomain", json!({"AccountId": id, "DomainName": "example.com"}));
    client.ok("DeleteAccount", json!({"AccountId": id}));
    // It could be restored, with her.
    let other = client.create_account("other");
    let invited = client
        .ok("InviteUsers", json!({"AccountId": other, "UserEmailList": ["jane@example.com"]}));
    assert_eq!(invited["Invites"][0]["Status"], "Failed");
    let found = client.ok("ListAccounts", json!({"UserEmail": "jane@example.com"}));
    assert_eq!(found["Accounts"], json!([]) as Value);
}
