//! docs/metrics.md and the dashboard hold what there is, and nothing else.

use crate::harness::tls::Authority;
use crate::harness::{Options, Server};
use regex::Regex;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

pub(super) fn document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the metrics that a server has, with their types.
pub(super) fn metrics() -> BTreeMap<String, String> {
    let authority = Authority::new();
    let options = Options { metrics: true, tls: Some(authority.tls()), ..Options::default() };
    let server = Server::start_with(options, |_| Ok(()));
    let ask = |address: SocketAddr, path: &str| {
        let mut connection = authority.connect(address);
        connection.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes());
        connection.answer().body
    };
    ask(server.address, "/health/live");
    // What has never happened has no series, and so no type.
    let is_whole = |text: &String| text.contains("campanile_duty_last_success");
    let scrapes = (0..10_000).map(|_| ask(server.metrics.unwrap(), "/metrics"));
    let text = scrapes.into_iter().find(is_whole).unwrap();
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let types = types.map(|line| line.split_once(' ').unwrap());
    types.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect()
}

#[test]
fn every_metric_is_documented_with_its_type_and_labels() {
    let documented: BTreeMap<_, _> = document("metrics.md")
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let cells: Vec<_> = line.split('|').map(str::trim).collect();
            assert_eq!(cells.len(), 8, "a line has six cells: {line}");
            assert!(cells[1..7].iter().all(|cell| !cell.is_empty()), "a cell is empty: {line}");
            (cells[1].trim_matches('`').to_owned(), cells[2].to_owned())
        })
        .collect();
    assert_eq!(documented, metrics());
}

#[test]
fn every_metric_on_the_dashboard_exists() {
    let dashboard: Value = serde_json::from_str(&document("grafana-dashboard.json")).unwrap();
    let mut queries = Vec::new();
    collect(&dashboard, "expr", &mut queries);
    let mut ids = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        ids.push(panel["id"].as_u64().unwrap());
    }
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "ids differ: {ids:?}");
    let metrics = metrics();
    let mut used = BTreeSet::new();
    for query in &queries {
        used.extend(check_metrics_of(query, &metrics));
    }
    for part in [
        "requests",
        "duration",
        "commits",
        "commit_writes",
        "waiting",
        "refusals",
        "in_doubt",
        "expiry",
    ] {
        assert!(used.iter().any(|name| name.contains(part)), "nothing shows {part}");
    }
}

/// Checks that a query asks for metrics that there are, and returns them.
pub(super) fn check_metrics_of(query: &str, metrics: &BTreeMap<String, String>) -> Vec<String> {
    let names = Regex::new(r"\b(campanile_|process_)\w+").unwrap();
    let base_of = |name: &str| {
        let of_histogram = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| {
            let base = name.strip_suffix(suffix)?;
            metrics.get(base).filter(|kind| *kind == "histogram").map(|_| base)
        });
        let base = of_histogram.unwrap_or(name);
        let kind = metrics.get(base).unwrap_or_else(|| panic!("no {base}, of {query}"));
        assert!(kind != "histogram" || of_histogram.is_some(), "a histogram has parts: {query}");
        base.to_owned()
    };
    let found: Vec<_> = names.find_iter(query).map(|it| base_of(it.as_str())).collect();
    assert!(!found.is_empty(), "no metric of ours in {query}");
    found
}

/// Collects the texts under a name, wherever they stand.
fn collect<'a>(value: &'a Value, name: &str, texts: &mut Vec<&'a str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, name, texts)),
        Value::Object(members) => {
            texts.extend(members.get(name).and_then(Value::as_str));
            members.values().for_each(|member| collect(member, name, texts));
        }
        _ => {}
    }
}
