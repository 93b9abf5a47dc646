//! What a client sees, and what the log is told, when the store fails under the API.

use super::{Request, check};
use crate::harness::kept::Log;
use crate::harness::smtp::SmtpPeer;
use crate::harness::{Answer, Options, Server, exchange};
use campanile::operations::audit::AuditEventRecord;
use campanile::store::{
    Access, Batch, Engine, Error, Key, KeyRange, Memory, Result, Table, Transaction,
};
use serde::Deserialize;
use serde_json::json;
use std::sync::{Arc, Mutex, PoisonError};

/// What an engine would say to its operator, and must not say to a client.
const REASON: &str = "the volume db-7.internal is gone";

/// The same, where only duties meet it.
const DUTY_REASON: &str = "the volume db-8.internal is gone";

/// The memory engine, with the faults that a test asks for.
#[derive(Debug, Default)]
struct Faulty {
    memory: Memory,
    fault: Mutex<Option<Fault>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// No transaction can begin.
    Begin,
    /// Reading an account panics.
    Panic,
    /// No transaction can commit.
    Commit,
    /// No transaction can begin, for another reason.
    BeginDuty,
}

impl Faulty {
    fn set(&self, fault: Option<Fault>) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    fn has(&self, fault: Fault) -> bool {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) == Some(fault)
    }

    /// Overwrites every stored entry about an account.
    fn overwrite_accounts(&self, value: &[u8]) {
        let transaction = self.memory.begin(Access::Write).unwrap();
        let mut batch = Batch::new();
        for table in [Table::Accounts, Table::AccountsByName] {
            let entries = transaction.scan(&Key::of(table).prefixed(), 1000).unwrap();
            batch.extend(entries.into_iter().map(|(key, _)| (key, Some(value.to_vec()))));
        }
        assert!(!batch.is_empty());
        transaction.commit(&batch).unwrap();
    }
}

impl Engine for Faulty {
    fn begin(&self, access: Access) -> Result<Box<dyn Transaction + '_>> {
        if self.has(Fault::Begin) {
            return Err(Error::Unavailable(REASON.to_owned()));
        }
        if self.has(Fault::BeginDuty) {
            return Err(Error::Unavailable(DUTY_REASON.to_owned()));
        }
        let inner = self.memory.begin(access)?;
        Ok(Box::new(FaultyTransaction { engine: self, inner }))
    }
}

struct FaultyTransaction<'a> {
    engine: &'a Faulty,
    inner: Box<dyn Transaction + 'a>,
}

impl Transaction for FaultyTransaction<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        assert!(!self.engine.has(Fault::Panic), "{REASON}");
        self.inner.get(key)
    }

    fn scan(&self, range: &KeyRange, limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        assert!(!self.engine.has(Fault::Panic), "{REASON}");
        self.inner.scan(range, limit)
    }

    fn commit(self: Box<Self>, batch: &Batch) -> Result<()> {
        if self.engine.has(Fault::Commit) {
            return Err(Error::Unavailable(REASON.to_owned()));
        }
        self.inner.commit(batch)
    }
}

fn server() -> (Server, Arc<Faulty>) {
    let engine = Arc::new(Faulty::default());
    let engine_too = Arc::clone(&engine);
    let options = Options { engine: Some(engine_too), metrics: true, ..Options::default() };
    (Server::start_with(options, |_| Ok(())), engine)
}

/// Asserts that the client is told nothing of the cause, and the log all of it.
#[track_caller]
fn check_fault(answer: &Answer, exception: &str, message: &str, cause: &str) {
    assert_eq!(answer.error(), (exception.to_owned(), message.to_owned()));
    let line = Log::about(answer);
    assert_eq!(line.lines().count(), 1, "a fault is logged once: {line}");
    assert!(line.contains("ERROR") && line.contains(exception), "{line}");
    assert!(line.contains(cause), "{line}");
}

