//! How metrics are reached: in which form, by whom, and on which address.

#![expect(clippy::float_cmp, reason = "metrics are floats, and whole numbers are exact in them")]

use super::ask;
use super::metrics::Samples;
use crate::harness::process::{Process, campanile, run, with_root};
use crate::harness::tls::{Authority, ClientCertificate, TlsConnection, shown};
use crate::harness::{Answer, Options, Server, exchange};
use crate::model;
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use x509_cert::Certificate;
use x509_cert::der::Decode;

const GET: &[u8] = b"GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n";
/// How long a test waits for what a signal brings about.
const TIMEOUT: Duration = Duration::from_mins(1);

fn start() -> (Server, SocketAddr) {
    let server = Server::start_with(Options { metrics: true, ..Options::default() }, |_| Ok(()));
    server.client().create_account("My");
    let metrics = server.metrics.unwrap();
    (server, metrics)
}

fn accepting(address: SocketAddr, accept: &str) -> Answer {
    let request = format!("GET /metrics HTTP/1.1\r\nhost: a\r\naccept: {accept}\r\n\r\n");
    exchange(address, request.as_bytes())
}

/// Reads a text with Prometheus' own parsers, and returns the families' names.
fn parsed(parser: &str, text: &str) -> Vec<String> {
    let program = format!(
        "import sys\nfrom prometheus_client.{parser} import text_string_to_metric_families\n\
         for family in text_string_to_metric_families(sys.stdin.read()):\n\
         \x20   assert family.documentation and family.type != 'unknown', family\n\
         \x20   print(family.name)\n"
    );
    let mut python = Command::new(model::python())
        .args(["-c", &program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "{text}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn both_forms_are_what_prometheus_reads() {
    let (_server, address) = start();
    let plain = ask(address, "GET", "/metrics");
    assert_eq!(plain.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    // As Prometheus 3 asks.
    let accept = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                  application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.4,\
                  */*;q=0.3";
    let open = accepting(address, accept);
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(open.header("content-type"), Some(content_type));
    assert!(open.body.ends_with("# EOF\n"), "{}", open.body);
    let names = parsed("openmetrics.parser", &open.body);
    assert!(names.contains(&"campanile_requests".to_owned()), "{names:?}");
    assert_eq!(parsed("parser", &plain.body), names);
    for accept in ["text/plain", "*/*", "application/json"] {
        let answer = accepting(address, accept);
        assert_eq!(answer.header("content-type"), plain.header("content-type"), "{accept}");
    }
}

#[test]
fn nothing_else_is_there() {
    let (server, address) = start();
    for path in ["/", "/metrics/", "/metric", "/accounts", "/health/live", "/debug/pprof"] {
        let answer = ask(address, "GET", path);
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
        assert!(answer.body.contains("/metrics"), "{answer:?}");
    }
    let answer =
        exchange(address, b"POST /metrics HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n");
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")));
    let nonsense = exchange(address, b"nonsense\r\n\r\n");
    assert_eq!(nonsense.status, 400);
    assert_eq!(ask(address, "GET", "/metrics?name[]=up").status, 200);
    // The API's port has no metrics, signed or not.
    assert_eq!(ask(server.address, "GET", "/metrics").status, 403);
    assert_eq!(server.client().send("GET", "/metrics", b"").status, 404);
}

fn serve(arguments: &[&str]) -> Command {
    let mut command = campanile();
    command.args(["serve", "--store", "memory:", "--listen", "127.0.0.1:0"]).args(arguments);
    command
}

/// Returns where a process says that its metrics are.
fn metrics_of(process: &Process, scheme: &str) -> SocketAddr {
    let line = process.printed.lines().find_map(|line| line.strip_prefix("metrics on "));
    let url = line.unwrap_or_else(|| panic!("{}", process.printed));
    let rest = url.strip_prefix(scheme).and_then(|it| it.strip_prefix("://"));
    rest.unwrap().strip_suffix("/metrics").unwrap().parse().unwrap()
}

#[test]
fn the_command_line_says_where_they_are() {
    let process = Process::start_with(with_root(&mut serve(&["--metrics-listen", "127.0.0.1:0"])));
    let answer = ask(metrics_of(&process, "http"), "GET", "/metrics");
    let version = env!("CARGO_PKG_VERSION");
    let build = format!("campanile_build_info{{version=\"{version}\"}} 1\n");
    assert!(answer.body.contains(&build), "{answer:?}");
    assert!(!answer.body.contains("certificate_expiry_timestamp_seconds "), "{answer:?}");
    assert_eq!(process.stop().code, Some(0));

    let process = Process::start_with(with_root(&mut serve(&[])));
    assert!(!process.printed.contains("metrics"), "{}", process.printed);
}

#[test]
fn what_cannot_be_is_refused_at_the_start() {
    let (_server, taken) = start();
    let taken = taken.to_string();
    let authority = Authority::new();
    let (cert, key, missing) = (authority.cert(), authority.key(), authority.bundle().join("x"));
    let [cert, key, missing] = [&cert, &key, &missing].map(|path| path.to_str().unwrap());
    let tls = ["--tls-cert", cert, "--tls-key", key];
    let with_ca = |ca: &'static str| ["--metrics-listen", "127.0.0.1:0", "--metrics-client-ca", ca];
    let refused = |arguments: &[&str], code: i32, words: &[&str]| {
        let ended = run(&mut serve(arguments));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{ended:?}");
        for word in words {
            assert!(ended.stderr.contains(word), "no '{word}' in {ended:?}");
        }
    };
    let setting = "--metrics-listen";
    refused(&[setting, "0.0.0.0:0"], 1, &["CAMPANILE_METRICS_LISTEN", "--insecure-http"]);
    refused(&[setting, &taken], 1, &[setting, &taken]);
    refused(&with_ca("x"), 252, &["--tls-cert"]);
    refused(&[&tls[..], &["--metrics-client-ca", "x"]].concat(), 252, &[setting]);
    let of_ca = "CAMPANILE_METRICS_CLIENT_CA";
    let ca = [setting, "127.0.0.1:0", "--metrics-client-ca"];
    refused(&[&tls[..], &ca, &[missing]].concat(), 1, &[of_ca, missing]);
    refused(&[&tls[..], &ca, &[key]].concat(), 1, &[of_ca, "BEGIN CERTIFICATE"]);

    let mut insecure = serve(&[setting, "0.0.0.0:0", "--insecure-http"]);
    let ended = Process::start_with(with_root(&mut insecure)).stop();
    assert_eq!(ended.stderr.matches("without TLS, as --insecure-http says").count(), 1);
}

/// Scrapes as a client, or tells that it is refused.
fn scrape(
    authority: &Authority,
    client: Option<ClientCertificate>,
    address: SocketAddr,
    version: &'static SupportedProtocolVersion,
) -> Option<(Answer, TlsConnection)> {
    // By TLS 1.3 a client is refused once it believes to be connected.
    let mut connection = authority.connect_as(client, address, &[version]).ok()?;
    connection.send(GET);
    let answer = connection.try_answer().ok()?;
    Some((answer, connection))
}

#[test]
fn a_client_certificate_is_asked_for_and_held_against_its_authority() {
    let (authority, clients, stranger) = (Authority::new(), Authority::new(), Authority::new());
    let mut command = serve(&["--metrics-listen", "127.0.0.1:0"]);
    command.arg("--tls-cert").arg(authority.cert()).arg("--tls-key").arg(authority.key());
    command.arg("--metrics-client-ca").arg(clients.bundle());
    let process = Process::start_with(with_root(&mut command));
    let address = metrics_of(&process, "https");
    for version in [&TLS12, &TLS13] {
        let scrape = |client| scrape(&authority, client, address, version);
        let (answer, _) = scrape(Some(clients.issue_for_client())).unwrap();
        assert!(answer.status == 200 && answer.body.contains("campanile_requests"), "{answer:?}");
        assert!(scrape(None).is_none());
        assert!(scrape(Some(stranger.issue_for_client())).is_none());
        // The authority of the server's own certificate is not meant.
        assert!(scrape(Some(authority.issue_for_client())).is_none());
        // The API asks for none.
        let mut api = authority.connect_with(process.address, &[version]).unwrap();
        api.send(b"GET /health/live HTTP/1.1\r\nhost: a\r\n\r\n");
        assert_eq!(api.answer().status, 200);
    }

    // Another authority, and another certificate, at a signal.
    fs::copy(stranger.bundle(), clients.bundle()).unwrap();
    let issued = authority.issue();
    process.hang_up();
    let begun = Instant::now();
    let mut connection = loop {
        match scrape(&authority, Some(stranger.issue_for_client()), address, &TLS13) {
            Some((_, connection)) => break connection,
            None if begun.elapsed() < TIMEOUT => thread::yield_now(),
            None => panic!("the authority is not exchanged: {}", process.log()),
        }
    };
    assert!(scrape(&authority, Some(clients.issue_for_client()), address, &TLS13).is_none());
    assert_eq!(shown(&mut connection), issued);
}

#[test]
fn when_the_certificate_expires_is_told() {
    let authority = Authority::new();
    let options = Options { metrics: true, tls: Some(authority.tls()), ..Options::default() };
    let server = Server::start_with(options, |_| Ok(()));
    let (answer, mut connection) =
        scrape(&authority, None, server.metrics.unwrap(), &TLS13).unwrap();
    let certificate = Certificate::from_der(&shown(&mut connection)).unwrap();
    let expiry = certificate.tbs_certificate.validity.not_after.to_unix_duration().as_secs_f64();
    let name = "campanile_tls_certificate_expiry_timestamp_seconds";
    assert_eq!(Samples::in_text(&answer.body).value(name), expiry);
}
