//! The crate iam-rs, another evaluator of the same language, decides as we do: on every condition and
//! resource out of small parts, and on random policies. Where it differs from what AWS documents, the
//! difference is in a list here, with its reason and with how many of the cases it decides.

use super::*;
use iam_rs::{Arn, Context, ContextValue, IAMPolicy, IAMRequest, PrincipalId};
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::BTreeMap;

/// What a policy says to a request; nothing, if it is refused.
type Outcome = Option<Decision>;

fn ours(document: &Value, asked: &Asked<'_>) -> Outcome {
    let policy = Policy::parse(&document.to_string(), Kind::Identity).ok()?;
    Some(ask(&[policy], asked.action, asked.resource, asked.entries))
}

fn theirs(document: &Value, asked: &Asked<'_>) -> Outcome {
    let policy = IAMPolicy::from_json(&document.to_string()).ok()?;
    let mut context = Context::new();
    for (key, values) in asked.entries {
        context.insert((*key).to_owned(), typed(key, values));
    }
    let principal = iam_rs::Principal::Aws(PrincipalId::String(ANN.to_owned()));
    let resource = Arn::parse(asked.resource).unwrap();
    let request = IAMRequest::new_with_context(principal, asked.action, resource, context);
    Some(match iam_rs::evaluate_policy(&policy, &request).ok()? {
        iam_rs::Decision::Allow => Decision::Allowed,
        iam_rs::Decision::Deny => Decision::ExplicitDeny,
        iam_rs::Decision::NotApplicable => Decision::ImplicitDeny,
    })
}

/// Values of a request have types there, and only strings have none here.
fn typed(key: &str, values: &[&str]) -> ContextValue {
    let booleans = || values.iter().map(|it| *it == "true");
    match (key, values) {
        ("a:bool", [_]) => ContextValue::Boolean(booleans().all(|it| it)),
        ("a:bool", _) => ContextValue::BooleanList(booleans().collect()),
        (_, [value]) => ContextValue::String((*value).to_owned()),
        _ => ContextValue::StringList(values.iter().map(|it| (*it).to_owned()).collect()),
    }
}

#[derive(Clone, Copy, Debug)]
struct Asked<'a> {
    action: &'a str,
    resource: &'a str,
    entries: &'a Entries<'a>,
}

/// A condition, and the values that the request has for its key.
#[derive(Clone, Debug)]
struct Case {
    set: &'static str,
    operator: &'static str,
    if_exists: &'static str,
    policy: &'static str,
    values: Option<&'static [&'static str]>,
}

struct Family {
    operators: &'static [&'static str],
    /// JSON.
    policy: &'static [&'static str],
    values: &'static [&'static [&'static str]],
}

