//! What the model calls sensitive stands in no event of the audit, whichever operation it came to.

use super::directory::server_with;
use super::generate::{simplest, with};
use super::request::{Request, Spelling};
use super::{baseline, operations};
use crate::harness::{Client, Options};
use crate::model::{Kind, Operation, Reference, Shape, model};
use campanile::operations::audit::Shown;
use campanile::server::AuditSettings;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What every sensitive value of a request holds here.
const MARK: &str = "Secretmark";
/// What is hidden though the model does not call it sensitive: a PIN lets people into meetings, a
/// token holds a place in a list of names, and a message, or the path to a member, may repeat what it
/// is about. The others are in answers that no event holds.
const ALSO_HIDDEN: [&str; 8] = [
    "CloudTrailEvent",
    "ErrorMessage",
    "EventId",
    "EventSource",
    "EventTime",
    "Member",
    "NextToken",
    "PersonalPIN",
];

/// Tells whether anything in a shape is sensitive that no member of its own stands for.
fn is_sensitive(reference: &Reference) -> bool {
    let shape = model().shape(reference);
    shape.sensitive || shape.member.as_ref().is_some_and(is_sensitive)
}

/// Visits every member of a shape and of all that it holds.
fn members<'a>(
    reference: &'a Reference,
    seen: &mut BTreeSet<&'a str>,
    visit: &mut impl FnMut(&'a str, &'a Reference),
) {
    if seen.insert(&reference.name) {
        let shape = model().shape(reference);
        shape.members.iter().for_each(|(name, member)| visit(name, member));
        shape.members.values().chain(&shape.member).for_each(|it| members(it, seen, visit));
    }
}

/// Of all operations that the model has, also those that the server has not yet.
#[test]
fn an_event_shows_no_member_that_the_model_calls_sensitive() {
    let mut wrong = BTreeSet::new();
    let mut hidden = 0;
    for operation in model().operations.values() {
        let event_name = operation.name.rsplit(':').next().unwrap();
        for end in operation.input.iter().chain(&operation.output) {
            members(end, &mut BTreeSet::new(), &mut |name, member| {
                let shown = Shown::of(event_name, name);
                if is_sensitive(member) {
                    hidden += 1;
                    if shown != Shown::Name {
                        wrong.insert(format!("{name} is sensitive in {operation:?}: {shown:?}"));
                    }
                } else if shown != Shown::Whole && !ALSO_HIDDEN.contains(&name) {
                    wrong.insert(format!("{name} of {operation:?} is not sensitive: {shown:?}"));
                }
            });
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(hidden > 50, "{hidden}");
}

/// Returns a value with a mark in whatever is sensitive.
fn marked(shape: &Shape) -> Value {
    match shape.kind {
        Kind::Structure if shape.members.is_empty() => {
            // An item of an import, which holds what a list of users holds.
            let names = ["PrimaryEmail", "FullName", "DisplayName", "Vanity", MARK];
            let members: Map<String, Value> =
                names.iter().map(|name| ((*name).to_owned(), text(name).into())).collect();
            json!({"User": members, MARK: [members]})
        }
        Kind::Structure => {
            let members = shape.members.iter();
            members.map(|(name, it)| (name.clone(), marked(model().shape(it)))).collect()
        }
        Kind::List => json!([marked(model().shape(shape.member.as_ref().unwrap()))]),
        Kind::String if shape.sensitive => text("a").into(),
        _ => simplest(shape),
    }
}

fn text(name: &str) -> String {
    format!("{name}.{MARK}@{MARK}.example")
}

/// Collects the sensitive values of an answer.
fn collect(reference: &Reference, value: &Value, values: &mut BTreeSet<String>) {
    let shape = model().shape(reference);
    match value {
        Value::String(text) if shape.sensitive => drop(values.insert(text.clone())),
        Value::Array(elements) => {
            let element = shape.member.as_ref().unwrap();
            for value in elements {
                collect(element, value, values);
            }
        }
        Value::Object(members) => {
            for (name, member) in &shape.members {
                collect(member, &members[name], values);
            }
        }
        _ => {}
    }
}

/// Returns requests that hold marks where they may, and where they may not.
fn requests(client: &Client, operation: &Operation) -> Vec<Map<String, Value>> {
    let whole = baseline(client, operation, true);
    let mut requests = vec![whole.clone()];
    let input = model().input(operation).into_iter().flat_map(|input| &input.members);
    let mut all_marked = whole.clone();
    for (name, member) in input {
        let value = marked(model().shape(member));
        if value.to_string().contains(MARK) {
            all_marked.insert(name.clone(), value.clone());
            requests.push(with(&whole, name, value));
            // Of a wrong type, and of one that no refusal may repeat.
            requests.push(with(&whole, name, json!({MARK: MARK})));
        }
    }
    requests.push(all_marked);
    requests
}

#[test]
fn what_is_sensitive_is_in_no_event() {
    let audit = AuditSettings { reads: true, ..AuditSettings::default() };
    let server = server_with(Options { audit, ..Options::default() });
    let client = server.client();
    let mut sensitive = BTreeSet::new();
    let mut asked: BTreeMap<String, &Operation> = BTreeMap::new();
    for operation in operations() {
        for members in requests(&client, operation) {
            let mut request = Request::new(operation, &members, Spelling::Usual);
            if !request.body.is_empty() {
                // Of a name that no operation has.
                let mut body: Value = serde_json::from_slice(&request.body).unwrap();
                body["Password"] = json!(MARK);
                request.body = body.to_string().into_bytes();
            }
            let answer = request.send(&client);
            let id = answer.header("x-amzn-requestid").unwrap().to_owned();
            asked.insert(id, operation);
            if let (Some(output), 200..=203) = (&operation.output, answer.status) {
                collect(output, &answer.json(), &mut sensitive);
            }
        }
    }
    sensitive.retain(|value| value.len() > 3);
    assert!(sensitive.iter().any(|it| it.contains("/invites/")), "links are among them");
    let mut found = 0;
    let mut hidden = 0;
    for event in events(&client) {
        let text = event.to_string();
        assert!(!text.to_lowercase().contains(&MARK.to_lowercase()), "{text}");
        for value in &sensitive {
            assert!(!text.contains(value.as_str()), "{value}: {text}");
        }
        hidden += usize::from(text.contains("HIDDEN_DUE_TO_SECURITY_REASONS"));
        if let Some(operation) = asked.remove(event["requestID"].as_str().unwrap()) {
            assert!(operation.name.ends_with(event["eventName"].as_str().unwrap()), "{text}");
            found += 1;
        }
    }
    assert!(asked.is_empty(), "{asked:?} left no event, of {found}");
    assert!(hidden > 20, "{hidden}");
}

/// Returns all events of the root's AWS account.
fn events(client: &Client) -> Vec<Value> {
    let mut events = Vec::new();
    let mut members = json!({"MaxResults": 200});
    // Each page makes an event of its own, so that there is always another.
    let end = client.clock.clock().now().to_string();
    members["EndTime"] = json!(end);
    loop {
        let page = client.ok("cloudtrail:LookupEvents", members.clone());
        let found = page["Events"].as_array().unwrap().iter();
        let parsed = |it: &Value| serde_json::from_str(it["CloudTrailEvent"].as_str().unwrap());
        events.extend(found.map(|it| parsed(it).unwrap()));
        members["NextToken"] = page["NextToken"].clone();
        if members["NextToken"].is_null() {
            return events;
        }
    }
}
