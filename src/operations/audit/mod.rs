//! The record of who did what: an event for every call that changes, or tries to change, anything.
//!
//! A change and its event are in one transaction, so that neither is there without the other. What
//! an event must not hold is settled in `redaction`, and how it is shown in `event`.

mod event;
pub mod lookup;
mod redaction;
pub mod retention;
pub mod shipping;

pub use redaction::Shown;

use super::users::UserRecord;
use super::{Admission, Operation};
use crate::access::{Caller, Origin, Principal};
use crate::clock::Timestamp;
use crate::protocol::decode::Members;
use crate::protocol::error::Result;
use crate::store::{self, Access, Key, Record, Table, Tx};
use redaction::{HIDDEN, Redactor};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use shipping::UnshippedRecord;
use std::borrow::Cow;
use std::net::IpAddr;

/// How much an event holds of a request's parameters, or of an answer, in bytes; of what is longer it
/// says that it is left out.
const ELEMENTS_BYTES_MAX: usize = 32 << 10;
/// How much an event holds of what a client calls itself, and of an error's message, in bytes.
const TEXT_BYTES_MAX: usize = 1 << 10;
/// An event as it is stored: what differs from one to another, under short names, for every write
/// takes its event to the disk. CloudTrail's form is made of it where it is read (`event`).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[expect(missing_docs, reason = "most members are CloudTrail's")]
pub struct AuditEventRecord {
    /// The AWS account whose event this is.
    #[serde(rename = "a")]
    pub aws_account_id: String,
    #[serde(rename = "t", with = "milliseconds_since_1970")]
    pub event_time: Timestamp,
    #[serde(rename = "e")]
    pub event_id: String,
    #[serde(rename = "q")]
    pub request_id: String,
    /// What policies call the operation: `chime:CreateAccount`.
    #[serde(rename = "n")]
    pub action: String,
    #[serde(rename = "ro", default, skip_serializing_if = "is_false")]
    pub read_only: bool,
    #[serde(rename = "c")]
    pub user_identity: UserIdentity,
    #[serde(rename = "r")]
    pub aws_region: String,
    #[serde(rename = "i")]
    pub source_ip_address: IpAddr,
    #[serde(rename = "u", skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    #[serde(rename = "x", skip_serializing_if = "Option::is_none")]
    pub error_code: Option<Cow<'static, str>>,
    #[serde(rename = "m", skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    #[serde(rename = "p", skip_serializing_if = "Option::is_none")]
    pub request_parameters: Option<Box<RawValue>>,
    #[serde(rename = "o", skip_serializing_if = "Option::is_none")]
    pub response_elements: Option<Box<RawValue>>,
    #[serde(rename = "d", skip_serializing_if = "Option::is_none")]
    pub additional_event_data: Option<AdditionalEventData>,
}

/// Who made a call.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[expect(missing_docs, reason = "the members are CloudTrail's")]
pub struct UserIdentity {
    #[serde(rename = "t", default, skip_serializing_if = "IdentityType::is_root")]
    pub kind: IdentityType,
    #[serde(rename = "k")]
    pub access_key_id: String,
    /// None, if it is the AWS account's, as a root's is.
    #[serde(rename = "p", skip_serializing_if = "Option::is_none")]
    pub principal_id: Option<String>,
    /// None, if it is the root's.
    #[serde(rename = "r", skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
}

/// The kinds of callers, as CloudTrail names them.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum IdentityType {
    #[default]
    Root,
    #[serde(rename = "IAMUser")]
    IamUser,
    AssumedRole,
    /// A person whom the link of an invitation let in: nobody whom IAM knows.
    Unknown,
}

/// What of a call is not in its event, because it is too long or cannot be read.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct AdditionalEventData {
    pub request_parameters_omitted: bool,
    pub response_elements_omitted: bool,
}

/// An event of a call whose outcome is not known yet.
#[derive(Clone, Debug)]
pub struct Draft {
    event: AuditEventRecord,
    /// What the parameters hold and the event must not, for messages may repeat it.
    hidden: redaction::HiddenValues,
}

impl Draft {
    /// Begins the event of a call with these parameters.
    pub fn new(
        operation: &Operation,
        admission: &Admission,
        members: &Members<'_>,
        event_id: String,
    ) -> Self {
        let Admission { caller, origin, .. } = admission;
        let mut redactor = Redactor::new(operation.event_name(), ELEMENTS_BYTES_MAX);
        let (request_parameters, hidden) = redactor.parameters(members);
        let omitted = !members.is_empty() && request_parameters.is_none();
        let event = AuditEventRecord {
            aws_account_id: caller.aws_account_id.clone(),
            event_time: admission.now,
            event_id,
            request_id: admission.request_id.clone(),
            action: operation.action().to_owned(),
            read_only: operation.access == Access::Read,
            user_identity: UserIdentity::of(caller),
            aws_region: cut(&origin.region).to_owned(),
            source_ip_address: origin.source_ip,
            user_agent: origin.user_agent.as_deref().map(|it| cut(it).to_owned()),
            error_code: None,
            error_message: None,
            request_parameters,
            response_elements: None,
            additional_event_data: omitted.then_some(AdditionalEventData {
                request_parameters_omitted: true,
                ..AdditionalEventData::default()
            }),
        };
        Self { event, hidden }
    }

