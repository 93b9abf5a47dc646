//! From a request target to a line of the operation table.
//!
//! A path's segments are compared undecoded and then decoded once, so that `%2F` in an id is part
//! of the id. Of the lines that match, the one with a query literal wins; a request that names an
//! `operation` or a `type` that no line has is not taken for the line without one.

use super::error::{Error, Exception, Result};
use super::sigv4::path_is_normal;
use crate::operations::{Form, Operation};
use http::Method;
use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// The path prefix under which the API answered first, and answered until its end.
const CONSOLE_PREFIX: &str = "/console/";
/// The query names whose values select an operation.
const LITERAL_NAMES: [&str; 2] = ["operation", "type"];

/// How much of a path that reaches nothing is repeated to who asked for it.
const PATH_CHARACTERS_SHOWN: usize = 200;

/// A name and a value of the query, decoded.
type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// The operation table, arranged for look-ups.
#[derive(Debug)]
pub struct Router {
    /// By the number of the path's segments.
    routes: Vec<Vec<Route>>,
    /// The operations that have no path of their own.
    beside: Vec<Operation>,
}

#[derive(Debug)]
struct Route {
    segments: Vec<Segment>,
    literal: Option<(&'static str, &'static str)>,
    operation: Operation,
}

#[derive(Debug)]
enum Segment {
    Literal(&'static str),
    /// A placeholder, under the name of its member.
    Member(String),
}

/// A request target, taken apart.
#[derive(Debug)]
pub struct Routed<'r, 't> {
    /// The operation that the target names.
    pub operation: &'r Operation,
    /// In which form the API answers there.
    pub form: Form,
    /// The members that the URI holds.
    pub members: Vec<(Cow<'r, str>, Cow<'t, str>)>,
}

impl Router {
    /// Arranges a table, and operations that are known by their names alone.
    pub fn new(table: Vec<Operation>, beside: Vec<Operation>) -> Self {
        let mut routes: Vec<Vec<Route>> = Vec::new();
        for operation in table {
            let route = Route::new(operation);
            let length = route.segments.len();
            if routes.len() <= length {
                routes.resize_with(length + 1, Vec::new);
            }
            if let Some(same_length) = routes.get_mut(length) {
                same_length.push(route);
            }
        }
        Self { routes, beside }
    }

    /// Finds an operation by its name.
    pub fn named(&self, name: &str) -> Option<&Operation> {
        let routed = self.routes.iter().flatten().map(|route| &route.operation);
        routed.chain(&self.beside).find(|operation| operation.name == name)
    }

    /// Finds the operation of a request.
    pub fn route<'t>(&self, method: &Method, target: &'t str) -> Result<Routed<'_, 't>> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if !path_is_normal(path) {
            return Err(unknown_operation(method, path, None));
        }
        let (form, relative) = match path.strip_prefix(CONSOLE_PREFIX) {
            Some(rest) => (Form::Console, rest),
            None => (Form::Current, path.strip_prefix('/').unwrap_or(path)),
        };
        let segments: Vec<&str> = relative.split('/').collect();
        let query = parse_query(query)?;
        let literal = query.iter().find(|(name, _)| LITERAL_NAMES.contains(&name.as_ref()));
        let route = self
            .routes
            .get(segments.len())
            .and_then(|routes| {
                routes.iter().find(|route| route.matches(method, &segments, literal))
            })
            .ok_or_else(|| unknown_operation(method, path, literal))?;
        Ok(Routed { operation: &route.operation, form, members: route.members(&segments, query)? })
    }
}

impl Route {
    fn new(operation: Operation) -> Self {
        let (path, query) = operation.uri.split_once('?').unwrap_or((operation.uri, ""));
        let segments = path.trim_start_matches('/').split('/').map(Segment::new).collect();
        Self { segments, literal: query.split_once('='), operation }
    }

