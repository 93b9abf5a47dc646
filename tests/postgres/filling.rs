//! Fills a store with what the views are to show: accounts, users, invites and events of every kind.

use crate::harness::{Client, ROOT_AWS_ACCOUNT_ID, Server};
use crate::protocol::sessions;
use crate::state_machine::invariants::walk;
use crate::state_machine::steps::{ACCEPT_INVITE, DAYS_PASS, Known, step};
use crate::state_machine::{SEED, accept_invite, rng, setting};
use proptest::collection::vec;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

/// How many steps are made in each AWS account.
const STEPS: usize = 400;

/// Makes accounts, users and invites in all the states that steps lead to.
pub fn take_steps(client: &Client, number: u64) {
    let seed = setting("STATE_MACHINE_SEED", SEED);
    let config = Config { failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, rng(seed ^ number));
    let steps = vec(step(), STEPS).new_tree(&mut runner).unwrap().current();
    client.create_account("first");
    client.create_account("second");
    let mut known = known(client);
    for step in steps.iter().filter(|step| step.operation != DAYS_PASS) {
        let members = step.members(&known, &format!("{number}"));
        if step.operation == ACCEPT_INVITE {
            accept_invite(client, &members).ok();
            continue;
        }
        client.call(step.operation, members);
        if ["CreateAccount", "CreateUser", "InviteUsers"].contains(&step.operation) {
            known = self::known(client);
        }
    }
}

fn known(client: &Client) -> Known {
    let ids = |list: Vec<Value>, member: &str| -> Vec<String> {
        list.iter().map(|it| it[member].as_str().unwrap().to_owned()).collect()
    };
    let live = ids(walk(client, "ListAccounts", json!({})).unwrap(), "AccountId");
    let live = live.into_iter().map(|id| {
        let users = walk(client, "ListUsers", json!({"AccountId": id})).unwrap();
        (id, ids(users, "UserId"))
    });
    // Those that are deleted can be restored.
    let deleted = deleted_accounts(client).into_iter().map(|id| (id, Vec::new()));
    live.chain(deleted).collect()
}

pub fn deleted_accounts(client: &Client) -> Vec<String> {
    let deleted = walk(client, "ListDeletedAccounts", json!({})).unwrap();
    deleted.iter().map(|it| it["Account"]["AccountId"].as_str().unwrap().to_owned()).collect()
}

/// Imports what no other operation makes: members of which nothing is known, times of any year, and
/// texts that are hard to keep.
pub fn import(client: &Client) {
    let awkward = "\0 \\u0000 \\\0 \\\\u0000 \u{1} \" 😀";
    let accounts =
        ["0001-01-01T00:00:00.000Z", "0000-12-31T23:59:59.999Z", "9999-12-30T00:00:00.001Z"];
    let mut accounts: Vec<_> = (1..)
        .zip(accounts)
        .map(|(number, created)| {
            json!({"Account": {
                "AccountId": format!("imported-{number}"), "Name": format!("{awkward}{number}"),
                "AccountType": "EnterpriseLWA", "CreatedTimestamp": created,
                "Admins": [{"Name": awkward, "Since": 1e300}], "Owner": {awkward: "x"},
                "Domains": [{"Name": "example.com"}], "UseProTrialLicense": true,
                "BillingType": "Other", "DelegationStatus": "Delegated", "Unknown": {"Of": null},
            }})
        })
        .collect();
    let groups = json!([{"GroupId": "everybody", "License": "Basic"}]);
    let directory = json!({
        "Account": {
            "AccountId": "directory", "Name": "directory", "AccountType": "EnterpriseDirectory",
            "DirectoryId": "d-1", "Groups": groups, "DefaultLicense": "Basic",
        },
        "RetentionSettings": {
            "ConversationRetentionSettings": {"RetentionDays": 30},
            "RoomRetentionSettings": {"RetentionDays": 7},
        },
        "InitiateDeletionTimestamp": "2019-01-20T18:38:02.181Z",
    });
    accounts.push(directory);
    let answer = client.ok("ImportAccounts", json!({"Accounts": accounts}));
    assert_eq!(answer["Created"], accounts.len(), "{answer}");
    let user = json!({
        "AccountId": "imported-1", "UserId": "imported", "PrimaryEmail": "imported@example.com",
        "DisplayName": awkward, "FullName": awkward, "IsProTrial": true, "LicenseType": "Basic", "EmailAlias": ["a@example.com"],
        "Delegates": [awkward], "Devices": {"a": [1, 2.5, -3]}, "LastActiveOn": "2019-01-01",
        "UserLocale": "de_DE", "Vanity": {"on": true}, "PresenceVisibility": "Private",
        "PrimaryProvisionedNumber": "+12065550100", "RegisteredOn": "2018-12-20T18:38:02.181Z",
        "UserRegistrationStatus": "Registered", "PersonalPIN": "1234567890",
        "InvitedOn": "0000-01-01T00:00:00Z",
    });
    let answer = client.ok("ImportUsers", json!({"Users": [{"User": user}]}));
    assert_eq!(answer["Created"], 1, "{answer}");
    client.ok("UpdateUserSettings", json!({
        "AccountId": "imported-1", "UserId": "imported",
        "UserSettings": {"Telephony": {"InboundCalling": true, "OutboundCalling": false, "SMS": true}},
    }));
}

/// Deletes an account with the users that it had.
pub fn delete_with_users(client: &Client) {
    let account = json!({"AccountId": "gone", "Name": "gone", "AccountType": "EnterpriseLWA"});
    client.ok("ImportAccounts", json!({"Accounts": [{"Account": account}]}));
    let user = json!({"AccountId": "gone", "UserId": "u", "PrimaryEmail": "gone@example.com"});
    client.ok("ImportUsers", json!({"Users": [{"User": user}]}));
    client.ok("BatchSuspendUser", json!({"AccountId": "gone", "UserIdList": ["u"]}));
    client.ok("DeleteAccount", json!({"AccountId": "gone"}));
}

/// Gives up an account's last domain, which suspends its users by the account's generation alone, and
/// lets one of them in again.
pub fn suspend_all_at_once(client: &Client) {
    let account = client.create_account("released");
    let invite = |emails: &[&str]| {
        client.ok("InviteUsers", json!({"AccountId": account, "UserEmailList": emails}));
    };
    invite(&["ann@released.example", "bob@released.example"]);
    let domain = json!({"AccountId": account, "DomainName": "released.example"});
    client.ok("ClaimDomain", domain.clone());
    client.ok("ReleaseDomain", domain);
    invite(&["ann@released.example"]);
}

/// Leaves events of every kind of caller, refused ones among them.
pub fn be_somebody_else(server: &Server) {
    let trust = sessions::trust(ROOT_AWS_ACCOUNT_ID, &json!({}));
    let role = sessions::role(server, "some-role", &trust, "chime:CreateAccount");
    let jane = server.user("jane", &sessions::allow("sts:AssumeRole"));
    jane.error("CreateAccount", json!({"Name": "a"}));
    let asked =
        [("Action", "AssumeRole"), ("RoleArn", role.as_str()), ("RoleSessionName", "night-run")];
    let session = sessions::begin(&jane, &asked);
    session.create_account("of a session");
    let client = Client { region: "us-east-1".to_owned(), ..server.client() };
    client.create_account("\0");
    client.error("CreateAccount", json!({"Name": "a".repeat(101)}));
}
