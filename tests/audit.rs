//! `campanile audit`, how long events are kept, and how they are shipped.

use crate::harness::process::{Ended, Process, campanile, run, serve, with_root};
use crate::harness::{
    Client, Options, ROOT_ACCESS_KEY_ID, ROOT_SECRET_ACCESS_KEY, Server, exchange, http,
};
use campanile::server::{AuditLog, AuditSettings};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

const DAY: i64 = 24 * 60 * 60 * 1000;
/// How often a test looks for what a duty is about to do. It never sleeps between two.
const LOOKS_MAX: usize = 100_000;

fn command(address: SocketAddr, arguments: &[&str]) -> Command {
    let mut command = campanile();
    command
        .arg("audit")
        .args(arguments)
        .env("AWS_ENDPOINT_URL_CHIME", format!("http://{address}"))
        .env("AWS_ACCESS_KEY_ID", ROOT_ACCESS_KEY_ID)
        .env("AWS_SECRET_ACCESS_KEY", ROOT_SECRET_ACCESS_KEY);
    command
}

fn audit(server: &Server, arguments: &[&str]) -> Ended {
    let ended = run(&mut command(server.address, arguments));
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    ended
}

/// Returns the events that the command prints as JSON.
fn events(server: &Server, arguments: &[&str]) -> Vec<Value> {
    parsed(&audit(server, &[arguments, &["--output", "json"]].concat()).stdout)
}

fn parsed(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn request_ids(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["requestID"].as_str().unwrap()).collect()
}

/// Creates an account, and returns the id of the request.
fn create(client: &Client) -> String {
    let answer = client.call("CreateAccount", json!({"Name": "My"}));
    answer.header("x-amzn-requestid").unwrap().to_owned()
}

#[track_caller]
fn eventually(mut look: impl FnMut() -> bool) {
    assert!((0..LOOKS_MAX).any(|_| look()), "it did not happen");
}

#[test]
fn the_command_prints_events_as_a_table_and_as_json() {
    let server = Server::start();
    let client = server.client();
    let id = client.create_account("My");
    client.error("DeleteAccount", json!({"AccountId": "absent"}));
    client.ok("DeleteAccount", json!({"AccountId": id}));
    let table = audit(&server, &[]).stdout;
    let lines: Vec<Vec<&str>> =
        table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["TIME", "USER", "OPERATION", "ACCOUNT", "SOURCE", "IP", "ERROR"]);
    let rows: Vec<_> = lines[1..].iter().map(|line| &line[1..]).collect();
    assert_eq!(rows[0], ["root", "CreateAccount", &id, "127.0.0.1"]);
    assert_eq!(rows[1], ["root", "DeleteAccount", "absent", "127.0.0.1", "NotFoundException"]);
    assert_eq!(rows[2], ["root", "DeleteAccount", &id, "127.0.0.1"]);
    let column = |line: &str| line.find("127.0.0.1");
    let columns: BTreeSet<_> = table.lines().skip(1).map(column).collect();
    assert_eq!(columns.len(), 1, "the columns are aligned:\n{table}");

    let all = events(&server, &[]);
    assert_eq!(all.len(), 3);
    assert_eq!(events(&server, &["--operation", "DeleteAccount"]), all[1..]);
    assert_eq!(events(&server, &["--account", &id]), [all[0].clone(), all[2].clone()]);
    assert_eq!(events(&server, &["--user", "root", "--aws-account-id", "111122223333"]), all);
    assert_eq!(events(&server, &["--user", "jane"]), [Value::Null; 0]);
    let time = all[2]["eventTime"].as_str().unwrap();
    assert_eq!(events(&server, &["--since", time]), all[2..]);
    assert_eq!(events(&server, &["--since", "2d", "--until", "1d"]), [Value::Null; 0]);
    assert_eq!(audit(&server, &["--until", "1h"]).stdout.lines().count(), 1);
}

