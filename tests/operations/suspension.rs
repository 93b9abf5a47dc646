//! `BatchSuspendUser` and `BatchUnsuspendUser`: what they do depends on the type of the account.

use super::{
    create_enterprise_account, create_provided_accounts, create_user, get_user, invite_user,
    user_errors, walk,
};
use crate::harness::{Client, Server};
use serde_json::{Value, json};

fn batch(client: &Client, operation: &str, account_id: &str, ids: &[&str]) -> Value {
    client.ok(operation, json!({"AccountId": account_id, "UserIdList": ids}))
}

fn status(client: &Client, account_id: &str, user_id: &str) -> Value {
    get_user(client, account_id, user_id)["UserRegistrationStatus"].clone()
}

#[test]
fn a_suspended_user_leaves_its_team_and_its_address_is_free() {
    let server = Server::start();
    let client = server.client();
    let (account_id, other) = (client.create_account("a"), client.create_account("other"));
    let user_id = invite_user(&client, &account_id, "jane@example.com");
    let stays = invite_user(&client, &account_id, "joe@example.com");
    let members = json!({"AccountId": account_id, "UserIdList": [user_id]});
    let answer = client.call("BatchSuspendUser", members);
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"UserErrors":[]}"#));
    assert_eq!(answer.header("content-length"), Some("17"), "the recorded length");
    let gone = client.error("GetUser", json!({"AccountId": account_id, "UserId": user_id}));
    assert_eq!(gone, ("NotFoundException".to_owned(), format!("User {user_id} not found")));
    assert_eq!(
        walk(&client, "ListUsers", json!({"AccountId": account_id}), "UserId"),
        [stays.as_str()]
    );
    let found = client.ok("ListAccounts", json!({"UserEmail": "jane@example.com"}));
    assert_eq!(found["Accounts"], json!([]));
    assert_ne!(invite_user(&client, &other, "Jane@example.com"), user_id, "somebody new");
}

#[test]
fn a_suspended_user_of_an_enterprise_account_stays_and_comes_back() {
    let server = Server::start();
    let client = server.client();
    let account_id = create_enterprise_account(&client, "example.com");
    let [jane, joe] = ["jane@example.com", "joe@example.com"]
        .map(|email| create_user(&client, &account_id, email));
    let before = get_user(&client, &account_id, &jane);
    // Twice: who is suspended stays so.
    for _ in 0..2 {
        assert_eq!(
            batch(&client, "BatchSuspendUser", &account_id, &[&jane]),
            json!({"UserErrors": []})
        );
        let mut suspended = before.clone();
        suspended["UserRegistrationStatus"] = json!("Suspended");
        assert_eq!(get_user(&client, &account_id, &jane), suspended);
    }
    let members = json!({"AccountId": account_id, "Email": "JANE@example.com"});
    assert_eq!(client.error("CreateUser", members).0, "ConflictException", "it keeps its address");
    // Who is not suspended is ignored.
    let back = batch(&client, "BatchUnsuspendUser", &account_id, &[&jane, &joe]);
    assert_eq!(back, json!({"UserErrors": []}));
    assert_eq!(get_user(&client, &account_id, &jane), before);
    assert_eq!(status(&client, &account_id, &joe), "Registered");
}

#[test]
fn who_never_registered_comes_back_as_it_was() {
    let server = Server::start();
    let client = server.client();
    let account_id = client.create_account("a");
    let user_id = invite_user(&client, &account_id, "jane@example.com");
    client.ok("ClaimDomain", json!({"AccountId": account_id, "DomainName": "example.com"}));
    batch(&client, "BatchSuspendUser", &account_id, &[&user_id]);
    assert_eq!(status(&client, &account_id, &user_id), "Suspended");
    batch(&client, "BatchUnsuspendUser", &account_id, &[&user_id]);
    assert_eq!(status(&client, &account_id, &user_id), "Unregistered");
}

#[test]
fn directories_and_open_id_providers_suspend_their_own() {
    let server = Server::start();
    let client = server.client();
    for (account_id, user_id, account_type) in create_provided_accounts(&client) {
        for (operation, needed) in [
            ("BatchSuspendUser", "a Team or an EnterpriseLWA"),
            ("BatchUnsuspendUser", "an EnterpriseLWA"),
        ] {
            let answer = batch(&client, operation, &account_id, &[&user_id, "nobody"]);
            assert_eq!(user_errors(&answer), [["BadRequest", &user_id], ["NotFound", "nobody"]]);
            let expected = format!(
                "Account {account_id} is of type {account_type}; this needs {needed} account"
            );
            assert_eq!(answer["UserErrors"][0]["ErrorMessage"], expected);
            assert_eq!(status(&client, &account_id, &user_id), "Registered");
        }
    }
}

#[test]
fn nobody_of_a_team_is_let_in_again() {
    let server = Server::start();
    let client = server.client();
    let account_id = client.create_account("a");
    let user_id = invite_user(&client, &account_id, "jane@example.com");
    let answer = batch(&client, "BatchUnsuspendUser", &account_id, &[&user_id]);
    assert_eq!(user_errors(&answer), [["BadRequest", &user_id]]);
    let message = answer["UserErrors"][0]["ErrorMessage"].as_str().unwrap();
    assert!(message.contains("of type Team; this needs an EnterpriseLWA account"), "{message}");
}

