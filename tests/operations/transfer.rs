//! Moving in and out: what is kept, what is refused, and what a repeat does.

use super::accounts::{SAMPLE, SAMPLE_ID};
use crate::harness::{Client, Options, ROOT_AWS_ACCOUNT_ID, Server};
use campanile::clock::Timestamp;
use campanile::operations::accounts::AccountRecord;
use campanile::operations::accounts::record::AccountType;
use campanile::operations::users::UserRecord;
use campanile::operations::users::record::{RegistrationStatus, UserType};
use serde_json::{Map, Value, json};

fn account(id: &str, members: Value) -> Value {
    merged(json!({"AccountId": id, "Name": id, "AccountType": "EnterpriseLWA"}), members)
}

fn user(account_id: &str, id: &str, members: Value) -> Value {
    merged(json!({"AccountId": account_id, "UserId": id}), members)
}

fn merged(mut value: Value, members: Value) -> Value {
    let Value::Object(members) = members else { panic!("members are an object") };
    value.as_object_mut().unwrap().extend(members);
    value
}

fn import_accounts(client: &Client, items: Value) -> Value {
    client.ok("ImportAccounts", json!({"Accounts": items}))
}

fn import_users(client: &Client, users: &[Value]) -> Value {
    let users: Vec<_> = users.iter().map(|user| json!({"User": user})).collect();
    client.ok("ImportUsers", json!({"Users": users}))
}

/// Asserts what became of the items, and that nothing was wrong with them.
fn assert_counts(answer: &Value, created: u64, overwritten: u64, unchanged: u64) {
    let expected = json!({
        "Created": created, "Overwritten": overwritten, "Unchanged": unchanged, "ItemErrors": [],
    });
    assert_eq!(*answer, expected);
}

/// Asserts that an item was refused for this member, with this code, in these words.
fn assert_refused(answer: &Value, (index, member): (u64, &str), code: &str, words: &[&str]) {
    let errors = answer["ItemErrors"].as_array().unwrap();
    let found = errors.iter().find(|error| {
        error["Index"] == index && error["Member"].as_str().unwrap_or_default() == member
    });
    let error = found.unwrap_or_else(|| panic!("{index} {member} is not in {answer}"));
    assert_eq!(error["ErrorCode"], code, "{error}");
    for word in words {
        let message = error["ErrorMessage"].as_str().unwrap();
        assert!(message.contains(word), "no '{word}' in {message}");
    }
}

/// Walks all the pages of an export.
fn export(client: &Client, operation: &str, list: &str) -> Vec<Value> {
    let (mut items, mut members) = (Vec::new(), json!({"MaxResults": 2}));
    loop {
        let mut page = client.ok(operation, members.clone());
        items.append(page[list].as_array_mut().unwrap());
        if page["NextToken"].is_null() {
            return items;
        }
        members["NextToken"] = page["NextToken"].take();
    }
}

#[test]
fn the_sample_of_the_api_reference_moves_in() {
    let server = Server::start();
    let sample: Value = serde_json::from_str(SAMPLE).unwrap();
    let answer = import_accounts(&server.client(), json!([sample]));
    assert_counts(&answer, 1, 0, 0);
    let console = Client { prefix: "/console", ..server.client() };
    let answer = console.call("GetAccount", json!({"AccountId": SAMPLE_ID}));
    assert_eq!((answer.body.as_str(), answer.body.len()), (SAMPLE, 544));
}

