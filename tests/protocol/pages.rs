//! Walks over pages while others write: an account that is there all the time, under one name, is
//! met exactly once.

use crate::harness::{Client, Server};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// What another client does between two pages.
#[derive(Clone, Debug)]
enum Change {
    Insert(String),
    Delete(Index),
    Rename(Index, String),
    /// Changes an account that keeps its name.
    License(Index),
}

/// Names of few letters, so that some are equal, or begin others.
fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[ab\0\u{ff}é\u{10ffff}𝄞日]{0,3}[a-c]", "\\PC{0,99}\\S"]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        name().prop_map(Change::Insert),
        any::<Index>().prop_map(Change::Delete),
        (any::<Index>(), name()).prop_map(|(index, name)| Change::Rename(index, name)),
        any::<Index>().prop_map(Change::License),
    ]
}

fn apply(client: &Client, change: &Change, stable: &[String], passing: &mut Vec<String>) {
    match change {
        Change::Insert(name) => passing.push(client.create_account(name)),
        Change::Delete(index) if !passing.is_empty() => {
            let id = passing.swap_remove(index.index(passing.len()));
            client.ok("DeleteAccount", json!({"AccountId": id}));
        }
        Change::Rename(index, name) if !passing.is_empty() => {
            let id = &passing[index.index(passing.len())];
            client.ok("UpdateAccount", json!({"AccountId": id, "Name": name}));
        }
        Change::License(index) if !stable.is_empty() => {
            let id = &stable[index.index(stable.len())];
            client.ok("UpdateAccount", json!({"AccountId": id, "DefaultLicense": "Basic"}));
        }
        Change::Delete(_) | Change::Rename(..) | Change::License(_) => {}
    }
}

/// Walks all pages, with a word for others before each; returns name and id of what was met.
fn walk(
    client: &Client,
    filter: Option<&str>,
    mut between: impl FnMut(usize) -> usize,
) -> Vec<(String, String)> {
    let mut met = Vec::new();
    let mut token = Value::Null;
    for i in 0.. {
        let max_results = between(i);
        let query = json!({"Name": filter, "MaxResults": max_results, "NextToken": token});
        let page = client.ok("ListAccounts", without_nulls(query));
        let accounts = page["Accounts"].as_array().unwrap();
        assert!(accounts.len() <= max_results);
        for account in accounts {
            let text = |member: &str| account[member].as_str().unwrap().to_owned();
            met.push((text("Name"), text("AccountId")));
        }
        token = page["NextToken"].clone();
        if token.is_null() {
            break;
        }
        assert_eq!(accounts.len(), max_results, "only the last page may be short");
    }
    met
}

fn without_nulls(members: Value) -> Value {
    let Value::Object(mut members) = members else { panic!("members are an object") };
    members.retain(|_, value| !value.is_null());
    Value::Object(members)
}

#[track_caller]
fn check_walk(met: &[(String, String)], stable: &[(String, String)]) {
    assert!(met.is_sorted(), "by the bytes of the name, then by id: {met:?}");
    assert!(met.iter().collect::<BTreeSet<_>>().len() == met.len(), "repeated: {met:?}");
    for account in stable {
        assert!(met.contains(account), "{account:?} is not in {met:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_walk_neither_repeats_nor_skips_what_stays(
        stable in prop::collection::vec(name(), 0..10),
        passing in prop::collection::vec(name(), 0..6),
        steps in prop::collection::vec((1usize..5, prop::collection::vec(change(), 0..4)), 1..12),
        filter in prop::option::of(prop_oneof![Just("a"), Just("\0"), Just("é"), Just("ab")]),
    ) {
        let server = Server::start();
        let (client, other) = (server.client(), server.client_of("111122223333"));
        server.client_of("444455556666").create_account("a");
        let create = |names: &[String]| -> Vec<String> {
            names.iter().map(|name| client.create_account(name)).collect()
        };
        let mut passing = create(&passing);
        let ids = create(&stable);
        let met = walk(&client, filter, |i| {
            let Some((max_results, changes)) = steps.get(i) else { return 200 };
            for change in changes {
                apply(&other, change, &ids, &mut passing);
            }
            *max_results
        });
        let stays = |name: &String| filter.is_none_or(|filter| name.starts_with(filter));
        prop_assert!(met.iter().all(|(name, _)| stays(name)));
        let mut stable: Vec<_> = stable.into_iter().zip(ids).collect();
        stable.retain(|(name, _)| stays(name));
        check_walk(&met, &stable);
    }
}

#[test]
fn a_walk_holds_while_others_write_at_the_same_time() {
    let server = Server::start();
    let client = server.client();
    let mut stable: Vec<_> = (0..40)
        .map(|i| format!("{}{i}", ['a', 'é', '日', '𝄞'][i % 4]))
        .map(|name| (name.clone(), client.create_account(&name)))
        .collect();
    stable.sort();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let _end = End(&done);
        for letter in ['a', '日'] {
            let (other, done) = (server.client_of("111122223333"), &done);
            scope.spawn(move || {
                for i in 0.. {
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                    let id = other.create_account(&format!("{letter}{}", i % 50));
                    let name = format!("é{}", i % 50);
                    other.ok("UpdateAccount", json!({"AccountId": id, "Name": name}));
                    if i % 3 > 0 {
                        other.ok("DeleteAccount", json!({"AccountId": id}));
                    }
                }
            });
        }
        for _ in 0..4 {
            let met = walk(&client, None, |i| if i < 60 { 1 + i % 5 } else { 200 });
            check_walk(&met, &stable);
        }
    });
}

/// Ends the others also when a walk fails.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
