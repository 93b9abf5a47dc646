//! A commit that the database carries out late: after the server has given it up, and has found out, or
//! not, what became of it.

use super::{Pair, SHORT, administrator, at, text};
use crate::harness::postgres::Control;
use crate::harness::proxy::{Deed, Fault, Way};
use crate::harness::{Answer, Client};
use crate::state_machine::invariants;
use campanile::store::postgres::Timeouts;
use serde_json::json;
use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits until somebody waits in the database before it fails.
const WAIT_MAX: Duration = Duration::from_secs(20);
/// What a statement violates that leaves a marker which is there.
const UNIQUE_VIOLATION: &str = "23505";
/// And one that gives a value to a key which must be new, and is not.
const NOT_NULL_VIOLATION: &str = "23502";

#[test]
fn what_arrives_after_it_was_done_again_is_not_done() {
    let pair = Pair::start(SHORT);
    let (plain, faulty) = (pair.plain.client(), pair.faulty.client());
    faulty.create_account("warm");
    hold(&pair, 1, false);
    let answer = faulty.call("CreateAccount", json!({"Name": "late"}));
    assert_eq!(answer.status, 201, "{answer:?}");
    pair.proxy.let_go();
    pair.proxy.wait_for_error(UNIQUE_VIOLATION);
    assert_done_once(&plain, &answer, "late");
}

/// The marker stands in a block that waits for its COMMIT. Whoever puts a fence has to wait for it, and
/// finds that it was late.
#[test]
fn a_commit_that_arrives_while_it_is_asked_for_is_acknowledged() {
    let pair = Pair::start(SHORT);
    let (plain, faulty) = (administrator(&pair.plain), Control::open());
    let (control, faulty) = (faulty, at(&plain, &pair.faulty));
    let account = faulty.create_account("warm");
    let number = messages_of_a_deletion(&pair, &plain, &faulty);
    let members = json!({"AccountId": account});
    hold(&pair, number, false);
    let answer = thread::scope(|scope| {
        let asked = scope.spawn(|| faulty.call("DeleteAccount", members.clone()));
        pair.proxy.wait_until_held();
        wait_for(&control, &pair, "INSERT INTO commits%true%", 1);
        pair.proxy.let_go();
        asked.join().unwrap()
    });
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(plain.call("GetAccount", members).status, 404);
    assert!(is_recorded(&plain, &answer));
}

/// The same, where the COMMIT arrives when nobody asks any more: the client was told that it is not
/// known, and finds the event.
#[test]
fn a_commit_that_arrives_after_all_was_said_to_be_unknown() {
    let pair = Pair::start(SHORT);
    let plain = administrator(&pair.plain);
    let faulty = at(&plain, &pair.faulty);
    let account = faulty.create_account("warm");
    let number = messages_of_a_deletion(&pair, &plain, &faulty);
    let members = json!({"AccountId": account});
    hold(&pair, number, false);
    let answer = faulty.call("DeleteAccount", members.clone());
    assert_unknown(&answer);
    assert!(!is_recorded(&plain, &answer));
    pair.proxy.let_go();
    let until = Instant::now() + WAIT_MAX;
    while !is_recorded(&plain, &answer) {
        assert!(Instant::now() < until, "the COMMIT arrives");
    }
    assert_eq!(plain.call("GetAccount", members).status, 404);
}

/// The client was told that it is not known, and the server goes on asking: what has not happened when
/// the database is back will not happen after that.
#[test]
fn what_arrives_after_the_database_was_asked_again_is_not_done() {
    let pair = Pair::start(Timeouts { fence: SHORT.answer, ..SHORT });
    let (plain, faulty) = (pair.plain.client(), pair.faulty.client());
    faulty.create_account("warm");
    hold(&pair, 1, true);
    let answer = faulty.call("CreateAccount", json!({"Name": "late"}));
    assert_unknown(&answer);
    pair.proxy.unset();
    let control = Control::open();
    let fences = format!("SELECT count(*) FROM {}.commits WHERE fence", pair.schema);
    let until = Instant::now() + WAIT_MAX;
    while control.count(&fences) == 0 {
        assert!(Instant::now() < until, "nobody asks again");
    }
    pair.proxy.let_go();
    pair.proxy.wait_for_error(UNIQUE_VIOLATION);
    assert!(!is_recorded(&plain, &answer));
    assert_eq!(plain.ok("ListAccounts", json!({"Name": "late"}))["Accounts"], json!([]));
}