#[test]
fn what_is_there_and_the_same_is_left_and_what_differs_is_refused() {
    let server = Server::start();
    let client = server.client();
    let items = json!([{"Account": account("a", json!({"DefaultLicense": "Basic"}))}]);
    assert_counts(&import_accounts(&client, items.clone()), 1, 0, 0);
    assert_counts(&import_accounts(&client, items), 0, 0, 1);
    let other = json!([
        {"Account": account("a", json!({"DefaultLicense": "Pro", "Name": "b"}))},
        {"Account": account("b", json!({}))},
    ]);
    let answer = import_accounts(&client, other.clone());
    assert_eq!((&answer["Created"], &answer["Overwritten"]), (&json!(1), &json!(0)));
    let words = ["Account a", "DefaultLicense, Name", "Overwrite"];
    assert_refused(&answer, (0, ""), "Conflict", &words);
    assert_eq!(client.ok("GetAccount", json!({"AccountId": "a"}))["Account"]["Name"], "a");
    let overwrite = json!({"Accounts": other, "Overwrite": true});
    assert_counts(&client.ok("ImportAccounts", overwrite), 0, 1, 1);
    assert_eq!(client.ok("GetAccount", json!({"AccountId": "a"}))["Account"]["Name"], "b");

    let users = |email: &str| [user("a", "1", json!({"PrimaryEmail": email}))];
    assert_counts(&import_users(&client, &users("a@example.com")), 1, 0, 0);
    assert_counts(&import_users(&client, &users("a@example.com")), 0, 0, 1);
    let answer = import_users(&client, &users("b@example.com"));
    assert_refused(&answer, (0, ""), "Conflict", &["User 1 in PrimaryEmail", "Overwrite"]);
    assert!(!answer.to_string().contains("example.com"), "an address is for nobody: {answer}");
    let overwrite = json!({"Users": [{"User": users("b@example.com")[0]}], "Overwrite": true});
    assert_counts(&client.ok("ImportUsers", overwrite), 0, 1, 0);
    // The address of before is free, and the new one is found.
    let found = client.ok("ListAccounts", json!({"UserEmail": "B@example.com"}));
    assert_eq!(found["Accounts"][0]["AccountId"], "a");
    let freed = [user("b", "2", json!({"PrimaryEmail": "A@example.com"}))];
    assert_counts(&import_users(&client, &freed), 1, 0, 0);
}

#[test]
fn what_a_document_does_not_say_stays_and_a_new_thing_has_the_default() {
    let server = Server::start();
    let client = server.client();
    import_accounts(&client, json!([{"Account": account("a", json!({}))}]));
    let pin = json!({"PersonalPIN": "0123456789", "Vanity": "v", "LicenseType": "Basic"});
    import_users(&client, &[user("a", "1", pin)]);
    // As list-users has it.
    let listed = json!({"PersonalPIN": null, "PresenceVisibility": null, "LicenseType": "Basic"});
    assert_counts(&import_users(&client, &[user("a", "1", listed)]), 0, 0, 1);
    let user = client.ok("GetUser", json!({"AccountId": "a", "UserId": "1"}))["User"].take();
    let expected = json!({
        "AccountId": "a",
        "AlexaForBusinessMetadata": {
            "AlexaForBusinessRoomArn": null, "IsAlexaForBusinessEnabled": false,
        },
        "Delegates": null, "Devices": null, "DisplayName": null, "EmailAlias": [],
        "FullName": null, "InvitedOn": null, "IsProTrial": false, "LastActiveOn": null,
        "LicenseType": "Basic", "PersonalPIN": "0123456789", "PresenceVisibility": "Public",
        "PrimaryEmail": null, "PrimaryProvisionedNumber": null, "RegisteredOn": null,
        "UserId": "1", "UserInvitationStatus": null, "UserLocale": null,
        "UserRegistrationStatus": "Unregistered", "UserType": "PrivateUser", "Vanity": "v",
    });
    assert_eq!(user, expected);
    // Settings alone: the account is known by its id.
    let settings = json!([{"Account": {"AccountId": "a"}, "AccountSettings": {}}]);
    assert_counts(&import_accounts(&client, settings), 0, 0, 1);
}

