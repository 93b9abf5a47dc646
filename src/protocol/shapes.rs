//! The constrained shapes that operations share. A value of one satisfies its constraint: the only
//! way to make it is to deserialise it.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::fmt;
use std::ops::Deref;

/// How long a text may be for which the model has no limit, in characters. Whatever is stored comes
/// back in pages of up to 200, so that it has to have one.
pub const TEXT_CHARACTERS_MAX: usize = 256;
/// How long an e-mail address may be, in characters: 64 before the @ and 255 behind it (RFC 5321,
/// 4.5.3.1). The model has no limit.
const EMAIL_CHARACTERS_MAX: usize = 320;

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

        impl Serialize for $shape {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
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
    /// A short text that is not blank, such as the name of a directory group. Where the model asks
    /// for no length, Active Directory knows none that is longer.
    ShortString, "{:?}", |text| { length(text, 0, TEXT_CHARACTERS_MAX)?; not_blank(text) }
}

constrained_string! {
    /// An e-mail address. Sensitive: `Debug` hides it.
    EmailAddress, "***{0:.0}", |text| {
        length(text, 0, EMAIL_CHARACTERS_MAX)?;
        email_address(text)
    }
}

impl EmailAddress {
    /// Returns what is the same for addresses that mean the same mailbox: they differ in case, or in
    /// blanks around them, which the pattern lets through.
    pub fn mailbox(&self) -> String {
        self.0.trim().to_lowercase()
    }
}

constrained_string! {
    /// A text that only those may read whom it is for. Sensitive: `Debug` hides it.
    SensitiveString, "***{0:.0}", |text| length(text, 0, TEXT_CHARACTERS_MAX)
}

impl SensitiveString {
    /// Takes in as much of a text that the server makes as a value may hold.
    pub fn new(mut text: String) -> Self {
        if let Some((end, _)) = text.char_indices().nth(TEXT_CHARACTERS_MAX) {
            text.truncate(end);
        }
        Self(text)
    }
}

constrained_string! {
    /// The ten digits under which a person is found in meetings. `Debug` hides them.
    PersonalPin, "***{0:.0}", |text| {
        let digits = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit());
        satisfied(digits, r"^\d{10}$", "it is no PIN of ten digits")
    }
}

impl PersonalPin {
    /// Makes a PIN out of a random number.
    pub fn new(random: u64) -> Self {
        Self(format!("{:010}", random % 10_000_000_000))
    }
}

/// The name of an internet domain, such as example.com. Whatever case it came in, it is in lower case:
/// the two name one domain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DomainName(String);

impl<'de> Deserialize<'de> for DomainName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?.to_ascii_lowercase();
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if name.len() <= 253 && name.contains('.') && name.split('.').all(is_label) {
            return Ok(Self(name));
        }
        Err(D::Error::custom(
            "Member must be a domain name, such as example.com; other letters than those of ASCII \
             are written as xn--…",
        ))
    }
}

impl Deref for DomainName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

constrained_string! {
    /// The 12 digits of an AWS account.
    AwsAccountId, "{:?}", |text| {
        let digits = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        satisfied(digits, r"^\d{12}$", &format!("it is '{text}'"))
    }
}

/// The name of a user, a role or a policy: 1 to `MAX` letters, digits and `_+=,.@-`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IamName<const MAX: usize>(String);

impl<'de, const MAX: usize> Deserialize<'de> for IamName<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        length(&name, 1, MAX).map_err(D::Error::custom)?;
        let matches = name.bytes().all(|it| is_in_iam_path(it) && it != b'/');
        satisfied(matches, r"[\w+=,.@-]+", &format!("it is '{name}'")).map_err(D::Error::custom)?;
        Ok(Self(name))
    }
}

fn is_in_iam_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_+=,.@-/".contains(&byte)
}

impl<const MAX: usize> Deref for IamName<MAX> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

constrained_string! {
    /// The path of a user, a role or a policy. Names alone tell them apart here, so that there is but
    /// one path.
    IamPath, "{:?}", |text| {
        if text == "/" { Ok(()) } else {
            Err(format!("Member must be '/': other paths are not kept (it is '{text}')"))
        }
    }
}

constrained_string! {
    /// What a role or a policy is for.
    IamDescription, "{:?}", |text| length(text, 0, 1000)
}

constrained_string! {
    /// A policy document: JSON, whose own faults are told apart from those of a request.
    PolicyDocument, "{:?}", |text| length(text, 1, 131_072)
}

constrained_string! {
    /// The ARN of a managed policy.
    PolicyArn, "{:?}", |text| {
        length(text, 20, 2048)?;
        let parts = text.strip_prefix("arn:aws:iam::").and_then(|it| it.split_once(":policy/"));
        let is_account = |it: &str| {
            it == "aws" || it.len() == 12 && it.bytes().all(|byte| byte.is_ascii_digit())
        };
        let matches = parts.is_some_and(|(account, name)| {
            is_account(account) && !name.is_empty() && name.bytes().all(is_in_iam_path)
        });
        let pattern = r"arn:aws:iam::(aws|\d{12}):policy/[\w+=,.@/-]+";
        satisfied(matches, pattern, &format!("it is '{text}'"))
    }
}

