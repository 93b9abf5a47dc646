//! What every answer is held against: the operation's output, its errors, and the form of both.

use super::{Kind, Model, Operation, Shape, aws, model};
use crate::harness::Answer;
use campanile::clock::Timestamp;
use serde_json::Value;
use std::collections::BTreeSet;

/// What any operation may answer before it runs: the Common Errors of the API reference, the
/// failures of Signature Version 4, and the limits of HTTP.
const COMMON_ERRORS: [(&str, u16); 12] = [
    ("ExpiredTokenException", 403),
    ("IncompleteSignatureException", 403),
    ("InvalidSignatureException", 403),
    ("MalformedHttpRequestException", 400),
    ("MissingAuthenticationTokenException", 403),
    ("RequestEntityTooLargeException", 413),
    ("RequestHeaderFieldsTooLargeException", 431),
    ("RequestTimeoutException", 408),
    ("RequestUriTooLongException", 414),
    ("ThrottlingException", 429),
    ("UnknownOperationException", 404),
    ("UnrecognizedClientException", 403),
];

/// Members that the service sent and the model does not have, by shape (recorded in January 2019 in
/// the samples of the API reference).
const RECORDED_MEMBERS: [(&str, &[&str]); 2] = [
    (
        "Account",
        &[
            "Admins",
            "BillingType",
            "DelegationStatus",
            "DirectoryId",
            "Domains",
            "Groups",
            "Owner",
            "UseProTrialLicense",
        ],
    ),
    (
        "User",
        &[
            "Delegates",
            "Devices",
            "EmailAlias",
            "FullName",
            "IsProTrial",
            "LastActiveOn",
            "PresenceVisibility",
            "UserLocale",
            "Vanity",
        ],
    ),
];

/// How the names of members begin that tests import and neither the model nor a recording has.
pub const UNKNOWN: &str = "Unknown";

/// Members that the model has got since then; the recorded form under `/console` is without them.
const NEWER_MEMBERS: [(&str, &[&str]); 2] =
    [("Account", &["SigninDelegateGroups"]), ("User", &["AlexaForBusinessMetadata", "UserType"])];

/// The modelled members that answers held with a value, each as `Shape.Member`.
pub type Seen = BTreeSet<String>;

/// Asserts that the API may answer so to a request; returns what the answer proves.
pub fn check(method: &str, target: &str, answer: &Answer) -> Seen {
    let path = target.split('?').next().unwrap_or_default();
    // STS, and what is not the API's: each has a form of its own.
    if path == "/" || path.starts_with("/health/") || ["HEAD", "OPTIONS"].contains(&method) {
        return Seen::new();
    }
    let what = format!("{method} {target}: {answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"), "{what}");
    assert_compact(answer, &what);
    let operation = model().operation_at(method, target);
    if answer.status >= 400 {
        assert_may_answer(operation, answer, &what);
        return Seen::new();
    }
    let operation = operation.unwrap_or_else(|| panic!("no operation is here: {what}"));
    assert_eq!(answer.status, operation.http.response_code, "{what}");
    let console = path.starts_with("/console/");
    let mut form = Form { console, model: model(), seen: Seen::new() };
    match (&operation.output, answer.status) {
        (_, 204) => {}
        (Some(output), _) => form.check(&output.name, &answer.json(), &what),
        (None, _) => assert_eq!(answer.body, "{}", "{what}"),
    }
    form.seen
}

/// Returns whether and with what status an exception may precede every operation.
pub fn common_error(exception: &str) -> Option<u16> {
    COMMON_ERRORS.iter().find(|(name, _)| *name == exception).map(|&(_, status)| status)
}

/// Asserts that members stand in the order of their names without any space between them, and that
/// where there is no content nothing says how long it is.
fn assert_compact(answer: &Answer, what: &str) {
    if answer.status == 204 {
        assert_eq!(answer.header("content-length"), None, "{what}");
        assert_eq!(answer.body, "", "{what}");
        return;
    }
    assert_eq!(sorted(&answer.json()), answer.body, "{what}");
}

/// Writes JSON compactly, with members in the order of their names.
fn sorted(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            let write = |(name, value)| format!("{}:{}", Value::from(name), sorted(value));
            let written: Vec<_> =
                members.into_iter().map(|(name, value)| write((name.as_str(), value))).collect();
            format!("{{{}}}", written.join(","))
        }
        Value::Array(elements) => {
            let written: Vec<_> = elements.iter().map(sorted).collect();
            format!("[{}]", written.join(","))
        }
        scalar => scalar.to_string(),
    }
}

