//! The constrained shapes that operations share. A value of one satisfies its constraint: the only
//! way to make it is to deserialise it.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::ops::Deref;

macro_rules! constrained_string {
    ($(#[$doc:meta])* $shape:ident, $debug:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, Eq, PartialEq)]
        pub struct $shape(String);

        impl<'de> Deserialize<'de> for $shape {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                let check: fn(&str) -> Result<(), String> = $check;
                check(&text).map_err(D::Error::custom)?;
                Ok(Self(text))
            }
        }

        impl Deref for $shape {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $shape {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, $debug, self.0)
            }
        }
    };
}

constrained_string! {
    /// An account's name: 1 to 100 characters, one of them not blank.
    AccountName, "{:?}", |text| { length(text, 1, 100)?; not_blank(text) }
}

constrained_string! {
    /// A string with a character that is not blank.
    NonEmptyString, "{:?}", not_blank
}

constrained_string! {
    /// An e-mail address. Sensitive: `Debug` hides it.
    EmailAddress, "***{0:.0}", email_address
}

constrained_string! {
    /// The 12 digits of an AWS account.
    AwsAccountId, "{:?}", |text| {
        let digits = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        satisfied(digits, r"^\d{12}$", &format!("it is '{text}'"))
    }
}

fn length(text: &str, min: usize, max: usize) -> Result<(), String> {
    let length = text.chars().count();
    if length < min {
        return Err(format!("Member must have length greater than or equal to {min}"));
    }
    if length > max {
        return Err(format!(
            "Member must have length less than or equal to {max} (it has {length})"
        ));
    }
    Ok(())
}

fn not_blank(text: &str) -> Result<(), String> {
    satisfied(text.chars().any(|c| !c.is_whitespace()), r".*\S.*", "it is blank")
}

fn email_address(text: &str) -> Result<(), String> {
    // `.+@.+\..+` found anywhere on one line, where `.` is everything but a line's end.
    let matches = text.split('\n').any(|line| {
        let at = line.char_indices().skip(1).find(|&(_, c)| c == '@');
        at.and_then(|(at, _)| line.get(at + 1..)).is_some_and(|domain| {
            let mut dots = domain.char_indices().skip(1).filter(|&(_, c)| c == '.');
            dots.any(|(dot, _)| dot + 1 < domain.len())
        })
    });
    satisfied(matches, r".+@.+\..+", "it is no address")
}

/// Names the fault besides the pattern, which says little to a person. A sensitive value is not in it.
fn satisfied(matches: bool, pattern: &str, fault: &str) -> Result<(), String> {
    if matches {
        Ok(())
    } else {
        Err(format!("Member must satisfy regular expression pattern: {pattern} ({fault})"))
    }
}

/// How many results a page may have: 1 to 200, and 100 when nobody says.
#[derive(Clone, Copy, Debug)]
pub struct ProfileServiceMaxResults(u8);

impl ProfileServiceMaxResults {
    /// Returns the number.
    pub fn get(self) -> usize {
        self.0.into()
    }
}

impl Default for ProfileServiceMaxResults {
    fn default() -> Self {
        Self(100)
    }
}

impl<'de> Deserialize<'de> for ProfileServiceMaxResults {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(deserializer)?;
        let bound = match u8::try_from(number) {
            Ok(number @ 1..=200) => return Ok(Self(number)),
            _ if number < 1 => "greater than or equal to 1",
            _ => "less than or equal to 200",
        };
        Err(D::Error::custom(format!("Member must have value {bound} (it is {number})")))
    }
}

/// What a user may do.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names are AWS's")]
pub enum License {
    Basic,
    Plus,
    Pro,
    ProTrial,
}
