//! The members of requests: where each stands, which must be there, and what each may be.

use super::directory::{is_id, is_needed, may_conflict};
use super::generate::{faults, faulty_texts, good, members_at, simplest, with};
use super::request::{Request, SPELLINGS, Spelling, text};
use super::{
    assert_refused, assert_served, assert_unknown, baseline, is_token, operations, required, send,
    server,
};
use crate::model::{Location, model};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

/// What says that nothing is there: Chime's word and IAM's.
const NOT_FOUND: [&str; 2] = ["NotFoundException", "NoSuchEntityException"];
/// What says that something is in the way.
const CONFLICTS: [&str; 2] = ["ConflictException", "EntityAlreadyExistsException"];

#[test]
fn a_required_member_must_be_there() {
    let server = server();
    let client = server.client();
    for operation in operations() {
        let input = model().input(operation);
        for name in input.into_iter().flat_map(|input| &input.required) {
            let mut absent = baseline(&client, operation, true);
            let null = with(&absent, name, Value::Null);
            absent.remove(name);
            match input.unwrap().members[name].location {
                Location::Uri => {
                    let request = Request::new(operation, &absent, Spelling::Usual);
                    let answer = request.send(&client);
                    if request.has_empty_segment() {
                        assert_unknown(&answer, &request);
                    } else {
                        assert_refused(&answer, &[name], &request);
                    }
                }
                Location::QueryString => {
                    assert_refused(&send(&client, operation, &absent), &[name], operation);
                }
                Location::Body => {
                    assert_refused(&send(&client, operation, &absent), &[name], operation);
                    assert_refused(&send(&client, operation, &null), &[name], operation);
                }
            }
        }
    }
}

#[test]
fn what_breaks_a_constraint_or_has_a_wrong_type_is_refused() {
    let server = server();
    let client = server.client();
    for operation in operations() {
        let valid = baseline(&client, operation, true);
        let input = model().input(operation);
        for (name, member) in members_at(input, Location::Body) {
            let shape = model().shape(member);
            for fault in faults(shape) {
                let what = format!("{operation:?} {name} {fault:?}");
                let answer = send(&client, operation, &with(&valid, name, fault.value.clone()));
                let mut names = vec![name.as_str()];
                names.extend(fault.members.iter().map(String::as_str));
                let message = assert_refused(&answer, &names, &what);
                assert!(!shape.sensitive || !tells(&message, &text(&fault.value)), "{what}");
            }
        }
        for (name, member) in in_uri(input) {
            let shape = model().shape(member);
            for text in faulty_texts(shape) {
                for spelling in SPELLINGS {
                    let members = with(&valid, name, json!(text));
                    let request = Request::new(operation, &members, spelling);
                    let answer = request.send(&client);
                    if request.has_empty_segment() {
                        // A path with an empty segment before its end reaches nothing.
                        assert_unknown(&answer, &request);
                        continue;
                    }
                    let message = assert_refused(&answer, &[name], &request);
                    assert!(!shape.sensitive || !tells(&message, &text), "{message}");
                }
            }
        }
    }
}

#[test]
fn what_satisfies_a_shape_is_taken() {
    for operation in operations() {
        let server = server();
        let client = server.client();
        let members = model().input(operation).into_iter().flat_map(|input| &input.members);
        let mut members: Vec<_> = members.filter(|(name, _)| !is_token(name)).collect();
        // What nothing has is asked for before anything can get it.
        members.sort_by_key(|(name, _)| !is_id(operation, name));
        for (name, member) in members {
            let spellings = match member.location {
                Location::Body => &SPELLINGS[..1],
                _ => &SPELLINGS[..],
            };
            for value in good(model().shape(member)) {
                let valid = required(&client, operation);
                for &spelling in spellings {
                    let members = with(&valid, name, value.clone());
                    let request = Request::new(operation, &members, spelling);
                    let answer = request.send(&client);
                    if request.has_empty_segment() {
                        assert_unknown(&answer, &request);
                    } else if is_id(operation, name) {
                        // It is well formed, and nothing is there.
                        assert!(NOT_FOUND.contains(&&*answer.error().0), "{request:?}: {answer:?}");
                    } else if may_conflict(operation, name) && answer.status == 409 {
                        // It is well formed, and another has it already.
                        assert!(CONFLICTS.contains(&&*answer.error().0), "{request:?}: {answer:?}");
                    } else if name.ends_with("PolicyDocument") && answer.status == 400 {
                        // It is well formed, and no policy.
                        let (exception, _) = answer.error();
                        assert_eq!(exception, "MalformedPolicyDocumentException", "{request:?}");
                    } else {
                        assert_served(&answer, &request);
                    }
                }
            }
        }
    }
}