#[test]
fn a_batch_tells_who_failed_in_the_order_of_the_request_and_suspends_the_others() {
    let server = Server::start();
    let client = server.client();
    let account_id = client.create_account("a");
    let [first, second, third] = ["a@example.com", "b@example.com", "c@example.com"]
        .map(|email| invite_user(&client, &account_id, email));
    // Who is named twice is suspended once, and who fails twice fails once.
    let ids = ["z", &second, "y", &first, &second, "z", "y"];
    let answer = batch(&client, "BatchSuspendUser", &account_id, &ids);
    assert_eq!(user_errors(&answer), [["NotFound", "z"], ["NotFound", "y"]]);
    assert_eq!(answer["UserErrors"][0]["ErrorMessage"], "User z not found");
    assert_eq!(
        walk(&client, "ListUsers", json!({"AccountId": account_id}), "UserId"),
        [third.as_str()]
    );
}

#[test]
fn fifty_users_are_suspended_at_once_and_not_one_more() {
    let server = Server::start();
    let client = server.client();
    let account_id = client.create_account("a");
    for half in 0..2 {
        let emails: Vec<_> = (0..26).map(|number| format!("{half}-{number}@example.com")).collect();
        client.ok("InviteUsers", json!({"AccountId": account_id, "UserEmailList": emails}));
    }
    let users = || walk(&client, "ListUsers", json!({"AccountId": account_id}), "UserId");
    let ids = users();
    for operation in ["BatchSuspendUser", "BatchUnsuspendUser"] {
        let members = json!({"AccountId": account_id, "UserIdList": ids[..51]});
        let (exception, message) = client.error(operation, members);
        assert_eq!(exception, "BadRequestException");
        assert!(message.contains("'UserIdList'") && message.contains("(it has 51)"), "{message}");
    }
    assert_eq!(users().len(), 52);
    let members = json!({"AccountId": account_id, "UserIdList": ids[..50]});
    assert_eq!(client.ok("BatchSuspendUser", members), json!({"UserErrors": []}));
    assert_eq!(users(), ids[50..]);
}

#[test]
fn an_account_that_is_not_there_fails_the_whole_batch() {
    let server = Server::start();
    let client = server.client();
    for operation in ["BatchSuspendUser", "BatchUnsuspendUser"] {
        let members = json!({"AccountId": "nowhere", "UserIdList": ["a"]});
        let (exception, message) = client.error(operation, members);
        assert_eq!(exception, "NotFoundException");
        assert_eq!(message, "Account nowhere not found");
    }
}

#[test]
fn who_was_suspended_with_the_last_domain_returns_by_an_invite_as_somebody_new() {
    let server = Server::start();
    let client = server.client();
    let account_id = create_enterprise_account(&client, "example.com");
    let user_id = create_user(&client, &account_id, "jane@example.com");
    let license = json!({"AccountId": account_id, "UserId": user_id, "LicenseType": "Basic"});
    client.ok("UpdateUser", license);
    client.ok("ReleaseDomain", json!({"AccountId": account_id, "DomainName": "example.com"}));
    assert_eq!(status(&client, &account_id, &user_id), "Suspended");

    assert_eq!(invite_user(&client, &account_id, "JANE@example.com"), user_id);
    let user = get_user(&client, &account_id, &user_id);
    assert_eq!(user["UserRegistrationStatus"], "Unregistered");
    assert_eq!(user["UserInvitationStatus"], "Pending");
    assert_eq!((&user["RegisteredOn"], &user["PersonalPIN"]), (&json!(null), &json!(null)));
    assert_eq!(
        (&user["PrimaryEmail"], &user["LicenseType"]),
        (&json!("jane@example.com"), &json!("Basic"))
    );
}

#[test]
fn who_was_suspended_with_the_last_domain_is_let_in_again_under_another() {
    let server = Server::start();
    let client = server.client();
    let account_id = create_enterprise_account(&client, "example.com");
    let [jane, joe] = ["jane@example.com", "joe@example.com"]
        .map(|email| create_user(&client, &account_id, email));
    client.ok("ReleaseDomain", json!({"AccountId": account_id, "DomainName": "example.com"}));
    client.ok("ClaimDomain", json!({"AccountId": account_id, "DomainName": "example.org"}));
    let new = create_user(&client, &account_id, "new@example.com");
    for (user_id, expected) in [(&jane, "Suspended"), (&joe, "Suspended"), (&new, "Registered")] {
        assert_eq!(status(&client, &account_id, user_id), expected);
    }
    batch(&client, "BatchUnsuspendUser", &account_id, &[&jane]);
    assert_eq!(status(&client, &account_id, &jane), "Registered");
    assert_eq!(status(&client, &account_id, &joe), "Suspended");
    batch(&client, "BatchSuspendUser", &account_id, &[&jane]);
    assert_eq!(status(&client, &account_id, &jane), "Suspended");
}
