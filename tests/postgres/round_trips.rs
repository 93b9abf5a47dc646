//! For how many answers of the database a request waits, and that this does not grow with what is stored.

use super::administrator;
use crate::conformance::directory::{
    ACCOUNT_ID, AWS_POLICY_ARN, TEAM_ACCOUNT_ID, add_many, existing, large_team, server_with,
};
use crate::conformance::{baseline, operations, send};
use crate::harness::proxy::Proxy;
use crate::harness::{Client, Options, Server, postgres};
use crate::model::Operation;
use campanile::store::{Location, Store};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// How far away the database is when a count is taken, and when one that differs is taken again: duties
/// ask the database now and then, too, and a busy machine counts too many where it is near.
const LATENCIES: [u64; 7] = [0, 1, 2, 5, 10, 20, 50];
const FEW: usize = 10;
const MANY: usize = 700;
/// How many round trips there are at the most, where it was promised: as the root, and as a user.
const PROMISED: [(&str, usize); 3] = [("GetAccount", 1), ("ListAccounts", 2), ("CreateAccount", 3)];
/// How many ids the largest batches may have.
const BATCH_MAX: usize = 50;
/// What is made of several, and of how many at the most.
const BATCHES: [(&str, usize); 4] = [
    ("BatchSuspendUser", BATCH_MAX),
    ("BatchUnsuspendUser", BATCH_MAX),
    ("BatchUpdateUser", 20),
    ("InviteUsers", BATCH_MAX),
];

/// How many round trips an operation needs, as the root and as a user with a policy.
type Counts = BTreeMap<String, [usize; 2]>;

struct Counted {
    root: Client,
    user: Client,
    // The proxy ends last.
    _server: Server,
    location: Location,
    proxy: Proxy,
}

#[test]
fn round_trips_are_few_and_do_not_grow_with_what_is_stored() {
    let counted = Counted::start();
    counted.add(FEW);
    let few = counted.counts(FEW);
    counted.add(MANY);
    let many = counted.counts(MANY);
    let (mut grown, mut broken) = (Vec::new(), Vec::new());
    println!("| operation | as the root | as a user |\n| --- | --- | --- |");
    for (name, of_few) in &few {
        let of_many = counted.at_least(name, of_few, &many[name]);
        let shown = |which: usize| match (of_few[which], of_many[which]) {
            (few, many) if few == many => few.to_string(),
            (few, many) => format!("{few}; {many}"),
        };
        println!("| {name} | {} | {} |", shown(0), shown(1));
        if of_many.iter().zip(of_few).any(|(many, few)| many > few) {
            grown.push(name.as_str());
        }
        let promised = PROMISED.iter().find(|(promised, _)| promised == name);
        if promised.is_some_and(|(_, most)| of_many.iter().any(|count| count > most)) {
            broken.push(name.as_str());
        }
    }
    assert!(grown.is_empty(), "{grown:?} grow with what is stored");
    assert!(broken.is_empty(), "{broken:?} need more than was promised");
    assert!(PROMISED.iter().all(|(name, _)| few.contains_key(*name)));
}

/// An address is looked up beside the account, and then the user who has it.
#[test]
fn whoever_has_an_address_is_found_in_three_round_trips() {
    let counted = Counted::start();
    let user = counted.root.ok("ListUsers", json!({"AccountId": ACCOUNT_ID}))["Users"][0].clone();
    let members = json!({"AccountId": ACCOUNT_ID, "UserEmail": user["PrimaryEmail"]});
    for client in [&counted.root, &counted.user] {
        client.ok("ListAccounts", json!({}));
        let counts = LATENCIES.map(|latency| {
            counted.proxy.round_trips(Duration::from_millis(latency), || {
                assert_eq!(client.ok("ListUsers", members.clone())["Users"], json!([user]));
            })
        });
        assert_eq!(counts.iter().min(), Some(&3), "{counts:?}");
    }
}

