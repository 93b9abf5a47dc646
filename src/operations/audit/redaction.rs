//! What an event shows of parameters and answers: the members that are known to be for everybody's
//! eyes; of those that are known to be sensitive, that they were there; and nothing of any other.
//!
//! The list is of what may be shown, so that a member that nobody thought of is not. Both lists are
//! held against the service model by `tests/conformance/audit.rs`.

use crate::protocol::decode::{MemberValue, Members};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

/// What stands in the place of what is hidden, as in CloudTrail's events.
pub(super) const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";
/// How many hidden values are looked for in an error's message. Where there are more, the message is
/// hidden as a whole.
const HIDDEN_VALUES_MAX: usize = 256;
/// A value so short can stand in a message by chance, and a message in which it was replaced could
/// not be read.
const REPLACED_BYTES_MIN: usize = 4;

/// The members that are shown, as AWS names them, sorted.
#[rustfmt::skip]
const SHOWN: &[&str] = &[
    "AccessKey", "AccessKeyId", "AccessKeyLastUsed", "AccessKeyMetadata", "Account", "AccountId",
    "AccountSettings", "AccountStatus", "AccountType", "Accounts", "AlexaForBusinessMetadata",
    "AreaCode", "Arn", "AssociatedTimestamp", "Associations", "AssumeRolePolicyDocument",
    "AssumedRoleId", "AssumedRoleUser", "AttachedPolicies", "AwsAccountId", "Bot", "BotId",
    "BotType", "Bots", "BusinessCalling", "CallingNameStatus", "CallingNameUpdatedTimestamp",
    "Capabilities", "CdrBucket", "City", "ClaimedTimestamp", "ClientId", "ConversationDays",
    "ConversationId", "ConversationRetentionSettings", "Country", "CountryCode", "CreateDate",
    "Created", "CreatedBy", "CreatedTimestamp", "Credentials", "DefaultLicense",
    "DefaultVersionId", "DeletedAccounts", "DeletedTimestamp", "DeletionTimestamp", "Description",
    "DirectoryId", "DisableRemoteControl", "Disabled", "Document", "Domain", "DomainName",
    "DomainStatus", "Domains", "DryRun", "DurationSeconds", "EmailStatus", "EnableDialOut",
    "EndTime", "EntityFilter", "ErrorCode", "Errors", "EventName", "Events", "EventsConfiguration", "Expiration",
    "ExpiresTimestamp", "FilterName", "FilterValue", "GroupId", "GroupName", "GroupNames",
    "Groups", "InboundCall", "InboundCalling", "InboundMMS", "InboundSMS", "Index",
    "InitiateDeletionTimestamp", "Invite", "InviteId", "InvitedBy", "InvitedOn", "Invites",
    "IsAlexaForBusinessEnabled", "IsAttachable", "IsDefaultVersion", "IsTruncated", "Issuer",
    "ItemErrors", "LastUsedDate", "License", "LicenseType", "Marker", "MaxItems", "MaxResults",
    "MaxSessionDuration", "MeetingId", "Member", "MemberId", "MemberType", "MembershipItemList",
    "MessageId", "Name", "NewPath", "NewUserName", "OpenIdConfig", "OrderedPhoneNumbers", "OutboundCall", "OutboundCalling",
    "OutboundMMS", "OutboundSMS", "Overwrite", "Overwritten", "PackedPolicySize", "Path",
    "PhoneNumber", "PhoneNumberCountries", "PhoneNumberErrors", "PhoneNumberId", "PhoneNumberIds",
    "PhoneNumberOrder", "PhoneNumberOrderId", "PhoneNumberOrders", "PhoneNumberType",
    "PhoneNumbers", "Policies", "Policy", "PolicyArn", "PolicyDocument", "PolicyId", "PolicyName",
    "PolicyNames", "PolicyRoles", "PolicyUsers", "PolicyVersion", "ProductType", "ReadOnly", "Region", "RegisteredOn",
    "RestorableUntilTimestamp", "RetentionDays", "RetentionSettings", "Role", "RoleArn", "RoleId",
    "RoleName", "RoleSessionName", "Roles", "Room", "RoomDays", "RoomId", "RoomMembership",
    "RoomMemberships", "RoomRetentionSettings", "Rooms", "SMS", "Scope", "ServiceName",
    "SetAsDefault", "SigninDelegateGroups", "StartTime", "State", "Status", "SupportedLicenses",
    "SupportedPhoneNumberTypes", "Telephony", "TollFreePrefix", "TransactionId", "Type",
    "Unchanged", "UpdateDate", "UpdatePhoneNumberRequestItems", "UpdateUserRequestItems",
    "UpdatedTimestamp", "User", "UserErrors", "UserId", "UserIdList", "UserInvitationStatus",
    "UserName", "UserRegistrationStatus", "UserSettings", "UserType", "Username", "Users", "Value",
    "VerificationRecord", "VerifiedTimestamp", "VersionId", "Versions", "VoiceConnector",
];

