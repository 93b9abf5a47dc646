//! The comparisons, each a table with a line for each round.

use crate::Args;
use crate::campanile::{Campanile, Filled, scratch};
use crate::load::{Load, Outcome, Until};
use crate::machine::{CoreTimes, LOAD_CORE, SERVER_CORE};
use crate::nginx::Nginx;
use crate::postgres::Postgres;
use crate::report::Table;
use crate::requests::{self, cycle};
use rand::seq::{IndexedRandom, SliceRandom};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

const READING_CONNECTIONS: usize = 32;
pub const WRITING_CONNECTIONS: usize = 64;
/// Pages are long: fewer connections keep a core busy with them.
const LISTING_CONNECTIONS: usize = 8;
/// How many requests a pool of signed ones holds.
const POOL_MAX: usize = 1024;
/// How many accounts are few.
const FEW: usize = 1000;
const PAGE: usize = 100;
/// How long a server is under load before it is measured.
pub const WARM_UP: Duration = Duration::from_millis(500);
const RANDOM_READS: usize = 10_000;
/// How many accounts are made before a server is ended, so that there is something to recover.
const WRITES_BEFORE_END: usize = 1000;

/// Signed `GetAccount` on one core, beside nginx with the same bytes on the same core.
pub fn get_account(args: &Args) {
    let folder = tempfile::tempdir_in(scratch()).unwrap();
    let campanile = Campanile::start(folder.path(), Some(SERVER_CORE));
    let ids = campanile.create_accounts(FEW);
    let nginx = Nginx::start(&campanile.get(&account(&ids[0])), SERVER_CORE);
    let mut table = Table::begin(
        "GetAccount: requests a second, 32 connections, server on one core",
        &[
            ("Campanile", 0),
            ("nginx", 0),
            ("ratio", 3),
            ("Campanile's core busy", 2),
            ("nginx's core busy", 2),
            ("load's core, Campanile", 2),
            ("load's core, nginx", 2),
        ],
    );
    let targets: Vec<_> = ids.iter().map(|id| account(id)).collect();
    for _ in 0..args.rounds {
        let ours = on_one_core(campanile.address, &targets, READING_CONNECTIONS, args);
        let theirs = on_one_core(nginx.address, &targets, READING_CONNECTIONS, args);
        table.round(&[
            ours.outcome.per_second,
            theirs.outcome.per_second,
            ours.outcome.per_second / theirs.outcome.per_second,
            ours.server_core,
            theirs.server_core,
            ours.outcome.generator_core,
            theirs.outcome.generator_core,
        ]);
    }
    table.end();
}

/// Durable `CreateAccount`, beside single-row inserts into PostgreSQL, each with all cores.
pub fn create_account(args: &Args) {
    let folder = tempfile::tempdir_in(scratch()).unwrap();
    let campanile = Campanile::start(folder.path(), None);
    let postgres = Postgres::start(&scratch());
    let mut table = Table::begin(
        "CreateAccount: durable writes a second, 64 connections, all cores for server and load",
        &[("Campanile", 0), ("PostgreSQL", 0), ("ratio", 3), ("cores the signing load took", 2)],
    );
    for _ in 0..args.rounds {
        let run = |time| {
            let load = Load {
                address: campanile.address,
                connections: WRITING_CONNECTIONS,
                until: Until::Time(time),
                core: None,
            };
            load.run(requests::create_accounts(campanile.address), |_| {})
        };
        run(WARM_UP);
        let ours = run(args.time());
        let theirs = postgres.inserts_per_second(WRITING_CONNECTIONS, args.time());
        table.round(&[ours.per_second, theirs, ours.per_second / theirs, ours.generator_core]);
    }
    table.end();
}

