//! Values made of the model's shapes: such as satisfy their constraints, and such as break one.
//!
//! [`is_valid`] judges every value and knows nothing of how it was made, so that a value that is
//! made wrongly shows.

use crate::model::{Kind, Location, Reference, Shape, model};
use proptest::collection::vec;
use proptest::sample::select;
use proptest::strategy::{Strategy, ValueTree};
use proptest::string::string_regex;
use proptest::test_runner::TestRunner;
use regex::Regex;
use serde_json::{Map, Value, json};
use std::collections::{BTreeSet, HashMap};
use std::sync::{LazyLock, Mutex};

/// How many strings are made of a pattern, and how many of its letters.
const SAMPLES: usize = 15;
/// How many of the shortest texts of a pattern are taken apart.
const SHORTEST: usize = 3;
/// How many elements a list without a limit gets at most.
const ELEMENTS: usize = 3;
/// What an instant of RFC 3339 looks like.
const INSTANT: &str = r"^\d{4}-(0[1-9]|1[0-2])-([0-2]\d|3[01])T([01]\d|2[0-3])(:[0-5]\d){2}(\.\d+)?(Z|[+-]\d\d:\d\d)$";
const INSTANTS: [&str; 4] = [
    "2018-12-20T18:38:02.181Z",
    "2018-12-20T18:38:02Z",
    "2018-12-20T19:38:02.181000+01:00",
    "1970-01-01T00:00:00Z",
];
const NO_INSTANTS: [&str; 6] =
    ["", "a", "1545331082", "2018-12-20", "2018-13-20T18:38:02Z", "2018-12-20T18:38:02"];

/// A value that must be refused.
#[derive(Clone, Debug)]
pub struct Fault {
    pub value: Value,
    /// The members that the refusal must name, the outermost first.
    pub members: Vec<String>,
    pub why: &'static str,
}

/// Tells whether a value satisfies a shape.
pub fn is_valid(shape: &Shape, value: &Value) -> bool {
    let model = model();
    match (shape.kind, value) {
        (Kind::Structure, Value::Object(members)) => {
            let present = |name: &String| members.get(name).is_some_and(|value| !value.is_null());
            shape.required.iter().all(present)
                && shape.members.iter().all(|(name, member)| {
                    !present(name) || is_valid(model.shape(member), &members[name])
                })
        }
        (Kind::List, Value::Array(elements)) => {
            let element = model.shape(shape.member.as_ref().unwrap());
            in_range(shape, elements.len()) && elements.iter().all(|value| is_valid(element, value))
        }
        (Kind::String, Value::String(text)) => {
            let matches = |pattern: &String| matches(pattern, text);
            in_range(shape, text.chars().count())
                && shape.pattern.as_ref().is_none_or(matches)
                && shape.values.as_ref().is_none_or(|values| values.contains(text))
        }
        (Kind::Integer, Value::Number(number)) => number.as_i64().is_some_and(|number| {
            let number = i128::from(number);
            let limit = |limit: Option<usize>| limit.map(|limit| limit as i128);
            limit(shape.min).is_none_or(|min| number >= min)
                && limit(shape.max).is_none_or(|max| number <= max)
                && i32::try_from(number).is_ok()
        }),
        (Kind::Boolean, Value::Bool(_)) => true,
        (Kind::Timestamp, Value::String(text)) => matches(INSTANT, text),
        _ => false,
    }
}

/// Returns values that satisfy a shape, the simplest first; each limit is among them.
pub fn good(shape: &Shape) -> Vec<Value> {
    match shape.kind {
        Kind::Structure => good_structures(shape),
        Kind::List => {
            let element = model().shape(shape.member.as_ref().unwrap());
            let [min, max] = lengths(shape);
            let lists = [min.max(1), min, max].map(|length| repeated(element, length));
            let others = good(element).into_iter().map(|value| vec![value; min.max(1)].into());
            lists.into_iter().chain(others).collect()
        }
        Kind::String => texts(shape).into_iter().filter(|text| is_valid(shape, text)).collect(),
        Kind::Integer => {
            let min = shape.min.unwrap_or(0);
            let max = shape.max.unwrap_or(1000);
            vec![json!(min), json!(min + 1), json!(max - 1), json!(max)]
        }
        Kind::Boolean => vec![json!(true), json!(false)],
        Kind::Timestamp => INSTANTS.map(Value::from).to_vec(),
    }
}

