//! What clients at two servers see of accounts' names is what one register for each would have answered,
//! also while their connections to the database are cut.

use super::linearizability::{Call, Deed, is_linearizable};
use super::{SHORT, server_at, text};
use crate::harness::proxy::Proxy;
use crate::harness::{Answer, Client, Server, postgres};
use campanile::store::Location;
use campanile::store::postgres::Timeouts;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

const ROUNDS: u64 = 12;
/// And while connections are cut, which takes longer.
const CUT_ROUNDS: u64 = 5;
const ACCOUNTS: usize = 3;
/// How many clients each server has.
const CLIENTS: usize = 3;
const CALLS: usize = 20;
const SEED: u64 = 20_181_220;
/// How many of a thousand messages are met by a cut.
const CUT_OF_THOUSAND: u32 = 15;

/// The calls about each account, and how many of the answers were what.
#[derive(Default)]
struct History {
    calls: BTreeMap<usize, Vec<Call>>,
    told: BTreeMap<&'static str, usize>,
}

#[test]
fn histories_are_linearizable() {
    let servers = Servers::start(Timeouts::default());
    let told = servers.check_rounds(ROUNDS, |_| {});
    assert_eq!(told.keys().copied().collect::<Vec<_>>(), ["done"], "{told:?}");
}

#[test]
fn histories_are_linearizable_while_connections_are_cut() {
    // The database is not away for long: a cut is answered by another connection at once.
    let servers = Servers::start(Timeouts { commit: SHORT.fence, answer: SHORT.fence, ..SHORT });
    let told = servers.check_rounds(CUT_ROUNDS, |round| {
        for (number, proxy) in (0..).zip(&servers.proxies) {
            proxy.cut_by_chance(SEED + round * 2 + number, CUT_OF_THOUSAND);
        }
    });
    let cuts: usize = servers.proxies.iter().map(Proxy::cuts).sum();
    println!("{cuts} cuts: {told:?}");
    assert!(cuts > 50, "only {cuts} connections were cut");
}

/// Two servers over one schema, each behind a proxy. The proxies end last.
struct Servers {
    servers: [Server; 2],
    proxies: [Proxy; 2],
}

impl Servers {
    fn start(timeouts: Timeouts) -> Self {
        let schema = postgres::new_schema();
        let proxies = [Proxy::start(), Proxy::start()];
        let servers = [0, 1].map(|index: usize| {
            let mut settings = proxies[index].settings(&schema);
            settings.timeouts = timeouts;
            server_at(Location::Postgres(Box::new(settings)))
        });
        Self { servers, proxies }
    }

    /// Lets clients do what they do and checks what they saw, again and again.
    fn check_rounds(&self, rounds: u64, before: impl Fn(u64)) -> BTreeMap<&'static str, usize> {
        let mut told = BTreeMap::new();
        for round in 0..rounds {
            let client = self.servers[0].client();
            let accounts = [(); ACCOUNTS].map(|()| client.create_account("0"));
            before(round);
            let history = self.history(round, &accounts);
            for proxy in &self.proxies {
                proxy.unset();
            }
            for (account, mut calls) in history.calls {
                // What there is in the end is what all will see.
                let members = json!({"AccountId": accounts[account]});
                let name = text(&client.ok("GetAccount", members)["Account"]["Name"]);
                let (begin, end) = (tick(), Some(tick()));
                calls.push(Call { begin, end, deed: Deed::Read(name.parse().unwrap()) });
                assert!(is_linearizable(0, &calls), "SEED={SEED}, round {round}: {calls:#?}");
            }
            for (what, count) in history.told {
                *told.entry(what).or_default() += count;
            }
        }
        told
    }

    fn history(&self, round: u64, accounts: &[String]) -> History {
        thread::scope(|scope| {
            let clients = self.servers.iter().cycle().zip(0..2 * CLIENTS as u64);
            let clients = clients.map(|(server, number)| {
                let client = server.client();
                let seed = SEED ^ (round << 32) ^ number;
                scope.spawn(move || History::of(&client, accounts, StdRng::seed_from_u64(seed)))
            });
            let clients: Vec<_> = clients.collect();
            let histories = clients.into_iter().map(|client| client.join().unwrap());
            histories.reduce(History::and).unwrap()
        })
    }
}

impl History {
    /// Reads names and gives new ones, as one client.
    fn of(client: &Client, accounts: &[String], mut random: StdRng) -> Self {
        let mut history = Self::default();
        for _ in 0..CALLS {
            let account = random.random_range(0..accounts.len());
            let is_write = random.random_bool(0.5);
            let begin = tick();
            let mut members = json!({"AccountId": accounts[account]});
            let (answer, deed) = if is_write {
                members["Name"] = json!(begin.to_string());
                (client.call("UpdateAccount", members), Some(Deed::Write(begin)))
            } else {
                (client.call("GetAccount", members), None)
            };
            let end = tick();
            let read = || Deed::Read(text(&answer.json()["Account"]["Name"]).parse().unwrap());
            let (what, call) = match (told(&answer), deed) {
                ("done", deed) => ("done", Some((Some(end), deed.unwrap_or_else(read)))),
                ("unknown", Some(deed)) => ("unknown", Some((None, deed))),
                // It was said that nothing was done, or nothing was to be.
                (what, _) => (what, None),
            };
            *history.told.entry(what).or_default() += 1;
            let call = call.map(|(end, deed)| Call { begin, end, deed });
            history.calls.entry(account).or_default().extend(call);
        }
        history
    }

    fn and(mut self, other: Self) -> Self {
        for (account, calls) in other.calls {
            self.calls.entry(account).or_default().extend(calls);
        }
        for (what, count) in other.told {
            *self.told.entry(what).or_default() += count;
        }
        self
    }
}

/// Returns what an answer says of its request: done, not done, or unknown.
fn told(answer: &Answer) -> &'static str {
    match answer.status {
        200 => "done",
        503 if text(&answer.json()["Message"]).contains("LookupEvents") => "unknown",
        503 => "not done",
        _ => panic!("{answer:?}"),
    }
}

/// Returns a number greater than all before it, in every thread.
fn tick() -> u64 {
    static TICKS: AtomicU64 = AtomicU64::new(1);
    TICKS.fetch_add(1, Ordering::SeqCst)
}