#[test]
fn a_null_member_is_not_there() {
    let server = server();
    let client = server.client();
    for operation in operations() {
        let input = model().input(operation);
        for (name, _) in members_at(input, Location::Body) {
            if !input.unwrap().required.contains(name) && !is_needed(operation, name) {
                let members = with(&required(&client, operation), name, Value::Null);
                assert_served(&send(&client, operation, &members), &(operation, name));
            }
        }
    }
}

#[test]
fn a_member_is_taken_from_its_place_only() {
    let server = server();
    let client = server.client();
    for operation in operations() {
        let input = model().input(operation);
        let request = |members: &Map<_, _>| Request::new(operation, members, Spelling::Usual);
        let in_body = members_at(input, Location::Body);
        for (name, member) in in_body.filter(|(name, _)| !is_needed(operation, name)) {
            let needed = input.unwrap().required.contains(name);
            let value = text(&simplest(model().shape(member)));
            let value = utf8_percent_encode(&value, NON_ALPHANUMERIC).to_string();
            for written in [name.clone(), kebab(name)] {
                let mut members = required(&client, operation);
                members.remove(name);
                let mut request = request(&members);
                let before = if request.target.contains('?') { '&' } else { '?' };
                // In the body it must be there and valid; in the query it is neither.
                let value = if needed { value.as_str() } else { "" };
                request.target = format!("{}{before}{written}={value}", request.target);
                let answer = request.send(&client);
                if needed {
                    assert_refused(&answer, &[name], &request);
                } else {
                    assert_served(&answer, &request);
                }
            }
        }
        for (name, _) in in_uri(input) {
            let mut request = request(&required(&client, operation));
            let mut body = serde_json::from_slice(&request.body).unwrap_or_else(|_| json!({}));
            body[name] = json!({"of": ["no", "type"]});
            request.body = body.to_string().into_bytes();
            assert_served(&request.send(&client), &request);
        }
    }
}

#[test]
fn what_the_model_does_not_know_is_ignored() {
    let server = server();
    let client = server.client();
    let values =
        [json!("a"), json!(-1.5), json!(true), json!(null), json!([{}]), json!({"a": [1]})];
    for operation in operations() {
        let input = model().input(operation);
        let names = input.into_iter().flat_map(|input| input.members.keys());
        // A member's name in another spelling is none of a member.
        let mut names: Vec<_> = names.flat_map(|name| [name.to_lowercase(), kebab(name)]).collect();
        names.extend(["Unknown".to_owned(), "\u{e9} \"\\".to_owned(), String::new()]);
        for (name, value) in names.iter().flat_map(|name| values.iter().map(move |it| (name, it))) {
            let mut request =
                Request::new(operation, &required(&client, operation), Spelling::Usual);
            let mut body = serde_json::from_slice(&request.body).unwrap_or_else(|_| json!({}));
            body[name] = value.clone();
            request.body = body.to_string().into_bytes();
            assert_served(&request.send(&client), &request);
        }
        let in_query = members_at(input, Location::QueryString);
        let written = in_query.map(|(name, it)| (name, it.location_name.as_ref().unwrap()));
        let mut names: Vec<_> = written
            .flat_map(|(name, it)| [name.clone(), it.to_uppercase(), it.replace('-', "_")])
            .filter(|it| {
                members_at(input, Location::QueryString)
                    .all(|(_, member)| member.location_name.as_ref() != Some(it))
            })
            .collect();
        names.extend(["unknown".to_owned(), "x-unknown".to_owned(), "%C3%A9".to_owned()]);
        for name in names {
            let mut request =
                Request::new(operation, &required(&client, operation), Spelling::Usual);
            let before = if request.target.contains('?') { '&' } else { '?' };
            request.target = format!("{}{before}{name}=%00", request.target);
            assert_served(&request.send(&client), &request);
        }
    }
}

/// Returns the members of a request that stand in the URI.
fn in_uri(
    input: Option<&crate::model::Shape>,
) -> impl Iterator<Item = (&String, &crate::model::Reference)> {
    members_at(input, Location::Uri).chain(members_at(input, Location::QueryString))
}

/// Tells whether a message says what must not be said; a letter or two stand in any.
fn tells(message: &str, value: &str) -> bool {
    value.trim().len() > 3 && message.contains(value.trim())
}

/// Writes a member's name as the model's URIs would: `MaxResults` is `max-results`.
fn kebab(name: &str) -> String {
    let mut written = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !written.is_empty() {
            written.push('-');
        }
        written.extend(letter.to_lowercase());
    }
    written
}
