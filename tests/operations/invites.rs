//! An invite where no mail goes out: its link is to be had all the same.

use crate::harness::{Client, Options, Server, exchange};
use serde_json::{Value, json};

const EMAIL: &str = "jane.doe@example.com";

fn invite(client: &Client, account_id: &str) -> (Value, String) {
    let members = json!({"AccountId": account_id, "UserEmailList": [EMAIL]});
    let invite = client.ok("InviteUsers", members)["Invites"][0].clone();
    let users = client.ok("ListUsers", json!({"AccountId": account_id, "UserEmail": EMAIL}));
    (invite, users["Users"][0]["UserId"].as_str().unwrap().to_owned())
}

#[test]
fn an_invites_link_can_be_brought_to_the_person_without_mail() {
    let server = Server::start();
    let client = server.client();
    let account_id = client.create_account("a");
    let (invite, user_id) = invite(&client, &account_id);
    let members = json!({"AccountId": account_id, "UserId": user_id});
    let found = client.ok("GetInvite", members.clone());
    assert_eq!(found["Invite"], invite);
    assert_eq!((&invite["Status"], &invite["EmailStatus"]), (&json!("Pending"), &json!("NotSent")));

    let url = found["Url"].as_str().unwrap().to_owned();
    let path = url.strip_prefix(&format!("http://{}", server.address)).unwrap();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: 17\r\n\r\ndisplay_name=Jane",
        server.address
    );
    assert_eq!(exchange(server.address, request.as_bytes()).status, 303);
    let user = client.ok("GetUser", members.clone())["User"].clone();
    assert_eq!(
        (&user["UserRegistrationStatus"], &user["DisplayName"]),
        (&json!("Registered"), &json!("Jane"))
    );
    let afterwards = client.ok("GetInvite", members);
    assert_eq!(
        (&afterwards["Url"], &afterwards["Invite"]["Status"]),
        (&json!(null), &json!("Accepted"))
    );
    assert_eq!(afterwards["Invite"]["InviteId"], invite["InviteId"]);
}

#[test]
fn the_link_is_on_the_public_url_and_ends_after_30_days() {
    let public_url = Some("https://chime.example.com");
    let server = Server::start_with(Options { public_url, ..Options::default() }, |_| Ok(()));
    let account_id = server.client().create_account("a");
    let (_, user_id) = invite(&server.client(), &account_id);
    let members = json!({"AccountId": account_id, "UserId": user_id});
    let url = server.client().ok("GetInvite", members.clone())["Url"].clone();
    assert!(url.as_str().unwrap().starts_with("https://chime.example.com/invites/"), "{url}");
    server.move_time(30 * 24 * 60 * 60 * 1000);
    assert_eq!(server.client().ok("GetInvite", members.clone())["Url"], json!(null));
    invite(&server.client(), &account_id);
    assert_eq!(
        server.client().ok("GetInvite", members)["Url"],
        url,
        "invited again, the link is the same"
    );
}

#[test]
fn who_was_not_invited_has_no_invite() {
    let server = Server::start();
    let client = server.client();
    let account_id = client.create_account("a");
    let device = json!({"AccountId": account_id, "Email": EMAIL, "UserType": "SharedDevice"});
    let user_id = client.ok("CreateUser", device)["User"]["UserId"].clone();
    for (user_id, said) in
        [(user_id, "was not invited"), (json!("nobody"), "User nobody not found")]
    {
        let members = json!({"AccountId": account_id, "UserId": user_id});
        let (exception, message) = client.error("GetInvite", members);
        assert_eq!(exception, "NotFoundException");
        assert!(message.contains(said), "{message}");
    }
}
