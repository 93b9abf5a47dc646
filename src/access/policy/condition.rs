//! Conditions: what an operator, such as `StringNotLikeIfExists`, makes of the values of a key.

use super::json::{Path, Value, shown};
use super::operand::{Arn, address, binary, boolean, network, number, time};
use super::pattern::Pattern;
use super::variables::{Syntax, is_key, parts};
use super::{ConditionContext, Effect, Fault, any_match, holds};
use ipnet::IpNet;
use jiff::Timestamp;
use std::cmp::Ordering;

/// What an operator compares, and whether it asks for a mismatch.
#[derive(Clone, Copy)]
enum Comparison {
    Text { ignores_case: bool, wildcards: bool },
    Arn,
    Number(Relation),
    Time(Relation),
    Bool,
    Binary,
    Network,
    Null,
}

#[derive(Clone, Copy, Debug)]
enum Relation {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Relation {
    fn holds(self, ordering: Option<Ordering>) -> bool {
        ordering.is_some_and(|ordering| match self {
            Self::Equal => ordering.is_eq(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        })
    }
}

/// The operators of `reference_policies_elements_condition_operators`, each with whether it is the
/// negation of its comparison.
#[rustfmt::skip]
const OPERATORS: [(&str, Comparison, bool); 27] = [
    ("StringEquals", Comparison::Text { ignores_case: false, wildcards: false }, false),
    ("StringNotEquals", Comparison::Text { ignores_case: false, wildcards: false }, true),
    ("StringEqualsIgnoreCase", Comparison::Text { ignores_case: true, wildcards: false }, false),
    ("StringNotEqualsIgnoreCase", Comparison::Text { ignores_case: true, wildcards: false }, true),
    ("StringLike", Comparison::Text { ignores_case: false, wildcards: true }, false),
    ("StringNotLike", Comparison::Text { ignores_case: false, wildcards: true }, true),
    ("NumericEquals", Comparison::Number(Relation::Equal), false),
    ("NumericNotEquals", Comparison::Number(Relation::Equal), true),
    ("NumericLessThan", Comparison::Number(Relation::Less), false),
    ("NumericLessThanEquals", Comparison::Number(Relation::LessOrEqual), false),
    ("NumericGreaterThan", Comparison::Number(Relation::Greater), false),
    ("NumericGreaterThanEquals", Comparison::Number(Relation::GreaterOrEqual), false),
    ("DateEquals", Comparison::Time(Relation::Equal), false),
    ("DateNotEquals", Comparison::Time(Relation::Equal), true),
    ("DateLessThan", Comparison::Time(Relation::Less), false),
    ("DateLessThanEquals", Comparison::Time(Relation::LessOrEqual), false),
    ("DateGreaterThan", Comparison::Time(Relation::Greater), false),
    ("DateGreaterThanEquals", Comparison::Time(Relation::GreaterOrEqual), false),
    ("Bool", Comparison::Bool, false),
    ("BinaryEquals", Comparison::Binary, false),
    ("IpAddress", Comparison::Network, false),
    ("NotIpAddress", Comparison::Network, true),
    ("ArnEquals", Comparison::Arn, false),
    ("ArnLike", Comparison::Arn, false),
    ("ArnNotEquals", Comparison::Arn, true),
    ("ArnNotLike", Comparison::Arn, true),
    ("Null", Comparison::Null, false),
];

/// Which of a key's values in the request an operator asks about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Set {
    All,
    Any,
}

#[derive(Clone, Copy)]
struct Operator {
    comparison: Comparison,
    negated: bool,
    set: Option<Set>,
    if_exists: bool,
}

impl Operator {
    fn read(name: &str) -> Option<Self> {
        let sets = [("ForAllValues:", Set::All), ("ForAnyValue:", Set::Any)];
        let qualified =
            sets.iter().find_map(|(it, set)| Some((Some(*set), name.strip_prefix(it)?)));
        let (set, rest) = qualified.unwrap_or((None, name));
        let (base, if_exists) = match rest.strip_suffix("IfExists") {
            Some(base) => (base, true),
            None => (rest, false),
        };
        let (_, comparison, negated) = OPERATORS.iter().find(|(it, _, _)| *it == base)?;
        let is_plain = set.is_none() && !if_exists;
        (is_plain || !matches!(comparison, Comparison::Null)).then_some(Self {
            comparison: *comparison,
            negated: *negated,
            set,
            if_exists,
        })
    }
}

/// An operator with one of its keys, and the values that it compares with.
#[derive(Debug)]
pub(super) struct Condition {
    key: String,
    negated: bool,
    set: Option<Set>,
    if_exists: bool,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Texts(Vec<Pattern>),
    Arns(Vec<Arn>),
    Numbers(Relation, Vec<f64>),
    Times(Relation, Vec<Timestamp>),
    Bools(Vec<bool>),
    Binaries(Vec<Vec<u8>>),
    Networks(Vec<IpNet>),
    Nulls(Vec<bool>),
}

impl Condition {
    /// Reads the Condition element of a statement: all of them must hold.
    pub(super) fn read_all(
        value: &Value,
        path: &Path<'_>,
        variables: bool,
    ) -> Result<Vec<Self>, Fault> {
        let mut conditions = Vec::new();
        for (name, keys) in value.members(path)? {
            let path = path.member(name);
            let operator = Operator::read(name).ok_or_else(|| {
                path.fault("is no condition operator, such as StringEquals or IpAddressIfExists")
            })?;
            let keys = keys.members(&path)?;
            if keys.is_empty() {
                return Err(path.fault("is empty: it must have a condition key"));
            }
            for (key, values) in keys {
                let path = path.member(key);
                if !is_key(key) {
                    return Err(path.fault("is no condition key, such as aws:username"));
                }
                conditions.push(Self {
                    key: key.clone(),
                    negated: operator.negated,
                    set: operator.set,
                    if_exists: operator.if_exists,
                    values: Values::read(operator.comparison, values, &path, variables)?,
                });
            }
        }
        Ok(conditions)
    }