/// Returns the simplest value that satisfies a shape, with all its members.
pub fn simplest(shape: &Shape) -> Value {
    match shape.kind {
        Kind::Structure => {
            let members = shape.members.iter();
            members.map(|(name, it)| (name.clone(), simplest(model().shape(it)))).collect()
        }
        Kind::List => {
            let element = model().shape(shape.member.as_ref().unwrap());
            repeated(element, shape.min.unwrap_or(0).max(1))
        }
        Kind::String => texts(shape).into_iter().find(|text| is_valid(shape, text)).unwrap(),
        Kind::Integer | Kind::Boolean | Kind::Timestamp => good(shape).remove(0),
    }
}

/// Returns values that break a shape: each constraint at and around its limit, each wrong type.
pub fn faults(shape: &Shape) -> Vec<Fault> {
    let mut faults = match shape.kind {
        Kind::Structure => missing_members(shape).chain(faulty_members(shape)).collect(),
        Kind::List => faulty_lists(shape),
        Kind::String => {
            let broken = texts(shape).into_iter().filter(|text| !is_valid(shape, text));
            broken.map(|text| fault(text, "constraint")).collect()
        }
        Kind::Integer => {
            let mut numbers = vec![json!(i64::MAX), json!(i64::MIN), json!(1e300)];
            numbers.extend(shape.min.map(|min| json!(i128::try_from(min).unwrap() - 1)));
            numbers.extend(shape.max.map(|max| json!(max + 1)));
            numbers.into_iter().map(|number| fault(number, "limit")).collect()
        }
        Kind::Boolean => Vec::new(),
        Kind::Timestamp => NO_INSTANTS.map(|text| fault(json!(text), "constraint")).to_vec(),
    };
    let types =
        [json!("1"), json!("true"), json!(1), json!(1.5), json!(true), json!({}), json!([])];
    let wrong = types.into_iter().filter(|value| !is_of_type(shape.kind, value));
    faults.extend(wrong.map(|value| fault(value, "type")));
    faults
}

/// Returns the texts that no member of a URI can be read from.
pub fn faulty_texts(shape: &Shape) -> Vec<String> {
    let mut texts: Vec<String> = faults(shape)
        .into_iter()
        .filter_map(|fault| match (shape.kind, fault.value) {
            (Kind::String | Kind::Timestamp, Value::String(text)) => Some(text),
            (Kind::String, _) | (_, Value::Array(_) | Value::Object(_) | Value::String(_)) => None,
            (_, scalar) => Some(scalar.to_string()),
        })
        .collect();
    if shape.kind == Kind::Integer {
        let no_numbers = ["", " ", "x", "1 ", " 1", "1,0", "0x10", "1_0", "\u{ff11}", "null"];
        texts.extend(no_numbers.map(str::to_owned));
    }
    texts
}

fn fault(value: Value, why: &'static str) -> Fault {
    Fault { value, members: Vec::new(), why }
}

fn is_of_type(kind: Kind, value: &Value) -> bool {
    match kind {
        Kind::Structure => value.is_object(),
        Kind::List => value.is_array(),
        Kind::String | Kind::Timestamp => value.is_string(),
        Kind::Integer => value.is_i64(),
        Kind::Boolean => value.is_boolean(),
    }
}

fn in_range(shape: &Shape, length: usize) -> bool {
    shape.min.is_none_or(|min| length >= min) && shape.max.is_none_or(|max| length <= max)
}

fn lengths(shape: &Shape) -> [usize; 2] {
    let min = shape.min.unwrap_or(0);
    [min, shape.max.unwrap_or(ELEMENTS.max(min))]
}

