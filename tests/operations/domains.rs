//! The domains that accounts claim, where nobody asks for a DNS record.

use super::{create_enterprise_account, create_user, get_account, get_user, walk};
use crate::harness::{Client, Server};
use serde_json::{Value, json};

fn domain(account_id: &str, name: &str) -> Value {
    json!({"AccountId": account_id, "DomainName": name})
}

fn domains(client: &Client, account_id: &str) -> Vec<Value> {
    walk(client, "ListDomains", json!({"AccountId": account_id, "MaxResults": 1}), "DomainName")
}

#[test]
fn the_first_domain_makes_an_enterprise_account_of_a_team() {
    let server = Server::start();
    let client = server.client();
    let id = client.create_account("a");
    let answer = client.call("ClaimDomain", domain(&id, "example.com"));
    assert_eq!(answer.status, 201);
    let answer = answer.json();
    let claimed = &answer["Domain"]["ClaimedTimestamp"];
    let expected = json!({
        "AccountId": id,
        "ClaimedTimestamp": claimed,
        "DomainName": "example.com",
        "DomainStatus": "Verified",
        "VerificationRecord": null,
        "VerifiedTimestamp": claimed,
    });
    assert_eq!(answer["Domain"], expected);
    let account = get_account(&client, &id);
    assert_eq!(answer["Account"], account);
    assert_eq!(account["AccountType"], "EnterpriseLWA");
    let listed = client.ok("ListDomains", json!({"AccountId": id}));
    assert_eq!(listed, json!({"Domains": [expected], "NextToken": null}));
    // Again, and nothing changes.
    server.move_time(1000);
    assert_eq!(client.ok("ClaimDomain", domain(&id, "example.com")), answer);
}

#[test]
fn the_release_of_the_last_domain_makes_a_team_again_and_suspends_everybody() {
    let server = Server::start();
    let client = server.client();
    let id = create_enterprise_account(&client, "example.com");
    client.ok("ClaimDomain", domain(&id, "example.org"));
    let users = ["a@example.com", "b@example.com"].map(|email| create_user(&client, &id, email));
    let groups = json!([{"GroupId": "g", "License": "Pro"}]);
    client.ok("ConnectDirectory", json!({"AccountId": id, "DirectoryId": "d-1", "Groups": groups}));

    let account = client.ok("ReleaseDomain", domain(&id, "example.com"))["Account"].clone();
    assert_eq!(account["AccountType"], "EnterpriseDirectory", "one is left");
    assert_eq!(get_user(&client, &id, &users[0])["UserRegistrationStatus"], "Registered");

    let account = client.ok("ReleaseDomain", domain(&id, "example.org"))["Account"].clone();
    assert_eq!(account, get_account(&client, &id));
    assert_eq!(account["AccountType"], "Team");
    assert_eq!((&account["DirectoryId"], &account["Groups"]), (&json!(null), &json!([])));
    for user_id in &users {
        assert_eq!(get_user(&client, &id, user_id)["UserRegistrationStatus"], "Suspended");
    }
    let statuses = walk(&client, "ListUsers", json!({"AccountId": id}), "UserRegistrationStatus");
    assert_eq!(statuses, ["Suspended", "Suspended"]);
    assert!(domains(&client, &id).is_empty());
}