    pub(super) fn holds(&self, context: &ConditionContext<'_>, effect: Effect) -> bool {
        let asked = context.get(&self.key);
        if let Values::Nulls(values) = &self.values {
            return values.contains(&asked.is_empty());
        }
        let one = |text: &String| self.values.match_one(text, context);
        let one_holds = |text: &String| holds(one(text), self.negated, effect);
        match self.set {
            // What has no values has none that fails, and none that matches
            // (reference_policies_condition-single-vs-multi-valued-context-keys).
            Some(Set::All) => asked.iter().all(one_holds),
            Some(Set::Any) if asked.is_empty() => self.if_exists,
            Some(Set::Any) => asked.iter().any(one_holds),
            None if asked.is_empty() => self.if_exists || self.negated,
            // AWS asks for a set operator where a key has many values, and says nothing of what else
            // happens: a negated operator stays the negation.
            None => holds(any_match(asked.iter().map(one)), self.negated, effect),
        }
    }
}

impl Values {
    fn read(
        comparison: Comparison,
        value: &Value,
        path: &Path<'_>,
        variables: bool,
    ) -> Result<Self, Fault> {
        Ok(match comparison {
            Comparison::Text { ignores_case, wildcards } => {
                Self::Texts(value.each(path, |value, path| {
                    let parts = parts(&value.scalar(path)?, Syntax { variables, wildcards });
                    let parts = parts.map_err(|fault| path.fault(fault))?;
                    let compile = if ignores_case { Pattern::ignoring_case } else { Pattern::new };
                    Ok(compile(parts))
                })?)
            }
            Comparison::Arn => Self::Arns(value.each(path, |value, path| {
                Arn::read(value.string(path)?, variables).map_err(|fault| path.fault(fault))
            })?),
            Comparison::Number(relation) => {
                Self::Numbers(relation, read_each(value, path, number, "a number, such as 10")?)
            }
            Comparison::Time(relation) => {
                let example = "a time, such as 2026-11-26T12:00:00Z or the seconds since 1970";
                Self::Times(relation, read_each(value, path, time, example)?)
            }
            Comparison::Bool => Self::Bools(read_each(value, path, boolean, "true or false")?),
            Comparison::Null => Self::Nulls(read_each(value, path, boolean, "true or false")?),
            Comparison::Binary => {
                Self::Binaries(read_each(value, path, binary, "bytes in base64, such as aGk=")?)
            }
            Comparison::Network => {
                let example = "an address or a network, such as 203.0.113.0/24 or 2001:db8::/32";
                Self::Networks(read_each(value, path, network, example)?)
            }
        })
    }

    /// Tells whether one value of the request matches one of these. What is no number, time or
    /// address matches none.
    fn match_one(&self, text: &str, context: &ConditionContext<'_>) -> Option<bool> {
        let matched = match self {
            Self::Texts(texts) => {
                return any_match(texts.iter().map(|it| it.matches(text, context)));
            }
            Self::Arns(arns) => return any_match(arns.iter().map(|it| it.matches(text, context))),
            Self::Numbers(relation, numbers) => number(text).is_some_and(|asked| {
                numbers.iter().any(|it| relation.holds(asked.partial_cmp(it)))
            }),
            Self::Times(relation, times) => time(text)
                .is_some_and(|asked| times.iter().any(|it| relation.holds(Some(asked.cmp(it))))),
            Self::Bools(bools) => boolean(text).is_some_and(|asked| bools.contains(&asked)),
            Self::Binaries(binaries) => binary(text).is_some_and(|it| binaries.contains(&it)),
            Self::Networks(networks) => address(text)
                .is_some_and(|asked| networks.iter().any(|network| network.contains(&asked))),
            // A key that has a value is not null.
            Self::Nulls(nulls) => nulls.contains(&false),
        };
        Some(matched)
    }
}

fn read_each<T>(
    value: &Value,
    path: &Path<'_>,
    read: fn(&str) -> Option<T>,
    example: &str,
) -> Result<Vec<T>, Fault> {
    value.each(path, |value, path| {
        let text = value.scalar(path)?;
        read(&text).ok_or_else(|| path.fault(format!("must be {example}, not '{}'", shown(&text))))
    })
}
