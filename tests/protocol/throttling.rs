//! Requests that come too often, or too many at once: who is refused, how, and who is not.

use super::{Request, check};
use crate::harness::http::Connection;
use crate::harness::{Answer, Client, Options, Server, exchange};
use campanile::access::rates::{Rate, Rates};
use campanile::server::Limits;
use campanile::store::{Access, Batch, Engine, KeyRange, Memory, Result, Transaction};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex};
use std::thread;

/// A token comes back after a thousand seconds, longer than any test runs.
const SLOW: &str = "0.001";
const OFF: Rates = Rates {
    account_reads: Rate::Unlimited,
    account_writes: Rate::Unlimited,
    caller_reads: Rate::Unlimited,
    caller_writes: Rate::Unlimited,
};

fn server(rates: Rates) -> Server {
    start(Limits { rates, ..Limits::default() })
}

fn start(limits: Limits) -> Server {
    Server::start_with(Options { limits, ..Options::default() }, |_| Ok(()))
}

fn slow(burst: u32) -> Rate {
    format!("{SLOW}/{burst}").parse().unwrap()
}

fn create(client: &Client) -> Answer {
    client.call("CreateAccount", json!({"Name": "a"}))
}

fn list(client: &Client) -> Answer {
    client.call("ListAccounts", json!({}))
}

/// Asserts that a request was refused for a limit; returns for how many seconds.
#[track_caller]
fn assert_throttled(answer: &Answer, setting: &str) -> i64 {
    let (exception, message) = answer.error();
    assert_eq!((exception.as_str(), answer.status), ("ThrottledClientException", 429));
    assert_eq!(answer.json()["Code"], "Throttled");
    let wait: i64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!(message.starts_with(&format!("Rate exceeded: {setting} lets ")), "{message}");
    assert!(message.ends_with(&format!("Try again in {wait} seconds")), "{message}");
    wait
}

/// Asserts how many of many requests are let through.
#[track_caller]
fn assert_let_through(times: usize, setting: &str, request: impl Fn() -> Answer) {
    for _ in 0..times {
        let answer = request();
        assert!(answer.status < 300, "{answer:?}");
    }
    assert_throttled(&request(), setting);
}

#[test]
fn a_caller_has_its_burst_and_then_waits_as_told() {
    let server = server(Rates { caller_writes: slow(3), ..OFF });
    let client = server.client();
    assert_let_through(3, "--rate-caller-writes", || create(&client));
    let answer = create(&client);
    let wait = assert_throttled(&answer, "--rate-caller-writes");
    assert!((900..=1000).contains(&wait), "{wait}");
    let limit = "lets arn:aws:iam::111122223333:root ask 0.001 times a second and 3 times at once";
    check(&answer, "ThrottledClientException", limit);
    server.move_time((wait - 500) * 1000);
    let rest = assert_throttled(&create(&client), "--rate-caller-writes");
    assert!((400..=500).contains(&rest), "{rest}");
    server.move_time(rest * 1000);
    assert_let_through(1, "--rate-caller-writes", || create(&client));
    // A pause gives no more than a burst.
    server.move_time(1_000_000_000);
    assert_let_through(3, "--rate-caller-writes", || create(&client));
}

#[test]
fn callers_have_buckets_of_their_own() {
    let server = server(Rates { caller_writes: slow(3), ..OFF });
    let first = server.client_of("444455556666");
    let second = server.client_of("777788889999");
    assert_let_through(3, "--rate-caller-writes", || create(&first));
    assert_let_through(3, "--rate-caller-writes", || create(&second));
    // The root has made two keys.
    assert_let_through(1, "--rate-caller-writes", || create(&server.client()));
}

#[test]
fn the_keys_of_a_caller_share_its_bucket() {
    let server = server(Rates { caller_writes: slow(4), ..OFF });
    let (old, new) = (server.client_of("444455556666"), server.client_of("444455556666"));
    assert_let_through(4, "--rate-caller-writes", || create(&old));
    assert_throttled(&create(&new), "--rate-caller-writes");
}

#[test]
fn an_aws_account_has_a_bucket_of_its_own() {
    let server = server(Rates { account_reads: slow(3), ..OFF });
    let first = server.client_of("444455556666");
    let second = server.client_of("777788889999");
    assert_let_through(3, "--rate-account-reads", || list(&first));
    let message = "--rate-account-reads lets AWS account 444455556666 ask";
    check(&list(&server.client_of("444455556666")), "ThrottledClientException", message);
    assert_let_through(3, "--rate-account-reads", || list(&second));
}

