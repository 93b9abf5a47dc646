//! What PostgreSQL really receives, as it writes into its own log, is the SQL that the sources have, and
//! keeps to the rules for portable SQL.

use super::filling::take_steps;
use super::store::SharedStore;
use crate::portability::{faults, literals};
use crate::tidy::sources;
use regex::Regex;
use std::collections::BTreeSet;

/// Where `tests/postgres.sh` lets the database server write its log.
const LOG: &str = "SELECT to_json(pg_read_file(current_setting('data_directory') || '/../log'))";
/// What the client library sends of itself: whether the server takes writes.
const OF_THE_LIBRARY: [&str; 1] = ["SHOW transaction_read_only"];

#[test]
fn what_is_sent_is_what_the_sources_have() {
    let store = SharedStore::with_options(
        "-c%20log_statement%3Dall%20-c%20log_min_messages%3Dlog%20-c%20log_parameter_max_length%3D0",
    );
    let server = store.server();
    take_steps(&server.client(), 7);
    store.engine.sweep().unwrap();
    drop(server);

    let log = store.query(LOG);
    let log = log[0].as_str().unwrap();
    let received = statements(log);
    let sql = sources();
    let sql = sql.iter().filter(|it| it.path.starts_with("src/store/postgres/") && !it.is_test());
    let known: Vec<_> =
        sql.flat_map(|source| literals(&source.text)).map(|it| pattern(&it)).collect();
    let mut seen = BTreeSet::new();
    for statement in &received {
        let of_ours = known.iter().position(|it| it.is_match(statement));
        let is_known = of_ours.is_some() || OF_THE_LIBRARY.contains(&statement.as_str());
        assert!(is_known, "no source has: {statement}");
        assert!(faults(statement).is_empty(), "{:?}: {statement}", faults(statement));
        seen.extend(of_ours);
    }
    // Of those in the sources, some are for faults, or for other databases.
    assert!(seen.len() >= 22, "{} statements were seen: {received:#?}", seen.len());
}

/// Returns the statements of a log, each once, and those that were sent together apart.
fn statements(log: &str) -> BTreeSet<String> {
    // Lines that go on begin with a tab.
    let log = log.replace("\n\t", "\n");
    let begins = Regex::new(r"(?m)^\S+ \S+ \S+ \[\d+\] ").unwrap();
    let message = Regex::new(r"(?s)^LOG:  (?:statement|execute [^:]+): (.*)$").unwrap();
    let messages = begins.split(&log).filter_map(|entry| message.captures(entry));
    let texts = messages.map(|found| found[1].trim().to_owned());
    let apart = |text: String| {
        // No text of ours has a semicolon but between statements.
        text.split(';')
            .map(|it| it.trim().to_owned())
            .filter(|it| !it.is_empty())
            .collect::<Vec<_>>()
    };
    texts.flat_map(apart).collect()
}

/// Returns what a text of the sources can have become: names may stand in braces.
fn pattern(text: &str) -> Regex {
    let escaped = regex::escape(text.trim());
    let names = Regex::new(r"\\\{\w+\\\}").unwrap();
    Regex::new(&format!("^{}$", names.replace_all(&escaped, r"\S+"))).unwrap()
}
