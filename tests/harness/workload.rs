//! Clients that change accounts, and the ledger of what they did and what was acknowledged of it.
//!
//! An account is known by a number that stands at the head of its name, so that an account whose
//! making was never acknowledged can be told from one that nobody made.

use super::Client;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// How many clients may use one ledger, and how many accounts each may make.
const ACCOUNTS_MAX: u64 = 1_000_000;
/// How long a name may be.
const NAME_CHARS: usize = 100;

/// What an account is to those who can see it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum State {
    Named(String),
    Deleted,
}

/// The accounts that a store holds, by their numbers.
pub type Found = BTreeMap<u64, State>;

/// What clients did, in the order in which each account saw it.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Every state that an account was asked to take; the last may not have been acknowledged.
    pub states: BTreeMap<u64, Vec<State>>,
    pub acknowledged: Vec<Acknowledgement>,
    /// The ids that the server gave.
    pub ids: BTreeMap<u64, String>,
}

/// An answer of success: from then on the account is in the state with this place, or a later one.
#[derive(Clone, Debug)]
pub struct Acknowledgement {
    pub account: u64,
    /// How many of the account's states are acknowledged with this.
    pub states: usize,
    /// The id of the answer.
    pub request_id: String,
}

impl Ledger {
    /// Begins with what a store holds, all of it acknowledged.
    pub fn of(found: Found) -> Self {
        let states = found.into_iter().map(|(account, state)| (account, vec![state])).collect();
        Self { states, ..Self::default() }
    }

    /// Takes in the ledger of another client.
    pub fn merge(&mut self, other: Self) {
        for (account, states) in other.states {
            self.states.entry(account).or_default().extend(states);
        }
        self.acknowledged.extend(other.acknowledged);
        self.ids.extend(other.ids);
    }

    /// Returns how many states of each account are acknowledged.
    pub fn all_acknowledged(&self) -> BTreeMap<u64, usize> {
        let all = self.acknowledged.iter();
        all.map(|done| (done.account, done.states)).collect()
    }

    /// Compares what a store holds with what it may hold: for each account the last state that was
    /// acknowledged, or the one that was asked for next, and nothing else.
    pub fn check(&self, acknowledged: &BTreeMap<u64, usize>, found: &Found) -> Result<(), String> {
        let mut wrong = Vec::new();
        let accounts: BTreeSet<_> = self.states.keys().chain(found.keys()).collect();
        for account in accounts {
            let states = self.states.get(account).map_or(&[][..], Vec::as_slice);
            let count = acknowledged.get(account).copied().unwrap_or_default();
            let last = count.checked_sub(1).map(|last| &states[last]);
            let found = found.get(account);
            if found != last && (found.is_none() || found != states.get(count)) {
                let next = states.get(count);
                wrong.push(format!(
                    "account {account}: found {found:?}, acknowledged {last:?}, asked for {next:?}"
                ));
            }
        }
        if wrong.is_empty() {
            return Ok(());
        }
        let count = wrong.len();
        wrong.truncate(5);
        Err(format!("{count} accounts are wrong:\n{}", wrong.join("\n")))
    }
}

/// What a client does.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The number of the client: no other uses the same over one ledger.
    pub client: u64,
    pub operations: usize,
    pub seed: u64,
    /// What a name is filled up with to its greatest length, if it is.
    pub filling: Option<char>,
}

