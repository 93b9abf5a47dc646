//! What is asked by those who watch over the server; they have no key.

use super::check;
use crate::harness::http::Connection;
use crate::harness::{Server, exchange};
use serde_json::json;

fn ask(server: &Server, line: &str) -> Vec<u8> {
    format!("{line} HTTP/1.1\r\nhost: {}\r\n\r\n", server.address).into_bytes()
}

#[test]
fn health_is_told_without_a_signature() {
    let server = Server::start();
    for path in ["/health/live", "/health/ready", "/health/ready?verbose"] {
        let answer = exchange(server.address, &ask(&server, &format!("GET {path}")));
        assert_eq!((answer.status, answer.json()), (200, json!({"Status": "ok"})));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let mut connection = Connection::open(server.address);
        connection.send(&ask(&server, &format!("HEAD {path}")));
        assert_eq!(connection.answer_without_body().status, 200);
        connection.send(&ask(&server, &format!("GET {path}")));
        assert_eq!(connection.answer().status, 200);
    }
}

#[test]
fn nothing_beside_health_is_open() {
    let server = Server::start();
    for line in [
        "POST /health/live",
        "DELETE /health/ready",
        "GET /health",
        "GET /health/",
        "GET /health/live/",
        "GET /health/other",
        "GET /console/health/live",
        "GET //health/live",
    ] {
        let answer = exchange(server.address, &ask(&server, line));
        check(&answer, "MissingAuthenticationTokenException", "Missing Authentication Token");
    }
}
