//! The server against the service model, at the wire: every operation of the table, with requests
//! that are generated from the model's shapes.
//!
//! Whatever is answered here, and in every other test, is also held against the operation's output
//! and its declared errors: see [`crate::model::check`].

mod audit;
mod botocore;
pub mod directory;
mod generate;
mod iam;
mod members;
mod request;
mod routes;
mod sensitive;

use crate::harness::{Answer, Client};
use crate::model::aws::iam_error;
use crate::model::{Operation, Seen, check, common_error, model};
use campanile::operations::table;
use campanile::protocol::error::Exception;
use campanile::protocol::limits::WITHOUT_THROTTLING;
use directory::{existing, is_needed, server};
use generate::{assert_sound, reachable, simplest, with};
use request::{Request, Spelling};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

/// The members whose values only the server makes, each with the one that says how many results a page
/// may have.
const TOKENS: [(&str, &str); 2] = [("NextToken", "MaxResults"), ("Marker", "MaxItems")];

fn is_token(member: &str) -> bool {
    TOKENS.iter().any(|(token, _)| *token == member)
}

/// Returns the operations that the server has.
pub fn operations() -> Vec<&'static Operation> {
    let known = |name: &str| {
        let operation = model().operations.get(name);
        operation.unwrap_or_else(|| panic!("the model has no {name}"))
    };
    table().iter().map(|line| known(line.name)).collect()
}

/// Returns the members of a request that must succeed: all of them, or only the required ones.
pub fn baseline(client: &Client, operation: &Operation, all: bool) -> Map<String, Value> {
    let input = model().input(operation);
    let mut members = Map::new();
    for (name, member) in input.into_iter().flat_map(|input| &input.members) {
        let required = input.unwrap().required.contains(name) || is_needed(operation, name);
        if required || all && !is_token(name) {
            let value = existing(client, operation, name)
                .unwrap_or_else(|| simplest(model().shape(member)));
            members.insert(name.clone(), value);
        }
    }
    members
}

fn required(client: &Client, operation: &Operation) -> Map<String, Value> {
    baseline(client, operation, false)
}

pub fn send(client: &Client, operation: &Operation, members: &Map<String, Value>) -> Answer {
    Request::new(operation, members, Spelling::Usual).send(client)
}

/// Asserts that an answer is the modelled one to a bad request, and that it names the members.
fn assert_refused(answer: &Answer, members: &[&str], what: &dyn Debug) -> String {
    assert_eq!(answer.status, 400, "{what:?}: {answer:?}");
    let (exception, message) = answer.error();
    assert_eq!(exception, "BadRequestException", "{what:?}: {answer:?}");
    for member in members {
        assert!(message.contains(member), "'{message}' names no {member}: {what:?}");
    }
    message
}

fn assert_served(answer: &Answer, what: &dyn Debug) {
    assert!(answer.status < 300, "{what:?}: {answer:?}");
}

fn assert_unknown(answer: &Answer, what: &dyn Debug) {
    assert_eq!(answer.error().0, "UnknownOperationException", "{what:?}: {answer:?}");
}

#[test]
fn the_table_is_the_models() {
    for line in table() {
        let operation = &model().operations[line.name];
        assert_eq!(line.name, operation.name);
        assert_eq!(line.method.as_str(), operation.http.method, "{line:?}");
        assert_eq!(line.uri, operation.http.request_uri, "{line:?}");
        assert_eq!(line.status, operation.http.response_code, "{line:?}");
    }
    let names: BTreeSet<_> = table().iter().map(|line| line.name).collect();
    assert_eq!(names.len(), table().len(), "each operation has one line");
}

/// What comes too soon is refused by the exception that the model has for it.
#[test]
fn the_operations_without_throttling_are_the_models() {
    let declares = |operation: &&Operation, name: &str| {
        operation.is_extension() || operation.errors.iter().any(|error| error.name == name)
    };
    let operations: Vec<_> = model().operations.values().collect();
    assert!(operations.iter().all(|it| declares(it, "ServiceUnavailableException")));
    let without = operations.iter().filter(|it| !declares(it, "ThrottledClientException"));
    let without: Vec<_> = without.map(|operation| operation.name.as_str()).collect();
    assert_eq!(without, WITHOUT_THROTTLING);
}