/// Creates, updates and deletes accounts until the plan is done or the server does not answer.
pub fn work(client: &Client, plan: &Plan, mut acknowledged: impl FnMut()) -> (Ledger, Stopped) {
    let mut rng = StdRng::seed_from_u64(plan.seed ^ plan.client);
    let mut ledger = Ledger::default();
    let mut live: Vec<(u64, Option<String>)> = Vec::new();
    for operation in 0..plan.operations {
        let begin = ledger.states.len() as u64;
        let chosen = if live.is_empty() { 0 } else { rng.random_range(0..100) };
        let (account, id) = match chosen {
            0..50 => (plan.client * ACCOUNTS_MAX + begin, None),
            50..85 => live[rng.random_range(0..live.len())].clone(),
            _ => live.swap_remove(rng.random_range(0..live.len())),
        };
        let name = plan.name(account, operation);
        let (state, called) = match (chosen, &id) {
            (_, None) => {
                let called = client.try_call("CreateAccount", json!({"Name": name}));
                (State::Named(name), called)
            }
            (0..85, Some(id)) => {
                let members = json!({"AccountId": id, "Name": name});
                (State::Named(name), client.try_call("UpdateAccount", members))
            }
            (_, Some(id)) => {
                (State::Deleted, client.try_call("DeleteAccount", json!({"AccountId": id})))
            }
        };
        let states = ledger.states.entry(account).or_default();
        states.push(state);
        let answer = match called {
            Ok(answer) => answer,
            Err(error) => return (ledger, Stopped::Unanswered(error)),
        };
        assert!(answer.status < 300, "{answer:?}");
        let request_id = answer.header("x-amzn-requestid").unwrap().to_owned();
        ledger.acknowledged.push(Acknowledgement { account, states: states.len(), request_id });
        if id.is_none() {
            let id = answer.json()["Account"]["AccountId"].as_str().unwrap().to_owned();
            ledger.ids.insert(account, id.clone());
            live.push((account, Some(id)));
        }
        acknowledged();
    }
    (ledger, Stopped::Done)
}

/// Why a client stopped.
#[derive(Debug)]
pub enum Stopped {
    Done,
    /// The server was gone, or went before it answered.
    Unanswered(io::Error),
}

impl Plan {
    fn name(&self, account: u64, operation: usize) -> String {
        let mut name = format!("{account}-{operation}");
        if let Some(filling) = self.filling {
            name.extend(std::iter::repeat_n(filling, NAME_CHARS - name.len()));
        }
        name
    }
}

/// Returns the number of an account that has this name.
pub fn number_in(name: &str) -> u64 {
    name.split('-').next().unwrap().parse().unwrap()
}

/// Asks a server for everything that it holds: the pages of the list, and each account by its id.
pub fn read_all(client: &Client, ids: &BTreeMap<u64, String>) -> Found {
    let mut found = Found::new();
    let mut page = client.ok("ListAccounts", json!({"MaxResults": 200}));
    loop {
        for account in page["Accounts"].as_array().unwrap() {
            let name = account["Name"].as_str().unwrap();
            let twice = found.insert(number_in(name), State::Named(name.to_owned()));
            assert_eq!(twice, None, "{name} is listed with another name of its account");
        }
        match &page["NextToken"] {
            Value::Null => break,
            token => {
                let members = json!({"MaxResults": 200, "NextToken": token});
                page = client.ok("ListAccounts", members);
            }
        }
    }
    for (account, id) in ids {
        let answer = client.call("GetAccount", json!({"AccountId": id}));
        if let Some(State::Named(name)) = found.get(account) {
            assert_eq!(answer.json()["Account"]["Name"], **name);
        } else {
            assert_eq!(answer.error().0, "NotFoundException");
            found.insert(*account, State::Deleted);
        }
    }
    found
}

/// Returns the requests of which a server's audit tells that they succeeded.
pub fn recorded(client: &Client) -> BTreeSet<String> {
    let mut requests = BTreeSet::new();
    let mut members = json!({"MaxResults": 200});
    loop {
        let page = client.ok("cloudtrail:LookupEvents", members.clone());
        for found in page["Events"].as_array().unwrap() {
            let event = found["CloudTrailEvent"].as_str().unwrap();
            let event: Value = serde_json::from_str(event).unwrap();
            assert_eq!(event["errorCode"], Value::Null, "{event}");
            requests.insert(event["requestID"].as_str().unwrap().to_owned());
        }
        members["NextToken"] = page["NextToken"].clone();
        if members["NextToken"].is_null() {
            return requests;
        }
    }
}