/// The time to the first answer with many accounts, and the memory that it takes.
pub fn start(args: &Args) {
    let filled = Filled::with(args.accounts);
    for (signal, words) in [("TERM", "a clean stop"), ("KILL", "kill -9")] {
        end_after_writes(&filled.path(), signal);
        let mut table = Table::begin(
            &format!("Start with {} accounts after {words}", args.accounts),
            &[
                ("ms to the first answer", 1),
                ("MiB then", 1),
                ("MiB after 10,000 random GetAccount", 1),
            ],
        );
        for _ in 0..args.rounds {
            let begin = Instant::now();
            let mut campanile = Campanile::start(&filled.path(), None);
            campanile.get(&account(&filled.ids[0]));
            let time = begin.elapsed();
            let memory = campanile.process.resident_mib();
            read_at_random(&campanile, &filled.ids);
            let memory_later = campanile.process.resident_mib();
            table.round(&[time.as_secs_f64() * 1000.0, memory, memory_later]);
            campanile.create_accounts(WRITES_BEFORE_END);
            campanile.process.end(signal);
        }
        table.end();
    }
}

/// A page of `ListAccounts` among many accounts, beside one among a few.
pub fn list_accounts(args: &Args) {
    let (few, many) = (Filled::with(FEW), Filled::with(args.accounts));
    let servers = [few.path(), many.path()].map(|path| Campanile::start(&path, Some(SERVER_CORE)));
    let pages = servers.each_ref().map(pages_at_random);
    let mut table = Table::begin(
        &format!(
            "ListAccounts: µs of a core for a page of {PAGE}, {FEW} and {} accounts",
            args.accounts
        ),
        &[("few", 0), ("many", 0), ("ratio", 3)],
    );
    for _ in 0..args.rounds {
        let times = [0, 1].map(|index| {
            let address = servers[index].address;
            let measured = on_one_core(address, &pages[index], LISTING_CONNECTIONS, args);
            1e6 / measured.outcome.per_second
        });
        table.round(&[times[0], times[1], times[1] / times[0]]);
    }
    table.end();
}

struct Measured {
    outcome: Outcome,
    /// How busy the server's core was.
    server_core: f64,
}

/// Puts a server on its core under the load of requests that were signed before.
fn on_one_core(
    address: SocketAddr,
    targets: &[String],
    connections: usize,
    args: &Args,
) -> Measured {
    let pool: Vec<_> =
        targets.iter().take(POOL_MAX).map(|target| requests::get(address, target)).collect();
    let run = |time| {
        let load = Load { address, connections, until: Until::Time(time), core: Some(LOAD_CORE) };
        load.run(cycle(&pool), |_| {})
    };
    run(WARM_UP);
    let times = CoreTimes::now();
    let outcome = run(args.time());
    Measured { outcome, server_core: times.busy_since(SERVER_CORE) }
}

fn account(id: &str) -> String {
    format!("/accounts/{id}")
}

fn end_after_writes(folder: &Path, signal: &str) {
    let mut campanile = Campanile::start(folder, None);
    campanile.create_accounts(WRITES_BEFORE_END);
    campanile.process.end(signal);
}

fn read_at_random(campanile: &Campanile, ids: &[String]) {
    let load = Load {
        address: campanile.address,
        connections: READING_CONNECTIONS,
        until: Until::Count(RANDOM_READS),
        core: None,
    };
    let next = |out: &mut Vec<u8>| {
        let id = ids.choose(&mut rand::rng()).expect("there are accounts");
        requests::push_signed(out, campanile.address, "GET", &account(id), b"");
    };
    load.run(next, |_| {});
}

/// Walks the list once and returns where its full pages are, in no order.
fn pages_at_random(campanile: &Campanile) -> Vec<String> {
    let mut pages = Vec::new();
    let mut target = format!("/accounts?max-results={PAGE}");
    loop {
        let page: serde_json::Value = serde_json::from_str(&campanile.get(&target)).unwrap();
        if page["Accounts"].as_array().unwrap().len() == PAGE {
            pages.push(target);
        }
        let Some(token) = page["NextToken"].as_str() else { break };
        target = format!("/accounts?max-results={PAGE}&next-token={token}");
    }
    pages.shuffle(&mut rand::rng());
    pages
}
