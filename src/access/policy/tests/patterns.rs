//! Patterns match what a naive matcher matches, in linear-ish time.

use super::super::operand;
use super::super::pattern::{Pattern, Reach};
use super::super::variables::{Part, Syntax, parts};
use super::*;
use proptest::prelude::*;

const WILDCARDS: Syntax = Syntax { variables: true, wildcards: true };

/// A wildcard with its reach, or a character.
type Element = (Part, Reach);

/// Matches by trying everything.
fn naive(pattern: &[Element], text: &[char]) -> bool {
    let Some(((part, reach), rest)) = pattern.split_first() else {
        return text.is_empty();
    };
    let may_take = |it: &char| *reach == Reach::Text || *it != ':';
    match (part, text.split_first()) {
        (Part::Any, Some((first, after))) if may_take(first) => {
            naive(rest, text) || naive(pattern, after)
        }
        (Part::Any, _) => naive(rest, text),
        (Part::One, Some((first, after))) => may_take(first) && naive(rest, after),
        (Part::Character(it), Some((first, after))) => it == first && naive(rest, after),
        _ => false,
    }
}

fn element() -> impl Strategy<Value = Element> {
    let part = prop_oneof![
        3 => prop::sample::select(vec!['a', 'b', ':', 'ü']).prop_map(Part::Character),
        2 => Just(Part::Any),
        1 => Just(Part::One),
    ];
    (part, prop::sample::select(vec![Reach::Segment, Reach::Text]))
}

/// Makes `?` end at colons where `*` does so behind it, as in the parts of an ARN.
fn as_in_arns(mut elements: Vec<Element>) -> Vec<Element> {
    let ends = elements.iter().rposition(|it| *it == (Part::Any, Reach::Segment)).unwrap_or(0);
    let head = elements.iter_mut().take(ends);
    head.filter(|(part, _)| *part == Part::One).for_each(|(_, reach)| *reach = Reach::Segment);
    elements
}

fn compiled(elements: &[Element]) -> Pattern {
    let mut pattern = Pattern::new(Vec::new());
    for (part, reach) in elements {
        pattern.push(part.clone(), *reach);
    }
    pattern
}

/// Returns the parts of an ARN as the documentation reads it.
fn arn_elements(text: &str) -> Vec<Element> {
    let mut elements = Vec::new();
    for (index, segment) in text.splitn(6, ':').enumerate() {
        if index > 0 {
            elements.push((Part::Character(':'), Reach::Text));
        }
        let parts = parts(segment, WILDCARDS).unwrap();
        let last = parts.len().saturating_sub(1);
        elements.extend(parts.into_iter().enumerate().map(|(place, part)| {
            let goes_on = index == 5 || place == last && part == Part::Any;
            (part, if goes_on { Reach::Text } else { Reach::Segment })
        }));
    }
    elements
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(3000) })]

    #[test]
    fn patterns_match_as_naively(
        elements in prop::collection::vec(element(), 0..9).prop_map(as_in_arns),
        text in "[ab:ü]{0,9}",
    ) {
        let expected = naive(&elements, &text.chars().collect::<Vec<_>>());
        let pattern = compiled(&elements);
        prop_assert_eq!(pattern.matches(&text, &ConditionContext::new()), Some(expected));
    }

    #[test]
    fn resources_match_as_naively(
        pattern in "arn:a[w*?]{0,2}:iam:[a*?]{0,3}:[12*?]{0,3}:[ab*?:]{0,5}",
        text in "arn:a[wa]{0,2}:iam:[a:]{0,3}:[12:]{0,3}:[ab:]{0,5}",
    ) {
        let resource = operand::resource(&pattern, true).unwrap();
        let expected = naive(&arn_elements(&pattern), &text.chars().collect::<Vec<_>>());
        prop_assert_eq!(resource.matches(&text, &ConditionContext::new()), Some(expected));
    }

    #[test]
    fn a_literal_matches_itself_alone(text in ".{0,12}", other in ".{0,12}") {
        let literal = parts(&text, Syntax { variables: false, wildcards: false }).unwrap();
        let pattern = Pattern::new(literal.clone());
        prop_assert_eq!(pattern.matches(&text, &ConditionContext::new()), Some(true));
        prop_assert_eq!(pattern.matches(&other, &ConditionContext::new()), Some(text == other));
        let pattern = Pattern::ignoring_case(literal);
        prop_assert_eq!(pattern.matches(&text, &ConditionContext::new()), Some(true));
    }

    #[test]
    fn variables_stand_for_their_values_and_nothing_else(
        before in "[a*?]{0,3}", value in "[ab*?]{0,3}", after in "[a*?]{0,3}", text in "[ab*?]{0,8}",
    ) {
        let written = format!("{before}${{aws:username}}{after}");
        let pattern = Pattern::new(parts(&written, WILDCARDS).unwrap());
        let mut elements: Vec<Element> = Vec::new();
        let wild = |text: &str| parts(text, WILDCARDS).unwrap().into_iter().map(|it| (it, Reach::Text));
        elements.extend(wild(&before));
        elements.extend(value.chars().map(|it| (Part::Character(it), Reach::Text)));
        elements.extend(wild(&after));
        let expected = naive(&elements, &text.chars().collect::<Vec<_>>());
        let context = context(&[("AWS:USERNAME", &[&value])]);
        prop_assert_eq!(pattern.matches(&text, &context), Some(expected));
        prop_assert_eq!(pattern.matches(&text, &ConditionContext::new()), None);
    }
}

#[test]
fn no_pattern_takes_long() {
    // With exponential backtracking none of these would ever end.
    let text = format!("arn:aws:iam::{}:{}", "1a".repeat(200), "a".repeat(2_000));
    let patterns = [
        format!("arn:aws:iam::*:{}b", "a*".repeat(2_000)),
        format!("arn:a*:iam:*:{}b:x", "1*".repeat(31)),
        format!("arn:a*:iam:*:{}:{}b", "?*".repeat(31), "*a".repeat(1_000)),
    ];
    for pattern in patterns {
        let resource = operand::resource(&pattern, true).unwrap();
        assert_eq!(resource.matches(&text, &ConditionContext::new()), Some(false));
    }
}
