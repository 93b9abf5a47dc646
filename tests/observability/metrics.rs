//! What the metrics count: exactly what was done.

#![expect(clippy::float_cmp, reason = "metrics are floats, and whole numbers are exact in them")]

use super::{ask, send_with};
use crate::harness::http::Connection;
use crate::harness::smtp::{Manner, SmtpPeer};
use crate::harness::{Options, Server, exchange, http};
use serde_json::json;
use std::collections::BTreeMap;

/// How often a test asks for what comes of itself.
const ASKS_MAX: usize = 100_000;

/// The samples of a scrape: names with their labels, and values.
pub(super) struct Samples(BTreeMap<String, f64>);

impl Samples {
    pub(super) fn of(server: &Server) -> Self {
        let answer = ask(server.metrics.unwrap(), "GET", "/metrics");
        assert_eq!(answer.status, 200, "{answer:?}");
        Self::in_text(&answer.body)
    }

    pub(super) fn in_text(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let sample = |line: &str| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        };
        Self(lines.map(sample).collect())
    }

    #[track_caller]
    pub(super) fn value(&self, name: &str) -> f64 {
        *self.0.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.0.keys()))
    }

    /// Returns what has been added since an earlier scrape under names that begin so.
    fn since(&self, earlier: &Self, beginning: &str) -> BTreeMap<String, f64> {
        let ours = self.0.iter().filter(|(name, _)| name.starts_with(beginning));
        ours.map(|(name, now)| {
            (name.clone(), now - earlier.0.get(name).copied().unwrap_or_default())
        })
        .filter(|(_, added)| *added != 0.0)
        .collect()
    }
}

/// Scrapes once every duty of the server has been done a first time: what it finds to do then, such as
/// a note of the key that was just used, would be counted with what a test does.
fn after_first_rounds(server: &Server) -> Samples {
    let is_done = |samples: &Samples| {
        // Where servers share a store, one whose turn has not come leaves a duty to another.
        let ours = samples.0.iter().filter(|(_, active)| !server.is_shared() || **active == 1.0);
        let mut duties = ours.filter_map(|(name, _)| name.strip_prefix("campanile_duty_active"));
        duties.all(|duty| {
            let success = format!("campanile_duty_last_success_timestamp_seconds{duty}");
            samples.0.contains_key(&success)
        })
    };
    let mut scrapes = (0..ASKS_MAX).map(|_| Samples::of(server));
    scrapes.find(is_done).expect("duties are done at the start")
}

fn start(options: Options) -> Server {
    Server::start_with(Options { metrics: true, ..options }, |_| Ok(()))
}

fn counted<const N: usize>(name: &str, expected: [(&str, f64); N]) -> BTreeMap<String, f64> {
    expected.map(|(labels, count)| (format!("{name}{{{labels}}}"), count)).into()
}

