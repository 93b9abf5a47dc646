//! A connection that is cut at every message of an operation, in both directions: no client sees it, and
//! what it asked for is done once.

use super::{Pair, SHORT, administrator, at, text};
use crate::harness::proxy::{Deed, Fault, Way};
use crate::harness::{Answer, Client};
use crate::state_machine::invariants;
use campanile::store::postgres::Timeouts;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::thread;

/// No operation here has as many messages.
const MESSAGES_MAX: usize = 500;
/// A commit is no more messages than these, to the database or from it.
const COMMIT_MESSAGES_MAX: usize = 9;

/// A write that is tried again and again, each time on something of its own.
#[derive(Clone, Copy)]
struct Subject {
    operation: &'static str,
    /// Makes what the operation is about, and returns its members.
    prepare: fn(&Client, &str) -> Value,
    /// Returns how often what was asked for is there, told the answer if there was one.
    look: fn(&Client, &Value, Option<&Value>) -> usize,
}

/// One statement, which is its own transaction.
const CREATE_ACCOUNT: Subject = Subject {
    operation: "CreateAccount",
    prepare: |_, name| json!({"Name": name}),
    look: |client, members, _| list(client, "ListAccounts", &json!({"Name": members["Name"]})),
};

/// A block of several questions, and a batch of several records.
const INVITE_USERS: Subject = Subject {
    operation: "InviteUsers",
    prepare: |client, name| {
        let emails = ["a", "b"].map(|person| format!("{person}@{name}.example.com"));
        json!({"AccountId": client.create_account(name), "UserEmailList": emails})
    },
    look: |client, members, _| {
        let found = list(client, "ListUsers", &json!({"AccountId": members["AccountId"]}));
        assert!(found.is_multiple_of(2), "{found} of {members} were invited");
        found / 2
    },
};

/// A block whose commit deletes.
const DELETE_ACCOUNT: Subject = Subject {
    operation: "DeleteAccount",
    prepare: |client, name| json!({"AccountId": client.create_account(name)}),
    look: |client, members, _| {
        let is_there = client.call("GetAccount", members.clone()).status == 200;
        let deleted = deleted_accounts(client);
        let found =
            deleted.iter().filter(|it| it["Account"]["AccountId"] == members["AccountId"]).count();
        assert_eq!(found, usize::from(!is_there), "{members}");
        found
    },
};

/// Two unique keys, one for another.
const RESET_PERSONAL_PIN: Subject = Subject {
    operation: "ResetPersonalPIN",
    prepare: new_user,
    look: |client, members, answer| {
        let user = client.ok("GetUser", of_user(members))["User"].clone();
        if let Some(answer) = answer {
            assert_eq!(user["PersonalPIN"], answer["User"]["PersonalPIN"], "{members}");
        }
        usize::from(user["PersonalPIN"] != members["Before"])
    },
};

/// A batch that answers for each of several.
const BATCH_UPDATE_USER: Subject = Subject {
    operation: "BatchUpdateUser",
    prepare: |client, name| {
        let user = new_user(client, name);
        let update = json!({"UserId": user["UserId"], "UserType": "SharedDevice"});
        let of = of_user(&user);
        json!({"AccountId": of["AccountId"], "UserId": of["UserId"], "UpdateUserRequestItems": [update]})
    },
    look: |client, members, _| {
        let user = client.ok("GetUser", of_user(members))["User"].clone();
        usize::from(user["UserType"] == "SharedDevice")
    },
};

fn of_user(members: &Value) -> Value {
    json!({"AccountId": members["AccountId"], "UserId": members["UserId"]})
}

fn new_user(client: &Client, name: &str) -> Value {
    let account_id = client.create_account(name);
    let domain = format!("{name}.example.com");
    client.ok("ClaimDomain", json!({"AccountId": account_id, "DomainName": domain}));
    let made = json!({"AccountId": account_id, "Email": format!("a@{domain}")});
    let user = client.ok("CreateUser", made)["User"].clone();
    json!({"AccountId": account_id, "UserId": user["UserId"], "Before": user["PersonalPIN"]})
}

