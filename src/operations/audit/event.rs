//! Events in CloudTrail's form, as they are shown and shipped: made of what is stored of them.

use super::{AdditionalEventData, AuditEventRecord, IdentityType, UserIdentity};
use crate::access;
use crate::clock::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::net::IpAddr;

/// The version of CloudTrail's record in which all the members here are.
const EVENT_VERSION: &str = "1.08";

/// An event, whose members are CloudTrail's.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event<'e> {
    event_version: &'static str,
    user_identity: Identity<'e>,
    /// To the millisecond, where CloudTrail's is to the second: events sort by it.
    event_time: Timestamp,
    event_source: Cow<'e, str>,
    event_name: &'e str,
    aws_region: &'e str,
    #[serde(rename = "sourceIPAddress")]
    source_ip_address: IpAddr,
    user_agent: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<&'e str>,
    request_parameters: Option<&'e RawValue>,
    response_elements: Option<&'e RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_event_data: Option<AdditionalEventData>,
    #[serde(rename = "requestID")]
    request_id: &'e str,
    #[serde(rename = "eventID")]
    event_id: &'e str,
    read_only: bool,
    event_type: &'static str,
    management_event: bool,
    recipient_account_id: &'e str,
    event_category: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'e> {
    #[serde(rename = "type")]
    kind: IdentityType,
    principal_id: &'e str,
    #[serde(skip_serializing_if = "str::is_empty")]
    arn: Cow<'e, str>,
    account_id: &'e str,
    #[serde(skip_serializing_if = "str::is_empty")]
    access_key_id: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<&'e str>,
}

impl<'e> From<&'e AuditEventRecord> for Event<'e> {
    fn from(record: &'e AuditEventRecord) -> Self {
        Self {
            event_version: EVENT_VERSION,
            user_identity: Identity::of(record),
            event_time: record.event_time,
            event_source: record.event_source(),
            event_name: record.event_name(),
            aws_region: &record.aws_region,
            source_ip_address: record.source_ip_address,
            user_agent: record.user_agent.as_deref(),
            error_code: record.error_code.as_deref(),
            error_message: record.error_message.as_deref(),
            request_parameters: record.request_parameters.as_deref(),
            response_elements: record.response_elements.as_deref(),
            additional_event_data: record.additional_event_data,
            request_id: &record.request_id,
            event_id: &record.event_id,
            read_only: record.read_only,
            event_type: "AwsApiCall",
            management_event: true,
            recipient_account_id: &record.aws_account_id,
            event_category: "Management",
        }
    }
}

impl<'e> Identity<'e> {
    fn of(record: &'e AuditEventRecord) -> Self {
        let UserIdentity { kind, access_key_id, arn, .. } = &record.user_identity;
        let account_id = &record.aws_account_id;
        let user_name = (*kind == IdentityType::IamUser).then(|| record.username());
        Self {
            kind: *kind,
            principal_id: record.principal_id(),
            arn: match arn {
                Some(arn) => arn.into(),
                None => access::root_arn(account_id).into(),
            },
            account_id,
            access_key_id,
            user_name,
        }
    }
}

impl AuditEventRecord {
    /// Returns the service that the event is of, as CloudTrail names it. What AWS left to its consoles
    /// has no service there, and an event source of its own here.
    pub(super) fn event_source(&self) -> Cow<'static, str> {
        match self.action.split(':').next().unwrap_or_default() {
            "campanile" => "campanile".into(),
            "chime" => "chime.amazonaws.com".into(),
            service => format!("{service}.amazonaws.com").into(),
        }
    }

    /// Returns the operation's name, without its service.
    pub fn event_name(&self) -> &str {
        self.action.rsplit(':').next().unwrap_or(&self.action)
    }

    fn principal_id(&self) -> &str {
        self.user_identity.principal_id.as_deref().unwrap_or(&self.aws_account_id)
    }

    /// Returns the name by which CloudTrail looks an event's caller up: the root's is "root", and a
    /// session's that of the session.
    pub fn username(&self) -> &str {
        let UserIdentity { kind, arn, .. } = &self.user_identity;
        match arn {
            _ if *kind == IdentityType::Unknown => self.principal_id(),
            Some(arn) if *kind != IdentityType::Root => arn.rsplit('/').next().unwrap_or_default(),
            _ => "root",
        }
    }

    /// Writes the event in CloudTrail's form.
    pub(super) fn in_cloud_trails_form(&self) -> String {
        serde_json::to_string(&Event::from(self)).expect("it was read from JSON")
    }
}
