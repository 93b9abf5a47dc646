//! Where an Enterprise account's people and licences come from.

use super::{create_enterprise_account, create_user, get_account, invite_user};
use crate::harness::Server;
use serde_json::{Value, json};

fn directory(account_id: &str, id: &str, licenses: &[&str]) -> Value {
    let groups: Vec<_> = licenses
        .iter()
        .map(|it| json!({"GroupId": format!("{it} users"), "License": it}))
        .collect();
    json!({"AccountId": account_id, "DirectoryId": id, "Groups": groups})
}

fn open_id(account_id: &str, issuer: &str) -> Value {
    json!({"AccountId": account_id, "ClientId": "campanile", "Issuer": issuer})
}

#[test]
fn a_directory_is_connected_with_its_groups_and_disconnected() {
    let server = Server::start();
    let client = server.client();
    let id = create_enterprise_account(&client, "example.com");
    let connected =
        client.ok("ConnectDirectory", directory(&id, "d-906717dc08", &["Basic", "Pro"]));
    let account = &connected["Account"];
    assert_eq!(*account, get_account(&client, &id));
    assert_eq!(account["AccountType"], "EnterpriseDirectory");
    assert_eq!(account["DirectoryId"], "d-906717dc08");
    let groups = json!([
        {"GroupId": "Basic users", "License": "Basic"},
        {"GroupId": "Pro users", "License": "Pro"},
    ]);
    assert_eq!(account["Groups"], groups);
    // The same directory again brings other groups.
    let again = client.ok("ConnectDirectory", directory(&id, "d-906717dc08", &["Pro"]));
    assert_eq!(again["Account"]["Groups"], json!([{"GroupId": "Pro users", "License": "Pro"}]));
    let without = json!({"AccountId": id, "DirectoryId": "d-906717dc08"});
    assert_eq!(client.ok("ConnectDirectory", without)["Account"]["Groups"], json!([]));

    let account = client.ok("DisconnectDirectory", json!({"AccountId": id}))["Account"].clone();
    assert_eq!(account["AccountType"], "EnterpriseLWA");
    assert_eq!((&account["DirectoryId"], &account["Groups"]), (&json!(null), &json!([])));
}

#[test]
fn an_open_id_provider_is_connected_and_disconnected() {
    let server = Server::start();
    let client = server.client();
    let id = create_enterprise_account(&client, "example.com");
    let account = client.ok("ConnectOpenId", open_id(&id, "https://id.example"))["Account"].clone();
    assert_eq!(account["AccountType"], "EnterpriseOIDC");
    assert_eq!(account, get_account(&client, &id));
    client.ok("ConnectOpenId", open_id(&id, "https://other.example"));
    let account = client.ok("DisconnectOpenId", json!({"AccountId": id}))["Account"].clone();
    assert_eq!(account["AccountType"], "EnterpriseLWA");
    for issuer in ["http://id.example", "id.example", "ftp://id.example"] {
        let (exception, message) = client.error("ConnectOpenId", open_id(&id, issuer));
        assert_eq!(exception, "BadRequestException");
        assert!(message.contains("'Issuer'") && message.contains("https://"), "{message}");
    }
}

#[test]
fn an_account_has_one_provider_at_a_time() {
    let server = Server::start();
    let client = server.client();
    let id = create_enterprise_account(&client, "example.com");
    client.ok("ConnectDirectory", directory(&id, "d-1", &[]));
    for (operation, members) in [
        ("ConnectDirectory", directory(&id, "d-2", &[])),
        ("ConnectOpenId", open_id(&id, "https://id.example")),
    ] {
        let (exception, message) = client.error(operation, members);
        assert_eq!(exception, "ConflictException");
        let expected = format!(
            "Account {id} is connected to directory d-1. Disconnect it with DisconnectDirectory first"
        );
        assert_eq!(message, expected);
    }
    let account = json!({"AccountId": id});
    let (exception, message) = client.error("DisconnectOpenId", account.clone());
    assert_eq!(exception, "BadRequestException");
    assert!(message.contains("of type EnterpriseDirectory; this needs an Enterprise"), "{message}");
    client.ok("DisconnectDirectory", account.clone());
    client.ok("ConnectOpenId", open_id(&id, "https://id.example"));
    let (exception, message) = client.error("ConnectDirectory", directory(&id, "d-1", &[]));
    assert_eq!(exception, "ConflictException");
    let expected = format!(
        "Account {id} is connected to https://id.example. Disconnect it with DisconnectOpenId first"
    );
    assert_eq!(message, expected);
    assert_eq!(client.error("DisconnectDirectory", account).0, "BadRequestException");
}