fn list(client: &Client, operation: &str, members: &Value) -> usize {
    let listed = client.ok(operation, members.clone());
    assert_eq!(listed["NextToken"], Value::Null, "{operation} {members}");
    listed.as_object().unwrap().values().filter_map(Value::as_array).map(Vec::len).sum()
}

fn deleted_accounts(client: &Client) -> Vec<Value> {
    invariants::walk(client, "ListDeletedAccounts", json!({"MaxResults": 100})).unwrap()
}

#[test]
fn a_cut_in_create_account_is_not_seen() {
    each_cut_is_unseen(CREATE_ACCOUNT);
}

#[test]
fn a_cut_in_invite_users_is_not_seen() {
    each_cut_is_unseen(INVITE_USERS);
}

#[test]
fn a_cut_in_delete_account_is_not_seen() {
    each_cut_is_unseen(DELETE_ACCOUNT);
}

#[test]
fn a_cut_in_reset_personal_pin_is_not_seen() {
    each_cut_is_unseen(RESET_PERSONAL_PIN);
}

#[test]
fn a_cut_in_batch_update_user_is_not_seen() {
    each_cut_is_unseen(BATCH_UPDATE_USER);
}

/// Nobody is told that the connection is of no use: only time tells.
#[test]
fn a_silence_in_create_account_is_not_seen() {
    for way in [Way::ToDatabase, Way::ToServer] {
        each_fault_is_unseen(CREATE_ACCOUNT, SHORT, way, Deed::Swallow);
    }
}

#[test]
fn a_silence_in_delete_account_is_not_seen() {
    for way in [Way::ToDatabase, Way::ToServer] {
        each_fault_is_unseen(DELETE_ACCOUNT, SHORT, way, Deed::Swallow);
    }
}

fn each_cut_is_unseen(subject: Subject) {
    let patient = Timeouts::default();
    // What the database has seen is settled by what was sent to it, and what the server has seen by what
    // it was answered.
    each_fault_is_unseen(subject, patient, Way::ToDatabase, Deed::CutAfter);
    each_fault_is_unseen(subject, patient, Way::ToServer, Deed::CutBefore);
    each_fault_is_unseen(subject, patient, Way::ToServer, Deed::CutAfter);
}

/// Meets the first message of an operation with a fault, then the second, until it is through untouched.
fn each_fault_is_unseen(subject: Subject, timeouts: Timeouts, way: Way, deed: Deed) {
    let pair = Pair::start(timeouts);
    let plain = administrator(&pair.plain);
    let faulty = at(&plain, &pair.faulty);
    let warm = (subject.prepare)(&plain, "warm");
    called(subject, &faulty, &warm);
    let mut asked = Vec::new();
    for number in 1..MESSAGES_MAX {
        let members = (subject.prepare)(&plain, &format!("a{number}"));
        pair.proxy.set(Fault { way, number, deed, then_refuse: false });
        let answer = called(subject, &faulty, &members);
        let has_happened = pair.proxy.unset();
        let what = format!("{} {way:?} {deed:?} {number}", subject.operation);
        assert!(answer.status < 300, "{what}: {answer:?}");
        asked.push((what, members, answer));
        if !has_happened {
            break;
        }
    }
    println!("{} {way:?} {deed:?}: {} messages", subject.operation, asked.len() - 1);
    assert!((3..MESSAGES_MAX - 1).contains(&asked.len()), "some are met, and one is not");
    let events = invariants::events(&plain).unwrap();
    for (what, members, answer) in asked {
        let told = if answer.body.is_empty() { Value::Null } else { answer.json() };
        assert_eq!((subject.look)(&plain, &members, Some(&told)), 1, "{what}");
        let request_id = answer.header("x-amzn-requestid").unwrap();
        assert_eq!(events.get(request_id), Some(&None), "{what} has one event");
    }
}

