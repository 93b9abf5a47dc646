//! Several servers over one store: each duty is done by one of them, and by another when that one is
//! gone.

use super::eventually;
use crate::harness::dns::DnsPeer;
use crate::harness::shared::{Place, Way};
use crate::harness::smtp::{Manner, SmtpPeer};
use crate::harness::{Client, Options, Server, entries, exchange};
use campanile::clock::Timestamp;
use campanile::server::{AuditLog, AuditSettings};
use campanile::store::{Access, Engine, Key, Memory, Table};
use serde_json::{Value, json};
use std::sync::Arc;
use std::thread;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
/// For how long a lease is seen unchanged before another server takes it.
const LEASE: i64 = 15 * SECOND;
/// How often a server that does not have a lease looks at it.
const LOOK: i64 = 5 * SECOND;
const LEASED: [&str; 4] = ["postman", "shipper", "sweeper", "verifier"];

/// A server with its own clock, its own way to the store, and its own mail server.
struct Node {
    server: Server,
    way: Arc<Way>,
    peer: SmtpPeer,
}

impl Node {
    fn start(place: &Place) -> Self {
        Self::start_with(place, Options::default())
    }

    fn start_with(place: &Place, options: Options) -> Self {
        let (way, peer) = (Way::to(place), SmtpPeer::start());
        let engine: Arc<dyn Engine> = Arc::clone(&way) as _;
        let options =
            Options { engine: Some(engine), smtp_url: Some(peer.url()), metrics: true, ..options };
        Self { server: Server::start_with(options, |_| Ok(())), way, peer }
    }

    /// Starts one server that has all leases, and one that has none of them.
    fn pair(place: &Place) -> (Self, Self) {
        let first = Self::start(place);
        first.becomes_active();
        let second = Self::start(place);
        second.way.wait_for_look(0);
        (first, second)
    }

    /// Tells whether this server does a duty, as its metrics say.
    fn does(&self, duty: &str) -> bool {
        does(&self.server, duty)
    }

    fn becomes_active(&self) {
        eventually(|| self.does("postman"));
    }

    /// Lets so much time pass that the server looks at its lease, and waits until it has, or has it.
    fn look(&self) {
        let looks = self.way.looks();
        self.server.move_time(LOOK);
        eventually(|| self.does("postman") || self.way.looks() > looks);
    }

    /// Lets time pass until this server has taken the lease of another that is gone.
    fn take_over(&self) {
        // Some looks until it is seen that the lease was not renewed, and the last may be too early.
        let looks = 1 + LEASE / LOOK + 2;
        for _ in 0..looks {
            if !self.does("postman") {
                self.look();
            }
        }
        self.becomes_active();
    }

    fn invite(&self, email: &str) -> Value {
        invite(&self.server.client(), email)
    }
}

/// Invites somebody into a new account, and returns the invite as it stands when that is answered.
fn invite(client: &Client, email: &str) -> Value {
    let id = client.create_account("My");
    let members = json!({"AccountId": id, "UserEmailList": [email]});
    client.ok("InviteUsers", members)["Invites"][0].clone()
}

fn does(server: &Server, duty: &str) -> bool {
    let request = b"GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n";
    let scrape = exchange(server.metrics.unwrap(), request).body;
    let beginning = format!("campanile_duty_active{{duty=\"{duty}\"}} ");
    let value = scrape.lines().find_map(|line| line.strip_prefix(&beginning));
    value.unwrap_or_else(|| panic!("no {duty} in {scrape}")) == "1"
}

fn since(server: &Server, earlier: Timestamp) -> i64 {
    server.now().as_millisecond() - earlier.as_millisecond()
}

#[track_caller]
fn check(place: &Place) {
    entries::check(&place.engine()).unwrap();
}

#[test]
fn one_of_two_servers_does_each_duty_and_mail_of_both_is_sent_once() {
    let (place, folder, dns) = (Place::new(), tempfile::tempdir().unwrap(), DnsPeer::start());
    let start = |log: &str| {
        let log = Some(AuditLog::File(folder.path().join(log)));
        let audit = AuditSettings { log, ..AuditSettings::default() };
        let dns_server = Some(dns.address);
        Node::start_with(&place, Options { dns_server, audit, ..Options::default() })
    };
    let first = start("first");
    eventually(|| LEASED.iter().all(|duty| first.does(duty)));
    let second = start("second");
    second.look();
    assert!(LEASED.iter().all(|duty| first.does(duty) && !second.does(duty)));
    eventually(|| first.does("recorder") && second.does("recorder"));

    assert_eq!(second.invite("jane.doe@example.com")["EmailStatus"], "Sent");
    assert_eq!(first.peer.take().to, "jane.doe@example.com");
    thread::scope(|scope| {
        for number in 0..10 {
            let node = if number % 2 == 0 { &first } else { &second };
            let client = node.server.client();
            scope.spawn(move || {
                let invite = invite(&client, &format!("person-{number}@example.com"));
                assert_eq!(invite["EmailStatus"], "Sent", "{invite}");
            });
        }
    });
    let mut to: Vec<_> = (0..10).map(|_| first.peer.take().to).collect();
    to.sort();
    to.dedup();
    assert_eq!(to.len(), 10, "{to:?}");
    first.peer.assert_no_more();
    second.peer.assert_no_more();

    // What the other server's duties would have been rung for is found by looking.
    let client = second.server.client();
    let id = client.create_account("My");
    client.ok("ClaimDomain", json!({"AccountId": id, "DomainName": "example.com"}));
    first.server.move_time(5 * SECOND);
    assert_eq!(dns.asked(), "example.com");
    drop((first, second));
    assert!(folder.path().join("first").exists());
    assert!(!folder.path().join("second").exists());
    check(&place);
}