#[test]
fn requests_are_counted_by_operation_status_and_error() {
    let server = start(Options::default());
    let client = server.client();
    let before = Samples::of(&server);
    let ids: Vec<_> = (0..3).map(|_| client.create_account("My")).collect();
    for id in &ids[..2] {
        client.ok("GetAccount", json!({"AccountId": id}));
    }
    client.error("GetAccount", json!({"AccountId": "no-such-account"}));
    client.error("CreateAccount", json!({"Name": ""}));
    client.send("GET", "/nothing/jane@example.com", b"");
    ask(server.address, "GET", "/accounts");
    ask(server.address, "GET", "/welcome");
    ask(server.address, "GET", "/health/ready");
    exchange(server.address, b"nonsense\r\n\r\n");
    for (action, status) in [("GetCallerIdentity", 200), ("GetSecret", 400)] {
        let target = format!("/?Action={action}&Version=2011-06-15");
        let headers = client.signed("GET", &target, b"", "sts");
        let answer = exchange(server.address, &http::request("GET", &target, &headers, b""));
        assert_eq!(answer.status, status);
    }
    let after = Samples::of(&server);
    let expected = counted(
        "campanile_requests_total",
        [
            (r#"operation="CreateAccount",status="201",error="""#, 3.0),
            (r#"operation="CreateAccount",status="400",error="BadRequestException""#, 1.0),
            (r#"operation="GetAccount",status="200",error="""#, 2.0),
            (r#"operation="GetAccount",status="404",error="NotFoundException""#, 1.0),
            (r#"operation="health",status="200",error="""#, 1.0),
            (r#"operation="page",status="200",error="""#, 1.0),
            (r#"operation="sts:GetCallerIdentity",status="200",error="""#, 1.0),
            (r#"operation="unknown",status="400",error="MalformedHttpRequestException""#, 1.0),
            (r#"operation="unknown",status="400",error="UnknownOperationException""#, 1.0),
            (
                r#"operation="unknown",status="403",error="MissingAuthenticationTokenException""#,
                1.0,
            ),
            (r#"operation="unknown",status="404",error="UnknownOperationException""#, 1.0),
        ],
    );
    assert_eq!(after.since(&before, "campanile_requests_total"), expected);
    let durations = counted(
        "campanile_request_duration_seconds_count",
        [
            (r#"operation="CreateAccount""#, 4.0),
            (r#"operation="GetAccount""#, 3.0),
            (r#"operation="health""#, 1.0),
            (r#"operation="page""#, 1.0),
            (r#"operation="sts:GetCallerIdentity""#, 1.0),
            (r#"operation="unknown""#, 4.0),
        ],
    );
    let counts = after.since(&before, "campanile_request_duration_seconds_count");
    assert_eq!(counts, durations);
    let sums = after.since(&before, "campanile_request_duration_seconds_sum");
    assert!(sums.values().all(|sum| (0.0..60.0).contains(sum)), "{sums:?}");
    assert_eq!(after.value("campanile_requests_in_flight"), 0.0);
}

#[test]
fn commits_are_counted_with_their_writes_and_bytes() {
    let server = start(Options::default());
    let client = server.client();
    let before = after_first_rounds(&server);
    for _ in 0..4 {
        client.create_account("My");
    }
    client.ok("ListAccounts", json!({}));
    // What fails leaves its event of the audit.
    client.error("DeleteAccount", json!({"AccountId": "no-such-account"}));
    let after = Samples::of(&server);
    let added = |name: &str| after.value(name) - before.value(name);
    let commits = added(r#"campanile_store_commits_total{outcome="ok"}"#);
    // Where servers share a store, they write their leases beside.
    assert!(commits == 5.0 || server.is_shared() && commits > 5.0, "{commits}");
    let all = after.since(&before, "campanile_store_commits_total");
    assert_eq!(all, counted("campanile_store_commits_total", [(r#"outcome="ok""#, commits)]));
    assert_eq!(added("campanile_store_commit_writes_sum"), commits);
    assert_eq!(added("campanile_store_commit_writes_count"), commits);
    assert_eq!(added("campanile_store_commit_writes_bucket{le=\"1\"}"), commits);
    assert_eq!(added("campanile_store_commit_duration_seconds_count"), commits);
    let bytes = added("campanile_store_commit_bytes_sum");
    assert!((5.0 * 200.0..commits * 4000.0).contains(&bytes), "{bytes}");
    assert_eq!(after.value("campanile_store_writes_waiting"), 0.0);
}

#[test]
fn open_connections_are_counted_until_they_close() {
    let server = start(Options::default());
    let is_open = |count: f64| Samples::of(&server).value("campanile_connections_open") == count;
    let eventually = |count: f64| (0..ASKS_MAX).any(|_| is_open(count));
    let mut connections = [(); 3].map(|()| Connection::open(server.address));
    for connection in &mut connections {
        connection.send(b"GET /health/live HTTP/1.1\r\nhost: a\r\n\r\n");
        assert_eq!(connection.answer().status, 200);
    }
    assert!(is_open(3.0));
    drop(connections);
    assert!(eventually(0.0));
}

#[test]
fn a_request_is_in_flight_until_its_body_has_come() {
    let server = start(Options::default());
    let in_flight = |count: f64| {
        let is = || Samples::of(&server).value("campanile_requests_in_flight") == count;
        (0..ASKS_MAX).any(|_| is())
    };
    let mut connection = Connection::open(server.address);
    connection.send(b"POST /accounts HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{");
    assert!(in_flight(1.0));
    connection.send(b"}");
    assert_eq!(connection.answer().status, 403);
    assert!(in_flight(0.0));
    // A client that goes away takes its request with it.
    connection.send(b"POST /accounts HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{");
    assert!(in_flight(1.0));
    drop(connection);
    assert!(in_flight(0.0));
}

#[test]
fn mail_invitations_and_sessions_are_counted() {
    let peer = SmtpPeer::start();
    let server = start(Options { smtp_url: Some(peer.url()), ..Options::default() });
    let client = server.client();
    let id = client.create_account("My");
    let invite = |email: &str| {
        client.ok("InviteUsers", json!({"AccountId": id, "UserEmailList": [email]}));
    };
    invite("jane.doe@example.com");
    let link = peer.take().link();
    peer.set(Manner::Refuse("550 there is no {}"));
    invite("nobody@example.com");
    peer.set(Manner::Refuse("451 not now"));
    invite("later@example.com");
    let samples = Samples::of(&server);
    for (outcome, count) in [("sent", 1.0), ("failed", 1.0), ("retried", 1.0)] {
        let name = format!("campanile_mails_total{{outcome=\"{outcome}\"}}");
        assert_eq!(samples.value(&name), count, "{outcome}");
    }
    assert_eq!(samples.value("campanile_mails_waiting"), 1.0);
    assert_eq!(samples.value("campanile_invitations_accepted_total"), 0.0);
    let form = "display_name=Jane";
    let accept = format!(
        "POST {link} HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\
         content-type: application/x-www-form-urlencoded\r\n\r\n{form}",
        form.len()
    );
    assert_eq!(exchange(server.address, accept.as_bytes()).status, 303);
    assert_eq!(exchange(server.address, accept.as_bytes()).status, 404);
    let samples = Samples::of(&server);
    assert_eq!(samples.value("campanile_invitations_accepted_total"), 1.0);
    let sessions = "campanile_sessions_opened_total{kind=\"acceptance\"}";
    assert_eq!(samples.value(sessions), 1.0);
}

#[test]
fn a_duty_tells_when_it_was_last_done() {
    let server = start(Options::default());
    let name = "campanile_duty_last_success_timestamp_seconds{duty=\"sweeper\"}";
    let last = || Samples::of(&server).0.get(name).copied();
    let first = (0..ASKS_MAX).find_map(|_| last()).unwrap();
    let started = Samples::of(&server).value("process_start_time_seconds");
    assert!((0.0..60.0).contains(&(first - started)), "{first} {started}");
    // It is done every hour.
    server.move_time(2 * 60 * 60 * 1000);
    assert!((0..ASKS_MAX).any(|_| last().unwrap() >= first + 7200.0));
}

#[test]
fn a_label_has_no_value_that_a_client_chose() {
    let server = start(Options::default());
    let client = server.client();
    let marked = "campanile-marks-this";
    send_with(&client, "GET", &format!("/accounts?operation={marked}"), &[("user-agent", marked)]);
    send_with(&client, "GET", &format!("/{marked}"), &[("x-amzn-trace-id", marked)]);
    client.send(marked, "/accounts", b"");
    ask(server.address, "GET", &format!("/invites/{marked}"));
    let target = format!("/?Action={marked}&Version=2011-06-15");
    let headers = client.signed("GET", &target, b"", "sts");
    exchange(server.address, &http::request("GET", &target, &headers, b""));
    let text = ask(server.metrics.unwrap(), "GET", "/metrics").body;
    assert!(text.contains("UnknownOperationException") && !text.contains(marked), "{text}");
}
