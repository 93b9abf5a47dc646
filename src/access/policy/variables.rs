//! The texts of a policy as they are written: characters, wildcards, and policy variables, which stand
//! for what the request's context has.

use super::ConditionContext;
use super::json::shown;

/// What a text consists of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Part {
    Character(char),
    /// `*`, any number of characters.
    Any,
    /// `?`, one character.
    One,
    Variable(Variable),
}

/// `${aws:username}`, or `${aws:username, 'nobody'}`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Variable {
    key: String,
    default: Option<String>,
}

impl Variable {
    /// Returns what the variable stands for in a request. A key with many values stands for nothing.
    pub(super) fn value(&self, context: &ConditionContext<'_>) -> Option<String> {
        let mut values = context.get(&self.key);
        match values.pop() {
            Some(value) if values.is_empty() => Some(value),
            _ => self.default.clone(),
        }
    }
}

/// How a text of a document is to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Syntax {
    /// Whether `${…}` is a variable, or means itself, as it did before version 2012-10-17.
    pub(super) variables: bool,
    /// Whether `*` and `?` are wildcards, or mean themselves.
    pub(super) wildcards: bool,
}

/// Reads a text. The fault is what is wrong with it.
pub(super) fn parts(text: &str, syntax: Syntax) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if let Some(written) = rest.strip_prefix("${").filter(|_| syntax.variables) {
            let Some((inside, after)) = written.split_once('}') else {
                return Err(format!(
                    "has a policy variable without an end, '{}': write ${{$}} for a dollar sign \
                     before a brace",
                    shown(rest)
                ));
            };
            parts.push(variable(inside)?);
            rest = after;
        } else {
            parts.push(match character {
                '*' if syntax.wildcards => Part::Any,
                '?' if syntax.wildcards => Part::One,
                _ => Part::Character(character),
            });
            rest = rest.get(character.len_utf8()..).unwrap_or_default();
        }
    }
    Ok(parts)
}

fn variable(inside: &str) -> Result<Part, String> {
    if let Some(character) = ["*", "?", "$"].iter().find(|it| **it == inside) {
        return Ok(Part::Character(character.chars().next().expect("it is one character")));
    }
    let (key, default) = match inside.split_once(',') {
        Some((key, default)) => (key, Some(default.trim())),
        None => (inside, None),
    };
    let quoted = |it: &str| {
        let inner = it.strip_prefix('\'')?.strip_suffix('\'')?;
        (!inner.contains('\'')).then(|| inner.to_owned())
    };
    let default = match default.map(quoted) {
        None => None,
        Some(Some(default)) => Some(default),
        Some(None) => {
            return Err(format!(
                "has the policy variable '${{{}}}', whose default value must be in single \
                 quotation marks, as in ${{aws:username, 'nobody'}}",
                shown(inside)
            ));
        }
    };
    let key = key.trim();
    if !is_key(key) {
        return Err(format!(
            "has the policy variable '${{{}}}', which is no condition key, such as aws:username, \
             and none of ${{*}}, ${{?}} and ${{$}}",
            shown(inside)
        ));
    }
    Ok(Part::Variable(Variable { key: key.to_owned(), default }))
}

/// Tells whether this can be a condition key, such as `aws:username` or `aws:PrincipalTag/team`.
pub(super) fn is_key(text: &str) -> bool {
    let characters = |it: char| !it.is_control() && !"${}'\"*?,".contains(it);
    text.split_once(':').is_some_and(|(prefix, name)| !prefix.is_empty() && !name.is_empty())
        && text.chars().all(characters)
}