/// The members of which events show only that they were there, sorted.
#[rustfmt::skip]
const SENSITIVE: &[&str] = &[
    "AlexaForBusinessRoomArn", "BotEmail", "CallingName", "ClientRequestToken", "DisplayName",
    "E164PhoneNumber", "E164PhoneNumbers", "Email", "EmailAddress", "ErrorMessage",
    "FromPhoneNumber", "FullName", "JoinToken", "LambdaFunctionArn", "NextToken",
    "OutboundEventsHTTPSEndpoint", "PersonalPIN", "PrimaryEmail", "PrimaryProvisionedNumber",
    "SecretAccessKey", "SecurityToken", "SessionToken", "ToPhoneNumber", "Url", "UserEmail",
    "UserEmailList",
];

/// What events show of a member.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shown {
    /// The name and the value.
    Whole,
    /// The name.
    Name,
    /// Not even the name: whoever made the request has chosen it.
    Nothing,
}

impl Shown {
    /// Returns what an operation's events show of a member.
    pub fn of(operation: &str, member: &str) -> Self {
        let is_sensitive_here = match member {
            // Rooms alone have names that the model calls sensitive.
            "Name" => operation.contains("Room"),
            // Where an item of an import is at fault: whoever made the item has chosen the name.
            "Member" => operation.starts_with("Import"),
            _ => false,
        };
        let listed = || LISTED.get(member).copied().unwrap_or(Self::Nothing);
        if is_sensitive_here { Self::Name } else { listed() }
    }
}

/// Both lists, to be looked into quickly: an event has twenty names, and every write an event.
static LISTED: LazyLock<HashMap<&str, Shown>> = LazyLock::new(|| {
    let sensitive = SENSITIVE.iter().map(|name| (*name, Shown::Name));
    SHOWN.iter().map(|name| (*name, Shown::Whole)).chain(sensitive).collect()
});

/// Writes what an event shows.
#[derive(Debug)]
pub(super) struct Redactor<'a> {
    operation: &'a str,
    bytes_max: usize,
    written: Vec<u8>,
    hidden: HiddenValues,
}

/// What stood in the place of what is hidden.
#[derive(Clone, Debug, Default)]
pub(super) struct HiddenValues {
    values: Vec<String>,
    /// There may be others.
    are_some: bool,
}

impl HiddenValues {
    /// Takes from a message whatever of it is hidden.
    pub(super) fn hide<'m>(&self, message: &'m str) -> Cow<'m, str> {
        if self.are_some {
            return HIDDEN.into();
        }
        let mut message = Cow::Borrowed(message);
        let long = |value: &&String| value.len() >= REPLACED_BYTES_MIN;
        for value in self.values.iter().filter(long) {
            if message.contains(value) {
                message = message.replace(value, HIDDEN).into();
            }
        }
        // It may be written in another case there, or be too short to be replaced.
        let lower = message.replace(HIDDEN, "").to_lowercase();
        let is_left = |value: &String| !value.is_empty() && lower.contains(&value.to_lowercase());
        if self.values.iter().any(is_left) { HIDDEN.into() } else { message }
    }

    fn add(&mut self, value: &str) {
        self.are_some |= self.values.len() >= HIDDEN_VALUES_MAX;
        if !self.are_some {
            self.values.push(value.to_owned());
        }
    }
}

impl<'a> Redactor<'a> {
    /// Begins to write what the events of an operation show, up to so many bytes.
    pub(super) fn new(operation: &'a str, bytes_max: usize) -> Self {
        let written = Vec::with_capacity(256);
        Self { operation, bytes_max, written, hidden: HiddenValues::default() }
    }

    /// Returns a request's parameters, if there are any and they are not too long, and what is
    /// hidden of them.
    pub(super) fn parameters(
        &mut self,
        members: &Members<'_>,
    ) -> (Option<Box<RawValue>>, HiddenValues) {
        let mut is_readable = true;
        let mut is_first = true;
        self.write(b"{");
        for (name, value) in members.iter() {
            let shown = self.name(&mut is_first, name);
            is_readable &= match value {
                MemberValue::Text(text) => self.text(text, shown),
                MemberValue::Json(json) => self.json(json.get(), shown),
            };
        }
        self.write(b"}");
        let mut hidden = std::mem::take(&mut self.hidden);
        hidden.are_some |= !is_readable;
        let is_there = is_readable && !members.is_empty();
        (is_there.then(|| self.take()).flatten(), hidden)
    }

    /// Returns an answer, if it is not too long.
    pub(super) fn elements(&mut self, body: &[u8]) -> Option<Box<RawValue>> {
        let text = std::str::from_utf8(body).ok()?;
        self.written.reserve(body.len().min(self.bytes_max));
        // Nobody asks what is hidden of an answer.
        self.hidden.are_some = true;
        self.json(text, Shown::Whole).then(|| self.take()).flatten()
    }

    fn take(&mut self) -> Option<Box<RawValue>> {
        let written = std::mem::take(&mut self.written);
        if written.len() > self.bytes_max {
            return None;
        }
        RawValue::from_string(String::from_utf8(written).ok()?).ok()
    }