/// A client that was told that it is not known makes the call again, as SDKs do, at another server, while
/// the first commit is still on its way.
#[test]
fn what_arrives_after_its_client_asked_again_is_not_done() {
    let pair = Pair::start(Timeouts { fence: SHORT.answer, ..SHORT });
    let (plain, faulty) = (pair.plain.client(), pair.faulty.client());
    faulty.create_account("warm");
    hold(&pair, 1, true);
    let members = json!({"Name": "late"});
    assert_unknown(&faulty.attempt("one", 1).call("CreateAccount", members.clone()));
    let answer = plain.attempt("one", 2).call("CreateAccount", members);
    assert_eq!(answer.status, 201, "{answer:?}");
    pair.proxy.let_go();
    pair.proxy.wait_for_error(NOT_NULL_VIOLATION);
    pair.proxy.unset();
    assert_done_once(&plain, &answer, "late");
}

/// The first attempt's server is still there, and finds that another has done what it was to do.
#[test]
fn both_attempts_of_a_call_are_answered_the_same() {
    let pair = Pair::start(Timeouts { commit: WAIT_MAX, ..SHORT });
    let (plain, faulty) = (pair.plain.client(), pair.faulty.client());
    faulty.create_account("warm");
    hold(&pair, 1, false);
    let members = json!({"Name": "late"});
    let (first, second) = thread::scope(|scope| {
        let ask = || faulty.attempt("one", 1).call("CreateAccount", members.clone());
        let first = scope.spawn(ask);
        pair.proxy.wait_until_held();
        let second = plain.attempt("one", 2).call("CreateAccount", members.clone());
        pair.proxy.let_go();
        (first.join().unwrap(), second)
    });
    assert_eq!((first.status, first.body), (201, second.body.clone()));
    assert_done_once(&plain, &second, "late");
}

/// The database is there, and takes its time: another transaction has what the commit needs.
#[test]
fn a_commit_that_waits_for_another_transaction_is_done_once() {
    let pair = Pair::start(Timeouts { fence: WAIT_MAX, ..SHORT });
    let (plain, faulty) = (administrator(&pair.plain), pair.faulty.client());
    let account = faulty.create_account("before");
    let control = Control::open();
    control.execute(&format!("BEGIN; SELECT 1 FROM {}.entries FOR UPDATE", pair.schema));
    let answer = thread::scope(|scope| {
        let members = json!({"AccountId": account, "Name": "after"});
        let asked = scope.spawn(|| faulty.call("UpdateAccount", members));
        // The first was given up, and is still there; the second is the operation's next try.
        wait_for(&Control::open(), &pair, "%INSERT INTO entries%", 2);
        control.execute("COMMIT");
        asked.join().unwrap()
    });
    assert_eq!(answer.status, 200, "{answer:?}");
    pair.proxy.wait_for_error(UNIQUE_VIOLATION);
    assert_done_once(&plain, &answer, "after");
}

/// Holds a message that goes to the database, and those behind it.
fn hold(pair: &Pair, number: usize, then_refuse: bool) {
    pair.proxy.set(Fault { way: Way::ToDatabase, number, deed: Deed::Hold, then_refuse });
}

/// Returns how many messages a deletion of an account sends, the last of which is the COMMIT.
fn messages_of_a_deletion(pair: &Pair, plain: &Client, faulty: &Client) -> usize {
    let members = json!({"AccountId": plain.create_account("counted")});
    let way = Way::ToDatabase;
    pair.proxy.set(Fault { way, number: usize::MAX, deed: Deed::Hold, then_refuse: false });
    faulty.ok("DeleteAccount", members);
    pair.proxy.seen(way)
}

/// Waits until so many of the faulty server's connections wait for another transaction.
fn wait_for(control: &Control, pair: &Pair, statement: &str, count: usize) {
    let query = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = '{}' \
         AND wait_event_type = 'Lock' AND query LIKE '{statement}'",
        pair.schema
    );
    let until = Instant::now() + WAIT_MAX;
    while control.count(&query) < count {
        assert!(Instant::now() < until, "nobody waits with {statement}");
    }
}

fn assert_unknown(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(text(&answer.json()["Message"]).contains("LookupEvents"), "{answer:?}");
}

fn assert_done_once(client: &Client, answer: &Answer, name: &str) {
    let listed = client.ok("ListAccounts", json!({"Name": name}))["Accounts"].clone();
    let ids: Vec<_> = listed.as_array().unwrap().iter().map(|it| &it["AccountId"]).collect();
    assert_eq!(ids, [&answer.json()["Account"]["AccountId"]], "{listed}");
    assert!(is_recorded(client, answer));
}

/// Tells whether there is an event of a request, which tells of success if so.
fn is_recorded(client: &Client, answer: &Answer) -> bool {
    let request_id = answer.header("x-amzn-requestid").unwrap();
    let event = invariants::events(client).unwrap().remove(request_id);
    assert!(event.as_ref().is_none_or(Option::is_none), "{event:?}");
    event.is_some()
}