#[test]
fn users_are_refused_in_peoples_words_and_the_others_come_in() {
    let server = Server::start();
    let client = server.client();
    import_accounts(
        &client,
        json!([{"Account": account("a", json!({}))}, {"Account": account("suspended", json!({}))},
            {"Account": account("deleted", json!({}))}]),
    );
    client.ok("DeleteAccount", json!({"AccountId": "deleted"}));
    client.ok("SuspendAccount", json!({"AccountId": "suspended"}));
    let taken = json!({"PrimaryEmail": "jane@example.com", "PersonalPIN": "0123456789"});
    import_users(&client, &[user("a", "taken", taken)]);
    let theirs = server.client_of("444455556666");
    import_accounts(&theirs, json!([{"Account": account("theirs", json!({}))}]));
    import_users(&theirs, &[user("theirs", "1", json!({"PersonalPIN": "9876543210"}))]);

    let users = [
        user("a", "1", json!({"PrimaryEmail": "JANE@example.com"})),
        user("a", "2", json!({"PersonalPIN": "0123456789"})),
        user("a", "3", json!({"PersonalPIN": "9876543210"})),
        user("a", "4", json!({"LicenseType": "Plus"})),
        user("suspended", "5", json!({})),
        user("deleted", "6", json!({})),
        user("none", "7", json!({})),
        user("a", "8", json!({"PrimaryEmail": "new@example.com", "PersonalPIN": "1111111111"})),
        user("a", "8", json!({})),
        user("a", "9", json!({"PrimaryEmail": "New@example.com"})),
        user("a", "10", json!({"PersonalPIN": "1111111111"})),
        json!({"DisplayName": "Nobody"}),
        user(
            "a",
            "11",
            json!({"PersonalPIN": "x", "LicenseType": "Gold", "IsProTrial": "False",
            "RegisteredOn": "2018-12-20T18:38:02.1814Z", "InvitedOn": "yesterday"}),
        ),
        user("a", "12", json!({})),
    ];
    let dry = json!({
        "Users": users.iter().map(|user| json!({"User": user})).collect::<Vec<_>>(), "DryRun": true,
    });
    let dry = client.ok("ImportUsers", dry);
    let answer = import_users(&client, &users);
    // A dry run finds all the same without it.
    assert_eq!(dry["ItemErrors"].as_array().unwrap().len(), 17, "{dry}");
    assert_eq!(answer["ItemErrors"].as_array().unwrap().len(), 17, "{answer}");
    assert_eq!((&dry["Created"], &answer["Created"]), (&json!(2), &json!(2)));
    for answer in [&dry, &answer] {
        let email = "User.PrimaryEmail";
        let refused = |index, member, code, words: &[&str]| {
            assert_refused(answer, (index, member), code, words);
        };
        refused(0, email, "Conflict", &["user taken of account a"]);
        refused(1, "User.PersonalPIN", "Conflict", &["user taken of account a"]);
        refused(2, "User.PersonalPIN", "Conflict", &["another AWS account"]);
        refused(3, "User.LicenseType", "BadRequest", &["Plus", "[Basic, Pro]"]);
        refused(4, "User.AccountId", "Forbidden", &["Account suspended is suspended"]);
        refused(5, "User.AccountId", "NotFound", &["Account deleted not found"]);
        refused(6, "User.AccountId", "NotFound", &["Account none not found"]);
        refused(8, "", "Conflict", &["User 8 stands in the request twice"]);
        refused(9, email, "Conflict", &[]);
        refused(10, "User.PersonalPIN", "Conflict", &[]);
        refused(11, "User.AccountId", "BadRequest", &["must not be null"]);
        refused(11, "User.UserId", "BadRequest", &["must not be null"]);
        refused(12, "User.PersonalPIN", "BadRequest", &["ten digits"]);
        refused(12, "User.LicenseType", "BadRequest", &["Gold"]);
        refused(12, "User.IsProTrial", "BadRequest", &["Member must be a boolean"]);
        refused(12, "User.RegisteredOn", "BadRequest", &["whole milliseconds"]);
        refused(12, "User.InvitedOn", "BadRequest", &["2018-12-20T18:38:02.181Z"]);
        assert!(!answer.to_string().contains("theirs"), "{answer}");
    }
    assert_eq!(export(&client, "ExportUsers", "Users").len(), 3);
}

