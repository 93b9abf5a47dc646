//! From a request's members to an operation's request, and from its answer to JSON.
//!
//! One rule serves every operation: a URI name `account-id` or `accountId` is the member
//! `AccountId`; GET takes its other members from the query, every other method from the body.

use super::error::{Error, Result};
use super::strict::Strict;
use serde::de::value::MapDeserializer;
use serde::de::{DeserializeOwned, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, forward_to_deserialize_any};
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

const MISSING: &str = "Member must not be null";
/// How much of a value that an enum does not have is repeated to who sent it.
const VALUE_CHARACTERS_SHOWN: usize = 64;

/// The members of a request, each still in the form it came in.
#[derive(Debug)]
pub struct Members<'a>(Vec<(Cow<'a, str>, Member<'a>)>);

#[derive(Clone, Debug)]
enum Member<'a> {
    Uri(Cow<'a, str>),
    Json(&'a RawValue),
}

/// A member as it came in.
#[derive(Clone, Copy, Debug)]
pub enum MemberValue<'m> {
    /// From the URI, which holds nothing but texts.
    Text(&'m str),
    /// From the body.
    Json(&'m RawValue),
}

impl<'a> Members<'a> {
    /// Takes members from the URI alone.
    pub fn of_uri(uri: Vec<(Cow<'a, str>, Cow<'a, str>)>) -> Self {
        Self(uri.into_iter().map(|(name, value)| (name, Member::Uri(value))).collect())
    }

    /// Takes members from the URI and then, from the body, those that the URI does not hold.
    pub fn new(uri: Vec<(Cow<'a, str>, Cow<'a, str>)>, body: &'a [u8]) -> Result<Self> {
        let Self(mut members) = Self::of_uri(uri);
        if !body.is_empty() {
            let bound = members.len();
            for (name, value) in parse_body(body)? {
                // A member that the URI binds, or that is null, is not there.
                let ignored = value.get() == "null"
                    || members.iter().take(bound).any(|(other, _)| *other == name);
                if !ignored {
                    members.push((name, Member::Json(value)));
                }
            }
        }
        Ok(Self(members))
    }

    /// Tells whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the members with their names, those of the URI first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, MemberValue<'_>)> {
        self.0.iter().map(|(name, member)| match member {
            Member::Uri(text) => (name.as_ref(), MemberValue::Text(text)),
            Member::Json(json) => (name.as_ref(), MemberValue::Json(json)),
        })
    }

    /// Makes an operation's request of the members; ignores those that it does not know.
    pub fn decode<Q: DeserializeOwned>(&self) -> Result<Q> {
        // Only a failure is worth the bookkeeping of the path to it.
        Q::deserialize(self.deserializer()).or_else(|_| {
            serde_path_to_error::deserialize(self.deserializer()).map_err(|error| {
                let path = error.path().to_string();
                refused(&path, &error.into_inner().to_string())
            })
        })
    }

    /// Returns a member that is a string.
    pub fn text(&self, name: &str) -> Option<String> {
        let (_, member) = self.0.iter().find(|(other, _)| other == name)?;
        String::deserialize(member.clone()).ok()
    }

    fn deserializer(
        &self,
    ) -> MapDeserializer<
        'a,
        impl Iterator<Item = (Cow<'a, str>, Member<'a>)> + use<'_, 'a>,
        serde_json::Error,
    > {
        MapDeserializer::new(self.0.iter().cloned())
    }
}

/// Makes a shape of one of a request's values.
pub fn decode_value<Q: DeserializeOwned>(value: &Value) -> Result<Q, Fault> {
    Q::deserialize(Strict(value)).or_else(|_| {
        serde_path_to_error::deserialize(Strict(value)).map_err(|error| {
            let path = error.path().to_string();
            let (member, fault) = located(&path, &error.into_inner().to_string());
            Fault { member, fault }
        })
    })
}

/// What is wrong with a value, and in which of its members.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// The path to the member.
    pub member: String,
    /// What it must be.
    pub fault: String,
}

/// Writes an operation's answer: compact, in the order of the shape's members.
pub fn encode<R: Serialize>(response: &R) -> Result<Vec<u8>> {
    let mut body = Vec::with_capacity(1024);
    serde_json::to_writer(&mut body, response).map_err(Error::failure)?;
    Ok(body)
}

fn refused(path: &str, fault: &str) -> Error {
    let (member, located) = located(path, fault);
    let value = if located == MISSING { "Value null" } else { "Value" };
    Error::bad_request(format!(
        "1 validation error detected: {value} at '{member}' failed to satisfy constraint: {located}"
    ))
}