fn repeated(element: &Shape, length: usize) -> Value {
    vec![simplest(element); length].into()
}

fn good_structures(shape: &Shape) -> Vec<Value> {
    let all = simplest(shape).as_object().unwrap().clone();
    let mut required = all.clone();
    required.retain(|name, _| shape.required.contains(name));
    let mut structures: Vec<Value> = vec![all.clone().into(), required.into()];
    for (name, member) in &shape.members {
        let with = |value| Value::from(with(&all, name, value));
        structures.extend(good(model().shape(member)).into_iter().map(with));
        if !shape.required.contains(name) {
            structures.push(with(Value::Null));
        }
    }
    structures
}

/// Returns members with one of them changed.
pub fn with(members: &Map<String, Value>, name: &str, value: Value) -> Map<String, Value> {
    let mut members = members.clone();
    members.insert(name.to_owned(), value);
    members
}

fn missing_members(shape: &Shape) -> impl Iterator<Item = Fault> {
    let simplest = simplest(shape);
    shape.required.iter().flat_map(move |name| {
        let mut absent = simplest.as_object().unwrap().clone();
        let null = with(&absent, name, Value::Null);
        absent.remove(name);
        let missing = |members: Map<String, Value>| Fault {
            value: members.into(),
            members: vec![name.clone()],
            why: "missing",
        };
        [missing(absent), missing(null)]
    })
}

fn faulty_members(shape: &Shape) -> impl Iterator<Item = Fault> {
    let simplest = simplest(shape);
    shape.members.iter().flat_map(move |(name, member)| {
        let members = simplest.as_object().unwrap().clone();
        faults(model().shape(member)).into_iter().map(move |fault| Fault {
            value: with(&members, name, fault.value).into(),
            members: [vec![name.clone()], fault.members].concat(),
            why: fault.why,
        })
    })
}

fn faulty_lists(shape: &Shape) -> Vec<Fault> {
    let element = model().shape(shape.member.as_ref().unwrap());
    let too_short = shape.min.map(|min| repeated(element, min - 1));
    let too_long = shape.max.map(|max| repeated(element, max + 1));
    let mut lists: Vec<_> =
        too_short.into_iter().chain(too_long).map(|list| fault(list, "length")).collect();
    let null = fault(Value::Null, "null");
    lists.extend(faults(element).into_iter().chain([null]).map(|fault| {
        // Behind a good one, so that not only the first element is looked at.
        let list = vec![simplest(element), fault.value];
        Fault { value: list.into(), ..fault }
    }));
    lists
}

/// Returns texts around all that a string's shape says, good and bad.
fn texts(shape: &Shape) -> Vec<Value> {
    let mut texts = vec!["a".to_owned(), "1".to_owned(), String::new()];
    if let Some(values) = &shape.values {
        texts.clone_from(values);
        texts.push(String::new());
        for value in values {
            let swapped = |c: char| {
                if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }
            };
            texts.extend([value.to_lowercase(), value.to_uppercase(), format!("{value} ")]);
            texts.extend([value.chars().map(swapped).collect(), format!("No{value}")]);
        }
    }
    for letter in ["a", "1", "\u{e9}", "\u{6f22}", "\u{1f600}"] {
        for limit in [shape.min, shape.max].into_iter().flatten() {
            let around = [limit.saturating_sub(1), limit, limit + 1];
            texts.extend(around.map(|length| letter.repeat(length)));
        }
    }
    if let Some(pattern) = &shape.pattern {
        texts.extend(pattern_texts(pattern));
    }
    let mut seen = BTreeSet::new();
    texts.retain(|text| seen.insert(text.clone()));
    texts.into_iter().map(Value::from).collect()
}

fn matches(pattern: &str, text: &str) -> bool {
    static PATTERNS: LazyLock<Mutex<HashMap<String, Regex>>> = LazyLock::new(Mutex::default);
    let mut patterns = PATTERNS.lock().unwrap();
    let compiled = || Regex::new(pattern).unwrap();
    patterns.entry(pattern.to_owned()).or_insert_with(compiled).is_match(text)
}

