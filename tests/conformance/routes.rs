//! What the table does not have is answered as an unknown operation, wherever it would stand.

use super::generate::simplest;
use super::request::{Request, Spelling};
use super::{assert_unknown, baseline, operations, server};
use crate::harness::Client;
use crate::model::model;
use serde_json::json;

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "DELETE", "PATCH"];
const PREFIXES: [&str; 2] = ["", "/console"];

#[test]
fn an_operation_that_is_not_in_the_table_is_unknown() {
    let server = server();
    let ours = operations();
    let others =
        model().operations.values().filter(|it| ours.iter().all(|ours| ours.name != it.name));
    for operation in others {
        let members = model().input(operation).map_or(json!({}), simplest);
        let request = Request::new(operation, members.as_object().unwrap(), Spelling::Usual);
        for prefix in PREFIXES {
            let client = Client { prefix, ..server.client() };
            assert_unknown(&request.send(&client), &request);
        }
    }
}

#[test]
fn another_method_or_query_literal_is_another_operation() {
    let server = server();
    for prefix in PREFIXES {
        let client = Client { prefix, ..server.client() };
        for operation in operations() {
            let request =
                Request::new(operation, &baseline(&client, operation, true), Spelling::Usual);
            for method in METHODS {
                if model().operation_at(method, &request.target).is_none() {
                    let other = Request { method: method.to_owned(), ..request.clone() };
                    assert_unknown(&other.send(&client), &other);
                }
            }
            let literals = [
                "operation=",
                "operation",
                "operation=no-such",
                "type=",
                "type=no-such",
                "%6fperation=no-such",
                "operation=%00",
            ];
            let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
            let members: Vec<_> = query
                .split('&')
                .filter(|pair| !pair.starts_with("operation=") && !pair.starts_with("type="))
                .collect();
            for literal in literals {
                for target in [
                    format!("{path}?{literal}&{}", members.join("&")),
                    format!("{path}?{}&{literal}", members.join("&")),
                ] {
                    let other = Request { target, ..request.clone() };
                    assert_unknown(&other.send(&client), &other);
                }
            }
        }
    }
}

#[test]
fn a_path_that_is_longer_or_shorter_or_spelled_otherwise_is_unknown() {
    let server = server();
    let client = server.client();
    for operation in operations() {
        let request = Request::new(operation, &baseline(&client, operation, true), Spelling::Usual);
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let first = path.split('/').nth(1).unwrap();
        let paths = [
            format!("/{path}"),
            format!("{path}/a/b/c/d/e/f"),
            path.replacen(first, &first.to_uppercase(), 1),
            path.replacen(first, &first[1..], 1),
            format!("/Console{path}"),
            format!("/console/console{path}"),
            format!("/./{}", &path[1..]),
            format!("/x/..{path}"),
        ];
        for path in paths {
            let other = Request { target: format!("{path}?{query}"), ..request.clone() };
            assert_unknown(&other.send(&client), &other);
        }
    }
}
