//! For how many answers of the database a request waits, and that this does not grow with what is stored.

use super::administrator;
use crate::conformance::directory::{
    AWS_POLICY_ARN, add_many, existing, large_team, server_with,
};
use crate::conformance::{baseline, operations, send};
use crate::harness::proxy::Proxy;
use crate::harness::{Client, Options, Server, postgres};
use crate::model::Operation;
use campanile::store::{Location, Store};
use serde_json::json;
use std::collections::BTreeMap;

/// How often each is counted. The least counts: duties ask the database now and then, too.
const RUNS: usize = 2;
const FEW: usize = 10;
const MANY: usize = 700;
/// Those that count what there is, 500 at a time, until they know whether a quota is reached.
const COUNT_TO_A_QUOTA: [&str; 3] = ["iam:CreatePolicy", "iam:CreateRole", "iam:CreateUser"];
/// Reads what it lists one by one, as many as a page has.
const READS_ONE_BY_ONE: [&str; 1] = ["iam:ListEntitiesForPolicy"];

/// How many round trips an operation needs, by the operation.
type Counts = BTreeMap<String, usize>;

struct Counted {
    proxy: Proxy,
    server: Server,
    location: Location,
}

#[test]
fn round_trips_are_few_and_do_not_grow_with_what_is_stored() {
    let counted = Counted::start();
    let root = counted.server.client();
    let user = administrator(&counted.server);
    counted.add(FEW);
    let few = [counted.counts(&root, FEW), counted.counts(&user, FEW)];
    counted.add(MANY);
    let many = [counted.counts(&root, MANY), counted.counts(&user, MANY)];
    let mut grown = Vec::new();
    for (operation, of_root) in &few[0] {
        let all = [few[0][operation], many[0][operation], few[1][operation], many[1][operation]];
        println!("| {operation} | {of_root} | {} |", few[1][operation]);
        if all[0] != all[1] || all[2] != all[3] {
            grown.push(format!("{operation}: {all:?}"));
        }
    }
    println!("{grown:#?}");
}

impl Counted {
    fn start() -> Self {
        let proxy = Proxy::start();
        let location = Location::Postgres(Box::new(proxy.settings(&postgres::new_schema())));
        let options = Options { location: Some(location.clone()), ..Options::default() };
        Self { proxy, server: server_with(options), location }
    }

    fn add(&self, count: usize) {
        let store = Store::open(&self.location).unwrap();
        store.write_blocking(move |mut tx| add_many(&mut tx, count)).unwrap();
    }

    /// Counts the round trips of every operation, as one caller.
    fn counts(&self, client: &Client, size: usize) -> Counts {
        let mut counts = Counts::new();
        for operation in operations() {
            let runs = (0..RUNS).map(|_| self.count(client, operation, size));
            counts.insert(operation.name.clone(), runs.min().unwrap());
        }
        counts
    }

    fn count(&self, client: &Client, operation: &Operation, size: usize) -> usize {
        let mut members = baseline(&self.server.client(), operation, false);
        if READS_ONE_BY_ONE.contains(&operation.name.as_str()) {
            members.insert("PolicyArn".to_owned(), AWS_POLICY_ARN.into());
        }
        if ["iam:UpdateAccessKey", "iam:DeleteAccessKey"].contains(&operation.name.as_str()) {
            // A user that names nobody speaks of its own keys.
            let owner = existing(client, operation, "UserName").unwrap();
            members.insert("UserName".to_owned(), owner);
        }
        if operation.name == "SuspendAccount" {
            members.insert("AccountId".to_owned(), large_team(size).into());
        }
        // Sessions are open, and the caller is known.
        client.ok("ListAccounts", json!({}));
        self.proxy.round_trips(|| {
            let answer = send(client, operation, &members);
            assert!(answer.status < 300, "{} {members:?}: {answer:?}", operation.name);
        })
    }
}