#[test]
fn a_domain_belongs_to_one_account_of_the_deployment() {
    let server = Server::start();
    let (client, theirs) = (server.client(), server.client_of("444455556666"));
    let id = create_enterprise_account(&client, "example.com");
    let other = client.create_account("other");
    let their_account = theirs.create_account("theirs");
    for (client, account_id) in [(&client, &other), (&theirs, &their_account)] {
        let (exception, message) = client.error("ClaimDomain", domain(account_id, "example.com"));
        assert_eq!(exception, "ConflictException");
        assert_eq!(message, "Domain example.com belongs to another account");
        assert_eq!(get_account(client, account_id)["AccountType"], "Team");
        assert!(domains(client, account_id).is_empty());
    }
    client.ok("ReleaseDomain", domain(&id, "example.com"));
    theirs.ok("ClaimDomain", domain(&their_account, "example.com"));
    // A part of a name is another name, and case makes none.
    let part = client.ok("ClaimDomain", domain(&other, "Mail.Example.COM"));
    assert_eq!(part["Domain"]["DomainName"], "mail.example.com");
    assert_eq!(client.error("ClaimDomain", domain(&id, "MAIL.example.com")).0, "ConflictException");
    client.ok("ReleaseDomain", domain(&other, "mail.EXAMPLE.com"));
}

#[test]
fn domains_are_listed_by_name() {
    let server = Server::start();
    let client = server.client();
    let id = client.create_account("a");
    for name in ["c.example", "a.example", "xn--bcher-kva.example", "b.example"] {
        client.ok("ClaimDomain", domain(&id, name));
    }
    let expected = ["a.example", "b.example", "c.example", "xn--bcher-kva.example"];
    assert_eq!(domains(&client, &id), expected);
    let page = client.ok("ListDomains", json!({"AccountId": id, "MaxResults": 3}));
    let other = client.create_account("other");
    let elsewhere = json!({"AccountId": other, "NextToken": page["NextToken"]});
    assert_eq!(client.error("ListDomains", elsewhere).0, "BadRequestException");
}

#[test]
fn a_domain_that_an_account_does_not_claim_is_not_found() {
    let server = Server::start();
    let client = server.client();
    let id = create_enterprise_account(&client, "example.com");
    let (exception, message) = client.error("ReleaseDomain", domain(&id, "example.org"));
    assert_eq!(exception, "NotFoundException");
    assert_eq!(message, format!("Domain example.org not found in account {id}"));
    let other = client.create_account("other");
    assert_eq!(client.error("ReleaseDomain", domain(&other, "example.com")).0, "NotFoundException");
    assert_eq!(domains(&client, &id), ["example.com"]);
    let theirs = server.client_of("444455556666");
    for operation in ["ClaimDomain", "ReleaseDomain", "ListDomains"] {
        let (exception, message) = theirs.error(operation, domain(&id, "example.com"));
        assert_eq!(exception, "NotFoundException", "{operation}");
        assert_eq!(message, format!("Account {id} not found"));
    }
}

#[test]
fn a_name_that_no_domain_can_have_is_refused() {
    let server = Server::start();
    let client = server.client();
    let id = client.create_account("a");
    let long = format!("{}.example", "a".repeat(64));
    let longer = format!("{}example", "a.".repeat(124));
    for name in [
        "example",
        "a..example",
        "-a.example",
        "a-.example",
        "bücher.example",
        "a_b.example",
        ".",
        " ",
        long.as_str(),
        longer.as_str(),
    ] {
        let (exception, message) = client.error("ClaimDomain", domain(&id, name));
        assert_eq!(exception, "BadRequestException", "{name}");
        assert!(
            message.contains("'DomainName'") && message.contains("such as example.com"),
            "{message}"
        );
    }
    assert_eq!(get_account(&client, &id)["AccountType"], "Team");
}

#[test]
fn an_account_claims_five_hundred_domains_at_the_most() {
    let server = Server::start();
    let client = server.client();
    let id = client.create_account("a");
    for number in 0..500 {
        client.ok("ClaimDomain", domain(&id, &format!("{number}.example")));
    }
    let (exception, message) = client.error("ClaimDomain", domain(&id, "one-more.example"));
    assert_eq!(exception, "BadRequestException");
    assert_eq!(message, format!("Account {id} claims 500 domains, and may claim no more"));
    client.ok("ClaimDomain", domain(&id, "7.example"));
    client.ok("ReleaseDomain", domain(&id, "7.example"));
    client.ok("ClaimDomain", domain(&id, "one-more.example"));
}
