//! The access log: a line of every request, with what is worth knowing and nothing that is secret.

use super::{ask, send_with};
use crate::harness::process::{Process, campanile, with_root};
use crate::harness::{
    Answer, Client, ROOT_ACCESS_KEY_ID, ROOT_AWS_ACCOUNT_ID, ROOT_SECRET_ACCESS_KEY, exchange, http,
};
use serde_json::{Value, json};

const EMAIL: &str = "jane.doe@example.com";

fn start(arguments: &[&str]) -> Process {
    let mut command = campanile();
    command.args(["serve", "--store", "memory:", "--listen", "127.0.0.1:0"]).args(arguments);
    Process::start_with(with_root(&mut command))
}

fn request_id(answer: &Answer) -> &str {
    answer.header("x-amzn-requestid").unwrap()
}

/// Returns the line of an answer.
#[track_caller]
fn line(process: &Process, answer: &Answer) -> Value {
    let log = process.log();
    let mut lines = log.lines().filter(|line| line.contains(request_id(answer)));
    let line = lines.next().unwrap_or_else(|| panic!("no line about {answer:?} in {log}"));
    assert_eq!(lines.next(), None, "one line a request");
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// Checks a line but for its time, and how long the request took.
#[track_caller]
fn check(process: &Process, answer: &Answer, mut fields: Value) {
    let mut line = line(process, answer);
    let line = line.as_object_mut().unwrap();
    assert!(line.remove("timestamp").is_some_and(|it| it.is_string()));
    assert!(line.remove("duration_us").is_some_and(|it| it.is_u64()));
    let common = [
        ("level", "INFO"),
        ("message", "request"),
        ("target", "campanile::access"),
        ("source_ip", "127.0.0.1"),
        ("request_id", request_id(answer)),
    ];
    let fields = fields.as_object_mut().unwrap();
    fields.extend(common.map(|(name, value)| (name.to_owned(), value.into())));
    fields.insert("status".to_owned(), answer.status.into());
    fields.insert("bytes_out".to_owned(), answer.body.len().into());
    fields.entry("bytes_in").or_insert(0.into());
    assert_eq!(line, fields);
}

#[test]
fn a_request_is_a_line_of_fields() {
    let process = start(&["--access-log", "--log-format", "json", "--log-level", "error"]);
    let client = process.client();
    let root = format!("arn:aws:iam::{ROOT_AWS_ACCOUNT_ID}:root");
    let caller = |mut fields: Value| {
        fields["caller"] = root.as_str().into();
        fields["access_key_id"] = ROOT_ACCESS_KEY_ID.into();
        fields
    };
    let created = client.call("CreateAccount", json!({"Name": "My"}));
    let fields = json!({"method": "POST", "path": "/accounts", "operation": "CreateAccount"});
    let mut fields = caller(fields);
    fields["bytes_in"] = r#"{"Name":"My"}"#.len().into();
    check(&process, &created, fields);

    let missing = client.call("GetAccount", json!({"AccountId": "no-such-account"}));
    let path = "/accounts/no-such-account";
    let fields = json!({"method": "GET", "path": path, "operation": "GetAccount"});
    let mut fields = caller(fields);
    fields["error"] = "NotFoundException".into();
    check(&process, &missing, fields);

    let agents = [("x".repeat(300), "x".repeat(256)), ("a\tb\"c".to_owned(), "a\tb\"c".to_owned())];
    for (sent, told) in agents {
        let answer = send_with(&client, "GET", "/accounts", &[("user-agent", &sent)]);
        let mut fields =
            caller(json!({"method": "GET", "path": "/accounts", "operation": "ListAccounts"}));
        fields["user_agent"] = told.into();
        check(&process, &answer, fields);
    }

    let unknown = client.send("PATCH", "/nothing", b"");
    let mut fields = caller(json!({"method": "PATCH", "path": "/nothing", "operation": "unknown"}));
    fields["error"] = "UnknownOperationException".into();
    check(&process, &unknown, fields);

    let sts = "/?Action=GetCallerIdentity&Version=2011-06-15";
    let headers = client.signed("GET", sts, b"", "sts");
    let answer = exchange(process.address, &http::request("GET", sts, &headers, b""));
    let fields = json!({"method": "GET", "path": "/", "operation": "sts:GetCallerIdentity"});
    check(&process, &answer, caller(fields));
}

#[test]
fn what_is_answered_beside_the_operations_is_a_line_too() {
    let arguments = ["--access-log", "--log-format", "json", "--log-level", "error"];
    let process = start(&[&arguments[..], &["--cors-origin", "https://a.example"]].concat());
    let unsigned = ask(process.address, "GET", "/accounts");
    let error = "MissingAuthenticationTokenException";
    let fields = json!({"path": "/accounts", "operation": "unknown", "error": error});
    let with_method = |mut fields: Value, method: &str| {
        fields["method"] = method.into();
        fields
    };
    check(&process, &unsigned, with_method(fields, "GET"));
    let welcome = ask(process.address, "GET", "/welcome");
    let fields = json!({"path": "/welcome", "operation": "page"});
    check(&process, &welcome, with_method(fields, "GET"));
    let live = ask(process.address, "GET", "/health/live");
    let fields = json!({"path": "/health/live", "operation": "health"});
    check(&process, &live, with_method(fields, "GET"));
    let preflight = "OPTIONS /accounts HTTP/1.1\r\nhost: a\r\norigin: https://a.example\r\n\r\n";
    let preflight = exchange(process.address, preflight.as_bytes());
    let fields = json!({"path": "/accounts", "operation": "preflight"});
    check(&process, &preflight, with_method(fields, "OPTIONS"));
    let too_large = "POST /a HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n\
                     content-length: 9999999\r\n\r\n";
    let too_large = exchange(process.address, too_large.as_bytes());
    let error = "RequestEntityTooLargeException";
    let fields = json!({"path": "/a", "operation": "unknown", "error": error});
    check(&process, &too_large, with_method(fields, "POST"));
    let nonsense = exchange(process.address, b"nonsense\r\n\r\n");
    let error = "MalformedHttpRequestException";
    check(&process, &nonsense, json!({"path": "", "operation": "unknown", "error": error}));
}

#[test]
fn a_line_is_text_for_people() {
    let process = start(&["--access-log"]);
    let created = process.client().call("CreateAccount", json!({"Name": "My"}));
    let log = process.log();
    let line = log.lines().find(|line| line.contains(request_id(&created))).unwrap();
    for part in [
        " INFO request request_id=",
        "method=\"POST\" path=\"/accounts\" operation=\"CreateAccount\" status=201",
        "duration_us=",
    ] {
        assert!(line.contains(part), "no {part} in {line}");
    }
}

#[test]
fn nothing_secret_is_in_it() {
    for format in ["text", "json"] {
        let process = start(&["--access-log", "--log-format", format, "--log-level", "trace"]);
        let client = process.client();
        let id = client.create_account("My");
        let invite = json!({"AccountId": id, "UserEmailList": [EMAIL]});
        client.ok("InviteUsers", invite);
        client.ok("ListUsers", json!({"AccountId": id, "UserEmail": EMAIL}));
        let users = client.ok("ListUsers", json!({"AccountId": id}));
        let user_id = &users["Users"][0]["UserId"];
        let invite = client.ok("GetInvite", json!({"AccountId": id, "UserId": user_id}));
        let invite = invite.to_string();
        let link = &invite[invite.find("/invites/").unwrap()..];
        let link = &link[..link.find('"').unwrap()];
        let token = link.strip_prefix("/invites/").unwrap();
        let form = "display_name=Jane+Doe";
        let accept = format!(
            "POST {link} HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\
             content-type: application/x-www-form-urlencoded\r\n\r\n{form}",
            form.len()
        );
        let accepted = exchange(process.address, accept.as_bytes());
        let cookie = accepted.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        let welcome = format!("GET /welcome HTTP/1.1\r\nhost: a\r\ncookie: {cookie}\r\n\r\n");
        assert!(exchange(process.address, welcome.as_bytes()).body.contains(EMAIL));
        let key = client.ok("CreateAccessKey", json!({"AwsAccountId": "444455556666"}));
        let other = process.client().with_key(&key["AccessKey"]);
        other.ok("ListAccounts", json!({}));
        let presigned = ask(process.address, "GET", "/accounts?X-Amz-Signature=0123456789abcdef");
        assert_eq!(presigned.status, 403);

        let log = process.log();
        let lines = log.lines().filter(|line| line.contains("duration_us")).count();
        assert_eq!(lines, 10, "{log}");
        let session = cookie.split_once('=').unwrap().1;
        for hidden in [
            ROOT_SECRET_ACCESS_KEY,
            &other.secret_access_key,
            "jane",
            "Jane",
            token,
            session,
            "Signature=",
            "AWS4-HMAC",
            "0123456789abcdef",
        ] {
            assert!(!log.contains(hidden), "{hidden} is in {log}");
        }
    }
}

#[test]
fn it_is_there_only_where_it_is_asked_for() {
    for arguments in [&["--log-level", "info"][..], &["--log-level", "trace"]] {
        let process = start(arguments);
        process.client().create_account("My");
        assert!(!process.log().contains("/accounts"), "{}", process.log());
    }
}

#[test]
fn a_trace_that_the_client_began_is_named() {
    let process = start(&["--access-log", "--log-format", "json"]);
    let client: Client = process.client();
    let of_w3c = "4bf92f3577b34da6a3ce929d0e0e4736";
    let w3c = format!("00-{of_w3c}-00f067aa0ba902b7-01");
    let aws = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";
    let of_aws = "5759e988bd862e3fe1be46a994272793";
    let trace_id = |headers: &[(&'static str, &str)]| {
        let answer = send_with(&client, "GET", "/accounts", headers);
        let line = line(&process, &answer);
        assert_eq!(line["span_id"], Value::Null, "{line}");
        line["trace_id"].clone()
    };
    assert_eq!(trace_id(&[("traceparent", &w3c)]), of_w3c);
    assert_eq!(trace_id(&[("x-amzn-trace-id", aws)]), of_aws);
    assert_eq!(trace_id(&[("traceparent", &w3c), ("x-amzn-trace-id", aws)]), of_w3c);
    assert_eq!(trace_id(&[("traceparent", "nonsense"), ("x-amzn-trace-id", aws)]), of_aws);
    assert_eq!(trace_id(&[("traceparent", "nonsense"), ("x-amzn-trace-id", "x")]), Value::Null);
    assert_eq!(trace_id(&[]), Value::Null);
}