fn called(subject: Subject, client: &Client, members: &Value) -> Answer {
    let mut members = members.clone();
    let members_of = members.as_object_mut().unwrap();
    if subject.operation == "ResetPersonalPIN" {
        members_of.remove("Before");
    }
    if subject.operation == "BatchUpdateUser" {
        members_of.remove("UserId");
    }
    client.call(subject.operation, members)
}

/// The database is lost in the midst of an operation, and stays away for as long as the server asks what
/// became of the commit. Either the client is told so, and finds out by the audit, or nothing was done.
#[test]
fn a_database_that_stays_away_leaves_no_doubt_that_is_not_told() {
    for subject in [CREATE_ACCOUNT, DELETE_ACCOUNT] {
        let told: BTreeMap<_, _> = thread::scope(|scope| {
            let ways = [Way::ToDatabase, Way::ToServer]
                .map(|way| scope.spawn(move || (format!("{way:?}"), losses_told(subject, way))));
            ways.into_iter().map(|way| way.join().unwrap()).collect()
        });
        println!("{}: {told:?}", subject.operation);
        let outcomes: BTreeSet<_> = told.values().flat_map(BTreeMap::keys).copied().collect();
        let outcomes: Vec<_> = outcomes.into_iter().collect();
        assert_eq!(outcomes, ["done", "not done", "unknown and done", "unknown and not done"]);
    }
}

/// Cuts the connection at the first message of an operation, and at each from the commit on, and lets no
/// other be made; returns how often was told what.
fn losses_told(subject: Subject, way: Way) -> BTreeMap<&'static str, usize> {
    let timeouts = Timeouts { fence: SHORT.connect, ..SHORT };
    let pair = Pair::start(timeouts);
    let plain = administrator(&pair.plain);
    let faulty = at(&plain, &pair.faulty);
    let deed = if way == Way::ToServer { Deed::CutBefore } else { Deed::CutAfter };
    let set = |number| pair.proxy.set(Fault { way, number, deed, then_refuse: true });
    faulty.create_account("warm");
    set(usize::MAX);
    called(subject, &faulty, &(subject.prepare)(&plain, "counted"));
    let all = pair.proxy.seen(way);
    let mut asked = Vec::new();
    let commit = all.saturating_sub(COMMIT_MESSAGES_MAX).max(2);
    for number in [1].into_iter().chain(commit..MESSAGES_MAX) {
        let members = (subject.prepare)(&plain, &format!("b{number}"));
        // A session is open.
        faulty.ok("iam:ListUsers", json!({}));
        set(number);
        let answer = called(subject, &faulty, &members);
        let has_happened = pair.proxy.unset();
        asked.push((format!("{} {way:?} {number}", subject.operation), members, answer));
        if !has_happened {
            assert!(number > 1, "{way:?}: the first message is met");
            break;
        }
    }
    let mut told = BTreeMap::new();
    let events = invariants::events(&plain).unwrap();
    for (what, members, answer) in asked {
        let found = (subject.look)(&plain, &members, None);
        let event = events.get(answer.header("x-amzn-requestid").unwrap());
        assert_eq!(event, (found == 1).then_some(&None), "{what}: the audit tells");
        let outcome = match (answer.status, found) {
            (200..300, 1) => "done",
            (503, found) if is_unknown(&answer) => {
                ["unknown and not done", "unknown and done"][found]
            }
            (503, 0) => "not done",
            _ => panic!("{what}: it is there {found} times, and was answered {answer:?}"),
        };
        if answer.status == 503 {
            assert_eq!(answer.header("retry-after"), Some("1"), "{what}");
        }
        *told.entry(outcome).or_default() += 1;
    }
    told
}

/// Tells whether an answer says that it is not known what became of the request.
fn is_unknown(answer: &Answer) -> bool {
    text(&answer.json()["Message"]).contains("LookupEvents")
}