#[test]
fn operations_of_one_name_are_told_apart_by_their_services() {
    let server = Server::start();
    let root = server.client();
    root.ok("iam:CreateUser", json!({"UserName": "jane"}));
    let id = root.create_account("a");
    root.error("CreateUser", json!({"AccountId": id}));
    let table = |operation: &str| {
        let ended = audit(&server, &["--operation", operation]);
        let lines = ended.stdout.lines().skip(1).map(|it| it.split_whitespace().nth(2).unwrap());
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(table("CreateUser"), ["iam:CreateUser", "CreateUser"]);
    assert_eq!(table("iam:CreateUser"), ["iam:CreateUser"]);
}

#[test]
fn a_time_that_cannot_be_is_a_wrong_command_line() {
    for time in ["yesterday", "7", "-1h", "2026-01-31", "h", "1y", ""] {
        let ended = run(campanile().args(["audit", &format!("--since={time}")]));
        assert_eq!(ended.code, Some(252), "{ended:?}");
        assert!(ended.stderr.contains("--since") && ended.stderr.contains("24h"), "{ended:?}");
    }
    let ended = run(campanile().args(["audit", "--follow", "--until", "1h"]));
    assert!(ended.code == Some(252) && ended.stderr.contains("--until"), "{ended:?}");
    let help = run(campanile().args(["audit", "--help"])).stdout;
    for word in ["--since", "--until", "--user", "--operation", "--account", "--follow", "7d"] {
        assert!(help.contains(word), "no {word} in {help}");
    }
    let help = run(campanile().args(["serve", "--help"])).stdout;
    for name in ["reads", "retention", "log"] {
        let words = [format!("--audit-{name}"), format!("CAMPANILE_AUDIT_{}", name.to_uppercase())];
        assert!(words.iter().all(|word| help.contains(word)), "no {words:?} in {help}");
    }
}

#[test]
fn the_command_walks_all_the_pages() {
    let server = Server::start();
    let client = server.client();
    let made: Vec<_> = (0..401).map(|_| create(&client)).collect();
    assert_eq!(request_ids(&events(&server, &[])), made);
}

/// What a client chose does nothing to the terminal of who reads of it.
#[test]
fn the_table_shows_no_control_characters() {
    let server = Server::start();
    server.client().send("DELETE", "/accounts/%1B%5B31m%0Ared", b"");
    let table = audit(&server, &[]).stdout;
    assert!(table.contains("[31m") && !table.contains('\u{1b}'), "{table:?}");
    assert_eq!(table.lines().count(), 2, "{table:?}");
}

#[test]
fn following_goes_on_with_what_comes_and_ends_with_who_reads() {
    let server = Server::start();
    let client = server.client();
    let mut expected = vec![create(&client)];
    let mut child = command(server.address, &["--follow", "--output", "json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || parsed(&lines.next().unwrap().unwrap()).remove(0);
    for _ in 0..3 {
        assert_eq!(next()["requestID"], *expected.last().unwrap());
        expected.push(create(&client));
    }
    drop(lines);
    // It notices when it has something to say.
    eventually(|| {
        create(&client);
        child.try_wait().unwrap().is_some()
    });
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn events_are_removed_when_they_are_too_old() {
    let audit = AuditSettings { retention_days: 2, ..AuditSettings::default() };
    let server = Server::start_with(Options { audit, ..Options::default() }, |_| Ok(()));
    let other = server.client_of("444455556666");
    let client = server.client();
    // More than one transaction removes, in one of the AWS accounts.
    for _ in 0..401 {
        create(&client);
    }
    create(&other);
    let found = |client: &Client, members: Value| {
        let page = client.ok("cloudtrail:LookupEvents", members);
        page["Events"].as_array().unwrap().len()
    };
    server.move_time(DAY);
    let young = create(&server.client());
    assert_eq!(found(&server.client(), json!({"MaxResults": 200})), 200);
    server.move_time(DAY + 1);
    let client = server.client();
    let members = || json!({"MaxResults": 200});
    eventually(|| found(&client, members()) == 1);
    let left = client.ok("cloudtrail:LookupEvents", json!({}));
    assert!(left.to_string().contains(&young), "{left}");
    let theirs = json!({"AwsAccountId": "444455556666"});
    eventually(|| found(&client, theirs.clone()) == 0);
}

#[test]
fn events_are_kept_for_ever_where_the_settings_say_so() {
    let server = Server::start();
    create(&server.client());
    for _ in 0..3 {
        server.move_time(1000 * DAY);
    }
    let client = server.client();
    create(&client);
    let page = client.ok("cloudtrail:LookupEvents", json!({}));
    assert_eq!(page["Events"].as_array().unwrap().len(), 2);
}

fn shipping_to(path: &Path) -> Options {
    let log = Some(AuditLog::File(path.to_owned()));
    Options { audit: AuditSettings { log, ..AuditSettings::default() }, ..Options::default() }
}

/// Waits until a file holds the events of these requests.
#[track_caller]
fn wait_for(server: &Server, path: &Path, requests: &[String]) {
    eventually(|| {
        server.move_time(1000);
        let text = fs::read_to_string(path).unwrap_or_default();
        requests.iter().all(|id| text.contains(id)) && text.ends_with('\n')
    });
}

#[test]
fn events_are_shipped_to_a_file_that_can_be_renamed_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    // As a crash can leave it.
    fs::write(&path, "{\"eventVersion\":\"1.0").unwrap();
    let server = Server::start_with(shipping_to(&path), |_| Ok(()));
    let mut clients = vec![server.client(), server.client_of("444455556666")];
    let mut requests: Vec<_> = (0..300).map(|number| create(&clients[number % 2])).collect();
    wait_for(&server, &path, &requests);
    let text = fs::read_to_string(&path).unwrap();
    let (torn, lines) = text.split_once('\n').unwrap();
    assert_eq!(torn, "{\"eventVersion\":\"1.0");
    let shipped = parsed(lines);
    let ids: Vec<_> =
        request_ids(&shipped).into_iter().filter(|id| requests.iter().any(|it| it == id)).collect();
    assert_eq!(ids.len(), requests.len(), "each once, where nothing goes wrong");
    let listed = server.client().ok("cloudtrail:LookupEvents", json!({"MaxResults": 1}));
    assert!(lines.contains(listed["Events"][0]["CloudTrailEvent"].as_str().unwrap()));

    fs::rename(&path, folder.path().join("audit.jsonl.1")).unwrap();
    clients = vec![server.client()];
    requests = vec![create(&clients[0])];
    wait_for(&server, &path, &requests);
    let shipped = parsed(&fs::read_to_string(&path).unwrap());
    assert_eq!(request_ids(&shipped), requests);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_was_not_shipped_before_a_stop_is_shipped_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("gone").join("a"), folder.path().join("b"));
    fs::create_dir(folder.path().join("gone")).unwrap();
    let server = Server::start_with(shipping_to(&first), |_| Ok(()));
    if !server.is_durable() {
        return;
    }
    // Nothing can be written there any more.
    fs::remove_dir_all(folder.path().join("gone")).unwrap();
    let request = create(&server.client());
    let server = server.restart_with(Options { ahead: 5000, ..shipping_to(&second) });
    wait_for(&server, &second, &[request]);
}

/// Whatever was acknowledged is in the file at least once, however often the server dies.
#[test]
fn what_was_acknowledged_is_shipped_after_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let (data, path) = (folder.path().join("data"), folder.path().join("audit.jsonl"));
    let mut acknowledged = Vec::new();
    let start = || {
        let mut command = serve(&data);
        command.arg("--audit-log").arg(&path);
        Process::start_with(with_root(&mut command))
    };
    for round in 0..4 {
        let process = start();
        let client = process.client();
        acknowledged.extend((0..50 * (round + 1)).map(|_| create(&client)));
        process.kill();
    }
    let process = start();
    eventually(|| {
        let text = fs::read_to_string(&path).unwrap_or_default();
        process.client().ok("ListAccounts", json!({"MaxResults": 1}));
        acknowledged.iter().all(|id| text.contains(id))
    });
    let text = fs::read_to_string(&path).unwrap();
    let whole = text.lines().filter(|line| serde_json::from_str::<Value>(line).is_ok()).count();
    let torn = text.lines().count() - whole;
    assert!(whole >= acknowledged.len() && torn <= 4, "{whole} whole and {torn} torn");
}

#[test]
fn events_are_shipped_to_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = serve(&folder.path().join("data"));
    let mut process = Process::start_with(with_root(command.args(["--audit-log", "-"])));
    let request = create(&process.client());
    let event: Value = serde_json::from_str(&process.next_line()).unwrap();
    assert_eq!(event["requestID"], request);
    assert_eq!(process.stop().code, Some(0));
}

#[test]
fn a_file_that_cannot_be_written_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no").join("audit.jsonl");
    let mut command = serve(&folder.path().join("data"));
    let ended = run(with_root(command.arg("--audit-log").arg(&path)));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("--audit-log (CAMPANILE_AUDIT_LOG)"), "{ended:?}");
    assert!(ended.stderr.contains(path.to_str().unwrap()), "{ended:?}");
    assert!(!folder.path().join("data").exists(), "nothing was made");
}

/// The client's address is that at the other end of the connection, and its name what it says.
#[test]
fn an_event_says_where_a_call_came_from() {
    let server = Server::start();
    let client = server.client();
    let mut headers = client.signed("DELETE", "/accounts/absent", b"", "chime");
    headers.insert("user-agent", "Boto3/1.43.11 \u{e9}".parse().unwrap());
    let request = http::request("DELETE", "/accounts/absent", &headers, b"");
    exchange(server.address, &request);
    let found = events(&server, &[]);
    assert_eq!(found[0]["sourceIPAddress"], "127.0.0.1");
    assert_eq!(found[0]["awsRegion"], "eu-west-1");
    assert!(found[0]["userAgent"].as_str().unwrap().starts_with("Boto3/1.43.11 "));
}
