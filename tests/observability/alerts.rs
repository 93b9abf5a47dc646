//! The alerts, what docs/operations.md says of each, and the metrics that they are made of.

use super::documents::{check_metrics_of, document, metrics};
use std::collections::{BTreeMap, BTreeSet};

/// What whoever is woken by an alert has to be told, in this order.
const TOLD: [&str; 4] = ["**Means.**", "**Users notice.**", "**Look at.**", "**Do.**"];

/// A rule as it is written: its lines by what they begin with.
struct Alert {
    name: String,
    text: String,
}

impl Alert {
    /// Returns what a line says.
    #[track_caller]
    fn value(&self, name: &str) -> &str {
        let mut values = self.text.lines().filter_map(|line| line.trim().strip_prefix(name));
        values.next().unwrap_or_else(|| panic!("{} has no {name}", self.name)).trim()
    }

    /// Returns the expression, which may have several lines.
    fn expression(&self) -> &str {
        let (_, rest) = self.text.split_once("expr:").unwrap();
        rest.split_once("for:").unwrap_or_else(|| panic!("{} has no for:", self.name)).0
    }
}

fn alerts() -> Vec<Alert> {
    let rules = document("../deploy/prometheus/alerts.yml");
    let alerts = rules.split("- alert: ").skip(1).map(|text| {
        let name = text.lines().next().unwrap().to_owned();
        Alert { name, text: text.to_owned() }
    });
    let alerts: Vec<_> = alerts.collect();
    assert!(alerts.len() > 10, "the alerts are found");
    alerts
}

#[test]
fn every_alert_has_what_whoever_is_woken_needs() {
    let names: BTreeSet<_> = alerts().into_iter().map(|alert| alert.name).collect();
    assert_eq!(names.len(), alerts().len(), "names differ");
    for alert in alerts() {
        let name = &alert.name;
        assert!(["page}", "ticket}"].contains(&alert.value("labels: {severity: ")), "{name}");
        assert!(alert.value("for: ").ends_with('m') || alert.value("for: ").ends_with('h'));
        assert!(alert.value("summary: ").trim_matches('"').ends_with('.'), "{name}");
        let link = format!("docs/operations.md#{}", name.to_lowercase());
        assert_eq!(alert.value("runbook_url: "), link);
    }
}

#[test]
fn the_page_tells_of_every_alert_and_of_no_other() {
    let page = document("operations.md");
    let sections: BTreeMap<_, _> = page
        .split("\n### ")
        .filter(|section| section.starts_with("Campanile"))
        .map(|section| section.split_once('\n').unwrap())
        .collect();
    let alerts = alerts();
    let names: BTreeSet<_> = alerts.iter().map(|alert| alert.name.as_str()).collect();
    assert_eq!(sections.keys().copied().collect::<BTreeSet<_>>(), names);
    for alert in &alerts {
        let section = sections[alert.name.as_str()];
        let places = TOLD.map(|part| section.find(part));
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{}", alert.name);
        let severity = alert.value("labels: {severity: ").trim_end_matches('}');
        let line = format!("| [{0}](#{1}) | {severity} |", alert.name, alert.name.to_lowercase());
        assert!(page.contains(&line), "the table at the top has: {line}");
    }
}

#[test]
fn every_metric_of_an_alert_exists() {
    let metrics = metrics();
    for alert in alerts() {
        if !alert.name.ends_with("Down") {
            check_metrics_of(alert.expression(), &metrics);
        }
    }
}

/// `make alerts` runs them.
#[test]
fn every_alert_is_shown_to_come_and_to_stay_away() {
    let shown = document("../deploy/prometheus/alerts_test.yml");
    for alert in alerts() {
        let named = format!("alertname: {}\n", alert.name);
        let ours = shown.split("- eval_time: ").filter(|case| case.contains(&named));
        let silent = ours.clone().filter(|case| case.contains("exp_alerts: []")).count();
        assert!(silent > 0 && silent < ours.count(), "{} in alerts_test.yml", alert.name);
    }
}
