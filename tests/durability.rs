//! What is acknowledged stays, however the process ends, and whoever else wants its folder.

use crate::harness::http::{Connection, head};
use crate::harness::process::{Process, campanile, run, serve, with_root};
use crate::harness::workload::{Ledger, Plan, Stopped, read_all, recorded, work};
use crate::harness::{Client, exchange};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

const CLIENTS: u64 = 6;
const KILLS: u64 = 6;

/// Lets clients work on a server until so many answers have come and `end` has ended it; answers
/// what they did, and the errors with which the server left them.
fn work_until(
    process: Process,
    round: u64,
    answers: usize,
    end: impl FnOnce(Process),
) -> (Ledger, Vec<ErrorKind>) {
    let client = process.client();
    let (sender, receiver) = mpsc::channel();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (client, sender) = (client.clone(), sender.clone());
            let number = round * CLIENTS + number;
            let plan = Plan { client: number, operations: 100_000, seed: round, filling: None };
            thread::spawn(move || work(&client, &plan, || sender.send(()).unwrap()))
        })
        .collect();
    for _ in 0..answers {
        receiver.recv().unwrap();
    }
    end(process);
    let mut ledger = Ledger::default();
    let mut errors = Vec::new();
    for client in clients {
        match client.join().unwrap() {
            (_, Stopped::Done) => panic!("a client was done before the server ended"),
            (done, Stopped::Unanswered(error)) => {
                ledger.merge(done);
                errors.push(error.kind());
            }
        }
    }
    (ledger, errors)
}

#[test]
fn what_was_acknowledged_outlives_kill_9() {
    let seed: u64 = rand::random();
    let mut rng = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut known = Ledger::default();
    for round in 0..KILLS {
        // How long the last write has been under way is chance, too.
        let answers = rng.random_range(1..400);
        let delay = Duration::from_micros(rng.random_range(0..4000));
        let (done, _) = work_until(Process::start(&data), round, answers, |process| {
            thread::sleep(delay);
            assert_eq!(process.kill().code, None);
        });
        let requests: Vec<_> = done.acknowledged.iter().map(|it| it.request_id.clone()).collect();
        let mut acknowledged = done.all_acknowledged();
        acknowledged.extend(known.states.keys().map(|&account| (account, 1)));
        known.merge(done);
        let process = Process::start(&data);
        let found = read_all(&process.client(), &known.ids);
        if let Err(wrong) = known.check(&acknowledged, &found) {
            panic!("seed {seed}, kill {round} after {answers} answers and {delay:?}: {wrong}");
        }
        let recorded = recorded(&process.client());
        for request in &requests {
            assert!(
                recorded.contains(request),
                "seed {seed}, kill {round}: {request} has no event"
            );
        }
        known = Ledger { ids: known.ids, ..Ledger::of(found) };
        // The next round begins on what a kill left, or on what a stop left.
        if rng.random() {
            process.kill()
        } else {
            process.stop()
        };
    }
}

/// A client gets its whole answer, or none at all; and whoever gets none can try again without a
/// doubt, because the server has not begun the request.
#[test]
fn a_server_that_is_told_to_stop_answers_what_it_has_begun() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let (ledger, errors) = work_until(Process::start(&data), 0, 200, |process| {
        let ended = process.stop();
        assert_eq!(ended.code, Some(0), "{ended:?}");
    });
    for error in errors {
        let unanswered = [
            ErrorKind::BrokenPipe,
            ErrorKind::ConnectionRefused,
            ErrorKind::ConnectionReset,
            ErrorKind::UnexpectedEof,
        ];
        assert!(unanswered.contains(&error), "an answer broke off: {error:?}");
    }
    let process = Process::start(&data);
    let mut acknowledged_only = ledger.clone();
    let acknowledged = ledger.all_acknowledged();
    for (account, states) in &mut acknowledged_only.states {
        states.truncate(acknowledged.get(account).copied().unwrap_or_default());
    }
    let found = read_all(&process.client(), &ledger.ids);
    acknowledged_only.check(&acknowledged, &found).unwrap();
}

