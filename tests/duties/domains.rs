//! The verification of domains by a DNS record that their owner publishes.

use super::eventually;
use crate::harness::dns::DnsPeer;
use crate::harness::{Client, Options, Server};
use serde_json::{Value, json};

const DOMAIN: &str = "example.com";
const MINUTE: i64 = 60 * 1000;
const HOUR: i64 = 60 * MINUTE;

fn start(peer: &DnsPeer) -> Server {
    Server::start_with(options(peer, 0), |_| Ok(()))
}

fn options(peer: &DnsPeer, ahead: i64) -> Options {
    Options { dns_server: Some(peer.address), ahead, ..Options::default() }
}

/// Claims a domain, and returns the value of the record that is asked for.
fn claim(client: &Client, account_id: &str, domain: &str) -> String {
    let claimed = client.ok("ClaimDomain", json!({"AccountId": account_id, "DomainName": domain}));
    let domain_claimed = &claimed["Domain"];
    assert_eq!(domain_claimed["DomainStatus"], "PendingVerification", "{claimed}");
    assert_eq!(domain_claimed["VerifiedTimestamp"], Value::Null, "{claimed}");
    let record = &domain_claimed["VerificationRecord"];
    assert_eq!((&record["Name"], &record["Type"]), (&json!(domain), &json!("TXT")), "{claimed}");
    record["Value"].as_str().unwrap().to_owned()
}

fn status(client: &Client, account_id: &str, domain: &str) -> String {
    let listed = client.ok("ListDomains", json!({"AccountId": account_id}));
    let mut domains = listed["Domains"].as_array().unwrap().iter();
    let found = domains.find(|it| it["DomainName"] == domain).unwrap();
    found["DomainStatus"].as_str().unwrap().to_owned()
}

fn account_type(client: &Client, account_id: &str) -> Value {
    client.ok("GetAccount", json!({"AccountId": account_id}))["Account"]["AccountType"].clone()
}

#[test]
fn a_claim_holds_once_the_record_is_published() {
    let peer = DnsPeer::start();
    let server = start(&peer);
    let client = server.client();
    let id = client.create_account("My");
    let value = claim(&client, &id, DOMAIN);
    assert_eq!(peer.asked(), DOMAIN, "it is asked at once");
    assert_eq!(status(&client, &id, DOMAIN), "PendingVerification");
    assert_eq!(account_type(&client, &id), "Team");

    // Others' records stand beside ours, and a long text is cut into pieces.
    peer.publish(DOMAIN, &["v=spf1 -all"]);
    let (start, end) = value.split_at(20);
    peer.publish(DOMAIN, &[start, end]);
    server.move_time(MINUTE);
    let client = server.client();
    eventually(|| status(&client, &id, DOMAIN) == "Verified");
    assert_eq!(account_type(&client, &id), "EnterpriseLWA");
    let listed = client.ok("ListDomains", json!({"AccountId": id}));
    assert!(listed["Domains"][0]["VerifiedTimestamp"].is_string(), "{listed}");
    // What is verified is asked for no more.
    assert_eq!(peer.asked(), DOMAIN);
    server.move_time(HOUR);
    claim(&server.client(), &id, "example.org");
    assert_eq!(peer.asked(), "example.org");
    peer.assert_no_more();
}

#[test]
fn other_values_show_nothing() {
    let peer = DnsPeer::start();
    let server = start(&peer);
    let client = server.client();
    let id = client.create_account("My");
    let value = claim(&client, &id, DOMAIN);
    peer.asked();
    peer.publish(DOMAIN, &[&value[..value.len() - 1]]);
    peer.publish(DOMAIN, &[&value, "x"]);
    peer.publish(DOMAIN, &[&value.to_uppercase()]);
    peer.publish("www.example.com", &[&value]);
    server.move_time(MINUTE);
    assert_eq!(peer.asked(), DOMAIN);
    // The next round begins when this one is over.
    server.move_time(MINUTE);
    assert_eq!(peer.asked(), DOMAIN);
    assert_eq!(status(&server.client(), &id, DOMAIN), "PendingVerification");
}

#[test]
fn of_two_accounts_the_one_that_the_owner_names_gets_the_domain() {
    let peer = DnsPeer::start();
    let server = start(&peer);
    let client = server.client();
    let other_client = server.client_of("444455556666");
    let (id, other) = (client.create_account("My"), other_client.create_account("Other"));
    let value = claim(&client, &id, DOMAIN);
    assert_ne!(claim(&other_client, &other, DOMAIN), value);
    peer.publish(DOMAIN, &[&value]);
    server.move_time(MINUTE);
    let client = server.client();
    eventually(|| status(&client, &id, DOMAIN) == "Verified");
    assert_eq!(account_type(&client, &id), "EnterpriseLWA");
    let other_client = Client { clock: client.clock, ..other_client };
    assert_eq!(status(&other_client, &other, DOMAIN), "PendingVerification");
    assert_eq!(account_type(&other_client, &other), "Team");
    let third = other_client.create_account("Third");
    let members = json!({"AccountId": third, "DomainName": DOMAIN});
    assert_eq!(other_client.error("ClaimDomain", members).0, "ConflictException");
}