#[test]
fn accounts_are_refused_in_peoples_words() {
    let server = Server::start();
    let client = server.client();
    let there = json!([
        {"Account": account("a", json!({"SupportedLicenses": ["Basic", "Plus", "Pro"]})),
            "Domains": [{"DomainName": "example.com"}]},
        {"Account": account("suspended", json!({"AccountStatus": "Suspended"}))},
        {"Account": account("deleted", json!({}))},
    ]);
    assert_counts(&import_accounts(&client, there), 3, 0, 0);
    client.ok("DeleteAccount", json!({"AccountId": "deleted"}));
    import_users(&client, &[user("a", "1", json!({"LicenseType": "Plus"}))]);
    let days = json!({"RoomRetentionSettings": {"RetentionDays": 1}});
    let items = json!([
        {"Account": {"AccountId": "nameless"}},
        {"Account": account("1", json!({"AwsAccountId": "444455556666"}))},
        {"Account": account("2", json!({"DefaultLicense": "Plus"}))},
        {"Account": account("3", json!({"SupportedLicenses": []}))},
        {"Account": account("4", json!({"Groups": [{"GroupId": "g", "License": "ProTrial"}]}))},
        {"Account": account("5", json!({"AccountType": "Team"})), "RetentionSettings": days},
        {"Account": account("6", json!({})), "OpenIdConfig": {"ClientId": "a", "Issuer": "b"}},
        {"Account": account("7", json!({"AccountType": "Team"})),
            "Domains": [{"DomainName": "example.org"}]},
        {"Account": account("8", json!({})), "Domains": [{"DomainName": "example.com"}]},
        {"Account": account("9", json!({})), "Domains": [{"DomainName": "example"}]},
        {"Account": account("10", json!({})), "AccountSettings": {"EnableDialOut": "true"}},
        {"Account": account("11", json!({})),
            "RetentionSettings": {"RoomRetentionSettings": {"RetentionDays": 5476}}},
        {"Account": account("12", json!({"Groups": [{"GroupId": "g", "License": "Pro", "X": 1}]}))},
        {"Account": account("13", json!({"Large": "x".repeat(33_000)}))},
        {"Account": account("14", json!({})), "Bots": []},
        {"Account": account("deleted", json!({}))},
        {"Account": account("suspended", json!({"AccountStatus": "Suspended", "Name": "new"}))},
        {"Account": account("a", json!({"SupportedLicenses": ["Basic", "Pro"]}))},
        {"Account": account("a", json!({}))},
    ]);
    let overwrite = json!({"Accounts": items, "Overwrite": true});
    let answer = client.ok("ImportAccounts", overwrite);
    assert_eq!(answer["ItemErrors"].as_array().unwrap().len(), 19, "{answer}");
    let refused = |index, member, code, words: &[&str]| {
        assert_refused(&answer, (index, member), code, words);
    };
    refused(0, "Account.Name", "BadRequest", &["must not be null"]);
    let words = ["444455556666", ROOT_AWS_ACCOUNT_ID, "AwsAccountId"];
    refused(1, "Account.AwsAccountId", "BadRequest", &words);
    refused(2, "Account.DefaultLicense", "BadRequest", &["Plus", "[Basic, Pro]"]);
    refused(3, "Account.SupportedLicenses", "BadRequest", &[]);
    refused(4, "Account.Groups[0].License", "BadRequest", &["ProTrial"]);
    refused(5, "RetentionSettings", "BadRequest", &["Enterprise"]);
    refused(6, "OpenIdConfig", "BadRequest", &["EnterpriseOIDC"]);
    refused(7, "Domains", "BadRequest", &["Team"]);
    refused(8, "Domains", "Conflict", &["example.com belongs to another account"]);
    refused(9, "Domains[0].DomainName", "BadRequest", &["domain name"]);
    refused(10, "AccountSettings.EnableDialOut", "BadRequest", &["a boolean"]);
    let member = "RetentionSettings.RoomRetentionSettings.RetentionDays";
    refused(11, member, "BadRequest", &["5475"]);
    refused(12, "Account.Groups[0].X", "BadRequest", &["unknown field `X`"]);
    refused(13, "Account", "BadRequest", &["33", "32768"]);
    refused(14, "Bots", "BadRequest", &["unknown field `Bots`"]);
    refused(15, "", "Conflict", &["was deleted", "RestoreAccount"]);
    refused(16, "", "Forbidden", &["suspended", "ActivateAccount"]);
    refused(17, "Account.SupportedLicenses", "Conflict", &["Plus"]);
    refused(18, "", "Conflict", &["Account a stands in the request twice"]);
    assert_eq!(export(&client, "ExportAccounts", "Accounts").len(), 2);
}

