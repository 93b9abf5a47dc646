//! The policy language of IAM: which requests a policy document allows, and which it denies.
//!
//! A document is parsed and compiled once, and refused with the path to its fault if it is malformed.
//! What AWS leaves open, and what differs from it, is in `docs/decisions/0019-policies.md`.

mod condition;
mod document;
mod json;
mod managed;
mod operand;
mod pattern;
mod principal;
#[cfg(test)]
mod tests;
mod variables;

pub use managed::{Managed, managed};

use condition::Condition;
use pattern::Pattern;
use principal::Principals;
use std::error::Error;
use std::fmt;

/// The longest document that is looked at, in bytes: what IAM's `PolicyDocument` members take.
pub const DOCUMENT_BYTES_MAX: usize = 131_072;
/// The characters of a managed policy, as [`characters`] counts them.
pub const MANAGED_POLICY_CHARACTERS_MAX: usize = 6_144;
/// The characters of all inline policies of a user together.
pub const USER_POLICIES_CHARACTERS_MAX: usize = 2_048;
/// The characters of all inline policies of a role together.
pub const ROLE_POLICIES_CHARACTERS_MAX: usize = 10_240;
/// The characters of a role's trust policy, before the quota is raised.
pub const TRUST_POLICY_CHARACTERS_MAX: usize = 2_048;

/// Returns the length of a document as AWS's quotas count it: without white space.
pub fn characters(document: &str) -> usize {
    document.chars().filter(|it| !it.is_whitespace()).count()
}

/// A policy document, parsed and compiled.
#[derive(Debug)]
pub struct Policy {
    statements: Vec<Statement>,
}

/// What a policy is attached to, which decides what elements it has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A user or a role: the policy says what it may do, to which resources.
    Identity,
    /// A role, as its assume-role policy document: the policy says who may assume it.
    Trust,
}

/// Why a document is refused, and where in it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// Where: `Statement[0].Condition.StringEquals.aws:username`, or nothing for the document.
    pub path: String,
    /// What is wrong there, and what would be right.
    pub fault: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.path.is_empty() { "The policy" } else { &self.path };
        write!(f, "{place} {}", self.fault)
    }
}

impl Error for Fault {}

/// Who asks, as far as trust policies want to know it.
#[derive(Clone, Copy, Debug)]
pub struct Principal<'a> {
    /// The twelve digits of the caller's AWS account.
    pub aws_account_id: &'a str,
    /// The ARNs that the caller goes by: a user's own; a session's, and that of its role.
    pub arns: &'a [&'a str],
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who asks.
    pub principal: &'a Principal<'a>,
    /// The action, with its service: `chime:ListAccounts`.
    pub action: &'a str,
    /// The ARN that it is asked for; `*` where the action knows no resources, as all of Chime.
    pub resource: &'a str,
    /// What conditions and policy variables can ask about.
    pub context: &'a ConditionContext<'a>,
}

/// What is known about a request: keys such as `aws:SourceIp`, in any case, with their values.
#[derive(Default)]
pub struct ConditionContext<'a> {
    entries: Vec<(String, Vec<String>)>,
    /// What works out the value of a key that is in no entry.
    others: Option<Box<Others<'a>>>,
}

type Others<'a> = dyn Fn(&str) -> Option<String> + 'a;

impl<'a> ConditionContext<'a> {
    /// Knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for the value of a key, which is given in lower case, when a policy asks: most policies ask
    /// for few.
    pub fn asking(value: impl Fn(&str) -> Option<String> + 'a) -> Self {
        Self { entries: Vec::new(), others: Some(Box::new(value)) }
    }

    /// Gives a key its one value, in the place of those that it had.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.insert_all(key, vec![value.into()]);
    }

    /// Gives a key its values, in the place of those that it had. A key without values is missing.
    pub fn insert_all(&mut self, key: impl Into<String>, values: Vec<String>) {
        let key = key.into();
        self.entries.retain(|(it, _)| !it.eq_ignore_ascii_case(&key));
        self.entries.push((key, values));
    }

    /// Returns the values of a key; none if it is missing.
    pub fn get(&self, key: &str) -> Vec<String> {
        let mut entries = self.entries.iter();
        if let Some((_, values)) = entries.find(|(it, _)| it.eq_ignore_ascii_case(key)) {
            return values.clone();
        }
        let value = self.others.as_ref().and_then(|value| value(&key.to_ascii_lowercase()));
        value.into_iter().collect()
    }
}

impl fmt::Debug for ConditionContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConditionContext").field("entries", &self.entries).finish_non_exhaustive()
    }
}

/// What policies say to a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Decision {
    /// A statement allows it, and none denies it.
    Allowed,
    /// A statement denies it, whatever others say.
    ExplicitDeny,
    /// No statement is about it.
    ImplicitDeny,
}

/// Decides a request by the statements of all policies, whose order does not matter.
pub fn decide<'p>(
    policies: impl IntoIterator<Item = &'p Policy>,
    request: &Request<'_>,
) -> Decision {
    let mut decision = Decision::ImplicitDeny;
    let statements = policies.into_iter().flat_map(|policy| &policy.statements);
    for statement in statements.filter(|statement| statement.applies(request)) {
        match statement.effect {
            Effect::Deny => return Decision::ExplicitDeny,
            Effect::Allow => decision = Decision::Allowed,
        }
    }
    decision
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Effect {
    Allow,
    Deny,
}

#[derive(Debug)]
struct Statement {
    effect: Effect,
    /// Everybody, where an identity's policy cannot say.
    principals: Option<Listed<Principals>>,
    actions: Listed<Vec<Pattern>>,
    /// Everything, where a trust policy cannot say.
    resources: Option<Listed<Vec<Pattern>>>,
    conditions: Vec<Condition>,
}

/// What an element lists, or what its negation does: Action or `NotAction`.
#[derive(Debug)]
struct Listed<T> {
    negated: bool,
    items: T,
}

impl Statement {
    fn applies(&self, request: &Request<'_>) -> bool {
        let Request { principal, action, resource, context } = *request;
        let actions = &self.actions;
        let named = matches_any(&actions.items, action, context);
        self.holds(named, actions.negated)
            && self.principals.as_ref().is_none_or(|it| it.items.include(principal) != it.negated)
            && self
                .resources
                .as_ref()
                .is_none_or(|it| self.holds(matches_any(&it.items, resource, context), it.negated))
            && self.conditions.iter().all(|it| it.holds(context, self.effect))
    }

    fn holds(&self, matched: Option<bool>, negated: bool) -> bool {
        holds(matched, negated, self.effect)
    }
}

/// Tells whether one of the patterns matches; nothing, where that depends on a policy variable that
/// the request has no value for.
fn matches_any(patterns: &[Pattern], text: &str, context: &ConditionContext<'_>) -> Option<bool> {
    any_match(patterns.iter().map(|pattern| pattern.matches(text, context)))
}

fn any_match(matched: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut result = Some(false);
    for matched in matched {
        match matched {
            Some(true) => return matched,
            Some(false) => {}
            None => result = None,
        }
    }
    result
}

/// Decides what a match, or a mismatch that is asked for, means.
///
/// AWS says of a policy variable without a value that what is matched with it fails and the statement
/// may be invalid. So it allows nothing, and a statement that denies all but what is matched denies.
fn holds(matched: Option<bool>, negated: bool, effect: Effect) -> bool {
    match matched {
        Some(matched) => matched != negated,
        None => negated && effect == Effect::Deny,
    }
}
