//! Starts: many at once, on what a newer release made, without a replica, and while the database is
//! away.

use crate::harness::Client;
use crate::harness::postgres::{self, Cluster, sql};
use crate::harness::process::{Process, run};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;
use std::process::Command;
use std::sync::Barrier;
use std::thread;

/// How many servers start at once.
const SERVERS: usize = 5;

fn serve(url: &str) -> Command {
    postgres::serve(url, &BASE64_STANDARD.encode([7; 32]))
}

#[track_caller]
fn refused(command: &mut Command, words: &[&str]) {
    let ended = run(command);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for word in words {
        assert!(ended.stderr.contains(word), "{word} in {ended:?}");
    }
}

#[test]
fn servers_that_start_at_once_make_one_schema_and_one_root() {
    let url = postgres::url();
    let together = Barrier::new(SERVERS);
    let start = || {
        let mut command = serve(&url);
        command.env_remove("CAMPANILE_ROOT_ACCESS_KEY_ID");
        command.env_remove("CAMPANILE_ROOT_SECRET_ACCESS_KEY");
        together.wait();
        Process::start_with(&mut command)
    };
    let servers: Vec<_> = thread::scope(|scope| {
        let starts: Vec<_> = (0..SERVERS).map(|_| scope.spawn(start)).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    let said = |server: &Process, name: &str| {
        let (_, rest) = server.printed.split_once(&format!("export {name}="))?;
        rest.lines().next().map(str::to_owned)
    };
    let made: Vec<_> =
        servers.iter().filter(|server| said(server, "AWS_SECRET_ACCESS_KEY").is_some()).collect();
    assert_eq!(made.len(), 1, "one of them made the root credential, and showed it");
    let client = |server: &Process| Client {
        access_key_id: said(made[0], "AWS_ACCESS_KEY_ID").unwrap(),
        secret_access_key: said(made[0], "AWS_SECRET_ACCESS_KEY").unwrap(),
        ..server.client()
    };
    let account_id = client(made[0]).create_account("One");
    for server in &servers {
        let answer = client(server).ok("GetAccount", json!({"AccountId": account_id}));
        assert_eq!(answer["Account"]["Name"], "One");
    }
}

#[test]
fn a_schema_of_a_newer_release_is_refused() {
    let url = postgres::url();
    drop(Process::start_with(&mut serve(&url)));
    sql(&url, "INSERT INTO migrations (step) VALUES (999)");
    refused(&mut serve(&url), &["made by a newer Campanile", "step 999", "at least as new"]);
}

#[test]
fn another_master_key_than_that_of_the_others_is_refused() {
    let url = postgres::url();
    drop(Process::start_with(&mut serve(&url)));
    let mut other = postgres::serve(&url, &BASE64_STANDARD.encode([8; 32]));
    refused(&mut other, &["another master key", "Nothing was changed"]);
    let words = ["openssl rand -base64 32", "CAMPANILE_MASTER_KEY", "--master-key-file"];
    refused(serve(&url).env_remove("CAMPANILE_MASTER_KEY"), &words);
}

/// Commits are to wait for a replica that is not there. They would wait for ever, so that the database
/// is asked before anything is written.
#[test]
fn replication_that_is_configured_and_not_in_force_is_refused_or_warned_of() {
    let cluster = Cluster::start("", None);
    drop(Process::start_with(&mut serve(&cluster.url)));
    sql(&cluster.url, "ALTER SYSTEM SET synchronous_standby_names = 'replica'");
    sql(&cluster.url, "SELECT pg_reload_conf()");
    while sql(&cluster.url, "SHOW synchronous_standby_names").unwrap() != "replica" {
        thread::yield_now();
    }
    let words = ["'replica'", "no replica is in force", "--store-starts-unreplicated"];
    refused(&mut serve(&cluster.url), &words);
    let server = Process::start_with(serve(&cluster.url).arg("--store-starts-unreplicated"));
    assert!(server.log().contains("no replica is in force"), "{}", server.log());
}

#[test]
fn a_database_that_goes_away_is_told_of_until_it_is_back() {
    let mut cluster = Cluster::start("", None);
    let server = Process::start_with(&mut serve(&cluster.url));
    let client = server.client();
    let account_id = client.create_account("Before");
    let get = || client.call("GetAccount", json!({"AccountId": account_id}));
    assert_eq!(get().status, 200);
    cluster.control("stop");
    for answer in [get(), client.call("CreateAccount", json!({"Name": "Meanwhile"}))] {
        assert_eq!(answer.error().0, "ServiceUnavailableException");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    cluster.control("start");
    assert_eq!(get().status, 200);
    let accounts = client.ok("ListAccounts", json!({}));
    assert_eq!(accounts["Accounts"].as_array().unwrap().len(), 1, "{accounts}");
}