#[test]
fn providers_are_for_enterprise_accounts() {
    let server = Server::start();
    let client = server.client();
    let id = client.create_account("team");
    for (operation, members) in [
        ("ConnectDirectory", directory(&id, "d-1", &[])),
        ("ConnectOpenId", open_id(&id, "https://id.example")),
        ("DisconnectDirectory", json!({"AccountId": id})),
        ("DisconnectOpenId", json!({"AccountId": id})),
    ] {
        let (exception, message) = client.error(operation, members);
        assert_eq!(exception, "BadRequestException", "{operation}");
        let expected = format!("Account {id} is of type Team; this needs an Enterprise");
        assert!(message.starts_with(&expected), "{message}");
    }
}

#[test]
fn a_group_gives_a_license_that_the_account_supports() {
    let server = Server::start();
    let client = server.client();
    let id = create_enterprise_account(&client, "example.com");
    let (exception, message) =
        client.error("ConnectDirectory", directory(&id, "d-1", &["Pro", "Plus"]));
    assert_eq!(exception, "BadRequestException");
    assert!(
        message.contains("'Plus' at 'Groups'") && message.contains("[Basic, Pro]"),
        "{message}"
    );
    assert_eq!(get_account(&client, &id)["AccountType"], "EnterpriseLWA");
    let many: Vec<_> =
        (0..101).map(|it| json!({"GroupId": format!("{it}"), "License": "Pro"})).collect();
    let members = json!({"AccountId": id, "DirectoryId": "d-1", "Groups": many});
    let (exception, message) = client.error("ConnectDirectory", members);
    assert_eq!(exception, "BadRequestException");
    assert!(message.contains("'Groups'") && message.contains("(it has 101)"), "{message}");
}

#[test]
fn a_license_that_is_in_use_stays_supported() {
    let server = Server::start();
    let client = server.client();
    let id = client.create_account("a");
    let support = |licenses: &[&str]| {
        client.call(
            "UpdateSupportedLicenses",
            json!({"AccountId": id, "SupportedLicenses": licenses}),
        )
    };
    let refused = |licenses: &[&str], license: &str, by: &str| {
        let (exception, message) = support(licenses).error();
        assert_eq!(exception, "ConflictException");
        assert_eq!(message, format!("License {license} of account {id} is in use: {by}"));
    };
    let supported = support(&["Plus", "Pro", "Plus"]).json();
    assert_eq!(supported["Account"]["SupportedLicenses"], json!(["Plus", "Pro"]), "none twice");
    refused(&["Plus"], "Pro", "it is the default license");
    client.ok("UpdateAccount", json!({"AccountId": id, "DefaultLicense": "Plus"}));
    let user_id = invite_user(&client, &id, "jane@example.com");
    support(&["Basic", "Plus", "Pro"]);
    client.ok("UpdateUser", json!({"AccountId": id, "UserId": user_id, "LicenseType": "Basic"}));
    refused(&["Plus", "Pro"], "Basic", "a user has it");
    client.ok("ClaimDomain", json!({"AccountId": id, "DomainName": "example.com"}));
    client.ok("ConnectDirectory", directory(&id, "d-1", &["Pro"]));
    refused(&["Basic", "Plus"], "Pro", "a group of the directory gives it");
    client.ok("DisconnectDirectory", json!({"AccountId": id}));
    assert_eq!(support(&["Basic", "Plus"]).status, 200);
    assert_eq!(get_account(&client, &id)["SupportedLicenses"], json!(["Basic", "Plus"]));

    // Of a user who is suspended, too: it comes back with it.
    client.ok("BatchSuspendUser", json!({"AccountId": id, "UserIdList": [user_id]}));
    refused(&["Plus"], "Basic", "a user has it");
    let other = create_enterprise_account(&client, "other.example");
    create_user(&client, &other, "joe@example.com");
    let members = json!({"AccountId": other, "SupportedLicenses": []});
    let (exception, message) = client.error("UpdateSupportedLicenses", members);
    assert_eq!(exception, "BadRequestException");
    assert!(message.contains("'SupportedLicenses'"), "{message}");
}

#[test]
fn accounts_that_are_not_there_are_not_found() {
    let server = Server::start();
    let mine = server.client();
    let id = create_enterprise_account(&mine, "example.com");
    let theirs = server.client_of("444455556666");
    for (client, id) in [(&mine, "nowhere"), (&theirs, id.as_str())] {
        for (operation, members) in [
            ("ConnectDirectory", directory(id, "d-1", &[])),
            ("ConnectOpenId", open_id(id, "https://id.example")),
            ("DisconnectDirectory", json!({"AccountId": id})),
            ("DisconnectOpenId", json!({"AccountId": id})),
            ("UpdateSupportedLicenses", json!({"AccountId": id, "SupportedLicenses": ["Pro"]})),
        ] {
            let (exception, message) = client.error(operation, members);
            assert_eq!(exception, "NotFoundException", "{operation}");
            assert_eq!(message, format!("Account {id} not found"));
        }
    }
}