#[test]
fn only_the_deployment_root_moves_others_in_and_out() {
    let server = Server::start();
    let (root, theirs) = (server.client(), server.client_of("444455556666"));
    let accounts = json!([{"Account": account("a", json!({"AwsAccountId": "444455556666"}))}]);
    let members = json!({"AwsAccountId": "444455556666", "Accounts": accounts});
    assert_counts(&root.ok("ImportAccounts", members.clone()), 1, 0, 0);
    assert_counts(&theirs.ok("ImportAccounts", members.clone()), 0, 0, 1);
    let users = json!([{"User": user("a", "1", json!({}))}]);
    let users = json!({"AwsAccountId": "444455556666", "Users": users});
    assert_counts(&root.ok("ImportUsers", users.clone()), 1, 0, 0);
    assert_eq!(
        theirs.ok("GetUser", json!({"AccountId": "a", "UserId": "1"}))["User"]["UserId"],
        "1"
    );
    for (operation, list) in [("ExportAccounts", "Accounts"), ("ExportUsers", "Users")] {
        let of_them = json!({"AwsAccountId": "444455556666"});
        let exported = root.ok(operation, of_them.clone());
        assert_eq!(exported, theirs.ok(operation, of_them));
        assert_eq!(exported[list].as_array().unwrap().len(), 1);
        assert_eq!(root.ok(operation, json!({}))[list], json!([]));
    }
    let others = server.client_of("777788889999");
    for (operation, members) in [
        ("ImportAccounts", members),
        ("ImportUsers", users),
        ("ExportAccounts", json!({"AwsAccountId": "444455556666"})),
        ("ExportUsers", json!({"AwsAccountId": "444455556666"})),
    ] {
        let (exception, message) = others.error(operation, members);
        assert_eq!(exception, "ForbiddenException");
        assert!(message.contains("444455556666"), "{message}");
    }
}

#[test]
fn a_dry_run_changes_nothing_and_knows_the_accounts_that_come_along() {
    let server = Server::start();
    let client = server.client();
    let accounts = json!([{"Account": account("a", json!({"SupportedLicenses": ["Basic", "Plus"],
        "DefaultLicense": "Plus"}))}]);
    let dry = json!({"Accounts": accounts, "DryRun": true});
    assert_counts(&client.ok("ImportAccounts", dry), 1, 0, 0);
    let users = json!([
        {"User": user("a", "1", json!({"LicenseType": "Basic"}))},
        {"User": user("a", "2", json!({"LicenseType": "Pro"}))},
    ]);
    let answer = client.ok("ImportUsers", json!({"Users": users, "DryRun": true}));
    assert_refused(&answer, (0, "User.AccountId"), "NotFound", &["Account a not found"]);
    let together = json!({"Users": users, "Accounts": accounts, "DryRun": true});
    let answer = client.ok("ImportUsers", together);
    assert_eq!(answer["Created"], 1);
    assert_refused(&answer, (1, "User.LicenseType"), "BadRequest", &["[Basic, Plus]"]);
    // Without the accounts themselves there is nothing to import users into.
    let answer = client.ok("ImportUsers", json!({"Users": users, "Accounts": accounts}));
    assert_refused(&answer, (0, "User.AccountId"), "NotFound", &["Account a not found"]);
    assert_eq!(client.ok("ListAccounts", json!({}))["Accounts"], json!([]));
    let (exception, message) =
        client.error("ImportUsers", json!({"Users": [], "Accounts": [{"Account": {"Name": 1}}]}));
    assert_eq!(exception, "BadRequestException");
    assert!(message.contains("Accounts[0]"), "{message}");
}

#[test]
fn a_suspended_account_comes_with_its_users_and_takes_none_later() {
    let server = Server::start();
    let client = server.client();
    let accounts = json!([{"Account": account("a", json!({"AccountStatus": "Suspended"}))}]);
    assert_counts(&import_accounts(&client, accounts.clone()), 1, 0, 0);
    let with = |id: &str, accounts: &Value| {
        let users = json!([{"User": user("a", id, json!({}))}]);
        client.ok("ImportUsers", json!({"Users": users, "Accounts": accounts}))
    };
    assert_counts(&with("1", &accounts), 1, 0, 0);
    let active = json!([{"Account": account("a", json!({"AccountStatus": "Active"}))}]);
    assert_refused(&with("2", &active), (0, "User.AccountId"), "Forbidden", &["ActivateAccount"]);
    let overwrite = json!({"Accounts": active, "Overwrite": true});
    assert_counts(&client.ok("ImportAccounts", overwrite), 0, 1, 0);
    assert_counts(&with("2", &json!([])), 1, 0, 0);
}