#[track_caller]
fn check_unavailable(answer: &Answer) {
    let message = "The service is currently unavailable. Try again later.";
    check_fault(answer, "ServiceUnavailableException", message, REASON);
}

#[track_caller]
fn check_failure(answer: &Answer, cause: &str) {
    let message = "The service encountered an unexpected error. The server's log has the details \
                   under this RequestId.";
    check_fault(answer, "ServiceFailureException", message, cause);
}

#[test]
fn a_store_that_cannot_answer_is_a_service_that_is_unavailable() {
    Log::keep();
    let (server, engine) = server();
    let client = server.client();
    let id = client.create_account("My");
    engine.set(Some(Fault::Begin));
    check_unavailable(&client.call("GetAccount", json!({"AccountId": id})));
    check_unavailable(&client.call("ListAccounts", json!({})));
    check_unavailable(&client.call("CreateAccount", json!({"Name": "b"})));
    engine.set(Some(Fault::Commit));
    check_unavailable(&client.call("CreateAccount", json!({"Name": "c"})));
    check_unavailable(&client.call("DeleteAccount", json!({"AccountId": id})));
    let scrape = || {
        let request = b"GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n";
        exchange(server.metrics.unwrap(), request).body
    };
    let failed = "campanile_store_commits_total{outcome=\"failed\"} 2\n";
    assert!(scrape().contains(failed), "{}", scrape());
    // Nor does a store that cannot be read keep metrics from being read.
    for fault in [Fault::Begin, Fault::Panic] {
        engine.set(Some(fault));
        assert!(scrape().contains(failed), "{}", scrape());
    }
    engine.set(None);
    let page = client.ok("ListAccounts", json!({}));
    assert_eq!(page["Accounts"].as_array().unwrap().len(), 1, "{page}");
}

#[test]
fn readiness_tells_of_the_store_and_liveness_does_not() {
    Log::keep();
    let (server, engine) = server();
    let ask = |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
        exchange(server.address, request.as_bytes())
    };
    assert_eq!(ask("/health/ready").status, 200);
    engine.set(Some(Fault::Begin));
    assert_eq!(ask("/health/live").status, 200);
    let answer = ask("/health/ready");
    assert_eq!(answer.error().0, "ServiceUnavailableException");
    assert!(!answer.body.contains(REASON));
    assert!(Log::about(&answer).contains(REASON), "{}", Log::about(&answer));
    engine.set(None);
    assert_eq!(ask("/health/ready").status, 200);
}

#[test]
fn sts_tells_of_a_fault_in_its_own_form() {
    Log::keep();
    let (server, engine) = server();
    let client = server.client_of("444455556666");
    let call = || {
        let body = "Action=GetCallerIdentity&Version=2011-06-15";
        let mut request = Request::signed(&client, "POST", "/", body);
        request.headers = client.signed("POST", "/", body.as_bytes(), "sts");
        request.send(server.address)
    };
    assert_eq!(call().status, 200);
    for (fault, status, code) in
        [(Fault::Begin, 503, "ServiceUnavailable"), (Fault::Panic, 500, "InternalFailure")]
    {
        engine.set(Some(fault));
        let answer = call();
        assert_eq!(answer.status, status, "{answer:?}");
        let start = format!("<Error><Type>Receiver</Type><Code>{code}</Code>");
        assert!(answer.body.contains(&start) && !answer.body.contains(REASON), "{answer:?}");
        assert!(Log::about(&answer).contains("ERROR"));
    }
}

#[test]
fn an_operation_that_panics_is_a_failure_of_the_service_and_of_no_other_request() {
    Log::keep();
    let (server, engine) = server();
    let client = server.client();
    let id = client.create_account("My");
    engine.set(Some(Fault::Panic));
    check_failure(&client.call("GetAccount", json!({"AccountId": id})), "panicked");
    check_failure(&client.call("ListAccounts", json!({})), "panicked");
    check_failure(&client.call("UpdateAccount", json!({"AccountId": id})), "panicked");
    engine.set(None);
    let update = json!({"AccountId": id, "Name": "Yours"});
    assert_eq!(client.ok("UpdateAccount", update)["Account"]["Name"], "Yours");
}