/// What a batch costs does not depend on how much is in it.
#[test]
fn the_round_trips_of_a_batch_do_not_grow_with_it() {
    let counted = Counted::start();
    counted.add(BATCH_MAX);
    for (name, most) in BATCHES {
        let mut of_one = None;
        let counts = [1, 10, most].map(|ids| {
            let counts = LATENCIES.into_iter().enumerate().map(|(run, latency)| {
                let (members, latency) = (batch(name, ids, run), Duration::from_millis(latency));
                counted.proxy.round_trips(latency, || drop(counted.root.ok(name, members)))
            });
            let mut least = usize::MAX;
            for count in counts {
                least = least.min(count);
                if of_one == Some(least) {
                    break;
                }
            }
            of_one.get_or_insert(least);
            least
        });
        println!("{name} of 1, 10 and {most}: {counts:?}");
        assert_eq!(counts, [counts[0]; 3], "{name}");
    }
}

fn batch(name: &str, ids: usize, run: usize) -> Value {
    let users = (0..ids).map(|number| format!("many-{BATCH_MAX}-{number}"));
    if name == "InviteUsers" {
        let emails: Vec<_> = users.map(|user| format!("{user}.{ids}.{run}@example.org")).collect();
        return json!({"AccountId": TEAM_ACCOUNT_ID, "UserEmailList": emails});
    }
    if name == "BatchUpdateUser" {
        let license = if run.is_multiple_of(2) { "Basic" } else { "Pro" };
        let updates = users.map(|user| json!({"UserId": user, "LicenseType": license}));
        let updates: Vec<_> = updates.collect();
        return json!({"AccountId": ACCOUNT_ID, "UpdateUserRequestItems": updates});
    }
    json!({"AccountId": ACCOUNT_ID, "UserIdList": users.collect::<Vec<_>>()})
}

impl Counted {
    fn start() -> Self {
        let proxy = Proxy::start();
        let location = Location::Postgres(Box::new(proxy.settings(&postgres::new_schema())));
        let options = Options { location: Some(location.clone()), ..Options::default() };
        let server = server_with(options);
        let (root, user) = (server.client(), administrator(&server));
        Self { root, user, _server: server, location, proxy }
    }

    fn add(&self, count: usize) {
        let store = Store::open(&self.location).unwrap();
        store.write_blocking(move |mut tx| add_many(&mut tx, count)).unwrap();
    }

    /// Counts the round trips of every operation.
    fn counts(&self, size: usize) -> Counts {
        let count = |operation: &&Operation| {
            let of_each = [&self.root, &self.user].map(|client| {
                let counts = [0, 1].map(|latency| self.count(client, operation, size, latency));
                counts[0].min(counts[1])
            });
            (operation.name.clone(), of_each)
        };
        operations().iter().map(count).collect()
    }

    /// Looks again at a count that differs from one before.
    fn at_least(&self, name: &str, few: &[usize; 2], many: &[usize; 2]) -> [usize; 2] {
        let mut least = *many;
        let operation = operations().into_iter().find(|it| it.name == name).unwrap();
        for (index, client) in [&self.root, &self.user].into_iter().enumerate() {
            for latency in LATENCIES {
                if least[index] > few[index] {
                    let again = self.count(client, operation, MANY, latency);
                    least[index] = least[index].min(again);
                }
            }
        }
        least
    }

    fn count(&self, client: &Client, operation: &Operation, size: usize, latency: u64) -> usize {
        let mut members = baseline(&self.root, operation, false);
        let mut set = |member: &str, value: Value| members.insert(member.to_owned(), value);
        match operation.name.as_str() {
            "iam:ListEntitiesForPolicy" => set("PolicyArn", AWS_POLICY_ARN.into()),
            "iam:UpdateAccessKey" | "iam:DeleteAccessKey" => {
                // A user that names nobody speaks of its own keys.
                set("UserName", existing(client, operation, "UserName").unwrap())
            }
            "InviteUsers" => {
                let fresh = uuid::Uuid::from_bytes(rand::random());
                set("UserEmailList", json!([format!("{fresh}@example.org")]))
            }
            "SuspendAccount" => set("AccountId", large_team(size).into()),
            _ => None,
        };
        // Sessions are open, and the caller is known.
        client.ok("ListAccounts", json!({}));
        self.proxy.round_trips(Duration::from_millis(latency), || {
            let answer = send(client, operation, &members);
            assert!(answer.status < 300, "{} {members:?}: {answer:?}", operation.name);
        })
    }
}