    /// Writes a value, or that it is hidden; answers whether it could be read.
    fn json(&mut self, json: &str, shown: Shown) -> bool {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        Value { redactor: self, shown }.deserialize(&mut deserializer).is_ok()
    }

    fn text(&mut self, text: &str, shown: Shown) -> bool {
        if shown == Shown::Whole {
            return self.scalar(text);
        }
        self.hidden.add(text);
        shown == Shown::Nothing || self.scalar(HIDDEN)
    }

    /// Writes a member's name as CloudTrail does, if it is shown; answers what is shown of it.
    fn name(&mut self, is_first: &mut bool, name: &str) -> Shown {
        let shown = Shown::of(self.operation, name);
        if shown == Shown::Nothing {
            return shown;
        }
        if !std::mem::take(is_first) {
            self.write(b",");
        }
        // A name on a list has nothing that JSON would escape.
        let (first, rest) = name.split_at_checked(1).unwrap_or_default();
        self.write(b"\"");
        self.write(first.to_ascii_lowercase().as_bytes());
        self.write(rest.as_bytes());
        self.write(b"\":");
        shown
    }

    fn scalar<T: serde::Serialize + ?Sized>(&mut self, value: &T) -> bool {
        self.is_full() || serde_json::to_writer(&mut self.written, value).is_ok()
    }

    fn write(&mut self, bytes: &[u8]) {
        if !self.is_full() {
            self.written.extend(bytes);
        }
    }

    /// What is too long is read on, for what is hidden in it, and not written on.
    fn is_full(&self) -> bool {
        self.written.len() > self.bytes_max
    }
}

/// A value that is read and written at once, never kept as a whole.
struct Value<'r, 'a> {
    redactor: &'r mut Redactor<'a>,
    shown: Shown,
}

impl<'de> DeserializeSeed<'de> for Value<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Self { redactor, shown } = self;
        if shown == Shown::Whole {
            return deserializer.deserialize_any(Whole(redactor));
        }
        let is_there = deserializer.deserialize_any(Noted(&mut redactor.hidden))?;
        // That there is nothing is no secret.
        let stands_for = is_there.then_some(HIDDEN);
        if shown == Shown::Name {
            redactor.scalar(&stands_for);
        }
        Ok(())
    }
}

/// Writes a value, without what is hidden in it.
struct Whole<'r, 'a>(&'r mut Redactor<'a>);

/// Notes every text of a value that is hidden, and writes nothing.
struct Noted<'r>(&'r mut HiddenValues);

impl<'de> Visitor<'de> for Whole<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.0.scalar(&value);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.0.scalar(&value);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.0.scalar(&value);
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.0.scalar(&value);
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.0.scalar(&value);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.0.scalar(&());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let Self(redactor) = self;
        let shown = Shown::Whole;
        redactor.write(b"[");
        let mut is_first = true;
        loop {
            let before = redactor.written.len();
            if !is_first {
                redactor.write(b",");
            }
            if elements.next_element_seed(Value { redactor, shown })?.is_none() {
                redactor.written.truncate(before);
                redactor.write(b"]");
                return Ok(());
            }
            is_first = false;
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let Self(redactor) = self;
        redactor.write(b"{");
        let mut is_first = true;
        while let Some(shown) = members.next_key_seed(Name { redactor, is_first: &mut is_first })? {
            members.next_value_seed(Value { redactor, shown })?;
        }
        redactor.write(b"}");
        Ok(())
    }
}

/// Writes a member's name, if it is shown; answers what is shown of the member.
struct Name<'r, 'a> {
    redactor: &'r mut Redactor<'a>,
    is_first: &'r mut bool,
}

impl<'de> DeserializeSeed<'de> for Name<'_, '_> {
    type Value = Shown;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Shown, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_, '_> {
    type Value = Shown;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Shown, E> {
        let Self { redactor, is_first } = self;
        let shown = redactor.name(is_first, name);
        if shown == Shown::Nothing {
            redactor.hidden.add(name);
        }
        Ok(shown)
    }
}

impl<'de> DeserializeSeed<'de> for Noted<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Answers whether there is a value.
impl<'de> Visitor<'de> for Noted<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _value: bool) -> Result<bool, E> {
        Ok(true)
    }

    fn visit_i64<E>(self, _value: i64) -> Result<bool, E> {
        Ok(true)
    }

    fn visit_u64<E>(self, _value: u64) -> Result<bool, E> {
        Ok(true)
    }

    fn visit_f64<E>(self, _value: f64) -> Result<bool, E> {
        Ok(true)
    }

    fn visit_str<E>(self, value: &str) -> Result<bool, E> {
        self.0.add(value);
        Ok(true)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<bool, A::Error> {
        while elements.next_element_seed(Noted(self.0))?.is_some() {}
        Ok(true)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<bool, A::Error> {
        while let Some(name) = members.next_key::<Cow<'_, str>>()? {
            self.0.add(&name);
            members.next_value_seed(Noted(self.0))?;
        }
        Ok(true)
    }
}