#[test]
fn reads_and_writes_are_counted_apart_and_nought_is_no_limit() {
    let unlimited = "0".parse().unwrap();
    let server = server(Rates { caller_reads: slow(2), caller_writes: unlimited, ..OFF });
    let client = server.client();
    assert_let_through(2, "--rate-caller-reads", || list(&client));
    for _ in 0..100 {
        assert_eq!(create(&client).status, 201);
    }
    assert_throttled(&list(&client), "--rate-caller-reads");
}

#[test]
fn who_does_not_show_who_it_is_empties_nobodys_bucket() {
    let server = server(Rates { caller_reads: slow(3), account_reads: slow(3), ..OFF });
    let client = server.client();
    let thief = Client { secret_access_key: "wrong".to_owned(), ..client.clone() };
    let mut unsigned = Request::signed(&client, "GET", "/accounts", "");
    unsigned.headers.remove("authorization");
    let mut tampered = Request::signed(&client, "GET", "/accounts", "");
    tampered.target.push_str("?name=a");
    let mut old = client.clone();
    old.clock = old.clock.apart(-3_600_000);
    for _ in 0..10 {
        check(&list(&thief), "InvalidSignatureException", "");
        check(&unsigned.send(server.address), "MissingAuthenticationTokenException", "");
        check(&tampered.send(server.address), "InvalidSignatureException", "");
        check(&list(&old), "InvalidSignatureException", "expired");
    }
    assert_let_through(3, "--rate-caller-reads", || list(&client));
}

/// A refusal comes before the body is looked at, and before it is asked what the caller may.
#[test]
fn a_refusal_tells_nothing_else() {
    let server = server(Rates { caller_writes: slow(1), ..OFF });
    let client = server.client_of("444455556666");
    // What is wrong counts like what is right.
    check(&client.send("POST", "/accounts", b"{"), "BadRequestException", "");
    assert_throttled(&client.send("POST", "/accounts", b"{"), "--rate-caller-writes");
    let key = client.call("CreateAccessKey", json!({"AwsAccountId": "444455556666"}));
    assert_throttled(&key, "--rate-caller-writes");
    check(&client.send("POST", "/nowhere", b"{"), "UnknownOperationException", "");
    let page = server.client().ok("ListAccounts", json!({}));
    assert_eq!(page["Accounts"], json!([]));
}

/// boto3's modes `standard` and `adaptive` do not try again what the model names.
#[test]
fn a_client_that_would_try_again_is_told_by_the_name_that_it_knows() {
    let server = server(Rates { caller_reads: slow(1), ..OFF });
    let client = server.client();
    let attempt = |header: &str| {
        let mut request = Request::signed(&client, "GET", "/accounts", "");
        request.set_header("amz-sdk-request", header);
        request.send(server.address)
    };
    assert_eq!(attempt("attempt=1; max=3").status, 200);
    for (header, exception) in [
        ("attempt=1; max=3", "ThrottlingException"),
        ("ttl=20261126T123329Z; attempt=2; max=3", "ThrottlingException"),
        ("ttl=20261126T123329Z; attempt=3; max=3", "ThrottledClientException"),
        ("attempt=1", "ThrottledClientException"),
    ] {
        let answer = attempt(header);
        check(&answer, exception, "Rate exceeded: --rate-caller-reads");
        assert!(answer.status == 429 && answer.header("retry-after").is_some(), "{answer:?}");
    }
}

fn sts(client: &Client) -> Request {
    let body = "Action=GetCallerIdentity&Version=2011-06-15";
    let headers = client.signed("POST", "/", body.as_bytes(), "sts");
    Request { headers, ..Request::signed(client, "POST", "/", body) }
}

#[test]
fn sts_counts_as_reading_and_refuses_in_its_own_form() {
    let server = server(Rates { caller_reads: slow(2), ..OFF });
    let client = server.client();
    assert_eq!(sts(&client).send(server.address).status, 200);
    assert_eq!(list(&client).status, 200);
    let answer = sts(&client).send(server.address);
    assert_eq!((answer.status, answer.header("content-type")), (400, Some("text/xml")));
    let wait = answer.header("retry-after").unwrap();
    let start = "<Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded: ";
    let end = format!("Try again in {wait} seconds</Message></Error>");
    assert!(answer.body.contains(start) && answer.body.contains(&end), "{answer:?}");
}