/// Users whom the release of a domain suspended are exported as suspended, and are so wherever they
/// move in.
#[test]
fn users_of_an_older_generation_move_as_suspended() {
    let server = Server::start();
    let client = server.client();
    let item = json!([{"Account": account("a", json!({})),
        "Domains": [{"DomainName": "example.com"}]}]);
    import_accounts(&client, item);
    let registered = json!({"UserRegistrationStatus": "Registered"});
    import_users(&client, &[user("a", "1", registered.clone())]);
    client.ok("ReleaseDomain", json!({"AccountId": "a", "DomainName": "example.com"}));
    let users = export(&client, "ExportUsers", "Users");
    assert_eq!(users[0]["User"]["UserRegistrationStatus"], "Suspended");
    assert_counts(&client.ok("ImportUsers", json!({"Users": users})), 0, 0, 1);
    // It counts as suspended, so that the account can be deleted.
    let other = Server::start();
    let accounts = export(&client, "ExportAccounts", "Accounts");
    assert_counts(&import_accounts(&other.client(), json!(accounts)), 1, 0, 0);
    assert_counts(&other.client().ok("ImportUsers", json!({"Users": users})), 1, 0, 0);
    other.client().ok("DeleteAccount", json!({"AccountId": "a"}));
    // Let in again by an import, it counts as let in.
    let again = json!({"Users": [{"User": user("a", "1", registered)}], "Overwrite": true});
    assert_counts(&client.ok("ImportUsers", again), 0, 1, 0);
    assert_eq!(
        client.error("DeleteAccount", json!({"AccountId": "a"})).0,
        "UnprocessableEntityException"
    );
}

/// The link of an invite dies when an import says what became of the invited person.
#[test]
fn an_import_over_an_invited_user_withdraws_the_invite() {
    let server = Server::start();
    let client = server.client();
    let id = client.create_account("team");
    let invite = json!({"AccountId": id, "UserEmailList": ["jane@example.com"]});
    client.ok("InviteUsers", invite.clone());
    let users = export(&client, "ExportUsers", "Users");
    let mut user = users[0]["User"].clone();
    assert_counts(&import_users(&client, &[user.clone()]), 0, 0, 1);
    user["UserRegistrationStatus"] = json!("Registered");
    let overwrite = json!({"Users": [{"User": user}], "Overwrite": true});
    assert_counts(&client.ok("ImportUsers", overwrite), 0, 1, 0);
    let again = client.ok("InviteUsers", invite);
    assert_eq!(again["Invites"][0]["InviteId"], Value::Null, "{again}");
    assert_eq!(again["Invites"][0]["Status"], "Accepted");
}

#[test]
fn an_export_leaves_out_what_is_deleted() {
    let server = Server::start_with(Options::default(), |mut tx| {
        let now = Timestamp::from_millisecond(1_545_331_082_181).unwrap();
        for (id, deleted_timestamp) in [("a", None), ("b", Some(now)), ("c", None)] {
            let account = AccountRecord {
                account_type: AccountType::EnterpriseLwa,
                deleted_timestamp,
                ..AccountRecord::team(ROOT_AWS_ACCOUNT_ID, id.to_owned(), id, now)
            };
            tx.insert(&account)?;
            for user in 0..3 {
                tx.insert(&UserRecord {
                    registration_status: RegistrationStatus::Registered,
                    ..UserRecord::of(&account, user.to_string(), UserType::PrivateUser)
                })?;
            }
        }
        Ok(())
    });
    let accounts = export(&server.client(), "ExportAccounts", "Accounts");
    let ids = |items: &[Value], part: &str, name: &str| -> Vec<String> {
        items.iter().map(|item| item[part][name].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&accounts, "Account", "AccountId"), ["a", "c"]);
    let users = export(&server.client(), "ExportUsers", "Users");
    assert_eq!(ids(&users, "User", "AccountId"), ["a", "a", "a", "c", "c", "c"]);
    assert_eq!(ids(&users, "User", "UserId"), ["0", "1", "2", "0", "1", "2"]);
}

