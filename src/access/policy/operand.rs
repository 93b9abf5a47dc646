//! What policies compare with: actions, resources, ARNs, times, numbers and networks, each read from
//! its text. A fault says what the text is not, and how it should look.

use super::ConditionContext;
use super::json::shown;
use super::pattern::{Pattern, Reach};
use super::variables::{Part, Syntax, parts};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ipnet::IpNet;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use std::net::IpAddr;

/// The parts of an ARN, the last of which may have more colons.
const ARN_PARTS: usize = 6;
/// The longest of the first five parts of an ARN, in characters: the time that matching one takes
/// grows with it.
const ARN_PART_MAX: usize = 64;

/// Reads the name of an action, such as `chime:List*`.
pub(super) fn action(text: &str) -> Result<Pattern, String> {
    let is_service = |it: &str| {
        it == "*" || !it.is_empty() && it.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-')
    };
    let is_name = |it: &str| {
        !it.is_empty() && it.bytes().all(|it| it.is_ascii_alphanumeric() || b"*?-_".contains(&it))
    };
    let named =
        text.split_once(':').is_some_and(|(service, it)| is_service(service) && is_name(it));
    if text != "*" && !named {
        return Err(format!(
            "'{}' is no action: it must be '*' or a service, a colon and a name, such as \
             chime:ListAccounts or chime:List*",
            shown(text)
        ));
    }
    let parts = parts(text, Syntax { variables: false, wildcards: true })?;
    Ok(Pattern::ignoring_case(parts))
}

/// Reads `*` or the ARN of resources.
///
/// A wildcard stays within its part of the ARN, but `*` at a part's end goes on beyond the colon, so
/// that an ARN which ends in it may lack parts (`reference_policies_elements_resource`).
pub(super) fn resource(text: &str, variables: bool) -> Result<Pattern, String> {
    let read = parts(text, Syntax { variables, wildcards: true })?;
    if read == [Part::Any] {
        return Ok(Pattern::new(read));
    }
    let arn = segments(&read);
    let is_whole =
        arn.len() == ARN_PARTS || arn.last().is_some_and(|it| it.ends_with(&[Part::Any]));
    let head = arn.get(..arn.len().min(ARN_PARTS - 1)).unwrap_or_default();
    if arn.len() < 4 || !is_whole || !begins_as_arn(head) {
        return Err(not_an_arn(text, "or '*'"));
    }
    if head.iter().any(|it| it.iter().any(|part| matches!(part, Part::Variable(_)))) {
        return Err(format!(
            "'{}' has a policy variable before the ARN's fifth colon, where none may be",
            shown(text)
        ));
    }
    let mut pattern = Pattern::new(Vec::new());
    for (index, segment) in arn.iter().enumerate() {
        if index > 0 {
            pattern.push(Part::Character(':'), Reach::Text);
        }
        for (place, part) in segment.iter().enumerate() {
            let ends_segment = place + 1 == segment.len() && *part == Part::Any;
            let reach =
                if index + 1 == ARN_PARTS || ends_segment { Reach::Text } else { Reach::Segment };
            pattern.push(part.clone(), reach);
        }
    }
    Ok(pattern)
}

/// The ARN of a condition, whose six parts are matched one by one.
#[derive(Debug)]
pub(super) enum Arn {
    Every,
    Parts(Vec<Pattern>),
}

impl Arn {
    pub(super) fn read(text: &str, variables: bool) -> Result<Self, String> {
        let read = parts(text, Syntax { variables, wildcards: true })?;
        if read == [Part::Any] {
            return Ok(Self::Every);
        }
        let arn = segments(&read);
        if arn.len() < ARN_PARTS || !begins_as_arn(arn.get(..ARN_PARTS - 1).unwrap_or_default()) {
            return Err(not_an_arn(text, "with all six parts, or '*'"));
        }
        Ok(Self::Parts(arn.into_iter().map(|it| Pattern::new(it.to_vec())).collect()))
    }

    pub(super) fn matches(&self, text: &str, context: &ConditionContext<'_>) -> Option<bool> {
        let Self::Parts(patterns) = self else {
            return Some(true);
        };
        let mut segments = text.splitn(ARN_PARTS, ':');
        for pattern in patterns {
            match segments.next().map(|segment| pattern.matches(segment, context)) {
                Some(Some(true)) => {}
                Some(None) => return None,
                Some(Some(false)) | None => return Some(false),
            }
        }
        Some(true)
    }
}

/// Splits a text at its first five colons.
fn segments(parts: &[Part]) -> Vec<&[Part]> {
    parts.splitn(ARN_PARTS, |part| *part == Part::Character(':')).collect()
}

/// Tells whether these can be the first parts of an ARN: `arn`, the partition, the service. The
/// service must be named: no wildcard stands for one (`reference_policies_elements_resource`).
fn begins_as_arn(head: &[&[Part]]) -> bool {
    let [prefix, partition, service, ..] = head else {
        return false;
    };
    let is_text = |it: &[Part]| it.iter().all(|part| matches!(part, Part::Character(_)));
    **prefix == ['a', 'r', 'n'].map(Part::Character)
        && !partition.is_empty()
        && !service.is_empty()
        && is_text(service)
        && head.iter().all(|it| it.len() <= ARN_PART_MAX)
}

fn not_an_arn(text: &str, or: &str) -> String {
    format!(
        "'{}' is no ARN: it must be one, such as arn:aws:iam::111122223333:user/ann, whose service \
         has no wildcard, {or}",
        shown(text)
    )
}

/// Reads a time, in a W3C form of ISO 8601 or as the seconds since 1970. Four digits are a year.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    let is_digits = |it: &str| it.bytes().all(|it| it.is_ascii_digit());
    let midnight = |year: &str, month: &str, day: &str| {
        let date = Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()?;
        Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()
    };
    let mut date = text.split('-');
    match (text.len(), date.next(), date.next(), date.next()) {
        (4, Some(year), None, _) if is_digits(year) => midnight(year, "1", "1"),
        (7, Some(year), Some(month), None) if year.len() == 4 && is_digits(month) => {
            midnight(year, month, "1")
        }
        (10, Some(year), Some(month), Some(day)) if year.len() == 4 && is_digits(day) => {
            midnight(year, month, day)
        }
        _ if is_digits(text.strip_prefix('-').unwrap_or(text)) => {
            Timestamp::from_second(text.parse().ok()?).ok()
        }
        _ => text.parse().ok(),
    }
}

/// Reads an integer or a decimal number.
pub(super) fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|it: &f64| it.is_finite())
}

pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

pub(super) fn binary(text: &str) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(text).ok()
}

/// Reads an address, or a network in the CIDR format.
pub(super) fn network(text: &str) -> Option<IpNet> {
    let network = match text.parse() {
        Ok(network) => network,
        Err(_) => IpNet::from(text.parse::<IpAddr>().ok()?),
    };
    // An IPv4 address that is written as one of IPv6 is meant as what it is.
    match (network.addr().to_canonical(), network.prefix_len().checked_sub(96)) {
        (address @ IpAddr::V4(_), Some(prefix)) if matches!(network, IpNet::V6(_)) => {
            IpNet::new(address, prefix).ok()
        }
        _ => Some(network),
    }
}

/// Reads the address of a caller.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|it| it.to_canonical())
}