/// The memory engine, whose commits wait for the test when it says so.
struct Waiting {
    memory: Memory,
    waits: AtomicBool,
    begun: SyncSender<()>,
    end: Mutex<Receiver<()>>,
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiting").finish_non_exhaustive()
    }
}

impl Engine for Waiting {
    fn begin(&self, access: Access) -> Result<Box<dyn Transaction + '_>> {
        let inner = self.memory.begin(access)?;
        Ok(Box::new(WaitingTransaction { engine: self, inner }))
    }
}

struct WaitingTransaction<'a> {
    engine: &'a Waiting,
    inner: Box<dyn Transaction + 'a>,
}

impl Transaction for WaitingTransaction<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.inner.get(key)
    }

    fn scan(&self, range: &KeyRange, limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        self.inner.scan(range, limit)
    }

    fn commit(self: Box<Self>, batch: &Batch) -> Result<()> {
        if self.engine.waits.load(Ordering::SeqCst) {
            self.engine.begun.send(()).unwrap();
            self.engine.end.lock().unwrap().recv().unwrap();
        }
        self.inner.commit(batch)
    }
}

#[test]
fn a_request_too_many_is_refused_at_once_in_the_form_of_its_client() {
    let (begun, begins) = mpsc::sync_channel(1);
    let (end, ends) = mpsc::channel();
    let (memory, waits) = (Memory::default(), AtomicBool::new(false));
    let engine = Arc::new(Waiting { memory, waits, begun, end: Mutex::new(ends) });
    let limits = Limits { requests_max: 1, ..Limits::default() };
    let engine_too: Arc<dyn Engine> = Arc::clone(&engine) as _;
    let options = Options { limits, engine: Some(engine_too), ..Options::default() };
    let server = Server::start_with(options, |_| Ok(()));
    let client = server.client();
    let get = |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
        exchange(server.address, request.as_bytes())
    };
    engine.waits.store(true, Ordering::SeqCst);
    thread::scope(|scope| {
        let first = scope.spawn(|| create(&client));
        begins.recv().unwrap();
        for answer in [list(&client), create(&client)] {
            check(&answer, "ServiceUnavailableException", "Try again in 1 second");
            assert_eq!(answer.header("retry-after"), Some("1"));
        }
        let answer = sts(&client).send(server.address);
        assert!(answer.body.contains("<Code>ServiceUnavailable</Code>"), "{answer:?}");
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
        let answer = get("/invites/x");
        assert!(answer.body.contains("<h1>Something went wrong here</h1>"), "{answer:?}");
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
        assert_eq!(get("/health/live").status, 200);
        assert_eq!(get("/health/ready").status, 200);
        engine.waits.store(false, Ordering::SeqCst);
        end.send(()).unwrap();
        assert_eq!(first.join().unwrap().status, 201);
    });
    let accounts = list(&client).json();
    assert_eq!(accounts["Accounts"].as_array().unwrap().len(), 1, "what was refused was not done");
}

#[test]
fn who_sends_slowly_takes_nobodys_place() {
    let server = start(Limits { requests_max: 1, ..Limits::default() });
    let client = server.client();
    let request = Request::signed(&client, "POST", "/accounts", r#"{"Name":"a"}"#).bytes();
    let (head, rest) = request.split_at(request.len() - 1);
    let mut connection = Connection::open(server.address);
    connection.send(head);
    for _ in 0..10 {
        assert_eq!(create(&client).status, 201);
    }
    connection.send(rest);
    assert_eq!(connection.answer().status, 201);
}

#[test]
fn a_connection_too_many_waits_until_another_ends() {
    let server = start(Limits { connections_max: 2, ..Limits::default() });
    let client = server.client();
    let request = Request::signed(&client, "GET", "/accounts", "").bytes();
    let ask = |connection: &mut Connection| {
        connection.send(&request);
        assert_eq!(connection.answer().status, 200);
    };
    let mut first = Connection::open(server.address);
    let mut second = Connection::open(server.address);
    ask(&mut first);
    ask(&mut second);
    let mut third = Connection::open(server.address);
    third.send(&request);
    for _ in 0..200 {
        ask(&mut second);
    }
    third.stream().set_nonblocking(true).unwrap();
    let early = third.stream().peek(&mut [0]);
    assert_eq!(early.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    third.stream().set_nonblocking(false).unwrap();
    drop(first);
    assert_eq!(third.answer().status, 200);
    ask(&mut second);
}
