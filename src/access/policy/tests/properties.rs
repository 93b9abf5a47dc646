//! What holds for all policies and requests.

use super::*;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

fn condition() -> impl Strategy<Value = Value> {
    let operator = select(vec![
        "StringEquals",
        "StringNotEquals",
        "StringLike",
        "StringNotLikeIfExists",
        "ArnLike",
        "ArnNotEquals",
        "NumericLessThan",
        "NumericNotEqualsIfExists",
        "DateGreaterThan",
        "Bool",
        "IpAddress",
        "NotIpAddress",
        "Null",
        "ForAllValues:StringLike",
        "ForAnyValue:StringNotEquals",
    ]);
    let key = select(vec!["aws:username", "aws:TagKeys", "aws:SourceIp", "aws:EpochTime"]);
    (operator, key, any::<prop::sample::Index>()).prop_map(|(operator, key, index)| {
        let values: &[Value] = match operator {
            _ if operator.starts_with("Arn") => {
                &[json!("arn:aws:iam::*:user/${aws:username}"), json!("*")]
            }
            _ if operator.contains("Numeric") => &[json!(5), json!(["1", "7"])],
            _ if operator.starts_with("Date") => &[json!("2020-01-01"), json!(1_600_000_000)],
            "Bool" | "Null" => &[json!(true), json!("false")],
            _ if operator.ends_with("IpAddress") => {
                &[json!("10.0.0.0/8"), json!(["::/0", "1.2.3.4"])]
            }
            _ => &[
                json!("a*"),
                json!(["ann", "x"]),
                json!("${aws:username, 'ann'}"),
                json!("${aws:userid}"),
            ],
        };
        json!({ operator: { key: index.get(values) } })
    })
}

fn statement(effect: &'static str) -> impl Strategy<Value = Value> {
    let action = select(vec![
        json!("*"),
        json!("chime:*"),
        json!(["chime:Get*", "iam:*"]),
        json!("IAM:GETUSER"),
        json!("chime:*User"),
    ]);
    let resource = select(vec![
        json!("*"),
        json!(ANN),
        json!("arn:aws:iam::*"),
        json!("arn:aws:iam::*:user/${aws:username}"),
        json!(["arn:aws:iam::1*:role/*", "arn:aws:sts:*"]),
    ]);
    let negations: (proptest::bool::Any, proptest::bool::Any) = (any::<bool>(), any::<bool>());
    (action, resource, negations, prop::option::of(condition())).prop_map(
        move |(action, resource, (not_action, not_resource), condition)| {
            let mut statement = json!({ "Effect": effect });
            statement[if not_action { "NotAction" } else { "Action" }] = action;
            statement[if not_resource { "NotResource" } else { "Resource" }] = resource;
            if let Some(condition) = condition {
                statement["Condition"] = condition;
            }
            statement
        },
    )
}

fn statements() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(prop_oneof![statement("Allow"), statement("Deny")], 0..5)
}