/// Returns the member that is at fault, and what is wrong with it.
fn located(path: &str, fault: &str) -> (String, String) {
    // serde_json says where in the body it is; here it would mean where in the member.
    let fault = fault.split(" at line ").next().unwrap_or(fault);
    let missing = fault.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
    let said = || wrong_type(fault).or_else(|| unknown_value(fault)).unwrap_or(fault.to_owned());
    match missing {
        Some(name) if path == "." => (name.to_owned(), MISSING.to_owned()),
        Some(name) => (format!("{path}.{name}"), MISSING.to_owned()),
        None => (path.to_owned(), said()),
    }
}

/// Says what serde says of a wrong type without the value, which may be for nobody to read.
fn wrong_type(fault: &str) -> Option<String> {
    let (found, expected) = fault.strip_prefix("invalid type: ")?.rsplit_once(", expected ")?;
    let found = found.split(['`', '"']).next().unwrap_or_default().trim();
    Some(format!("Member must be {expected} (it is of type {found})"))
}

/// Says in AWS's words what serde says of a value that an enum does not have.
fn unknown_value(fault: &str) -> Option<String> {
    let (found, expected) = fault.strip_prefix("unknown variant `")?.rsplit_once("`, expected ")?;
    let values: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    let found: String = found.chars().take(VALUE_CHARACTERS_SHOWN).collect();
    let values = values.join(", ");
    Some(format!("Member must satisfy enum value set: [{values}] (it is '{found}')"))
}

/// Returns the members of a JSON object in their order.
pub(super) fn members_of(object: &str) -> Result<Vec<(Cow<'_, str>, &RawValue)>> {
    serde_json::from_str::<Body<'_>>(object).map(|body| body.0).map_err(Error::failure)
}

/// Splits a body into its members. A name that comes twice is refused: two readers could differ
/// about which one counts.
fn parse_body(body: &[u8]) -> Result<Vec<(Cow<'_, str>, &RawValue)>> {
    let text = std::str::from_utf8(body).map_err(|error| {
        Error::bad_request(format!(
            "The body must be UTF-8; it stops being so after {} bytes",
            error.valid_up_to()
        ))
    })?;
    let members: Body<'_> = serde_json::from_str(text)
        .map_err(|error| Error::bad_request(format!("The body must be a JSON object: {error}")))?;
    Ok(members.0)
}

struct Body<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Body<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(BodyVisitor).map(Body)
    }
}

struct BodyVisitor;

impl<'de> Visitor<'de> for BodyVisitor {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members: Self::Value = Vec::new();
        let mut names = std::collections::HashSet::new();
        while let Some(Name(name)) = map.next_key()? {
            if !names.insert(name.clone()) {
                let fault = format_args!("the member '{name}' stands in it twice");
                return Err(serde::de::Error::custom(fault));
            }
            members.push((name, map.next_value()?));
        }
        Ok(members)
    }
}

/// A name, borrowed where no escape stands in it.
#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> IntoDeserializer<'de, serde_json::Error> for Member<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Deserialises one member. A URI holds only text: a number in it is a number's text.
impl<'de> Deserializer<'de> for Member<'de> {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self {
            Self::Uri(Cow::Borrowed(text)) => visitor.visit_borrowed_str(text),
            Self::Uri(Cow::Owned(text)) => visitor.visit_string(text),
            Self::Json(json) => Strict(json).deserialize_any(visitor),
        }
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self {
            Self::Uri(text) => match text.parse() {
                Ok(number) => visitor.visit_i64(number),
                Err(_) => Err(serde::de::Error::custom("Member must be an integer")),
            },
            Self::Json(json) => json.deserialize_i64(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self {
            Self::Uri(text) => match text.parse() {
                Ok(value) => visitor.visit_bool(value),
                Err(_) => Err(serde::de::Error::custom("Member must be true or false")),
            },
            Self::Json(json) => json.deserialize_bool(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        match self {
            Self::Uri(text) => visitor.visit_enum(text.into_deserializer()),
            Self::Json(json) => Strict(json).deserialize_enum(name, variants, visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        members: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        match self {
            Self::Uri(_) => self.deserialize_any(visitor),
            Self::Json(json) => Strict(json).deserialize_struct(name, members, visitor),
        }
    }

    /// What nobody reads need not be readable: it may be nested deeper than a parser would go.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i8 i16 i32 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct seq
        tuple tuple_struct map identifier
    }
}