/// Asserts that the exception is a common error or one that the model declares.
fn assert_may_answer(operation: Option<&Operation>, answer: &Answer, what: &str) {
    let (exception, message) = answer.error();
    assert!(!message.is_empty(), "{what}");
    if let Some(status) = common_error(&exception) {
        assert_eq!(answer.status, status, "{what}");
        assert_eq!(answer.json()["Code"], exception, "{what}");
        return;
    }
    if let Some((code, status)) = aws::iam_error(&exception)
        && operation.is_some_and(|it| it.name.starts_with("iam:"))
        && exception != "ServiceFailureException"
    {
        assert_eq!((answer.status, &answer.json()["Code"]), (status, &code.into()), "{what}");
        return;
    }
    let model = model();
    let shape = model.shapes.get(&exception).unwrap_or_else(|| panic!("no error: {what}"));
    let error = shape.error.as_ref().unwrap_or_else(|| panic!("no error: {what}"));
    assert_eq!(answer.status, error.http_status_code, "{what}");
    let codes = model.shape(&shape.members["Code"]).values.as_ref().unwrap();
    assert!(codes.iter().any(|code| answer.json()["Code"] == **code), "{what}");
    let declares = |operation: &Operation| operation.errors.iter().any(|it| it.name == exception);
    let allowed = match operation {
        Some(operation) => operation.is_extension() || declares(operation),
        // What is no operation may answer what every operation may.
        None => model.operations.values().filter(|it| !it.is_extension()).all(declares),
    };
    assert!(allowed, "the model does not declare it: {what}");
}

struct Form<'a> {
    console: bool,
    model: &'a Model,
    seen: Seen,
}

impl Form<'_> {
    /// Asserts that a value has a shape's type, and a structure exactly the members it must have.
    fn check(&mut self, name: &str, value: &Value, what: &str) {
        let shape = &self.model.shapes[name];
        let what = &format!("{name} in {what}");
        match shape.kind {
            Kind::Structure => self.check_members(name, shape, value, what),
            Kind::List => {
                let element = shape.member.as_ref().unwrap();
                for value in value.as_array().unwrap_or_else(|| panic!("no list: {what}")) {
                    self.check(&element.name, value, what);
                }
            }
            Kind::String => {
                let text = value.as_str().unwrap_or_else(|| panic!("no string: {what}"));
                let known =
                    shape.values.as_ref().is_none_or(|values| values.contains(&text.into()));
                assert!(known, "'{text}' is no {what}");
            }
            Kind::Integer => assert!(value.is_i64(), "no integer: {what}"),
            Kind::Boolean => assert!(value.is_boolean(), "no boolean: {what}"),
            Kind::Timestamp => {
                assert_eq!(shape.timestamp_format.as_deref(), Some("iso8601"), "{what}");
                let text = value.as_str().unwrap_or_else(|| panic!("no timestamp: {what}"));
                assert_timestamp(text, what);
            }
        }
    }

    fn check_members(&mut self, name: &str, shape: &Shape, value: &Value, what: &str) {
        let members = value.as_object().unwrap_or_else(|| panic!("no object: {what}"));
        let mut expected: BTreeSet<&str> = shape.members.keys().map(String::as_str).collect();
        expected.extend(listed(&RECORDED_MEMBERS, name));
        if self.console {
            for newer in listed(&NEWER_MEMBERS, name) {
                assert!(expected.remove(newer), "{what}");
            }
        }
        let found = members.keys().map(String::as_str);
        let found: BTreeSet<&str> = found.filter(|name| !name.starts_with(UNKNOWN)).collect();
        assert_eq!(found, expected, "{what}");
        for (member, reference) in &shape.members {
            match members.get(member) {
                None => {}
                Some(Value::Null) => assert!(!shape.required.contains(member), "{member}: {what}"),
                Some(value) => {
                    self.seen.insert(format!("{name}.{member}"));
                    self.check(&reference.name, value, what);
                }
            }
        }
    }
}

fn listed<'a>(
    lists: &'a [(&str, &'a [&'a str])],
    shape: &str,
) -> impl Iterator<Item = &'a str> + use<'a> {
    let list = lists.iter().find(|(name, _)| *name == shape);
    list.into_iter().flat_map(|(_, members)| members.iter().copied())
}

/// Asserts that an instant is written as all recorded ones are: `2018-12-20T18:38:02.181Z`.
fn assert_timestamp(text: &str, what: &str) {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000Z", "{text}: {what}");
    let instant = Timestamp::try_from(text.to_owned());
    assert_eq!(instant.unwrap().to_string(), text, "{what}");
}
