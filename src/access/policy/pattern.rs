//! Texts with wildcards and policy variables, compiled, and how they are matched: forwards, with one
//! way back for each kind of wildcard, so that no text takes exponential time.

use super::ConditionContext;
use super::variables::{Part, Variable};

/// A compiled text of a policy.
#[derive(Debug)]
pub(super) struct Pattern {
    tokens: Vec<Token>,
    variables: Vec<Variable>,
    ignores_case: bool,
}

#[derive(Debug)]
enum Token {
    Text(String),
    /// The place of a variable among the pattern's.
    Variable(usize),
    One(Reach),
    Any(Reach),
}

/// How far a wildcard goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reach {
    /// Up to the next colon: the segment of an ARN.
    Segment,
    Text,
}

impl Pattern {
    pub(super) fn new(parts: Vec<Part>) -> Self {
        let mut pattern = Self { tokens: Vec::new(), variables: Vec::new(), ignores_case: false };
        for part in parts {
            pattern.push(part, Reach::Text);
        }
        pattern
    }

    pub(super) fn ignoring_case(parts: Vec<Part>) -> Self {
        Self { ignores_case: true, ..Self::new(parts) }
    }

    pub(super) fn push(&mut self, part: Part, reach: Reach) {
        match (part, self.tokens.last_mut()) {
            (Part::Character(character), Some(Token::Text(text))) => text.push(character),
            (Part::Character(character), _) => self.tokens.push(Token::Text(character.into())),
            (Part::Any, _) => self.tokens.push(Token::Any(reach)),
            (Part::One, _) => self.tokens.push(Token::One(reach)),
            (Part::Variable(variable), _) => {
                self.tokens.push(Token::Variable(self.variables.len()));
                self.variables.push(variable);
            }
        }
    }

    /// Tells whether the pattern matches a whole text; nothing, if the request's context has no value
    /// for one of its variables. What a variable stands for means itself: a wildcard in it is none.
    pub(super) fn matches(&self, text: &str, context: &ConditionContext<'_>) -> Option<bool> {
        let values = self.variables.iter().map(|variable| variable.value(context));
        let values: Vec<_> = values.collect::<Option<_>>()?;
        Some(self.matches_with(text, &values))
    }

    fn matches_with(&self, text: &str, values: &[String]) -> bool {
        let (mut at, mut rest) = (0, text);
        let mut ways_back = WaysBack { segment: None, text: None };
        loop {
            let after = match self.tokens.get(at) {
                Some(Token::Any(Reach::Text)) if at + 1 == self.tokens.len() => return true,
                Some(Token::Any(reach)) => {
                    ways_back.remember(*reach, at + 1, rest);
                    Some(rest)
                }
                Some(Token::One(reach)) => without_one(rest, *reach),
                Some(Token::Text(prefix)) => self.without(rest, prefix),
                Some(Token::Variable(place)) => {
                    self.without(rest, values.get(*place).expect("every variable has its value"))
                }
                None if rest.is_empty() => return true,
                None => None,
            };
            (at, rest) = match after {
                Some(after) => (at + 1, after),
                None => match ways_back.take() {
                    Some(back) => back,
                    None => return false,
                },
            };
        }
    }

    fn without<'t>(&self, text: &'t str, prefix: &str) -> Option<&'t str> {
        if !self.ignores_case {
            return text.strip_prefix(prefix);
        }
        let mut characters = text.chars();
        prefix
            .chars()
            .all(|it| {
                let same = |other: char| other == it || other.to_lowercase().eq(it.to_lowercase());
                characters.next().is_some_and(same)
            })
            .then_some(characters.as_str())
    }
}

/// Where to go on when the text does not match: after the last wildcard, which then takes one
/// character more. A wildcard that ends at a colon leads back to the last one that does not: the ones
/// before it that end at colons need no way back, for what stands between two of them has its colons
/// written out, so that to match it later is not to get further.
struct WaysBack<'t> {
    segment: Option<(usize, &'t str)>,
    text: Option<(usize, &'t str)>,
}

impl<'t> WaysBack<'t> {
    fn remember(&mut self, reach: Reach, at: usize, rest: &'t str) {
        match reach {
            Reach::Segment => self.segment = Some((at, rest)),
            // What matches the least before this wildcard leaves it the most.
            Reach::Text => *self = Self { segment: None, text: Some((at, rest)) },
        }
    }

    fn take(&mut self) -> Option<(usize, &'t str)> {
        let longer = |back: Option<(usize, &'t str)>, reach| {
            back.and_then(|(at, rest)| without_one(rest, reach).map(|rest| (at, rest)))
        };
        self.segment = longer(self.segment, Reach::Segment);
        if self.segment.is_none() {
            self.text = longer(self.text, Reach::Text);
        }
        self.segment.or(self.text)
    }
}

fn without_one(text: &str, reach: Reach) -> Option<&str> {
    let mut characters = text.chars();
    let character = characters.next()?;
    (reach == Reach::Text || character != ':').then_some(characters.as_str())
}