#[test]
fn a_claim_is_looked_up_less_and_less_and_at_once_when_it_is_repeated() {
    let peer = DnsPeer::start();
    let server = start(&peer);
    let id = server.client().create_account("My");
    let value = claim(&server.client(), &id, DOMAIN);
    peer.asked();
    // At the ages of 1, 2, 4, … minutes, and then every four hours.
    let mut age = 0;
    for minutes in [1, 2, 4, 8, 16, 32, 64, 128, 256, 496, 736, 976] {
        // A round in between, called by another claim, leaves it out.
        if minutes - age > 1 {
            server.move_time((minutes - age - 1) * MINUTE);
            let other = server.client().create_account("Other");
            let domain = format!("at-{minutes}.example.org");
            claim(&server.client(), &other, &domain);
            assert_eq!(peer.asked(), domain);
            server.client().ok("ReleaseDomain", json!({"AccountId": other, "DomainName": domain}));
            age = minutes - 1;
            peer.assert_no_more();
        }
        server.move_time((minutes - age) * MINUTE);
        assert_eq!(peer.asked(), DOMAIN);
        age = minutes;
    }
    peer.publish(DOMAIN, &[&value]);
    assert_eq!(claim(&server.client(), &id, DOMAIN), value, "the record stays as it was");
    eventually(|| status(&server.client(), &id, DOMAIN) == "Verified");
    let again = server.client().ok("ClaimDomain", json!({"AccountId": id, "DomainName": DOMAIN}));
    assert_eq!(again["Domain"]["DomainStatus"], "Verified");
}

#[test]
fn a_domain_that_cannot_be_asked_about_keeps_no_other_back() {
    let peer = DnsPeer::start();
    peer.fail("broken.example");
    let server = start(&peer);
    let client = server.client();
    let id = client.create_account("My");
    let broken = claim(&client, &id, "broken.example");
    let value = claim(&client, &id, DOMAIN);
    peer.publish(DOMAIN, &[&value]);
    server.move_time(MINUTE);
    let client = server.client();
    eventually(|| status(&client, &id, DOMAIN) == "Verified");
    assert_eq!(status(&client, &id, "broken.example"), "PendingVerification");
    claim(&client, &id, "broken.example");
    assert!(!broken.is_empty());
}

#[test]
fn a_claim_waits_for_a_suspended_account() {
    let peer = DnsPeer::start();
    let server = start(&peer);
    let client = server.client();
    let id = client.create_account("My");
    let value = claim(&client, &id, DOMAIN);
    peer.asked();
    peer.publish(DOMAIN, &[&value]);
    client.ok("SuspendAccount", json!({"AccountId": id}));
    server.move_time(MINUTE);
    assert_eq!(peer.asked(), DOMAIN);
    server.move_time(MINUTE);
    assert_eq!(peer.asked(), DOMAIN, "the round of before is over");
    let client = server.client();
    assert_eq!(status(&client, &id, DOMAIN), "PendingVerification");
    assert_eq!(account_type(&client, &id), "Team");
    client.ok("ActivateAccount", json!({"AccountId": id}));
    server.move_time(2 * MINUTE);
    let client = server.client();
    eventually(|| status(&client, &id, DOMAIN) == "Verified");
}

#[test]
fn claims_that_wait_are_looked_up_at_the_start() {
    let peer = DnsPeer::start();
    let server = start(&peer);
    if !server.is_durable() {
        return;
    }
    let client = server.client();
    let id = client.create_account("My");
    let value = claim(&client, &id, DOMAIN);
    peer.asked();
    peer.publish(DOMAIN, &[&value]);
    let server = server.restart_with(options(&peer, 0));
    let client = server.client();
    eventually(|| status(&client, &id, DOMAIN) == "Verified");
}

#[test]
fn without_verification_a_claim_holds_at_once() {
    let server = Server::start();
    let client = server.client();
    let id = client.create_account("My");
    let claimed = client.ok("ClaimDomain", json!({"AccountId": id, "DomainName": DOMAIN}));
    assert_eq!(claimed["Domain"]["DomainStatus"], "Verified", "{claimed}");
    assert_eq!(claimed["Domain"]["VerificationRecord"], Value::Null, "{claimed}");
}
