//! What was saved of a thing: an item of documents, in the form in which they came.
//!
//! Nothing that a document says is lost on the way: what cannot be kept is a fault. What it does not
//! say, by leaving it out or by null, is nothing that it says.

use crate::clock::Timestamp;
use crate::protocol::decode::{Fault, decode_value};
use crate::protocol::shapes::Others;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

/// How large each part of an item may be: as it comes back in pages of many, it has to have a limit.
const PART_BYTES_MAX: usize = 32 << 10;

/// The documents about one thing, each under the name that it is known by.
#[derive(Clone, Debug)]
pub(super) struct Item(pub(super) Value);

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            item @ Value::Object(_) => Ok(Self(item)),
            _ => Err(D::Error::custom("Member must be an object")),
        }
    }
}

/// Makes a shape of an item; else tells what is wrong with each of its members.
pub(super) fn decode<Q: DeserializeOwned>(item: &Value) -> Result<Q, Vec<Fault>> {
    let parts = item.as_object().into_iter().flatten();
    let large: Vec<_> = parts
        // The list of domains has a limit of its own.
        .filter(|(name, part)| *name != "Domains" && bytes_max(part) > PART_BYTES_MAX)
        .map(|(name, part)| Fault {
            member: name.clone(),
            fault: format!("It has {} bytes; it may have {PART_BYTES_MAX}", bytes_max(part)),
        })
        .collect();
    if !large.is_empty() {
        return Err(large);
    }
    decode_value(item).map_err(|first| every_fault::<Q>(item, first))
}

/// Decodes each member by itself, for decoding stops at the first fault.
fn every_fault<Q: DeserializeOwned>(item: &Value, first: Fault) -> Vec<Fault> {
    let parts = item.as_object().into_iter().flatten();
    let alone = parts.flat_map(|(part, value)| match value {
        Value::Object(members) if !members.is_empty() => {
            members.iter().map(|(name, value)| json!({ part: { name: value } })).collect()
        }
        _ => vec![json!({ part: value })],
    });
    let mut faults: Vec<_> = alone.filter_map(|alone| decode_value::<Q>(&alone).err()).collect();
    faults.dedup();
    if faults.is_empty() { vec![first] } else { faults }
}

/// Returns how many bytes a value has as JSON at the most.
pub fn bytes_max(value: &Value) -> usize {
    let text = |text: &str| {
        let escaped = |byte| if byte < b' ' { 6 } else { 1 + usize::from(b"\"\\".contains(&byte)) };
        text.bytes().map(escaped).sum::<usize>() + 2
    };
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 25,
        Value::String(string) => text(string),
        Value::Array(elements) => elements.iter().map(|it| bytes_max(it) + 1).sum::<usize>() + 2,
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| text(name) + bytes_max(value) + 2;
            members.iter().map(member).sum::<usize>() + 2
        }
    }
}

/// Returns the members of a part that none of these names is the name of.
pub(super) fn others(item: &Value, part: &str, known: &[&str]) -> Others {
    let members = item.get(part).and_then(Value::as_object).into_iter().flatten();
    let others = members.filter(|(name, _)| !known.contains(&name.as_str()));
    others.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Puts other members over those that a thing has.
pub(super) fn put_over(kept: &mut Others, others: &Map<String, Value>) {
    for (name, value) in others {
        if !value.is_null() || !kept.contains_key(name) {
            kept.insert(name.clone(), value.clone());
        }
    }
}

/// Puts what a document says into the place of what is there; what it does not say stays.
pub(super) fn put<T: Clone>(place: &mut T, said: Option<&T>) {
    if let Some(said) = said {
        place.clone_from(said);
    }
}

/// The same for what need not be there.
pub(super) fn put_some<T: Clone>(place: &mut Option<T>, said: Option<&T>) {
    if said.is_some() {
        *place = said.cloned();
    }
}

/// An instant as one of the AWS CLIs writes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct SavedTimestamp(pub(super) Timestamp);

impl<'de> Deserialize<'de> for SavedTimestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Timestamp::exactly(&text).map(Self).map_err(D::Error::custom)
    }
}

/// Says that a member must be there.
pub(super) fn missing(member: &str) -> Fault {
    Fault { member: member.to_owned(), fault: "Member must not be null".to_owned() }
}
