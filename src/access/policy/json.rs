//! JSON as policies need it: an object shows a member that stands twice, and every value can say where
//! in the document it is.

use super::Fault;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

/// The longest part of a document that a fault repeats, in characters.
const SHOWN_MAX: usize = 128;

/// A value of a document. How deep it goes is limited by the parser.
#[derive(Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(String),
    String(String),
    List(Vec<Value>),
    Object(Vec<(String, Value)>),
}

impl Value {
    pub(super) fn read(document: &str) -> Result<Self, Fault> {
        serde_json::from_str(document)
            .map_err(|error| Path::Document.fault(format!("is not JSON: {error}")))
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    pub(super) fn members(&self, path: &Path<'_>) -> Result<&[(String, Self)], Fault> {
        let Self::Object(members) = self else {
            return Err(path.fault(format!("must be an object, not {}", self.kind())));
        };
        let mut names = HashSet::new();
        match members.iter().find(|(name, _)| !names.insert(name)) {
            Some((name, _)) => Err(path.member(name).fault("stands there twice")),
            None => Ok(members),
        }
    }

    pub(super) fn string(&self, path: &Path<'_>) -> Result<&str, Fault> {
        match self {
            Self::String(text) => Ok(text),
            _ => Err(path.fault(format!("must be a string, not {}", self.kind()))),
        }
    }

    /// Returns what may be written with or without quotation marks.
    pub(super) fn scalar(&self, path: &Path<'_>) -> Result<Cow<'_, str>, Fault> {
        match self {
            Self::String(text) | Self::Number(text) => Ok(Cow::Borrowed(text)),
            Self::Bool(value) => Ok(Cow::Borrowed(if *value { "true" } else { "false" })),
            Self::Null | Self::List(_) | Self::Object(_) => {
                Err(path
                    .fault(format!("must be a string, a number or a boolean, not {}", self.kind())))
            }
        }
    }

    /// Reads one value, or each of a list.
    pub(super) fn each<T>(
        &self,
        path: &Path<'_>,
        mut read: impl FnMut(&Self, &Path<'_>) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        match self {
            Self::List(items) if items.is_empty() => {
                Err(path.fault("is an empty list: list at least one value, or leave it out"))
            }
            Self::List(items) => items
                .iter()
                .enumerate()
                .map(|(index, item)| read(item, &Path::Item(path, index)))
                .collect(),
            _ => Ok(vec![read(self, path)?]),
        }
    }
}

/// Where a value is in its document.
#[derive(Clone, Copy)]
pub(super) enum Path<'a> {
    Document,
    Member(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
}

impl<'a> Path<'a> {
    pub(super) fn member(&'a self, name: &'a str) -> Self {
        Self::Member(self, name)
    }

    pub(super) fn fault(&self, fault: impl Into<String>) -> Fault {
        Fault { path: self.to_string(), fault: fault.into() }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Document => Ok(()),
            Self::Member(Self::Document, name) => f.write_str(&shown(name)),
            Self::Member(parent, name) => write!(f, "{parent}.{}", shown(name)),
            Self::Item(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// Returns a text of the document as faults show it.
pub(super) fn shown(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(text),
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = object.next_entry()? {
            members.push(member);
        }
        Ok(Value::Object(members))
    }
}
