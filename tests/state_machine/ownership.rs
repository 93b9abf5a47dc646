//! An address has one owner at every time: who gets it, has it until it gives it up, and nobody is
//! refused it without another's having it.

use super::concurrent::tick;
use super::{SEED, setting};
use crate::harness::{Client, Server};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;
use std::thread;

const OWNERS: u64 = 4;
/// How often each tries to get the address.
const ATTEMPTS: usize = 40;
const ADDRESS: [&str; 2] = ["one@example.com", "ONE@Example.COM"];

/// Since when, and until when, in ticks.
#[derive(Clone, Copy, Debug)]
struct Period(u64, u64);

/// What an owner saw: when it may have had the address, when it had it for certain, and when it was
/// refused it.
#[derive(Debug, Default)]
struct Seen {
    perhaps: Vec<Period>,
    certain: Vec<Period>,
    refused: Vec<Period>,
}

#[test]
fn an_address_has_one_owner_at_every_time() {
    let server = Server::start();
    let client = server.client();
    let seed = setting("STATE_MACHINE_SEED", SEED);
    let owners: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..OWNERS)
            .map(|owner| {
                let client = &client;
                scope.spawn(move || own(client, StdRng::seed_from_u64(seed ^ owner)))
            })
            .collect();
        threads.into_iter().map(|it| it.join().unwrap()).collect()
    });
    for (owner, mine) in owners.iter().enumerate() {
        let others = || owners.iter().enumerate().filter(move |(other, _)| *other != owner);
        for period in &mine.certain {
            let both = others().find(|(_, it)| it.certain.iter().any(|it| it.meets(*period)));
            assert!(both.is_none(), "seed {seed}: {owner} and {both:?} at {period:?}");
        }
        for period in &mine.refused {
            let is_taken = others().any(|(_, it)| it.perhaps.iter().any(|it| it.meets(*period)));
            assert!(is_taken, "seed {seed}: {owner} was refused what nobody had, at {period:?}");
        }
    }
    assert!(owners.iter().any(|it| !it.refused.is_empty()), "they met: {owners:?}");
    assert!(owners.iter().all(|it| !it.certain.is_empty()), "each had it once: {owners:?}");
}

/// Gets the address into an account of its own and gives it up, again and again.
fn own(client: &Client, mut rng: StdRng) -> Seen {
    let account = client.create_account("owner");
    let mut seen = Seen::default();
    for attempt in 0.. {
        // Everybody gets a turn.
        if attempt >= ATTEMPTS && !seen.certain.is_empty() {
            break;
        }
        let email = ADDRESS[rng.random_range(0..2)];
        let begin = tick();
        let got = if rng.random() {
            let members = json!({"AccountId": account, "UserEmailList": [email]});
            client.ok("InviteUsers", members)["Invites"][0]["Status"] == "Pending"
        } else {
            let kind = "SharedDevice";
            let members = json!({"AccountId": account, "Email": email, "UserType": kind});
            let answer = client.call("CreateUser", members);
            assert!([201, 409].contains(&answer.status), "{answer:?}");
            answer.status == 201
        };
        let end = tick();
        if !got {
            seen.refused.push(Period(begin, end));
            continue;
        }
        let owners = client.ok("ListAccounts", json!({"UserEmail": email}));
        assert_eq!(owners["Accounts"][0]["AccountId"], *account, "who has it, is its owner");
        let users = client.ok("ListUsers", json!({"AccountId": account}));
        let ids: Vec<_> =
            users["Users"].as_array().unwrap().iter().map(|it| &it["UserId"]).collect();
        assert_eq!(ids.len(), 1, "{users}");
        let given_up = tick();
        let members = json!({"AccountId": account, "UserIdList": ids});
        assert_eq!(client.ok("BatchSuspendUser", members), json!({"UserErrors": []}));
        seen.certain.push(Period(end, given_up));
        seen.perhaps.push(Period(begin, tick()));
    }
    seen
}

impl Period {
    fn meets(self, other: Self) -> bool {
        self.0 < other.1 && other.0 < self.1
    }
}