#[test]
fn a_request_that_has_begun_is_answered_after_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&folder.path().join("data"));
    let body = json!({"Name": "Begun"}).to_string();
    let mut headers = process.client().signed("POST", "/accounts", body.as_bytes(), "chime");
    headers.insert("expect", "100-continue".parse().unwrap());
    let framing = format!("content-length: {}\r\n", body.len());
    let mut connection = Connection::open(process.address);
    connection.send(&head("POST", "/accounts", &headers, &framing));
    let begun = connection.read_head();
    assert!(begun.starts_with("HTTP/1.1 100 "), "the server waits for the body: {begun}");
    process.terminate();
    // The port closes when the server has heard.
    while TcpStream::connect(process.address).is_ok() {}
    connection.send(body.as_bytes());
    let answer = connection.answer();
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(process.wait().code, Some(0));
}

#[test]
fn a_second_server_on_the_same_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let first = Process::start(&data);
    let second = run(with_root(&mut serve(&data)));
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(second.stderr.contains("another Campanile server is using"), "{second:?}");
    assert!(second.stderr.contains(data.to_str().unwrap()), "{second:?}");
    first.client().create_account("Still served");
    first.kill();
    Process::start(&data);
}

#[test]
fn a_generated_root_credential_is_printed_once_and_stays_good() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let first = Process::start_with(&mut serve(&data));
    let url = format!("AWS_ENDPOINT_URL_CHIME=http://{}", first.address);
    assert!(first.printed.contains(&url), "{}", first.printed);
    let printed = exported(&first.printed);
    let client = |process: &Process| Client {
        access_key_id: printed["AWS_ACCESS_KEY_ID"].clone(),
        secret_access_key: printed["AWS_SECRET_ACCESS_KEY"].clone(),
        ..process.client()
    };
    let id = client(&first).create_account("Mine");
    let secret = &printed["AWS_SECRET_ACCESS_KEY"];
    let ended = first.kill();
    assert!(!ended.stderr.contains(secret) && !ended.stdout.contains(secret));

    let second = Process::start_with(&mut serve(&data));
    assert_eq!(second.printed, "");
    client(&second).ok("GetAccount", json!({"AccountId": id}));
    let ended = second.stop();
    assert_eq!(ended.stdout, "");
    assert!(!ended.stderr.contains(secret));
}

/// Returns the variables that a shell would have after it ran what the server printed.
fn exported(printed: &str) -> BTreeMap<String, String> {
    let lines = printed.lines().filter_map(|line| line.strip_prefix("export "));
    let variables = lines.flat_map(|line| line.split(' ')).filter_map(|pair| pair.split_once('='));
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn a_server_answers_from_the_moment_that_it_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&folder.path().join("data"));
    assert_ne!(process.address.port(), 0);
    let health = b"GET /health/ready HTTP/1.1\r\nhost: localhost\r\n\r\n";
    assert_eq!(exchange(process.address, health).status, 200);
}

#[test]
fn a_port_that_is_taken_is_named_and_makes_no_credential() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    let store = format!("embedded:{}", data.display());
    let ended = run(campanile().args(["serve", "--listen", &taken, "--store", &store]));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains(&format!("cannot listen on {taken}")), "{ended:?}");
    assert!(ended.stderr.contains("--listen"), "{ended:?}");
    assert_eq!(ended.stdout, "");
    drop(holder);
    let process = Process::start_with(&mut serve(&data));
    assert!(process.printed.contains("AWS_SECRET_ACCESS_KEY"), "the credential is still to come");
}

#[test]
fn a_memory_store_serves_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = campanile();
    command.args(["serve", "--listen", "127.0.0.1:0", "--store", "memory:"]);
    let process = Process::start_with(with_root(command.current_dir(folder.path())));
    process.client().create_account("Short-lived");
    assert_eq!(process.stop().code, Some(0));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let process = Process::start_with(with_root(&mut command));
    assert!(read_all(&process.client(), &BTreeMap::new()).is_empty());
}

#[test]
fn a_folder_of_somebody_else_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let letter = folder.path().join("letter.txt");
    std::fs::write(&letter, "Dear").unwrap();
    let ended = run(with_root(&mut serve(folder.path())));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains(folder.path().to_str().unwrap()), "{ended:?}");
    assert!(ended.stderr.contains("letter.txt"), "{ended:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    assert_eq!(std::fs::read_to_string(letter).unwrap(), "Dear");
}
