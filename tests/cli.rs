//! The command line: what it says, what it refuses, and the exit codes that scripts look at.

use crate::harness::process::{Ended, Process, campanile, run, with_root};
use crate::harness::{Answer, Client, Options, ROOT_ACCESS_KEY_ID, ROOT_SECRET_ACCESS_KEY, Server};
use campanile::access::rates::Rates;
use campanile::operations::table;
use campanile::server::Limits;
use serde_json::{Value, json};
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};

/// The exit codes of the AWS CLI: a wrong command line, an error that the service answered, and
/// everything else.
const USAGE: Option<i32> = Some(252);
const SERVICE: Option<i32> = Some(254);
const GENERAL: Option<i32> = Some(255);

/// A command line with the root's credential and the address of a server.
fn command(address: SocketAddr, arguments: &[&str]) -> Command {
    let mut command = campanile();
    command
        .args(arguments)
        .env("AWS_ENDPOINT_URL_CHIME", format!("http://{address}"))
        .env("AWS_ACCESS_KEY_ID", ROOT_ACCESS_KEY_ID)
        .env("AWS_SECRET_ACCESS_KEY", ROOT_SECRET_ACCESS_KEY);
    command
}

/// Runs a command line that must succeed, and returns the JSON that it prints.
fn printed(address: SocketAddr, arguments: &[&str]) -> Value {
    let ended = run(&mut command(address, arguments));
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

/// Checks that a command failed, printed nothing, and said why in these words.
fn assert_refused(ended: &Ended, code: Option<i32>, words: &[&str]) {
    assert_eq!((ended.code, ended.stdout.as_str()), (code, ""), "{ended:?}");
    for word in words {
        assert!(ended.stderr.contains(word), "no '{word}' in {ended:?}");
    }
    assert!(!ended.stderr.contains("panicked"), "{ended:?}");
}

#[test]
fn call_prints_what_the_server_answers() {
    let server = Server::start();
    let made = printed(server.address, &["call", "CreateAccount", r#"{"Name":"My"}"#]);
    let id = made["Account"]["AccountId"].as_str().unwrap();
    let listed = printed(server.address, &["call", "ListAccounts", r#"{"Name":"M"}"#]);
    assert_eq!(listed["Accounts"], json!([made["Account"]]));
    assert_eq!(printed(server.address, &["call", "ListAccounts"]), listed);

    let members = json!({"AccountId": id}).to_string();
    let deleted = run(&mut command(server.address, &["call", "DeleteAccount", &members]));
    assert_eq!((deleted.code, deleted.stdout.as_str()), (Some(0), ""), "{deleted:?}");
    let gone = run(&mut command(server.address, &["call", "GetAccount", &members]));
    let words = ["An error occurred (NotFoundException) when calling the GetAccount operation", id];
    assert_refused(&gone, SERVICE, &words);
}

#[test]
fn call_reads_members_from_standard_input() {
    let server = Server::start();
    let mut child = command(server.address, &["call", "CreateAccount", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all("{\"Name\":\"Zoë\"}".as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &made["Account"]["Name"]), (Some(0), &json!("Zoë")));
}

#[test]
fn the_endpoint_is_the_flag_before_the_environment() {
    let server = Server::start();
    let url = format!("http://{}", server.address);
    let nowhere = || {
        let mut command = command(unused_address(), &["call", "ListAccounts"]);
        command.env("AWS_ENDPOINT_URL", &url);
        command
    };
    assert_eq!(run(nowhere().args(["--endpoint-url", &url])).code, Some(0));
    assert_eq!(run(&mut nowhere()).code, GENERAL, "the service's variable goes first");
    assert_eq!(run(nowhere().env_remove("AWS_ENDPOINT_URL_CHIME")).code, Some(0));
    let ended = run(nowhere().args(["--endpoint-url", "no url"]));
    assert_refused(&ended, USAGE, &["no url"]);
}

#[test]
fn a_call_that_cannot_be_made_is_a_wrong_command_line() {
    let server = Server::start();
    let usage = |arguments: &[&str], words: &[&str]| {
        assert_refused(&run(&mut command(server.address, arguments)), USAGE, words);
    };
    usage(&["call", "ListAcounts"], &["'ListAcounts' is no operation", "ListAccounts"]);
    usage(&["call", "ListAccounts", "[]"], &["must be a JSON object"]);
    usage(&["call", "GetAccount"], &["GetAccount needs the member AccountId"]);
    usage(&["call"], &["<OPERATION>"]);
    usage(&["call", "ListAccounts", "--endpoint"], &["--endpoint", "--endpoint-url"]);
    usage(&["users", "create-user"], &["--user-name"]);
    usage(&["keys", "update-access-key"], &["--access-key-id", "--status"]);
    usage(&["bill"], &["'bill'", "--help"]);
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        let mut command = command(server.address, &["call", "ListAccounts"]);
        assert_refused(&run(command.env_remove(name)), USAGE, &[name]);
    }
}

#[test]
fn wrong_credentials_are_the_services_error() {
    let server = Server::start();
    let call = |name: &str, value: &str, exception: &str| {
        let mut command = command(server.address, &["call", "ListAccounts"]);
        let ended = run(command.env(name, value));
        assert_refused(&ended, SERVICE, &[exception, "calling the ListAccounts operation"]);
    };
    call("AWS_SECRET_ACCESS_KEY", "wrong", "InvalidSignatureException");
    call("AWS_ACCESS_KEY_ID", "AKIANOBODYNOBODYNOBO", "UnrecognizedClientException");
    call("AWS_SESSION_TOKEN", "token", "UnrecognizedClientException");
}

#[test]
fn no_server_is_said_with_its_address() {
    let address = unused_address();
    let ended = run(&mut command(address, &["call", "ListAccounts"]));
    assert_refused(&ended, GENERAL, &[&address.to_string(), "campanile serve"]);
}

fn unused_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn keys_let_another_aws_account_in_and_out() {
    let server = Server::start();
    let keys =
        |arguments: &[&str]| run(&mut command(server.address, &[&["keys"], arguments].concat()));
    let made = printed(server.address, &["keys", "create", "--aws-account-id", "444455556666"]);
    let key = &made["AccessKey"];
    let id = key["AccessKeyId"].as_str().unwrap();
    let secret = key["SecretAccessKey"].as_str().unwrap();
    assert_eq!(key["AwsAccountId"], "444455556666");
    assert_eq!(key["Arn"], "arn:aws:iam::444455556666:root");
    let other = Client {
        access_key_id: id.to_owned(),
        secret_access_key: secret.to_owned(),
        ..server.client()
    };
    other.create_account("Theirs");

    let one = printed(server.address, &["keys", "list", "--aws-account-id", "444455556666"]);
    assert_eq!(one["AccessKeyMetadata"][0]["AccessKeyId"], id);
    assert!(!one.to_string().contains(secret));
    let none = printed(server.address, &["keys", "list", "--aws-account-id", "777788889999"]);
    assert_eq!(none, json!({"AccessKeyMetadata": []}));
    assert_eq!(printed(server.address, &["keys", "list"]), one);

    let mut refused = command(server.address, &["keys", "list"]);
    refused.env("AWS_ACCESS_KEY_ID", id).env("AWS_SECRET_ACCESS_KEY", secret);
    let own: Value = serde_json::from_str(&run(&mut refused).stdout).unwrap();
    assert_eq!(own, one, "a root sees the keys of its own AWS account");
    refused.args(["--aws-account-id", "111122223333"]);
    assert_refused(&run(&mut refused), SERVICE, &["ForbiddenException", "ListAccessKeys"]);

    let deleted = keys(&["delete", "--access-key-id", id]);
    assert_eq!((deleted.code, deleted.stdout.as_str()), (Some(0), ""), "{deleted:?}");
    let answer: Answer = other.call("ListAccounts", json!({}));
    assert_eq!(answer.error().0, "UnrecognizedClientException");
    let again = keys(&["delete", "--access-key-id", id]);
    assert_refused(&again, SERVICE, &["NoSuchEntityException", id]);
    assert_refused(&keys(&["create", "--aws-account-id", "12"]), SERVICE, &["BadRequest", "12"]);
}

#[test]
fn keys_list_walks_all_the_pages() {
    let server = Server::start();
    let client = server.client();
    for number in 0..101 {
        client.ok("CreateAccessKey", json!({"AwsAccountId": format!("444455556{number:03}")}));
    }
    let all = printed(server.address, &["keys", "list"]);
    assert_eq!(all["AccessKeyMetadata"].as_array().unwrap().len(), 101);
}

/// What the help of `serve` has to name.
#[rustfmt::skip]
const SETTINGS: &[&str] = &[
    "--listen",
    "CAMPANILE_LISTEN",
    "127.0.0.1:8018",
    "--store",
    "CAMPANILE_STORE",
    "embedded:PATH",
    "memory:",
    "embedded:./campanile-data",
    "--master-key-file",
    "CAMPANILE_MASTER_KEY_FILE",
    "CAMPANILE_MASTER_KEY ",
    "PATH.key",
    "--cors-origin",
    "CAMPANILE_CORS_ORIGIN",
    "--public-url",
    "CAMPANILE_PUBLIC_URL",
    "--smtp-url",
    "CAMPANILE_SMTP_URL",
    "--mail-from",
    "CAMPANILE_MAIL_FROM",
    "--verify-domains",
    "CAMPANILE_VERIFY_DOMAINS",
    "--dns-server",
    "CAMPANILE_DNS_SERVER",
    "--audit-reads",
    "CAMPANILE_AUDIT_READS",
    "--audit-retention",
    "CAMPANILE_AUDIT_RETENTION",
    "--audit-log",
    "CAMPANILE_AUDIT_LOG",
    "--log-format",
    "CAMPANILE_LOG_FORMAT",
    "text",
    "json",
    "--log-level",
    "CAMPANILE_LOG_LEVEL",
    "info",
    "CAMPANILE_ROOT_ACCESS_KEY_ID",
    "CAMPANILE_ROOT_SECRET_ACCESS_KEY",
    "CAMPANILE_ROOT_AWS_ACCOUNT_ID",
    "--rate-account-reads",
    "CAMPANILE_RATE_ACCOUNT_READS",
    "--rate-account-writes",
    "CAMPANILE_RATE_ACCOUNT_WRITES",
    "--rate-caller-reads",
    "CAMPANILE_RATE_CALLER_READS",
    "--rate-caller-writes",
    "CAMPANILE_RATE_CALLER_WRITES",
    "RATE[/BURST]",
    "--max-concurrent-requests",
    "CAMPANILE_MAX_CONCURRENT_REQUESTS",
    "--max-connections",
    "CAMPANILE_MAX_CONNECTIONS",
    "--quota",
    "CAMPANILE_QUOTA",
];

#[test]
fn help_names_every_setting() {
    let help = |arguments: &[&str], words: &[&str]| {
        let ended = run(campanile().args(arguments));
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
        for word in words {
            assert!(ended.stdout.contains(word), "no '{word}' in\n{}", ended.stdout);
        }
        for line in ended.stdout.lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
    };
    help(&["--help"], &["serve", "call", "keys", "audit", "import", "export", "--version"]);
    help(&["--version"], &[env!("CARGO_PKG_VERSION")]);
    help(&["serve", "--help"], SETTINGS);
    let client = [
        "--endpoint-url",
        "AWS_ENDPOINT_URL_CHIME",
        "AWS_ENDPOINT_URL",
        "http://127.0.0.1:8018",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_REGION",
    ];
    help(&["call", "--help"], &[&client[..], &["OPERATION", "MEMBERS"]].concat());
    let operations: Vec<_> = table().iter().map(|operation| operation.name).collect();
    help(&["call", "--help"], &operations);
    let import = ["PATH", "--overwrite", "--dry-run", "--aws-account-id"];
    help(&["import", "--help"], &[&client[..], &import].concat());
    help(&["export", "--help"], &[&client[..], &["--output", "--aws-account-id"]].concat());
    help(&["keys", "--help"], &["create", "list", "delete", "rotate-master"]);
    help(&["keys", "rotate-master", "--help"], &["--store", "CAMPANILE_NEW_MASTER_KEY", "stopped"]);
    help(&["keys", "create", "--help"], &[&client[..], &["--aws-account-id"]].concat());
    help(&["keys", "list", "--help"], &[&client[..], &["--aws-account-id"]].concat());
    help(&["keys", "delete", "--help"], &[&client[..], &["--access-key-id"]].concat());
}

/// Neither a refusal nor the help repeats a mail server's password.
#[test]
fn a_password_of_the_settings_is_shown_nowhere() {
    let serve = |smtp_url: &str, mail_from: &str| {
        let mut command = campanile();
        command.args(["serve", "--store", "memory:", "--listen", "127.0.0.1:0"]);
        command.env("CAMPANILE_SMTP_URL", smtp_url).env("CAMPANILE_MAIL_FROM", mail_from);
        command
    };
    let refused = |mut command: Command, words: &[&str]| {
        let ended = run(&mut command);
        assert!(!ended.stderr.contains("s3cret"), "{ended:?}");
        assert_refused(&ended, ended.code, words);
    };
    let from = "chime@example.com";
    let url = "CAMPANILE_SMTP_URL";
    refused(serve("ftp://me:s3cret@mail.example", from), &[url, "smtps://USER:PASSWORD@HOST"]);
    refused(serve("smtp://me:s3cret@mail.example:x", from), &[url]);
    refused(serve("smtp://me:s3cret@mail.example?tls=yes", from), &[url]);
    refused(serve("smtp:s3cret", from), &[url]);
    refused(serve("smtp://s3cret@mail.example", from), &[url, "a user and no password"]);
    refused(serve("smtp://me:s3cret@mail.example", "nobody"), &["CAMPANILE_MAIL_FROM", "nobody"]);
    let help = run(serve("smtp://me:s3cret@mail.example", from).arg("--help"));
    assert!(help.code == Some(0) && !help.stdout.contains("s3cret"), "{help:?}");
}

/// A setting that cannot be is refused before anything is made, by the flag and by the variable.
#[test]
fn settings_that_cannot_be_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let serve = || {
        let mut command = campanile();
        command.arg("serve").env("CAMPANILE_LISTEN", "127.0.0.1:0").current_dir(folder.path());
        command
    };
    let refused = |command: &mut Command, words: &[&str]| {
        let ended = run(command);
        assert!(ended.code.is_some_and(|code| code != 0), "{ended:?}");
        assert_refused(&ended, ended.code, words);
    };
    refused(serve().args(["--store", "postgres:x"]), &["--store", "postgres:x", "embedded:PATH"]);
    for (name, value, words) in [
        ("CAMPANILE_LISTEN", "localhost", &["--listen", "localhost"][..]),
        ("CAMPANILE_LISTEN", "127.0.0.1:70000", &["--listen", "127.0.0.1:70000"]),
        (
            "CAMPANILE_LISTEN",
            "0.0.0.0:0",
            &["--listen", "0.0.0.0:0", "--tls-cert", "--insecure-http"],
        ),
        ("CAMPANILE_LISTEN", "[::]:0", &["--listen", "[::]:0"]),
        ("CAMPANILE_TLS_CERT", "cert.pem", &["--tls-key"]),
        ("CAMPANILE_TLS_KEY", "key.pem", &["--tls-cert"]),
        ("CAMPANILE_INSECURE_HTTP", "maybe", &["--insecure-http", "maybe"]),
        ("CAMPANILE_STORE", "embedded:", &["--store", "embedded:", "needs a folder"]),
        ("CAMPANILE_STORE", "memory:x", &["--store", "memory:x", "takes nothing"]),
        ("CAMPANILE_CORS_ORIGIN", "example.com", &["--cors-origin", "example.com", "://"]),
        ("CAMPANILE_PUBLIC_URL", "a.example", &["--public-url", "a.example", "https://HOST"]),
        ("CAMPANILE_PUBLIC_URL", "ftp://a.example", &["--public-url", "ftp://a.example"]),
        ("CAMPANILE_PUBLIC_URL", "https://a.example/b", &["--public-url", "without a path"]),
        ("CAMPANILE_SMTP_URL", "smtp://a.example", &["--mail-from"]),
        ("CAMPANILE_MAIL_FROM", "a@a.example", &["--smtp-url"]),
        ("CAMPANILE_VERIFY_DOMAINS", "maybe", &["--verify-domains", "maybe"]),
        ("CAMPANILE_DNS_SERVER", "127.0.0.1:53", &["--verify-domains"]),
        ("CAMPANILE_DNS_SERVER", "localhost", &["--dns-server", "localhost"]),
        ("CAMPANILE_AUDIT_READS", "maybe", &["--audit-reads", "maybe"]),
        ("CAMPANILE_AUDIT_RETENTION", "-1", &["--audit-retention", "-1"]),
        ("CAMPANILE_AUDIT_RETENTION", "99999", &["--audit-retention", "99999"]),
        ("CAMPANILE_AUDIT_LOG", "absent/a", &["--audit-log", "absent/a"]),
        ("CAMPANILE_RATE_CALLER_READS", "fast", &["--rate-caller-reads", "'fast'", "500/1000"]),
        ("CAMPANILE_RATE_CALLER_WRITES", "-1", &["--rate-caller-writes", "500/1000"]),
        ("CAMPANILE_RATE_ACCOUNT_READS", "5/0", &["--rate-account-reads", "a burst is"]),
        ("CAMPANILE_RATE_ACCOUNT_WRITES", "1e9", &["--rate-account-writes", "a rate is"]),
        ("CAMPANILE_MAX_CONCURRENT_REQUESTS", "-1", &["--max-concurrent-requests", "-1"]),
        ("CAMPANILE_MAX_CONNECTIONS", "many", &["--max-connections", "many"]),
        ("CAMPANILE_QUOTA", "rooms=5", &["--quota", "'rooms'", "roles-per-account (1 to 100000)"]),
        ("CAMPANILE_QUOTA", "roles-per-account=0", &["--quota", "'0'", "roles-per-account"]),
        ("CAMPANILE_LOG_FORMAT", "xml", &["--log-format", "xml", "json"]),
        ("CAMPANILE_LOG_LEVEL", "loud", &["--log-level", "loud"]),
        ("CAMPANILE_ROOT_AWS_ACCOUNT_ID", "12", &["CAMPANILE_ROOT_AWS_ACCOUNT_ID", "'12'"]),
        ("CAMPANILE_ROOT_ACCESS_KEY_ID", "AKIA", &["CAMPANILE_ROOT_SECRET_ACCESS_KEY is not"]),
        ("CAMPANILE_ROOT_SECRET_ACCESS_KEY", "s", &["CAMPANILE_ROOT_ACCESS_KEY_ID is not"]),
        ("CAMPANILE_LISTNE", "x", &["CAMPANILE_LISTNE", "CAMPANILE_LISTEN"]),
    ] {
        refused(serve().env(name, value), words);
    }
    assert_refused(&run(serve().arg("--lisen")), USAGE, &["--lisen", "--listen"]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was made");
}

#[test]
fn a_flag_goes_before_the_environment() {
    let mut command = campanile();
    command.args(["serve", "--store", "memory:", "--listen", "127.0.0.1:0"]);
    command.env("CAMPANILE_STORE", "embedded:/dev/null/no").env("CAMPANILE_LISTEN", "[::1]:1");
    let process = Process::start_with(with_root(&mut command));
    assert!(process.address.ip().is_loopback() && process.address.is_ipv4());
    process.client().create_account("In memory");
}

/// What the server refuses for now is asked again, as AWS's clients do, unless it takes too long.
#[test]
fn a_call_waits_as_the_server_says() {
    let server = |rate: &str| {
        let rates = Rates { caller_reads: rate.parse().unwrap(), ..Rates::default() };
        let limits = Limits { rates, ..Limits::default() };
        Server::start_with(Options { limits, ..Options::default() }, |_| Ok(()))
    };
    let patient = server("1/1");
    patient.client().create_account("My");
    // One call for the accounts, and another for their users.
    let ended = run(&mut command(patient.address, &["export"]));
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    assert!(ended.stdout.contains("\"My\""), "{ended:?}");

    let strict = server("0.001/1");
    let listed = || run(&mut command(strict.address, &["call", "ListAccounts"]));
    assert_eq!(listed().code, Some(0));
    let words =
        ["(ThrottledClientException)", "Rate exceeded: --rate-caller-reads", "Try again in"];
    assert_refused(&listed(), SERVICE, &words);
}