#[derive(Clone, Debug)]
struct Asked {
    action: &'static str,
    resource: &'static str,
    entries: Vec<(&'static str, &'static [&'static str])>,
}

fn asked() -> impl Strategy<Value = Asked> {
    let action =
        select(vec!["chime:GetUser", "chime:ListAccounts", "iam:GetUser", "sts:AssumeRole"]);
    let resource = select(vec!["*", ANN, "arn:aws:iam::111122223333:role/r"]);
    let entries: Vec<(&str, &[&str])> = vec![
        ("aws:username", &["ann"]),
        ("aws:TagKeys", &["ann", "a*", "x"]),
        ("aws:SourceIp", &["10.1.2.3"]),
        ("aws:EpochTime", &["6"]),
        ("aws:userid", &["arn:aws:iam::1:user/ann"]),
    ];
    (action, resource, subsequence(entries, 0..=5)).prop_map(|(action, resource, entries)| Asked {
        action,
        resource,
        entries,
    })
}

fn decision(policies: &[&[Value]], asked: &Asked) -> Decision {
    let policies: Vec<_> = policies
        .iter()
        .filter(|statements| !statements.is_empty())
        .map(|statements| identity(&json!(statements)))
        .collect();
    ask(&policies, asked.action, asked.resource, &asked.entries)
}

/// Any JSON, out of the words of policies.
fn any_json() -> impl Strategy<Value = Value> {
    let word = select(vec![
        "Version",
        "2012-10-17",
        "2008-10-17",
        "Id",
        "Statement",
        "Sid",
        "Effect",
        "Allow",
        "Deny",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Principal",
        "NotPrincipal",
        "AWS",
        "Condition",
        "StringEquals",
        "ArnLike",
        "IpAddress",
        "Null",
        "ForAllValues:DateEquals",
        "*",
        "aws:username",
        "chime:*",
        "sts:AssumeRole",
        "${aws:username}",
        "${",
        "arn:aws:iam::1:x",
        "arn:aws:iam:*",
        "10.0.0.0/8",
        "true",
        "2020",
        "111122223333",
        "::ffff:1.2.3.4/96",
        "",
    ]);
    let leaf = prop_oneof![
        6 => word.clone().prop_map(Value::from),
        1 => ".{0,6}".prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(6, 60, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(word.clone(), inner, 0..6).prop_map(|members| {
                members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1500) })]

    #[test]
    fn a_deny_more_never_allows(
        statements in statements(), deny in statement("Deny"), at: prop::sample::Index, asked in asked(),
    ) {
        let before = decision(&[&statements], &asked);
        let mut more = statements;
        more.insert(at.index(more.len() + 1), deny);
        let after = decision(&[&more], &asked);
        prop_assert!(after == before || after == Decision::ExplicitDeny);
    }

    #[test]
    fn an_allow_more_never_denies(
        statements in statements(), allow in statement("Allow"), at: prop::sample::Index, asked in asked(),
    ) {
        let before = decision(&[&statements], &asked);
        let mut more = statements;
        more.insert(at.index(more.len() + 1), allow);
        let after = decision(&[&more], &asked);
        prop_assert!(after == before || before == Decision::ImplicitDeny && after == Decision::Allowed);
    }

    #[test]
    fn no_order_matters(
        (statements, other_order) in statements().prop_flat_map(|it| (Just(it.clone()), Just(it).prop_shuffle())),
        split: prop::sample::Index,
        asked in asked(),
    ) {
        let expected = decision(&[&statements], &asked);
        prop_assert_eq!(decision(&[&other_order], &asked), expected);
        let (one, two) = other_order.split_at(split.index(other_order.len() + 1));
        prop_assert_eq!(decision(&[one, two], &asked), expected);
        prop_assert_eq!(decision(&[two, one], &asked), expected);
    }

    #[test]
    fn an_element_and_its_negation_divide_the_requests(statement in statement("Allow"), asked in asked()) {
        // But for variables without values, what Action takes, NotAction leaves.
        let mut plain = statement;
        plain.as_object_mut().unwrap().remove("Condition");
        plain.as_object_mut().unwrap().remove("NotResource");
        plain["Resource"] = "*".into();
        let mut negated = plain.clone();
        let members = negated.as_object_mut().unwrap();
        let (name, action) = members.remove_entry("Action").or_else(|| members.remove_entry("NotAction")).unwrap();
        members.insert(if name == "Action" { "NotAction" } else { "Action" }.to_owned(), action);
        let allowed = [&plain, &negated].map(|it| decision(&[std::slice::from_ref(it)], &asked));
        prop_assert!(allowed.contains(&Decision::Allowed) && allowed.contains(&Decision::ImplicitDeny));
    }

    #[test]
    fn nothing_panics_on_json(document in any_json(), asked in asked()) {
        parse_any(&document.to_string(), &asked);
        parse_any(&json!({"Version": "2012-10-17", "Statement": document}).to_string(), &asked);
        let statement = json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": document});
        parse_any(&json!({ "Statement": statement }).to_string(), &asked);
    }

    #[test]
    fn nothing_panics_on_text(document in ".{0,40}", json in "[{}\\[\\]\":,a-zA-Z0-9 \\\\]{0,60}", asked in asked()) {
        parse_any(&document, &asked);
        parse_any(&json, &asked);
        for element in ["Action", "Resource", "Sid", "Effect"] {
            let statement = json!({"Effect": "Allow", "Action": "*", "Resource": "*", element: document});
            parse_any(&json!({"Version": "2012-10-17", "Statement": statement}).to_string(), &asked);
        }
    }
}

fn parse_any(document: &str, asked: &Asked) {
    for kind in [Kind::Identity, Kind::Trust] {
        match Policy::parse(document, kind) {
            Ok(policy) => _ = ask(&[policy], asked.action, asked.resource, &asked.entries),
            Err(fault) => assert!(!fault.fault.is_empty()),
        }
    }
}