    /// Returns the event, once it is known what the call answers.
    pub fn finish(self, outcome: &Result<Vec<u8>>) -> AuditEventRecord {
        let Self { mut event, hidden } = self;
        match outcome {
            // CloudTrail has the answers of calls that change something, and no others.
            Ok(_) if event.read_only => {}
            Ok(body) => {
                let mut redactor = Redactor::new(event.event_name(), ELEMENTS_BYTES_MAX);
                let elements = redactor.elements(body);
                if elements.is_none() {
                    let data = event.additional_event_data.get_or_insert_default();
                    data.response_elements_omitted = true;
                }
                // Of an answer without members there is nothing to tell.
                event.response_elements = elements.filter(|elements| elements.get() != "{}");
            }
            Err(error) => {
                event.error_code = Some(error.exception().name().into());
                event.error_message = Some(cut(&hidden.hide(error.message())).to_owned());
            }
        }
        event
    }
}

impl AuditEventRecord {
    /// Returns the event of a person who accepted an invitation. Nobody signed for it: the link did.
    pub fn of_acceptance(
        user: &UserRecord,
        origin: &Origin,
        now: Timestamp,
        request_id: &str,
        event_id: String,
    ) -> Self {
        let parameters = json!({"accountId": user.account_id, "userId": user.user_id});
        Self {
            aws_account_id: user.aws_account_id.clone(),
            event_time: now,
            event_id,
            request_id: request_id.to_owned(),
            action: "campanile:AcceptInvite".to_owned(),
            read_only: false,
            user_identity: UserIdentity {
                kind: IdentityType::Unknown,
                access_key_id: String::new(),
                principal_id: Some(user.user_id.clone()),
                arn: Some(String::new()),
            },
            aws_region: origin.region.clone(),
            source_ip_address: origin.source_ip,
            user_agent: origin.user_agent.as_deref().map(|it| cut(it).to_owned()),
            error_code: None,
            error_message: None,
            request_parameters: RawValue::from_string(parameters.to_string()).ok(),
            response_elements: None,
            additional_event_data: None,
        }
    }
}

impl UserIdentity {
    fn of(caller: &Caller) -> Self {
        let kind = match &caller.principal {
            Principal::DeploymentRoot | Principal::Root => IdentityType::Root,
            Principal::User { .. } => IdentityType::IamUser,
            Principal::AssumedRole { .. } => IdentityType::AssumedRole,
        };
        let unless_root = |text: &String| (kind != IdentityType::Root).then(|| text.clone());
        Self {
            kind,
            access_key_id: caller.access_key_id.clone(),
            principal_id: unless_root(&caller.user_id),
            arn: unless_root(&caller.arn),
        }
    }
}

impl IdentityType {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
    fn is_root(&self) -> bool {
        *self == Self::Root
    }
}

impl AuditEventRecord {
    /// Returns the key under which all the events of an AWS account sort, oldest first.
    pub fn of_aws_account(aws_account_id: &str) -> Key {
        Key::of(Table::AuditEvents).string(aws_account_id)
    }
}

impl Record for AuditEventRecord {
    const VERSION: u32 = 1;

    fn key(&self) -> Key {
        event_key(&self.aws_account_id, self.event_time, &self.event_id)
    }

    /// None, so that adding an event costs the same however many there are.
    fn index_keys(&self) -> Vec<Key> {
        Vec::new()
    }
}

/// Adds an event; where events are shipped, notes that this one is still to be.
pub fn append(tx: &mut Tx<'_>, event: &AuditEventRecord, is_shipped: bool) -> store::Result<()> {
    if is_shipped {
        tx.insert(&UnshippedRecord::of(event))?;
    }
    tx.insert(event)
}

fn event_key(aws_account_id: &str, time: Timestamp, event_id: &str) -> Key {
    at(aws_account_id, time).string(event_id)
}

/// Returns what the keys of an AWS account's events of one instant begin with.
fn at(aws_account_id: &str, time: Timestamp) -> Key {
    AuditEventRecord::of_aws_account(aws_account_id).number(time.as_sortable_millisecond())
}

/// Cuts a text to what an event holds of one.
fn cut(text: &str) -> &str {
    let end = text.floor_char_boundary(TEXT_BYTES_MAX);
    text.get(..end).unwrap_or(HIDDEN)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_false(it: &bool) -> bool {
    !it
}

/// How the time of an event is stored: a number is shorter than a text, and faster to write.
mod milliseconds_since_1970 {
    use crate::clock::Timestamp;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        time.as_millisecond().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        let milliseconds = i64::deserialize(from)?;
        Timestamp::from_millisecond(milliseconds).ok_or_else(|| D::Error::custom("no time"))
    }
}