/// An import is no way around the verification of domains but for the deployment's root.
#[test]
fn where_domains_are_verified_only_the_root_imports_them_as_such() {
    // Nothing answers there, so that no domain is ever verified.
    let unanswered = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let dns_server = Some(unanswered.local_addr().unwrap());
    let options = Options { dns_server, ..Options::default() };
    let server = Server::start_with(options, |_| Ok(()));
    let theirs = server.client_of("444455556666");
    let item = |status: Value| {
        let domain = json!({"DomainName": "example.com", "DomainStatus": status});
        json!([{"Account": account("a", json!({})), "Domains": [domain]}])
    };
    let answer = import_accounts(&theirs, item(json!("Verified")));
    assert_refused(&answer, (0, "Domains"), "Forbidden", &["example.com", "ClaimDomain"]);
    assert_counts(&import_accounts(&theirs, item(Value::Null)), 1, 0, 0);
    let listed = theirs.ok("ListDomains", json!({"AccountId": "a"}));
    assert_eq!(listed["Domains"][0]["DomainStatus"], "PendingVerification");
    let verified = json!({"Accounts": item(json!("Verified")), "Overwrite": true});
    let answer = theirs.ok("ImportAccounts", verified.clone());
    assert_refused(&answer, (0, "Domains"), "Forbidden", &["example.com"]);
    let by_root = merged(verified.clone(), json!({"AwsAccountId": "444455556666"}));
    assert_counts(&server.client().ok("ImportAccounts", by_root), 0, 1, 0);
    assert_counts(&theirs.ok("ImportAccounts", verified), 0, 0, 1);
}

#[test]
fn a_domain_is_the_same_in_every_case() {
    let server = Server::start();
    let client = server.client();
    let enterprise = json!({"AccountType": "EnterpriseLWA"});
    let item = |id: &str, domain: &str| json!([{"Account": account(id, enterprise.clone()), "Domains": [{"DomainName": domain}]}]);
    assert_counts(&import_accounts(&client, item("a", "Example.COM")), 1, 0, 0);
    assert_counts(&import_accounts(&client, item("a", "example.com")), 0, 0, 1);
    let answer = import_accounts(&client, item("b", "EXAMPLE.com"));
    assert_refused(&answer, (0, "Domains"), "Conflict", &["example.com belongs to another"]);
    let listed = client.ok("ListDomains", json!({"AccountId": "a"}));
    assert_eq!(listed["Domains"][0]["DomainName"], "example.com");
}

/// Members that nobody knows come back as they were, among those that are known.
#[test]
fn members_that_nobody_knows_are_kept() {
    let server = Server::start();
    let client = server.client();
    let unknown: Map<_, _> = serde_json::from_value(json!({
        "Unknown": {"b": [1, 2.5, null, "\u{1f600}"]}, "Unknown1": -7, "Unknown2": null,
    }))
    .unwrap();
    let known = json!({"Admins": ["a@example.com"], "Domains": [], "Owner": {"Name": "o"}});
    let item = json!({
        "Account": merged(account("a", known), unknown.clone().into()),
        "AccountSettings": merged(json!({"EnableDialOut": true}), unknown.clone().into()),
    });
    assert_counts(&import_accounts(&client, json!([item])), 1, 0, 0);
    assert_counts(&import_accounts(&client, json!([item])), 0, 0, 1);
    let known = json!({"Devices": [1], "Delegates": {}, "EmailAlias": ["b@example.com"],
        "LastActiveOn": "2020-01-01T00:00:00+01:00", "UserLocale": "de", "Vanity": "v"});
    let person = merged(user("a", "1", known), unknown.clone().into());
    assert_counts(&import_users(&client, std::slice::from_ref(&person)), 1, 0, 0);
    let shown = [
        (client.ok("GetAccount", json!({"AccountId": "a"})), "Account", item["Account"].clone()),
        (client.ok("GetUser", json!({"AccountId": "a", "UserId": "1"})), "User", person),
        (
            client.ok("GetAccountSettings", json!({"AccountId": "a"})),
            "AccountSettings",
            item["AccountSettings"].clone(),
        ),
    ];
    for (answer, name, imported) in shown {
        for (member, value) in imported.as_object().unwrap() {
            assert_eq!(answer[name].get(member), Some(value), "{name}.{member}");
        }
    }
}