#[rustfmt::skip]
const FAMILIES: &[Family] = &[
    Family {
        operators: &["StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase",
            "StringLike", "StringNotLike"],
        policy: &[r#""ann""#, r#""ANN""#, r#""a*""#, r#""a?n""#, r#"["ann", "bob"]"#, r#"["b*", "a*", "ann"]"#,
            r#""""#, "5", "true", "[]", r#""${aws:username}""#, r#""${aws:username, 'ann'}""#, r#""${*}""#],
        values: &[&["ann"], &["Ann"], &["a*"], &["bob"], &[""], &[], &["ann", "bob"], &["ann", "x"], &["x", "y"]],
    },
    Family {
        operators: &["NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals",
            "NumericGreaterThan", "NumericGreaterThanEquals"],
        policy: &["5", r#""5""#, "5.5", "-3", r#"["1", "7"]"#, r#""five""#, r#""nan""#],
        values: &[&["5"], &["5.0"], &["6"], &["-7.5"], &["five"], &[], &["1", "5"]],
    },
    Family {
        operators: &["DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan",
            "DateGreaterThanEquals"],
        policy: &[r#""2020-01-01T00:00:00Z""#, r#""1577836800""#, "1577836800",
            r#"["2019-12-31T23:59:59Z", "2020-01-01T01:00:00+01:00"]"#, r#""2020-01-01""#, r#""2020""#, r#""then""#],
        values: &[&["2020-01-01T00:00:00Z"], &["1577836800"], &["2021-06-01T12:00:00.5Z"],
            &["1999-01-01T00:00:00-05:00"], &["now"], &[], &["2020-01-01T00:00:00Z", "2021-06-01T12:00:00Z"]],
    },
    Family {
        operators: &["Bool"],
        policy: &["true", "false", r#""true""#, r#""False""#, r#"["true", "false"]"#, r#""x""#],
        values: &[&["true"], &["false"], &[], &["true", "false"], &["true", "true"]],
    },
    Family {
        operators: &["BinaryEquals"],
        policy: &[r#""aGk=""#, r#""AGk=""#, r#"["aGk=", "aGo="]"#, r#""aGk""#, r#""?""#],
        values: &[&["aGk="], &["AGk="], &["aGk"], &["?"], &[]],
    },
    Family {
        operators: &["IpAddress", "NotIpAddress"],
        policy: &[r#""10.0.0.0/8""#, r#""10.1.2.3""#, r#"["10.0.0.0/8", "2001:db8::/32"]"#, r#""::/0""#,
            r#""10.9.9.9/8""#, r#""10.0.0.0/33""#, r#""::ffff:10.0.0.0/104""#],
        values: &[&["10.1.2.3"], &["11.0.0.1"], &["2001:db8::1"], &["::ffff:10.1.2.3"], &["10.0.0.0/9"], &["x"],
            &[], &["10.1.2.3", "11.0.0.1"]],
    },
    Family {
        operators: &["ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"],
        policy: &[r#""arn:aws:iam::1:user/ann""#, r#""arn:aws:iam::*:user/*""#, r#""arn:aws:iam::?:user/a?n""#,
            r#""*""#, r#"["arn:aws:iam::1:role/r", "arn:aws:iam::1:user/ann"]"#, r#""arn:aws:i*m::1:user/ann""#,
            r#""ann""#, r#""arn:aws:iam::*""#],
        values: &[&["arn:aws:iam::1:user/ann"], &["arn:aws:iam::1:role/r"], &["arn:aws:iam::1:x:user/ann"],
            &["ann"], &[], &["arn:aws:iam::1:user/ann", "arn:aws:iam::2:role/x"]],
    },
    Family {
        operators: &["Null"],
        policy: &["true", "false", r#""true""#, r#""false""#, r#"["true", "false"]"#, r#""x""#],
        values: &[&["x"], &[], &["x", "y"]],
    },
];

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for Family { operators, policy, values } in FAMILIES {
        for operator in *operators {
            for set in ["", "ForAllValues:", "ForAnyValue:"] {
                for if_exists in ["", "IfExists"] {
                    for policy in *policy {
                        let values = values.iter().map(|it| Some(*it)).chain([None]);
                        cases.extend(values.map(|values| Case {
                            set,
                            operator,
                            if_exists,
                            policy,
                            values,
                        }));
                    }
                }
            }
        }
    }
    cases
}

impl Case {
    fn outcomes(&self) -> (Outcome, Outcome) {
        let Self { set, operator, if_exists, policy, values } = self;
        let key = if *operator == "Bool" { "a:bool" } else { "a:b" };
        let policy: Value = serde_json::from_str(policy).unwrap();
        let operator = format!("{set}{operator}{if_exists}");
        let document = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
            "Action": "*", "Resource": "*", "Condition": {operator: {key: policy}}}]});
        let mut entries: Vec<(&str, &[&str])> = vec![("aws:username", &["ann"])];
        entries.extend(values.map(|values| (key, values)));
        let asked = Asked { action: "iam:GetUser", resource: ANN, entries: &entries };
        (ours(&document, &asked), theirs(&document, &asked))
    }

    fn is_of(&self, family: &str) -> bool {
        self.operator.contains(family)
    }
}

/// Why iam-rs differs, which cases that is about, and how many of them are decided otherwise: the
/// first that is about a case explains it.
type Difference<T> = (&'static str, fn(&T, Outcome, Outcome) -> bool, usize);

/// Checks that what differs is exactly what is listed.
fn check<T: std::fmt::Debug>(
    cases: Vec<T>,
    outcomes: impl Fn(&T) -> (Outcome, Outcome),
    differences: &[Difference<T>],
) {
    let mut seen: BTreeMap<_, usize> = differences.iter().map(|(why, _, _)| (*why, 0)).collect();
    for case in cases {
        let (ours, theirs) = outcomes(&case);
        if ours != theirs {
            let why = differences.iter().find(|(_, explains, _)| explains(&case, ours, theirs));
            let why = why.unwrap_or_else(|| panic!("{case:?}: {ours:?}, but iam-rs {theirs:?}"));
            *seen.entry(why.0).or_default() += 1;
        }
    }
    let listed: BTreeMap<_, _> = differences.iter().map(|(why, _, count)| (*why, *count)).collect();
    assert_eq!(seen, listed);
}

const CONDITIONS: &[Difference<Case>] = &[
    (
        "it has set operators for strings, ARNs and booleans alone, and none with IfExists",
        |case, _, theirs| {
            let has = ["String", "Arn", "Bool"].iter().any(|it| case.is_of(it));
            !case.set.is_empty() && theirs.is_none() && (!has || !case.if_exists.is_empty())
        },
        4396,
    ),
    (
        "it takes what is malformed: an empty list, a number that is none, bytes, ARNs and networks",
        |_, ours, _| ours.is_none(),
        696,
    ),
    (
        "it refuses what the grammar has: booleans and numbers for strings, and strings for booleans; \
         False; a day for a time",
        |case, _, theirs| {
            theirs.is_none()
                && (["5", "true", "\"2020-01-01\""].contains(&case.policy) || case.is_of("Bool"))
        },
        624,
    ),
    (
        "it takes a key without values for one with values (single-vs-multi: null data sets)",
        |case, _, _| case.values == Some(&[]),
        188,
    ),
    (
        "AWS wants a set operator where a request has many values; without one, it compares strings \
         alone, and a negated operator holds as soon as one value differs: too much would be allowed",
        |case, _, _| case.set.is_empty() && case.values.is_some_and(|it| it.len() > 1),
        231,
    ),
    ("it has no policy variables in conditions", |case, _, _| case.policy.contains("${"), 88),
    ("it looks at the first value of Null alone", |case, _, _| case.operator == "Null", 1),
    (
        "ArnEquals has no wildcards there; AWS's is ArnLike (operators)",
        |case, _, _| ["ArnEquals", "ArnNotEquals"].contains(&case.operator),
        56,
    ),
    (
        "ArnLike does not match the six parts one by one (operators)",
        |case, _, _| case.is_of("Like") && case.values == Some(&["arn:aws:iam::1:x:user/ann"]),
        8,
    ),
    (
        "a year is seconds since 1970 there; W3C's ISO 8601 has years",
        |case, _, _| case.is_of("Date") && case.policy == "\"2020\"",
        24,
    ),
    (
        "bytes in base64 are compared without case there, and with any padding",
        |case, _, _| case.is_of("Binary"),
        12,
    ),
    (
        "an IPv4 address written as one of IPv6 is none there (ours)",
        |case, _, _| {
            let mapped = |it: &str| it.contains("::ffff:");
            case.is_of("Ip") && (mapped(case.policy) || case.values.is_some_and(|it| mapped(it[0])))
        },
        24,
    ),
    (
        "a request may come from a whole network there",
        |case, _, _| case.is_of("Ip") && case.values == Some(&["10.0.0.0/9"]),
        12,
    ),
];

#[test]
fn conditions_differ_exactly_where_listed() {
    check(cases(), Case::outcomes, CONDITIONS);
}

/// A resource or an action of a policy, and one that is asked for.
#[derive(Clone, Debug)]
struct Named {
    version: &'static str,
    element: &'static str,
    policy: &'static str,
    asked: &'static str,
    username: Option<&'static str>,
}

#[rustfmt::skip]
const RESOURCES: &[&str] = &["*", ANN, "arn:aws:iam::111122223333:user/*", "arn:aws:iam::*:user/ann",
    "arn:aws:iam::1*3:user/a?n", "arn:aws:iam::????:user/ann", "arn:aws:iam::*:*/ann", "arn:*:iam::*:*",
    "arn:aws:iam:*", "arn:aws:iam::*", "arn:aws:iam::1*:user/ann", "arn:aws:i*m::*:user/ann", "arn:aws:*",
    "ann", "arn:aws:iam::*:user/${aws:username}", "arn:aws:iam::*:user/${aws:username, 'ann'}",
    "arn:aws:iam::*:user/a${*}n", "arn:aws:iam::${aws:PrincipalAccount}:user/ann"];
#[rustfmt::skip]
const ASKED: &[&str] = &[ANN, "arn:aws:iam::111122223333:user/a*n", "arn:aws:iam::111122223333:user/team/ann",
    "arn:aws:iam::111122223333:user/x:user/ann", "arn:aws:iam::444455556666:role/ann", "arn:aws:sts::111122223333:user/ann",
    "arn:aws:iam::111122223333:user/", "arn:aws-cn:iam::111122223333:user/ann"];

fn named() -> Vec<Named> {
    let mut named = Vec::new();
    for version in ["2012-10-17", "2008-10-17"] {
        for element in ["Resource", "NotResource"] {
            for policy in RESOURCES {
                for asked in ASKED {
                    for username in [None, Some("ann"), Some("a*"), Some("bob")] {
                        named.push(Named { version, element, policy, asked, username });
                    }
                }
            }
        }
    }
    named
}

impl Named {
    fn outcomes(&self) -> (Outcome, Outcome) {
        let Self { version, element, policy, asked, username } = *self;
        let document = json!({"Version": version,
            "Statement": [{"Effect": "Allow", "Action": "*", element: policy}]});
        let username = username.map(|it| [it]);
        let entry = username.as_ref().map(|it| ("aws:username", it.as_slice()));
        let entries: Vec<_> = entry.into_iter().collect();
        let asked = Asked { action: "iam:GetUser", resource: asked, entries: &entries };
        (ours(&document, &asked), theirs(&document, &asked))
    }
}

const NAMED: &[Difference<Named>] = &[
    (
        "it has no ARNs that end in a wildcard before their last part (elements_resource)",
        |case, _, theirs| theirs.is_none() && case.policy.starts_with("arn:aws:iam:"),
        256,
    ),
    (
        "it takes what is malformed: a wildcard for the service, a variable before the fifth colon",
        |_, ours, _| ours.is_none(),
        192,
    ),
    (
        "a wildcard does not go on beyond the end of its part there (elements_resource)",
        |case, _, _| {
            case.asked == "arn:aws:iam::111122223333:user/x:user/ann" && case.policy.contains("*:")
        },
        39,
    ),
    (
        "it has policy variables before version 2012-10-17 too (variables)",
        |case, _, _| case.version == "2008-10-17" && case.policy.contains("${"),
        12,
    ),
    (
        "${*} is nothing there, not an asterisk (variables: special characters)",
        |case, _, _| case.policy.contains("${*}"),
        8,
    ),
    (
        "a variable without a value is an empty text there; with AWS the statement fails (variables)",
        |case, _, _| case.username.is_none() && case.policy.contains("${aws:username}"),
        7,
    ),
    (
        "a variable's value can have wildcards there, so that a name could match others (ours)",
        |case, _, _| case.username == Some("a*") && case.policy.contains("${aws:username"),
        4,
    ),
];

#[test]
fn resources_differ_exactly_where_listed() {
    check(named(), Named::outcomes, NAMED);
}

/// Conditions that both know.
fn condition() -> impl Strategy<Value = Value> {
    let set = select(vec!["", "", "ForAllValues:", "ForAnyValue:"]);
    #[rustfmt::skip]
    let compared = select(vec![
        ("StringEquals", "a:b", json!("ann")), ("StringNotEquals", "a:b", json!(["ann", "x"])),
        ("StringEqualsIgnoreCase", "A:B", json!("ANN")), ("StringLike", "a:b", json!(["a*", "b?"])),
        ("StringNotLike", "a:b", json!("*n")), ("ArnLike", "a:arn", json!("arn:aws:iam::*:user/*")),
        ("ArnNotLike", "a:arn", json!(["arn:aws:iam::1:role/r", "arn:*:iam::?:user/a*"])), ("Bool", "a:bool", json!(true)),
        ("NumericLessThan", "a:number", json!(5)), ("NumericNotEquals", "a:number", json!(["7", "5"])),
        ("DateGreaterThanEquals", "a:time", json!("2020-01-01T00:00:00Z")), ("DateLessThan", "a:time", json!(1_577_836_800)),
        ("IpAddress", "a:ip", json!(["10.0.0.0/8", "2001:db8::/32"])), ("NotIpAddress", "A:IP", json!("10.0.0.0/9")),
        ("Null", "a:b", json!("true")),
    ]);
    (set, compared, any::<bool>()).prop_map(|(set, (operator, key, value), if_exists)| {
        let has_sets = ["String", "Arn", "Bool"].iter().any(|it| operator.starts_with(it));
        let set = if has_sets { set } else { "" };
        let suffix =
            if if_exists && set.is_empty() && operator != "Null" { "IfExists" } else { "" };
        json!({format!("{set}{operator}{suffix}"): {key: value}})
    })
}

fn statement() -> impl Strategy<Value = Value> {
    #[rustfmt::skip]
    let actions = select(vec![json!("*"), json!("iam:*"), json!(["IAM:get*", "chime:ListAccounts"]), json!("*:*User"),
        json!("chime:????Accounts")]);
    #[rustfmt::skip]
    let resources = select(vec![json!("*"), json!(ANN), json!("arn:aws:iam::*:user/${aws:username}"),
        json!(["arn:aws:iam::1*:role/*", "arn:aws:iam::444455556666:user/${aws:username, 'bob'}"])]);
    let conditions = prop::collection::vec(condition(), 0..3);
    (any::<[bool; 3]>(), actions, resources, conditions).prop_map(
        |([allows, not_action, not_resource], actions, resources, conditions)| {
            let mut statement = json!({ "Effect": if allows { "Allow" } else { "Deny" } });
            statement[if not_action { "NotAction" } else { "Action" }] = actions;
            statement[if not_resource { "NotResource" } else { "Resource" }] = resources;
            for condition in conditions {
                let (operator, keys) = condition.as_object().unwrap().iter().next().unwrap();
                statement["Condition"][operator] = keys.clone();
            }
            statement
        },
    )
}

fn entries() -> impl Strategy<Value = Vec<(&'static str, &'static [&'static str])>> {
    let one = |key: &'static str, values: &'static [&'static [&'static str]]| {
        prop::option::weighted(0.8, select(values)).prop_map(move |it| it.map(|it| (key, it)))
    };
    let username = select(vec!["ann", "bob"]);
    let entries = (
        one("a:b", &[&["ann"], &["x"], &["bo"], &["Ann"]]),
        one("a:arn", &[&["arn:aws:iam::1:user/ann"], &["arn:aws:iam::1:role/r"], &["ann"]]),
        one("a:bool", &[&["true"], &["false"]]),
        one("a:number", &[&["5"], &["4.5"], &["seven"]]),
        one("a:time", &[&["2020-01-01T00:00:00Z"], &["1577836799"], &["2026-11-26T12:00:00Z"]]),
        one("a:ip", &[&["10.1.2.3"], &["10.200.1.1"], &["2001:db8::7"], &["192.0.2.1"]]),
    );
    (username, entries).prop_map(|(username, (a, b, c, d, e, f))| {
        let username: &[&str] = if username == "ann" { &["ann"] } else { &["bob"] };
        [Some(("aws:username", username)), a, b, c, d, e, f].into_iter().flatten().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4000) })]

    #[test]
    fn random_policies_decide_the_same(
        statements in prop::collection::vec(statement(), 1..5),
        action in select(vec!["iam:GetUser", "chime:ListAccounts", "iam:CreateUser", "sts:AssumeRole"]),
        resource in select(vec![ANN, "arn:aws:iam::111122223333:role/r", "arn:aws:iam::444455556666:user/bob"]),
        entries in entries(),
    ) {
        let document = json!({"Version": "2012-10-17", "Statement": statements});
        let asked = Asked { action, resource, entries: &entries };
        let decision = ours(&document, &asked);
        prop_assert!(decision.is_some());
        prop_assert_eq!(decision, theirs(&document, &asked));
    }
}