#[test]
fn a_server_that_is_killed_is_followed_when_its_lease_has_run_out_and_not_before() {
    let place = Place::new();
    let (first, second) = Node::pair(&place);
    let before = second.server.now();
    let taken = place.lease("postman");
    first.server.move_time(LOOK);
    eventually(|| place.lease("postman")["Renewals"] != taken["Renewals"]);
    let Node { server, peer, .. } = first;
    server.kill();
    let last = place.lease("postman");
    assert_eq!(last["Holder"], taken["Holder"], "nobody released it");
    // Its first look sees what was renewed last, and the next two see it again.
    for _ in 0..2 {
        second.look();
        let now = place.lease("postman");
        // Where the machine is so slow that the time is over, there is nothing to see here.
        assert!(now == last || since(&second.server, before) >= LEASE, "{now}");
    }
    second.take_over();
    assert!(since(&second.server, before) >= LEASE);
    let now = place.lease("postman");
    assert_eq!(now["Term"], 2, "{now}");
    assert_ne!(now["Holder"], last["Holder"]);
    assert_eq!(second.invite("jane.doe@example.com")["EmailStatus"], "Sent");
    assert_eq!(second.peer.take().to, "jane.doe@example.com");
    peer.assert_no_more();
    drop(second);
    check(&place);
}

#[test]
fn a_server_that_stops_is_followed_at_the_next_look() {
    let place = Place::new();
    let (first, second) = Node::pair(&place);
    let last = place.lease("postman");
    drop(first);
    // Nobody's, unless the other server has just come by.
    assert_ne!(place.lease("postman")["Holder"], last["Holder"]);
    second.look();
    second.becomes_active();
    eventually(|| second.does("sweeper"));
    drop(second);
    check(&place);
}

#[test]
fn a_server_that_stood_still_does_nothing_with_a_lease_that_it_has_lost() {
    let place = Place::new();
    let (first, second) = Node::pair(&place);
    // It stands still where it looks for mail.
    first.way.block(true);
    first.server.move_time(SECOND);
    first.way.wait_for_blocked();
    second.take_over();
    assert_eq!(second.invite("jane.doe@example.com")["EmailStatus"], "Sent");
    second.peer.set(Manner::HangUp);
    assert_eq!(second.invite("other@example.com")["EmailStatus"], "NotSent");

    // It goes on at a time at which what waits is due by its clock.
    first.server.move_time(10 * MINUTE);
    let looks = first.way.looks();
    first.way.block(false);
    first.way.wait_for_look(looks);
    assert!(!first.does("postman"));
    second.peer.set(Manner::Take);
    second.server.move_time(3 * MINUTE);
    for to in ["jane.doe@example.com", "other@example.com"] {
        assert_eq!(second.peer.take().to, to);
    }
    second.peer.assert_no_more();
    first.peer.assert_no_more();
    drop((first, second));
    check(&place);
}

/// The other server can reach the store all the time, and must not find the first at work.
#[test]
fn a_server_that_cannot_renew_its_lease_stops_before_another_begins() {
    let place = Place::new();
    let (first, second) = Node::pair(&place);
    first.peer.set(Manner::Stall);
    thread::scope(|scope| {
        let client = second.server.client();
        let invite = scope.spawn(move || invite(&client, "jane.doe@example.com"));
        first.peer.attempt();
        first.way.fail(true);
        let last = place.lease("postman");
        first.server.move_time(12 * SECOND);
        // What it was doing ends, in the midst of a mail.
        first.peer.attempt();
        eventually(|| !first.does("postman"));
        assert_eq!(place.lease("postman")["Holder"], last["Holder"], "nobody has taken it");
        second.take_over();
        assert_eq!(second.peer.take().to, "jane.doe@example.com");
        let invite = invite.join().unwrap();
        assert!(["Sent", "NotSent"].contains(&invite["EmailStatus"].as_str().unwrap()));
    });

    // It is as good as before when it can reach the store again.
    first.way.fail(false);
    first.peer.set(Manner::Take);
    drop(second.server);
    first.look();
    first.becomes_active();
    assert_eq!(first.invite("other@example.com")["EmailStatus"], "Sent");
    assert_eq!(first.peer.take().to, "other@example.com");
    first.peer.assert_no_more();
    second.peer.assert_no_more();
    drop(first.server);
    check(&place);
}

#[test]
fn the_only_server_of_a_store_does_everything_and_writes_no_lease() {
    let memory: Arc<Memory> = Arc::default();
    let engine: Arc<dyn Engine> = Arc::clone(&memory) as _;
    let options = Options { engine: Some(engine), metrics: true, ..Options::default() };
    let server = Server::start_with(options, |_| Ok(()));
    eventually(|| does(&server, "sweeper") && does(&server, "recorder"));
    let leases = Key::of(Table::Leases).prefixed();
    assert_eq!(memory.begin(Access::Read).unwrap().scan(&leases, 1).unwrap(), []);
}
