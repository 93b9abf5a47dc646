//! Requests built of the model alone: each member in its place, in more than one spelling.

use super::generate::members_at;
use crate::harness::{Answer, Client};
use crate::model::{Location, Operation, model};
use percent_encoding::{
    AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_encode_byte, utf8_percent_encode,
};
use serde_json::{Map, Value};

/// How a value is written in a URI.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Spelling {
    /// Only what a URI cannot hold is encoded.
    Raw,
    /// As SDKs do: all but what RFC 3986 leaves as it is.
    Usual,
    /// Every byte is encoded.
    Encoded,
}

pub const SPELLINGS: [Spelling; 3] = [Spelling::Raw, Spelling::Usual, Spelling::Encoded];

const USUAL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What a segment of a path cannot hold as it is.
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');
/// What a value in a query cannot hold as it is; a plus sign would be a space.
const QUERY: &AsciiSet = &PATH.remove(b'/').remove(b'?').add(b'&').add(b'+');

/// A request's line and body.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub target: String,
    pub body: Vec<u8>,
}

impl Request {
    /// Builds a request; a member that is not there leaves an empty segment in the path.
    pub fn new(operation: &Operation, members: &Map<String, Value>, spelling: Spelling) -> Self {
        let input = model().input(operation);
        let mut target = operation.http.request_uri.clone();
        for (name, member) in members_at(input, Location::Uri) {
            let text = members.get(name).map(text).unwrap_or_default();
            let placeholder = format!("{{{}}}", member.location_name.as_ref().unwrap());
            assert!(target.contains(&placeholder), "{target} has no {placeholder}");
            target = target.replace(&placeholder, &segment(&text, spelling));
        }
        for (name, member) in members_at(input, Location::QueryString) {
            if let Some(value) = members.get(name).filter(|value| !value.is_null()) {
                let name = encoded(member.location_name.as_ref().unwrap(), spelling, QUERY);
                let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
                for value in values {
                    let before = if target.contains('?') { '&' } else { '?' };
                    let value = encoded(&text(value), spelling, QUERY);
                    target = format!("{target}{before}{name}={value}");
                }
            }
        }
        let mut in_body = Map::new();
        for (name, _) in members_at(input, Location::Body) {
            in_body.extend(members.get(name).map(|value| (name.clone(), value.clone())));
        }
        let has_body = members_at(input, Location::Body).next().is_some();
        let body =
            if has_body { Value::Object(in_body).to_string().into_bytes() } else { Vec::new() };
        Self { method: operation.http.method.clone(), target, body }
    }

    /// Tells whether the path reaches nothing: an empty segment stands before its end.
    pub fn has_empty_segment(&self) -> bool {
        self.target.split('?').next().unwrap().contains("//")
    }

    pub fn send(&self, client: &Client) -> Answer {
        client.send(&self.method, &self.target, &self.body)
    }
}

/// Returns what stands for a value in a URI.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn segment(text: &str, spelling: Spelling) -> String {
    // As they are, these would be no segments.
    let dots = text == "." || text == "..";
    encoded(text, if dots { Spelling::Encoded } else { spelling }, PATH)
}

fn encoded(text: &str, spelling: Spelling, raw: &'static AsciiSet) -> String {
    match spelling {
        Spelling::Raw => utf8_percent_encode(text, raw).to_string(),
        Spelling::Usual => utf8_percent_encode(text, USUAL).to_string(),
        Spelling::Encoded => text.bytes().map(percent_encode_byte).collect(),
    }
}
