//! The record of who did what: an event in CloudTrail's form for every call that changes, or tries to
//! change, anything.
//!
//! A change and its event are in one transaction, so that neither is there without the other. What
//! an event must not hold is settled in `redaction`.

pub mod lookup;
mod redaction;
pub mod retention;
pub mod shipping;

pub use redaction::Shown;

use super::{Admission, Operation};
use crate::access::{Caller, Principal};
use crate::clock::Timestamp;
use crate::protocol::decode::Members;
use crate::protocol::error::Result;
use crate::store::{self, Access, Key, Record, Table, Tx};
use redaction::{HIDDEN, Redactor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use shipping::UnshippedRecord;
use std::borrow::Cow;
use std::net::IpAddr;

/// How much an event holds of a request's parameters, or of an answer, in bytes; of what is longer it
/// says that it is left out.
const ELEMENTS_BYTES_MAX: usize = 32 << 10;
/// How much an event holds of what a client calls itself, and of an error's message, in bytes.
const TEXT_BYTES_MAX: usize = 1 << 10;
/// The version of CloudTrail's record in which all the members here are.
const EVENT_VERSION: &str = "1.08";

/// An event as it is stored and as it is shown: CloudTrail's own form.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the members are CloudTrail's")]
pub struct AuditEventRecord {
    pub event_version: Cow<'static, str>,
    pub user_identity: UserIdentity,
    /// To the millisecond, where CloudTrail's is to the second: events sort by it.
    pub event_time: Timestamp,
    pub event_source: Cow<'static, str>,
    pub event_name: String,
    pub aws_region: String,
    #[serde(rename = "sourceIPAddress")]
    pub source_ip_address: IpAddr,
    pub user_agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    pub request_parameters: Option<Box<RawValue>>,
    pub response_elements: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub additional_event_data: Option<AdditionalEventData>,
    #[serde(rename = "requestID")]
    pub request_id: String,
    #[serde(rename = "eventID")]
    pub event_id: String,
    pub read_only: bool,
    pub event_type: Cow<'static, str>,
    pub management_event: bool,
    /// The AWS account whose event this is.
    pub recipient_account_id: String,
    pub event_category: Cow<'static, str>,
}

/// Who made a call.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the members are CloudTrail's")]
pub struct UserIdentity {
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    pub principal_id: String,
    pub arn: String,
    pub account_id: String,
    pub access_key_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_name: Option<String>,
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
#[derive(Debug)]
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
        let name = operation.event_name();
        let mut redactor = Redactor::new(name, ELEMENTS_BYTES_MAX);
        let (request_parameters, hidden) = redactor.parameters(members);
        let omitted = !members.is_empty() && request_parameters.is_none();
        let event = AuditEventRecord {
            event_version: EVENT_VERSION.into(),
            user_identity: UserIdentity::of(caller),
            event_time: admission.now,
            event_source: event_source(operation.action()),
            event_name: name.to_owned(),
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
            request_id: admission.request_id.clone(),
            event_id,
            read_only: operation.access == Access::Read,
            event_type: "AwsApiCall".into(),
            management_event: true,
            recipient_account_id: caller.aws_account_id.clone(),
            event_category: "Management".into(),
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
                let mut redactor = Redactor::new(&event.event_name, ELEMENTS_BYTES_MAX);
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

impl UserIdentity {
    fn of(caller: &Caller) -> Self {
        let (kind, user_name) = match &caller.principal {
            Principal::DeploymentRoot | Principal::Root => ("Root", None),
            Principal::User { user_name } => ("IAMUser", Some(user_name.clone())),
            Principal::AssumedRole { .. } => ("AssumedRole", None),
        };
        Self {
            kind: kind.into(),
            principal_id: caller.user_id.clone(),
            arn: caller.arn.clone(),
            account_id: caller.aws_account_id.clone(),
            access_key_id: caller.access_key_id.clone(),
            user_name,
        }
    }
}

impl AuditEventRecord {
    /// Returns the key under which all the events of an AWS account sort, oldest first.
    pub fn of_aws_account(aws_account_id: &str) -> Key {
        Key::of(Table::AuditEvents).string(aws_account_id)
    }

    /// Returns the name by which CloudTrail looks an event's caller up: the root's is "root", and a
    /// session's that of the session.
    pub fn username(&self) -> &str {
        let UserIdentity { kind, user_name, arn, .. } = &self.user_identity;
        match user_name {
            Some(user_name) => user_name,
            None if kind == "Root" => "root",
            None => arn.rsplit('/').next().unwrap_or_default(),
        }
    }
}

impl Record for AuditEventRecord {
    const VERSION: u32 = 1;

    fn key(&self) -> Key {
        event_key(&self.recipient_account_id, self.event_time, &self.event_id)
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
    AuditEventRecord::of_aws_account(aws_account_id).number(milliseconds(time))
}

fn milliseconds(time: Timestamp) -> u64 {
    u64::try_from(time.as_millisecond()).unwrap_or_default()
}

/// Returns the service that an event is of, as CloudTrail names it. What AWS left to its consoles has
/// no service there, and an event source of its own here.
fn event_source(action: &str) -> Cow<'static, str> {
    match action.split(':').next().unwrap_or_default() {
        "campanile" => "campanile".into(),
        "chime" => "chime.amazonaws.com".into(),
        service => format!("{service}.amazonaws.com").into(),
    }
}

/// Cuts a text to what an event holds of one.
fn cut(text: &str) -> &str {
    let end = text.floor_char_boundary(TEXT_BYTES_MAX);
    text.get(..end).unwrap_or(HIDDEN)
}