constrained_string! {
    /// The ARN of a role.
    RoleArn, "{:?}", |text| {
        length(text, 20, 2048)?;
        satisfied(text.starts_with("arn:aws:iam::"), "arn:aws:iam::.*", &format!("it is '{text}'"))
    }
}

constrained_string! {
    /// What whoever assumes a role calls the session: 2 to 64 letters, digits and `_+=,.@-`.
    RoleSessionName, "{:?}", |text| {
        length(text, 2, 64)?;
        let matches = text.bytes().all(|it| is_in_iam_path(it) && it != b'/');
        satisfied(matches, r"[\w+=,.@-]*", &format!("it is '{text}'"))
    }
}

constrained_string! {
    /// What somebody else's trust policy asks for, so that nobody is tricked into assuming a role.
    ExternalId, "{:?}", |text| length(text, 2, 1224)
}

/// For how many seconds a session is to last: 900 to `MAX`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SessionDuration<const MAX: i64>(u32);

impl<const MAX: i64> SessionDuration<MAX> {
    /// Returns the number of seconds.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl<'de, const MAX: i64> Deserialize<'de> for SessionDuration<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        between(i64::deserialize(deserializer)?, 900, MAX).map(Self).map_err(D::Error::custom)
    }
}

/// A version of a managed policy: v1, v2, ….
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PolicyVersionId(u32);

impl PolicyVersionId {
    /// Returns the number.
    pub fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for PolicyVersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

impl<'de> Deserialize<'de> for PolicyVersionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number =
            text.strip_prefix('v').filter(|it| it.starts_with(|it| ('1'..='9').contains(&it)));
        number.and_then(|it| it.parse().ok()).map(Self).ok_or_else(|| {
            D::Error::custom("Member must satisfy regular expression pattern: v[1-9][0-9]*")
        })
    }
}

/// For how many seconds a session of a role may last: an hour, unless somebody says other, to twelve.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MaxSessionDuration(u32);

impl MaxSessionDuration {
    /// Returns the number of seconds.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl Default for MaxSessionDuration {
    fn default() -> Self {
        Self(3600)
    }
}

impl<'de> Deserialize<'de> for MaxSessionDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        between(i64::deserialize(deserializer)?, 3600, 43_200).map(Self).map_err(D::Error::custom)
    }
}

/// How many results a page of IAM's may have: 1 to 1000, and 100 when nobody says.
#[derive(Clone, Copy, Debug)]
pub struct MaxItems(u16);

impl MaxItems {
    /// Returns the number.
    pub fn get(self) -> usize {
        self.0.into()
    }
}

impl Default for MaxItems {
    fn default() -> Self {
        Self(100)
    }
}

impl<'de> Deserialize<'de> for MaxItems {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        between(i64::deserialize(deserializer)?, 1, 1000).map(Self).map_err(D::Error::custom)
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
        between(i64::deserialize(deserializer)?, 1, 200).map(Self).map_err(D::Error::custom)
    }
}

/// For how many days messages are kept: 1 to 5475, which is 15 years.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct RetentionDays(u16);

impl<'de> Deserialize<'de> for RetentionDays {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        between(i64::deserialize(deserializer)?, 1, 5475).map(Self).map_err(D::Error::custom)
    }
}

fn between<N>(number: i64, min: i64, max: i64) -> Result<N, String>
where
    N: TryFrom<i64, Error: fmt::Debug>,
{
    let bound = if number < min {
        format!("greater than or equal to {min}")
    } else if number > max {
        format!("less than or equal to {max}")
    } else {
        return Ok(N::try_from(number).expect("the type holds every number between the bounds"));
    };
    Err(format!("Member must have value {bound} (it is {number})"))
}

/// A list with at most `MAX` elements.
#[derive(Clone, Debug)]
pub struct List<T, const MAX: usize>(Vec<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for List<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let elements = Vec::deserialize(deserializer)?;
        let length = elements.len();
        if length > MAX {
            return Err(D::Error::custom(format!(
                "Member must have length less than or equal to {MAX} (it has {length})"
            )));
        }
        Ok(Self(elements))
    }
}

impl<T, const MAX: usize> Deref for List<T, MAX> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

/// A list with at least one element.
#[derive(Clone, Debug)]
pub struct NonEmptyList<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for NonEmptyList<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let elements = Vec::deserialize(deserializer)?;
        if elements.is_empty() {
            return Err(D::Error::custom("Member must have length greater than or equal to 1"));
        }
        Ok(Self(elements))
    }
}

impl<T> Deref for NonEmptyList<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

/// Members that the service sent and that neither its model nor a recording knows, by name.
pub type Others = Map<String, Value>;

/// A shape with other members among its own, all in the order of their names.
#[derive(Debug)]
pub struct WithOthers<T> {
    /// The members that are known.
    pub shape: T,
    /// Those that are not, which only imported things have.
    pub others: Others,
}

impl<T: Serialize> Serialize for WithOthers<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.others.is_empty() {
            return self.shape.serialize(serializer);
        }
        let mut members = serde_json::to_value(&self.shape).map_err(serde::ser::Error::custom)?;
        if let Value::Object(members) = &mut members {
            for (name, value) in &self.others {
                members.entry(name).or_insert_with(|| value.clone());
            }
        }
        members.serialize(serializer)
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