    fn matches(&self, method: &Method, segments: &[&str], literal: Option<&Pair<'_>>) -> bool {
        self.operation.method == method
            && self.literal == literal.map(|(name, value)| (name.as_ref(), value.as_ref()))
            && self.segments.iter().zip(segments).all(|(segment, text)| match segment {
                Segment::Literal(literal) => literal == text,
                Segment::Member(_) => true,
            })
    }

    fn members<'t>(
        &self,
        segments: &[&'t str],
        query: Vec<Pair<'t>>,
    ) -> Result<Vec<(Cow<'_, str>, Cow<'t, str>)>> {
        let mut members = Vec::new();
        for (segment, text) in self.segments.iter().zip(segments) {
            if let Segment::Member(name) = segment {
                members.push((Cow::Borrowed(name.as_str()), decoded(text)?));
            }
        }
        if self.operation.method == Method::GET {
            let bound = members.len();
            for (name, value) in query.into_iter().filter(|(name, _)| is_uri_name(name)) {
                let member = member_name(&name);
                if !members.iter().take(bound).any(|(other, _)| *other == member) {
                    members.push((member.into(), value));
                }
            }
        }
        Ok(members)
    }
}

impl Segment {
    fn new(text: &'static str) -> Self {
        match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            Some(name) => Self::Member(member_name(name)),
            None => Self::Literal(text),
        }
    }
}

/// Returns the member that a URI name stands for: `accountId` and `account-id` are `AccountId`.
pub fn member_name(uri_name: &str) -> String {
    uri_name
        .split('-')
        .flat_map(|word| {
            let mut letters = word.chars();
            letters.next().into_iter().flat_map(char::to_uppercase).chain(letters)
        })
        .collect()
}

/// Tells whether the API writes names so; another is one of those that it ignores.
fn is_uri_name(name: &str) -> bool {
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    name.split('-').all(is_word)
}

fn parse_query(query: &str) -> Result<Vec<Pair<'_>>> {
    let mut pairs: Vec<Pair<'_>> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decoded_query(name)?;
        if pairs.iter().any(|(other, _)| *other == name) {
            return Err(Error::bad_request(format!(
                "The query must hold each name once; '{name}' stands in it twice"
            )));
        }
        pairs.push((name, decoded_query(value)?));
    }
    Ok(pairs)
}

/// Decodes a name or value of the query, where a `+` is a space: signatures take it for one too, so
/// that whoever changes one into the other on the way changes nothing.
fn decoded_query(text: &str) -> Result<Cow<'_, str>> {
    if text.contains('+') {
        return decoded(&text.replace('+', " ")).map(|decoded| decoded.into_owned().into());
    }
    decoded(text)
}

/// Decodes `%XX` once.
fn decoded(text: &str) -> Result<Cow<'_, str>> {
    let refused = |fault: &str| {
        Error::bad_request(format!("The request's URI must be percent-encoded UTF-8; {fault}"))
    };
    if !text.contains('%') {
        return Ok(Cow::Borrowed(text));
    }
    let mut escapes = text.split('%').skip(1).map(|rest| rest.as_bytes().get(..2));
    if !escapes.all(|escape| escape.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)))
    {
        return Err(refused(&format!("in '{text}' a % is not followed by two hex digits")));
    }
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map_err(|_| refused(&format!("'{text}' decodes to bytes that are not UTF-8")))
}

/// Names what was asked for, without the rest of the query: that may hold addresses and signatures,
/// and the log repeats what is said here.
fn unknown_operation(method: &Method, path: &str, literal: Option<&Pair<'_>>) -> Error {
    let mut shown: String = path.chars().take(PATH_CHARACTERS_SHOWN).collect();
    if let Some((name, value)) = literal {
        shown.push('?');
        shown.extend(format!("{name}={value}").chars().take(PATH_CHARACTERS_SHOWN));
    }
    Error::new(
        Exception::UnknownOperationException,
        format!("No operation of this server is reached by {method} {shown}"),
    )
}
