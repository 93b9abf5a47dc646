//! The mail of `InviteUsers`: what it says, when it is sent again, and what is told of it.

use super::{DAY, eventually};
use crate::harness::smtp::{Manner, SmtpPeer};
use crate::harness::{Client, Options, Server, kept};
use serde_json::{Value, json};

const EMAIL: &str = "jane.doe@example.com";
const MINUTE: i64 = 60 * 1000;
const HOUR: i64 = 60 * MINUTE;

fn invite_all(client: &Client, account_id: &str, emails: &[&str]) -> Vec<Value> {
    let members = json!({"AccountId": account_id, "UserEmailList": emails});
    client.ok("InviteUsers", members)["Invites"].as_array().unwrap().clone()
}

fn invite(client: &Client, account_id: &str) -> Value {
    invite_all(client, account_id, &[EMAIL]).remove(0)
}

fn user(client: &Client, account_id: &str) -> Value {
    client.ok("ListUsers", json!({"AccountId": account_id}))["Users"][0].clone()
}

#[test]
fn an_invite_is_sent_with_its_link_in_plain_text_and_html() {
    let peer = SmtpPeer::start();
    let options = Options {
        smtp_url: Some(peer.url().replace("smtp://", "smtp://chime:kept%20secret%20S8vQ@")),
        public_url: Some("https://chime.example.com/"),
        ..Options::default()
    };
    kept::note_secret("SmtpPassword", "kept secret S8vQ");
    let server = Server::start_with(options, |_| Ok(()));
    let client = server.client();
    let id = client.create_account("Zoë & <Söhne>");
    let invite = invite(&client, &id);
    assert_eq!(invite["EmailStatus"], "Sent", "{invite}");
    assert_eq!(invite["Status"], "Pending", "{invite}");
    let letter = peer.take();
    assert_eq!(letter.to, EMAIL);
    // NUL, the name, NUL, the password: in base64.
    assert_eq!(letter.authenticated.as_deref(), Some("AGNoaW1lAGtlcHQgc2VjcmV0IFM4dlE="));
    let text = &letter.text;
    for part in [
        "From: \"Amazon Chime\" <chime@example.net>",
        "To: jane.doe@example.com",
        "Auto-Submitted: auto-generated",
        "multipart/alternative",
        "text/plain; charset=utf-8",
        "text/html; charset=utf-8",
        "join Zoë & <Söhne>.",
        "<strong>Zoë &#38; &#60;Söhne&#62;</strong>",
        " UTC.",
    ] {
        assert!(text.contains(part), "no '{part}' in {text}");
    }
    let link = format!("https://chime.example.com{}", letter.link());
    assert!(text.contains(&format!("\n{link}\n")), "{text}");
    assert!(text.contains(&format!("href=\"{link}\"")), "{text}");
    peer.assert_no_more();
}

#[test]
fn without_a_mail_server_nothing_is_sent() {
    let server = Server::start();
    let client = server.client();
    let id = client.create_account("My");
    let invite = invite(&client, &id);
    assert_eq!((&invite["EmailStatus"], &invite["Status"]), (&json!("NotSent"), &json!("Pending")));
}

#[test]
fn one_address_gets_one_mail_however_often_a_request_names_it() {
    let peer = SmtpPeer::start();
    let server = Server::start_with_mail(&peer);
    let client = server.client();
    let id = client.create_account("My");
    let emails = [EMAIL, "JANE.DOE@example.com", "other@example.com", EMAIL];
    let invites = invite_all(&client, &id, &emails);
    assert!(invites.iter().all(|it| it["EmailStatus"] == "Sent"), "{invites:?}");
    assert_eq!(invites[0]["InviteId"], invites[3]["InviteId"]);
    let mut to = [peer.take().to, peer.take().to].map(|it| it.to_lowercase());
    to.sort();
    assert_eq!(to, [EMAIL, "other@example.com"]);
    peer.assert_no_more();
}

#[test]
fn fifty_people_are_invited_at_once() {
    let peer = SmtpPeer::start();
    let server = Server::start_with_mail(&peer);
    let client = server.client();
    let id = client.create_account("My");
    let emails: Vec<_> = (0..50).map(|person| format!("person-{person}@example.com")).collect();
    let emails: Vec<_> = emails.iter().map(String::as_str).collect();
    let invites = invite_all(&client, &id, &emails);
    assert!(invites.iter().all(|it| it["EmailStatus"] == "Sent"), "{invites:?}");
    let mut links: Vec<_> = (0..50).map(|_| peer.take().link()).collect();
    links.sort();
    links.dedup();
    assert_eq!(links.len(), 50);
}

#[test]
fn an_invite_that_is_repeated_is_sent_again_with_the_same_link() {
    let peer = SmtpPeer::start();
    let server = Server::start_with_mail(&peer);
    let client = server.client();
    let id = client.create_account("My");
    let first = invite(&client, &id);
    let second = invite(&client, &id);
    assert_eq!(first, second);
    assert_eq!(peer.take().link(), peer.take().link());
    peer.assert_no_more();
}

/// The pattern of an address lets more through than mail can be sent to.
#[test]
fn an_address_that_no_mail_can_be_sent_to_has_failed() {
    let peer = SmtpPeer::start();
    let server = Server::start_with_mail(&peer);
    let client = server.client();
    let id = client.create_account("My");
    let odd = ["a@b@c.example", "a@b.example\nBcc: c@d.example", "a b@c.example", "<a@b.example>"];
    let invites = invite_all(&client, &id, &[&odd[..], &[" jane.doe@example.com "]].concat());
    for (invite, odd) in invites.iter().zip(odd) {
        assert_eq!(
            (&invite["EmailStatus"], &invite["Status"]),
            (&json!("Failed"), &json!("Failed"))
        );
        assert_eq!(invite["EmailAddress"], odd);
    }
    assert_eq!(invites[4]["EmailStatus"], "Sent", "{invites:?}");
    assert_eq!(peer.take().to, EMAIL);
    peer.assert_no_more();
}

