//! Spans: what is exported of a request, and that a collector which fails is nobody's concern.

use super::{ask, send_with};
use crate::harness::otlp::{Collector, Exported};
use crate::harness::process::{Process, campanile, with_root};
use crate::harness::{Answer, Options, ROOT_AWS_ACCOUNT_ID, Server};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use serde_json::json;
use std::io::Read;
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// How long the server's end may take: what is given to spans, and something for a busy machine.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

fn start(collector: &Collector) -> Server {
    let otlp_endpoint = Some(collector.url().parse().unwrap());
    Server::start_with(Options { otlp_endpoint, ..Options::default() }, |_| Ok(()))
}

/// Returns the one span of an answer.
#[track_caller]
fn span_of<'a>(spans: &'a [Exported], answer: &Answer) -> &'a Exported {
    let id = answer.header("x-amzn-requestid").unwrap();
    let mut ours = spans.iter().filter(|it| it.attributes["aws.request_id"] == id);
    let span = ours.next().unwrap_or_else(|| panic!("no span of {answer:?} in {spans:?}"));
    assert!(ours.next().is_none(), "one span a request");
    span
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

#[test]
fn a_request_is_a_span_and_none_is_lost_at_the_end() {
    let collector = Collector::start();
    let server = start(&collector);
    let client = server.client();
    let headers = [("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")];
    let missing = "/accounts/no-such-account?user-email=jane%40example.com";
    let of_w3c = send_with(&client, "GET", missing, &headers);
    let agent = [("user-agent", "aws-cli/2")];
    let listed = send_with(&client, "GET", "/accounts", &agent);
    let headers = [("x-amzn-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793")];
    let of_aws = send_with(&client, "GET", "/accounts", &headers);
    let not_sampled = [("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")];
    send_with(&client, "GET", "/accounts", &not_sampled);
    let live = ask(server.address, "GET", "/health/live");
    drop(server);

    let spans = collector.taken();
    assert_eq!(spans.len(), 4, "{spans:?}");
    let printed = format!("{spans:?}");
    assert!(!printed.contains("jane") && !printed.contains(&client.secret_access_key), "{printed}");

    let found = span_of(&spans, &of_w3c);
    assert_eq!(hex(&found.span.trace_id), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(hex(&found.span.parent_span_id), "00f067aa0ba902b7");
    assert_eq!(found.span.name, "Chime.GetAccount");
    assert_eq!(found.span.kind, SpanKind::Server as i32);
    assert!(found.span.start_time_unix_nano <= found.span.end_time_unix_nano);
    // What a client does wrong is no fault of the server.
    assert_eq!(found.span.status.clone().unwrap_or_default().code, StatusCode::Unset as i32);
    assert_eq!(found.resource["service.name"], "campanile");
    assert_eq!(found.resource["service.version"], env!("CARGO_PKG_VERSION"));
    let caller = format!("arn:aws:iam::{ROOT_AWS_ACCOUNT_ID}:root");
    let bytes = of_w3c.body.len().to_string();
    let expected = [
        ("aws.request_id", of_w3c.header("x-amzn-requestid").unwrap()),
        ("client.address", "127.0.0.1"),
        ("enduser.id", &caller),
        ("error.type", "NotFoundException"),
        ("http.request.body.size", "0"),
        ("http.request.method", "GET"),
        ("http.response.body.size", &bytes),
        ("http.response.status_code", "404"),
        ("rpc.method", "GetAccount"),
        ("rpc.service", "Chime"),
        ("rpc.system", "aws-api"),
        ("url.path", "/accounts/no-such-account"),
        ("url.scheme", "http"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(found.attributes, expected.into());

    let found = span_of(&spans, &of_aws);
    assert_eq!(hex(&found.span.trace_id), "5759e988bd862e3fe1be46a994272793");
    let found = span_of(&spans, &listed);
    assert!(found.span.parent_span_id.is_empty(), "{found:?}");
    assert_eq!(found.attributes["user_agent.original"], "aws-cli/2");
    assert_eq!(span_of(&spans, &live).span.name, "GET");
}

fn start_process(endpoint: &str) -> Process {
    let mut command = campanile();
    command.args(["serve", "--store", "memory:", "--listen", "127.0.0.1:0", "--access-log"]);
    command.args(["--log-format", "json", "--otlp-endpoint", endpoint]);
    // A batch is not waited for.
    command.env("OTEL_BSP_SCHEDULE_DELAY", "10").env("OTEL_SERVICE_NAME", "directory");
    Process::start_with(with_root(&mut command))
}

#[test]
fn the_access_log_names_the_span() {
    let collector = Collector::start();
    let process = start_process(&collector.url());
    let live = ask(process.address, "GET", "/health/live");
    let batch = collector.batch();
    let found = span_of(&batch, &live);
    assert_eq!(found.resource["service.name"], "directory");
    let (trace_id, span_id) = (hex(&found.span.trace_id), hex(&found.span.span_id));
    let fields = format!("\"trace_id\":\"{trace_id}\",\"span_id\":\"{span_id}\"");
    assert!(process.log().contains(&fields), "{}", process.log());
}

#[test]
fn a_collector_that_refuses_is_told_of_once_and_again_when_it_takes() {
    let collector = Collector::start();
    // A status after which a batch is not sent again.
    collector.answer(400);
    let process = start_process(&collector.url());
    let client = process.client();
    for _ in 0..3 {
        client.ok("ListAccounts", json!({}));
        collector.batch();
    }
    collector.answer(200);
    let is_well = || process.log().contains("again\"");
    assert!(
        (0..10_000).any(|_| ask(process.address, "GET", "/health/live").status == 200 && is_well())
    );
    let log = process.stop().stderr;
    assert_eq!(log.matches("spans cannot be sent to").count(), 1, "{log}");
    assert!(log.contains("it answers 400"), "{log}");
}

#[test]
fn a_collector_that_is_not_there_costs_nothing() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let process = start_process(&format!("http://{gone}"));
    let client = process.client();
    // More than the queue takes.
    for _ in 0..3000 {
        client.ok("ListAccounts", json!({}));
    }
    let log = process.stop().stderr;
    assert_eq!(log.matches("spans cannot be sent to").count(), 1, "{log}");
}

#[test]
fn a_collector_that_never_answers_holds_up_no_request_and_not_the_end() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let process = start_process(&format!("http://{}", silent.local_addr().unwrap()));
    let client = process.client();
    client.ok("ListAccounts", json!({}));
    let mut first = [0; 4];
    let (mut stream, _) = silent.accept().unwrap();
    stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"POST");
    // More than the queue takes.
    for _ in 0..3000 {
        client.ok("ListAccounts", json!({}));
    }
    let begun = Instant::now();
    let ended = process.stop();
    assert!(begun.elapsed() < STOP_TIMEOUT, "{:?}", begun.elapsed());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("stopped with spans that were not sent"), "{}", ended.stderr);
}
