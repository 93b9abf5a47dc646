//! What a server counts of its database, seen in its metrics while the database is disturbed.

use super::database::Database;
use super::serve_with;
use crate::harness::exchange;
use crate::harness::process::{Process, campanile};
use std::collections::BTreeMap;
use std::thread;

/// Ends the first session that waits for the marks of commits: its commit has been sent, and not made.
const END_IN_COMMIT: &str = "BEGIN; LOCK TABLE commits IN EXCLUSIVE MODE; \
    DO $$ BEGIN LOOP PERFORM pg_stat_clear_snapshot(); EXIT WHEN (\
        SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
        WHERE wait_event_type = 'Lock' AND application_name = 'campanile') > 0; \
    PERFORM pg_sleep(0.01); END LOOP; END $$; COMMIT";
const IS_LOCKED: &str = "SELECT count(*) FROM pg_locks \
    WHERE relation = 'commits'::regclass AND mode = 'ExclusiveLock' AND granted";
const ATTEMPTS_MAX: usize = 1000;

struct Counted(Process);

impl Counted {
    fn start(database: &Database) -> Self {
        let mut command = serve_with(campanile(), &database.url("campanile"));
        Self(Process::start_with(command.args(["--metrics-listen", "127.0.0.1:0"])))
    }

    /// Returns what the metrics of the store are now.
    fn now(&self) -> BTreeMap<String, f64> {
        let url = self.0.printed.lines().find_map(|line| line.strip_prefix("metrics on http://"));
        let address = url.unwrap().strip_suffix("/metrics").unwrap().parse().unwrap();
        let text = exchange(address, b"GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n").body;
        let lines = text.lines().filter_map(|line| line.strip_prefix("campanile_store_"));
        let samples = lines.map(|line| line.rsplit_once(' ').unwrap());
        samples.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect()
    }

    /// Returns how much a metric grows by something.
    fn growth(&self, name: &str, by: impl FnOnce()) -> f64 {
        let before = self.now()[name];
        by();
        self.now()[name] - before
    }
}

#[test]
fn connections_turns_and_what_they_meet_are_counted() {
    let database = Database::start();
    let server = Counted::start(&database);
    let client = server.0.client();
    let create = || drop(client.create_account("My"));
    create();
    let now = server.now();
    assert!(now["connections_open"] >= 1.0 && now["connections_idle"] >= 1.0, "{now:?}");
    assert!(now["connections_idle"] <= now["connections_open"], "{now:?}");
    // The look at the metrics takes a turn itself.
    assert!(server.growth("turn_duration_seconds_count", create) >= 2.0);

    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE application_name = 'campanile'";
    let lost = r#"faults_total{kind="lost"}"#;
    assert!(server.growth(lost, || drop(database.shell(&format!("psql -qc \"{end}\"")))) >= 1.0);
    create();
    let now = server.now();
    assert!(now["retries_total"] >= 1.0, "{now:?}");
    assert!(now[r#"commits_total{outcome="failed"}"#] < 1.0, "{now:?}");
    assert!(now["connections_open"] < 10.0, "what was ended is open no more: {now:?}");
}

#[test]
fn a_commit_that_is_cut_off_is_counted_with_what_became_of_it() {
    let database = Database::start();
    let server = Counted::start(&database);
    let client = server.0.client();
    client.create_account("My");
    let fenced = r#"commits_in_doubt_total{outcome="fenced"}"#;
    let grown = server.growth(fenced, || {
        thread::scope(|scope| {
            scope.spawn(|| database.shell(&format!("psql -q <<'SQL'\n{END_IN_COMMIT};\nSQL")));
            let is_locked = || database.shell(&format!("psql -Atc \"{IS_LOCKED}\"")) != "0";
            assert!((0..ATTEMPTS_MAX).any(|_| is_locked()), "the lock is there");
            // The client hears nothing of it.
            client.create_account("Cut off");
        });
    });
    assert!(grown >= 1.0, "{:?}", server.now());
    let accounts = client.ok("ListAccounts", serde_json::json!({"Name": "Cut off"}));
    assert_eq!(accounts["Accounts"].as_array().unwrap().len(), 1, "it was made once");
}