#[test]
fn a_damaged_record_is_a_failure_of_the_service() {
    Log::keep();
    for (value, cause) in [
        (&b"\x00\xff"[..], "holds what it should not"),
        (&b"{}"[..], "missing field `version`"),
        (&br#"{"version":1,"record":{"Name":1}}"#[..], "holds what it should not"),
        (&br#"{"version":99,"record":{}}"#[..], "a newer Campanile wrote version 99"),
    ] {
        let (server, engine) = server();
        let client = server.client();
        let id = client.create_account("My");
        engine.overwrite_accounts(value);
        check_failure(&client.call("GetAccount", json!({"AccountId": id})), cause);
        check_failure(&client.call("UpdateAccount", json!({"AccountId": id})), cause);
        check_failure(&client.call("ListAccounts", json!({})), cause);
        client.create_account("works");
    }
}

#[test]
fn the_log_tells_what_was_refused_and_no_secret() {
    Log::keep();
    let server = Server::start();
    let client = server.client();
    let created = client.call("CreateAccessKey", json!({"AwsAccountId": "444455556666"}));
    let secret = created.json()["AccessKey"]["SecretAccessKey"].as_str().unwrap().to_owned();
    let mut request =
        Request::signed(&client, "GET", "/accounts?user-email=mary%40example.com", "");
    request.replace_in_header("authorization", "Signature=", "Signature=0");
    let answer = request.send(server.address);
    check(&answer, "InvalidSignatureException", "mary%40example.com");
    let line = Log::about(&answer);
    assert_eq!(line.lines().count(), 1);
    for text in ["INFO", "InvalidSignatureException", "/accounts"] {
        assert!(line.contains(text), "{line}");
    }
    let malformed = exchange(server.address, b"nonsense\r\n\r\n");
    assert!(Log::about(&malformed).contains("MalformedHttpRequestException"));
    let too_large = client.send("POST", "/accounts", &vec![b' '; (1 << 20) + 1]);
    assert!(Log::about(&too_large).contains("RequestEntityTooLargeException"));
    let log = Log::with("");
    for hidden in [secret.as_str(), &client.secret_access_key, "mary", "Signature="] {
        assert!(!log.contains(hidden), "{hidden}");
    }
}

#[test]
fn a_page_tells_of_a_fault_as_a_page_and_its_link_is_in_no_log() {
    Log::keep();
    let peer = SmtpPeer::start();
    let engine = Arc::new(Faulty::default());
    let engine_too = Arc::clone(&engine);
    let smtp_url = Some(peer.url());
    let options = Options { engine: Some(engine_too), smtp_url, ..Options::default() };
    let server = Server::start_with(options, |_| Ok(()));
    let client = server.client();
    let id = client.create_account("My");
    let members = json!({"AccountId": id, "UserEmailList": ["jane.doe@example.com"]});
    client.ok("InviteUsers", members);
    let link = peer.take().link();
    let token = link.strip_prefix("/invites/").unwrap();
    let ask = |method: &str, path: &str| {
        let request = format!("{method} {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n");
        exchange(server.address, request.as_bytes())
    };
    engine.set(Some(Fault::Begin));
    for method in ["GET", "POST"] {
        let answer = ask(method, &link);
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.body.contains("<h1>Something went wrong here</h1>"), "{answer:?}");
        assert!(!answer.body.contains(REASON), "{answer:?}");
        let logged = Log::about(&answer);
        assert!(logged.contains("ERROR") && logged.contains(REASON), "{logged}");
    }
    engine.set(None);
    let unknown = ask("GET", &format!("{link}x"));
    assert!(Log::about(&unknown).contains("path=\"/invites/\""), "{}", Log::about(&unknown));
    for target in [format!("{link}/more"), link.clone()] {
        let answer = Request::signed(&client, "PUT", &target, "").send(server.address);
        check(&answer, "UnknownOperationException", token);
        assert!(Log::about(&answer).contains("***"), "{}", Log::about(&answer));
    }
    assert_eq!(Log::with(token), "");
}

#[test]
fn a_duty_that_fails_is_logged_once_and_goes_on() {
    Log::keep();
    let (server, engine) = server();
    let client = server.client();
    let id = client.create_account("My");
    client.ok("DeleteAccount", json!({"AccountId": id}));
    engine.set(Some(Fault::BeginDuty));
    let ask = || exchange(server.address, b"GET /health/live HTTP/1.1\r\nhost: a\r\n\r\n");
    let hour = 60 * 60 * 1000;
    // Each hour the sweeper looks, and in between it tries again what failed.
    for _ in 0..3 {
        server.move_time(hour);
        assert!((0..10_000).any(|_| ask().status == 200 && !Log::with(DUTY_REASON).is_empty()));
    }
    engine.set(None);
    server.move_time(91 * 24 * hour);
    let is_empty = |engine: &Faulty| {
        let transaction = engine.memory.begin(Access::Read).unwrap();
        transaction.scan(&Key::of(Table::Accounts).prefixed(), 1).unwrap().is_empty()
    };
    // A round that was under way when the fault ended may rest from when the time was moved.
    assert!((0..10_000).any(|_| {
        server.move_time(hour);
        ask().status == 200 && is_empty(&engine)
    }));
    let lines = Log::with(DUTY_REASON);
    assert_eq!(lines.lines().count(), 1, "{lines}");
    assert!(lines.contains("ERROR") && lines.contains("removing deleted accounts"), "{lines}");
}

/// An event as an engine has it.
#[derive(Deserialize)]
struct Stored {
    record: AuditEventRecord,
}

/// Returns the operation, and the error if there is one, of each event in an engine.
fn events(engine: &Faulty) -> Vec<[String; 2]> {
    let transaction = engine.memory.begin(Access::Read).unwrap();
    let entries = transaction.scan(&Key::of(Table::AuditEvents).prefixed(), 1000).unwrap();
    let event = |value: &[u8]| {
        let Stored { record } = serde_json::from_slice(value).unwrap();
        [record.event_name(), record.error_code.as_deref().unwrap_or_default()].map(str::to_owned)
    };
    entries.iter().map(|(_, value)| event(value)).collect()
}

#[test]
fn an_operation_that_panics_leaves_its_event_and_nothing_else() {
    Log::keep();
    let (server, engine) = server();
    let client = server.client();
    let id = client.create_account("My");
    engine.set(Some(Fault::Panic));
    check_failure(&client.call("UpdateAccount", json!({"AccountId": id, "Name": "b"})), "panicked");
    engine.set(None);
    let failed = ["UpdateAccount", "ServiceFailureException"].map(str::to_owned);
    assert_eq!(events(&engine)[1..], [failed]);
    assert_eq!(client.ok("GetAccount", json!({"AccountId": id}))["Account"]["Name"], "My");
}

/// Where an event cannot be stored, nobody is told what it would tell.
#[test]
fn a_call_whose_event_cannot_be_stored_fails() {
    Log::keep();
    let (server, engine) = server();
    let client = server.client_of("444455556666");
    let id = client.create_account("My");
    let denied = json!({"AwsAccountId": "777788889999"});
    engine.set(Some(Fault::Commit));
    check_unavailable(&client.call("CreateAccessKey", denied.clone()));
    check_unavailable(&client.call("UpdateAccount", json!({"AccountId": id, "Name": ""})));
    check_unavailable(&client.call("DeleteAccount", json!({"AccountId": "absent"})));
    engine.set(None);
    assert_eq!(events(&engine).len(), 2);
    assert_eq!(client.error("CreateAccessKey", denied).0, "ForbiddenException");
    assert_eq!(events(&engine).len(), 3);
}