#[test]
fn the_exceptions_are_the_models() {
    let errors =
        model().shapes.iter().filter_map(|(name, shape)| Some((name, shape.error.as_ref()?)));
    let modelled: BTreeMap<_, _> =
        errors.map(|(name, error)| (name.as_str(), error.http_status_code)).collect();
    let codes = model().shapes["ErrorCode"].values.as_ref().unwrap();
    for exception in Exception::ALL {
        let (name, code) = (exception.name(), exception.code());
        let of_iam = iam_error(name).map(|(_, status)| status);
        let status = modelled.get(name).copied().or_else(|| common_error(name)).or(of_iam);
        assert_eq!(status, Some(exception.status().as_u16()), "{name}");
        assert_eq!(codes.iter().any(|it| it == code), modelled.contains_key(name), "{name}");
    }
    let names: BTreeSet<_> = Exception::ALL.iter().map(|exception| exception.name()).collect();
    for name in modelled.keys() {
        assert!(names.contains(name), "the server has no {name}");
    }
}

#[test]
fn the_generated_values_are_what_they_are_made_for() {
    let modelled = model().operations.values().filter(|it| !it.is_extension());
    assert_eq!(modelled.count(), 62);
    let mut names = BTreeSet::new();
    let inputs = model().operations.values().filter_map(|operation| operation.input.as_ref());
    inputs.for_each(|input| reachable(input, &mut names));
    names.into_iter().for_each(assert_sound);
}

#[test]
fn every_operation_answers_with_every_member_of_its_output() {
    let mut seen = Seen::new();
    for prefix in ["", "/console"] {
        let server = server();
        let client = Client { prefix, ..server.client() };
        for operation in operations() {
            let mut requests = vec![baseline(&client, operation, true)];
            let input = model().input(operation).into_iter().flat_map(|input| &input.members);
            for (name, member) in input.filter(|(name, _)| !is_token(name)) {
                let alone = required(&client, operation);
                let value = alone.get(name).cloned().or_else(|| existing(&client, operation, name));
                let value = value.unwrap_or_else(|| simplest(model().shape(member)));
                requests.push(with(&alone, name, value));
            }
            for members in requests.into_iter().chain([required(&client, operation)]) {
                let request = Request::new(operation, &members, Spelling::Usual);
                let answer = request.send(&client);
                assert_served(&answer, &request);
                let target = format!("{prefix}{}", request.target);
                seen.extend(check(&request.method, &target, &answer));
            }
        }
    }
    let mut expected = Seen::new();
    // Where there is no content, what the model says of it is never sent.
    let with_content = operations().into_iter().filter(|it| it.http.response_code != 204);
    for output in with_content.filter_map(|operation| operation.output.as_ref()) {
        all_members(&output.name, &mut expected);
    }
    assert_eq!(seen, expected, "each member must have had a value once");
}

#[test]
fn a_next_token_continues_its_list() {
    let server = server();
    let client = server.client();
    for operation in operations() {
        let Some(output) = &operation.output else { continue };
        let members = &model().shape(output).members;
        let Some((token, max)) = TOKENS.iter().find(|(token, _)| members.contains_key(*token))
        else {
            continue;
        };
        let first = with(&required(&client, operation), max, json!(1));
        let page = send(&client, operation, &first).json();
        let rest = with(&first, token, page[token].clone());
        let rest = send(&client, operation, &rest);
        assert_served(&rest, operation);
        assert_ne!(rest.json(), page, "{operation:?}");
        let foreign = with(&first, token, "a".into());
        assert_refused(&send(&client, operation, &foreign), &[token], operation);
    }
}

/// Collects the members of a shape and of all that it holds.
fn all_members(name: &str, members: &mut Seen) {
    let shape = &model().shapes[name];
    for (member, reference) in &shape.members {
        if members.insert(format!("{name}.{member}")) {
            all_members(&reference.name, members);
        }
    }
    shape.member.iter().for_each(|element| all_members(&element.name, members));
}