/// Returns texts that a pattern makes, and others of the characters that it is written with.
fn pattern_texts(pattern: &str) -> Vec<String> {
    static TEXTS: LazyLock<Mutex<HashMap<String, Vec<String>>>> = LazyLock::new(Mutex::default);
    let mut texts = TEXTS.lock().unwrap();
    texts.entry(pattern.to_owned()).or_insert_with(|| new_pattern_texts(pattern)).clone()
}

fn new_pattern_texts(pattern: &str) -> Vec<String> {
    let spaces = [' ', '\t', '\n', '\r', '\u{a0}', '\u{2028}', '\u{3000}'];
    let others = ['a', 'Z', '0', '\u{e9}', '\u{1f600}', '/', '%', '\0'];
    let letters: Vec<char> = pattern.chars().chain(spaces).chain(others).collect();
    // Anchors say where a text ends, which a whole text does not need.
    assert!(!pattern.contains("[^"), "'{pattern}' needs its anchors told from negations");
    let pattern = pattern.replace(['^', '$'], "");
    let made = string_regex(&pattern).unwrap();
    // In the shortest texts each letter counts: without one of them the pattern fails.
    let shortest = string_regex(&pattern.replace(".+", ".").replace(".*", "")).unwrap();
    let collected = |letters: Vec<char>| letters.into_iter().collect::<String>();
    let near = vec(select(letters), 0..8).prop_map(collected);
    let blank = vec(select(spaces.to_vec()), 1..4).prop_map(collected);
    // The same texts in every run.
    let mut runner = TestRunner::deterministic();
    let mut texts = Vec::new();
    for _ in 0..SAMPLES {
        let text = made.new_tree(&mut runner).unwrap().current();
        texts.extend([format!("{text} "), format!("{text}\n"), format!(" {text}"), text]);
        texts.push(near.new_tree(&mut runner).unwrap().current());
        texts.push(blank.new_tree(&mut runner).unwrap().current());
    }
    for _ in 0..SHORTEST {
        let letters: Vec<char> =
            shortest.new_tree(&mut runner).unwrap().current().chars().collect();
        for index in 0..letters.len() {
            let (before, rest) = letters.split_at(index);
            let joined = |middle: &[char]| [before, middle, &rest[1..]].concat().iter().collect();
            texts.extend([joined(&[]), joined(&['\n']), joined(&rest[..1])]);
        }
    }
    texts
}

/// Returns the members of an operation's request that stand in one place.
pub fn members_at(
    input: Option<&Shape>,
    location: Location,
) -> impl Iterator<Item = (&String, &Reference)> {
    let members = input.into_iter().flat_map(|input| &input.members);
    members.filter(move |(_, member)| member.location == location)
}

/// Collects the names of a shape and of all that it holds.
pub fn reachable<'a>(reference: &'a Reference, names: &mut BTreeSet<&'a str>) {
    if names.insert(&reference.name) {
        let shape = model().shape(reference);
        shape.members.values().chain(&shape.member).for_each(|it| reachable(it, names));
    }
}

/// Asserts what the values are worth: every good one is valid, and no faulty one is.
pub fn assert_sound(name: &str) {
    let shape = &model().shapes[name];
    assert!(is_valid(shape, &simplest(shape)), "{name}");
    let good = good(shape);
    for value in &good {
        assert!(is_valid(shape, value), "{name} is not {value}");
    }
    let faults = faults(shape);
    for fault in &faults {
        assert!(!is_valid(shape, &fault.value), "{name} is {fault:?}");
    }
    let constrained = shape.pattern.is_some() || shape.values.is_some() || shape.max.is_some();
    assert!(good.len() > 1 || shape.values.is_some() || shape.members.is_empty(), "{name}");
    assert!(!constrained || faults.iter().any(|it| it.why != "type"), "no value breaks {name}");
}