/// Whatever keeps a mail back for now, it is sent once that is over.
#[test]
fn a_mail_that_is_refused_for_now_is_sent_later() {
    for manner in [
        Manner::Refuse("451 4.3.0 <{}>: try again later"),
        Manner::Refuse("535 5.7.8 your password is wrong"),
        Manner::HangUp,
    ] {
        let peer = SmtpPeer::start();
        peer.set(manner);
        let server = Server::start_with_mail(&peer);
        let client = server.client();
        let id = client.create_account("My");
        let invite = invite(&client, &id);
        assert_eq!(invite["EmailStatus"], "NotSent", "{manner:?}: {invite}");
        assert_eq!(invite["Status"], "Pending", "{manner:?}: {invite}");
        peer.attempt();
        // Again refused, after the first delay and whatever chance adds to it.
        server.move_time(2 * MINUTE);
        peer.attempt();
        peer.assert_no_more();
        peer.set(Manner::Take);
        // A later request waits for all that is due, and with that for the refusal to be noted.
        invite_all(&server.client(), &id, &["other@example.com"]);
        assert_eq!(peer.take().to, "other@example.com");
        server.move_time(4 * MINUTE);
        assert_eq!(peer.take().to, EMAIL);
        server.move_time(HOUR);
        peer.assert_no_more();
    }
}

#[test]
fn a_mail_that_is_refused_for_good_has_failed() {
    let peer = SmtpPeer::start();
    peer.set(Manner::Refuse("550 5.1.1 <{}>: no such user here"));
    let server = Server::start_with_mail(&peer);
    let client = server.client();
    let id = client.create_account("My");
    let refused = invite(&client, &id);
    assert_eq!((&refused["EmailStatus"], &refused["Status"]), (&json!("Failed"), &json!("Failed")));
    assert_eq!(user(&client, &id)["UserInvitationStatus"], "Failed");
    // Somebody who can be reached after all is invited anew.
    peer.set(Manner::Take);
    let sent = invite(&client, &id);
    assert_eq!((&sent["EmailStatus"], &sent["Status"]), (&json!("Sent"), &json!("Pending")));
    assert_eq!(sent["InviteId"], refused["InviteId"]);
    assert_eq!(user(&client, &id)["UserInvitationStatus"], "Pending");
}

#[test]
fn a_mail_that_nobody_takes_for_two_days_has_failed() {
    let peer = SmtpPeer::start();
    peer.set(Manner::Refuse("452 4.2.2 <{}> is full"));
    let server = Server::start_with_mail(&peer);
    let client = server.client();
    let id = client.create_account("My");
    assert_eq!(invite(&client, &id)["EmailStatus"], "NotSent");
    assert_eq!(user(&client, &id)["UserInvitationStatus"], "Pending");
    server.move_time(2 * DAY);
    let client = server.client();
    eventually(|| user(&client, &id)["UserInvitationStatus"] == "Failed");
    peer.attempt();
    peer.attempt();
    // It is tried no more.
    server.move_time(DAY);
    peer.set(Manner::Take);
    invite_all(&server.client(), &id, &["other@example.com"]);
    assert_eq!(peer.take().to, "other@example.com");
    peer.assert_no_more();
}

#[test]
fn a_mail_waits_for_a_suspended_account_and_ends_with_its_user() {
    let peer = SmtpPeer::start();
    peer.set(Manner::Refuse("451 later"));
    let server = Server::start_with_mail(&peer);
    let client = server.client();
    let id = client.create_account("My");
    invite_all(&client, &id, &[EMAIL, "other@example.com"]);
    peer.attempt();
    peer.attempt();
    let users = client.ok("ListUsers", json!({"AccountId": id, "UserEmail": "other@example.com"}));
    let removed = json!({"AccountId": id, "UserIdList": [users["Users"][0]["UserId"]]});
    assert_eq!(client.ok("BatchSuspendUser", removed), json!({"UserErrors": []}));
    client.ok("SuspendAccount", json!({"AccountId": id}));
    peer.set(Manner::Take);
    server.move_time(5 * MINUTE);
    // What is due is looked at before the mail of an invite of a later request.
    let client = server.client();
    let another = client.create_account("Another");
    invite_all(&client, &another, &["third@example.com"]);
    assert_eq!(peer.take().to, "third@example.com");
    peer.assert_no_more();
    client.ok("ActivateAccount", json!({"AccountId": id}));
    server.move_time(HOUR);
    assert_eq!(peer.take().to, EMAIL);
    peer.assert_no_more();
}

#[test]
fn mail_that_waits_outlives_the_server() {
    let peer = SmtpPeer::start();
    peer.set(Manner::HangUp);
    let server = Server::start_with_mail(&peer);
    if !server.is_durable() {
        return;
    }
    let client = server.client();
    let id = client.create_account("My");
    assert_eq!(invite(&client, &id)["EmailStatus"], "NotSent");
    peer.set(Manner::Take);
    let options = Options { smtp_url: Some(peer.url()), ahead: 2 * MINUTE, ..Options::default() };
    let _server = server.restart_with(options);
    assert_eq!(peer.take().to, EMAIL);
}
