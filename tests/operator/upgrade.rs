//! Servers of the release before and of this one serve one store at the same time.

use super::database::Database;
use super::{root, serve_with, start};
use crate::harness::Client;
use crate::harness::process::{Process, isolated, run};
use serde_json::{Value, json};
use std::process::Command;
use std::thread;

/// The first commit whose servers keep everything in PostgreSQL.
const BEFORE: &str = "ee9e8fa";
/// How many steps its schema has.
const STEPS_BEFORE: i32 = 2;
/// How many accounts are made through each server while the other makes as many.
const ACCOUNTS: usize = 25;

/// Returns the server of the release before.
fn before() -> Command {
    let script = root().join("tests/released.sh");
    let built = Command::new(script).arg(BEFORE).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    isolated(Command::new(String::from_utf8(built.stdout).unwrap().trim_end()))
}

/// Does through one server what the other has to know of.
fn check_that_one_sees_what_the_other_does(writer: &Client, reader: &Client) {
    let id = writer.create_account("Side by side");
    let of = json!({"AccountId": id});
    let same = |operation: &str, members: &Value| {
        let (here, there) =
            (writer.ok(operation, members.clone()), reader.ok(operation, members.clone()));
        assert_eq!(here, there, "{operation}");
        here
    };
    same("GetAccount", &of);
    let domain = format!("{id}.example");
    writer.ok("ClaimDomain", json!({"AccountId": id, "DomainName": domain}));
    let email = format!("jane.doe@{domain}");
    let user = json!({"AccountId": id, "Email": email});
    let user = writer.ok("CreateUser", user)["User"]["UserId"].clone();
    let of_user = json!({"AccountId": id, "UserId": user});
    same("GetUser", &of_user);
    // Each changes what the other made.
    reader.ok("UpdateAccount", json!({"AccountId": id, "Name": "Renamed"}));
    assert_eq!(same("GetAccount", &of)["Account"]["Name"], "Renamed");
    reader.ok("ResetPersonalPIN", of_user.clone());
    same("GetUser", &of_user);
    let taken = reader.error("CreateUser", json!({"AccountId": id, "Email": email}));
    assert_eq!(taken.0, "ConflictException");
    let team = json!({"AccountId": writer.create_account("Team")});
    let invite =
        json!({"AccountId": team["AccountId"], "UserEmailList": [format!("joe@{id}.test")]});
    writer.ok("InviteUsers", invite);
    let invited = same("ListUsers", &team)["Users"][0]["UserId"].clone();
    let invite = json!({"AccountId": team["AccountId"], "UserId": invited});
    let url_of = |client: &Client| client.ok("GetInvite", invite.clone())["Url"].clone();
    let path_of = |url: Value| url.as_str().unwrap().split_once("/invites/").unwrap().1.to_owned();
    assert_eq!(path_of(url_of(writer)), path_of(url_of(reader)), "a link opens at either");
    same("ExportUsers", &json!({}));
    same("ExportAccounts", &json!({}));

    let key = writer.ok("CreateAccessKey", json!({"AwsAccountId": "444455556666"}));
    let other = reader.clone().with_key(&key["AccessKey"]);
    let theirs = other.create_account("Another's");
    let page = writer.ok("ListAccounts", json!({"MaxResults": 1}));
    let next = json!({"NextToken": page["NextToken"]});
    assert!(reader.ok("ListAccounts", next)["Accounts"][0].is_object());
    let key_id = json!({"AccessKeyId": key["AccessKey"]["AccessKeyId"]});
    other.ok("DeleteAccount", json!({"AccountId": theirs}));
    reader.ok("DeleteAccessKey", key_id);
    let of_removed = writer.clone().with_key(&key["AccessKey"]);
    assert_eq!(of_removed.call("ListAccounts", json!({})).status, 403, "the key is gone at once");
    same("cloudtrail:LookupEvents", &json!({"EventName": "ClaimDomain"}));
}

#[test]
fn servers_of_two_releases_serve_one_database_side_by_side() {
    let database = Database::start();
    let url = database.url("campanile");
    let old = Process::start_with(&mut serve_with(before(), &url));
    let first = old.client().create_account("Of before");
    let new = start(&url);
    let (before_it, today) = (old.client(), new.client());
    check_that_one_sees_what_the_other_does(&before_it, &today);
    check_that_one_sees_what_the_other_does(&today, &before_it);
    let made: Vec<_> = thread::scope(|scope| {
        let makers = [&before_it, &today].map(|client| {
            scope.spawn(move || -> Vec<_> {
                (0..ACCOUNTS).map(|_| client.create_account("At the same time")).collect()
            })
        });
        makers.into_iter().flat_map(|maker| maker.join().unwrap()).collect()
    });
    assert_eq!(old.stop().code, Some(0));
    for id in made.iter().chain([&first]) {
        today.ok("GetAccount", json!({"AccountId": id}));
    }

    // A release adds steps to the schema; where this one has not, the next one's is noted.
    let step = database.shell("psql -Atc 'SELECT max(step) FROM migrations'");
    if step.parse::<i32>().unwrap() == STEPS_BEFORE {
        database.shell("psql -qc 'INSERT INTO migrations VALUES (3)'");
    }
    let refused = run(&mut serve_with(before(), &url));
    assert_eq!(refused.code, Some(1), "{refused:?}");
    for words in ["made by a newer Campanile", "this one knows 2", "at least as new"] {
        assert!(refused.stderr.contains(words), "{refused:?}");
    }
    today.create_account("Unmoved by that");
    database.run("going-back", &[]);
    let old = Process::start_with(&mut serve_with(before(), &url));
    check_that_one_sees_what_the_other_does(&today, &old.client());
    assert_eq!(new.stop().code, Some(0));
    let new = start(&url);
    check_that_one_sees_what_the_other_does(&old.client(), &new.client());
}
