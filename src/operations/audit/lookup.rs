//! `cloudtrail:LookupEvents`: the events of an AWS account, oldest first.
//!
//! CloudTrail's own name and members, where it has them. It answers newest first; whoever follows
//! events wants them in the order in which they came, and so does whoever reads them.

use super::{AuditEventRecord, at};
use crate::clock::Timestamp;
use crate::operations::Context;
use crate::operations::next_token::Query;
use crate::operations::transfer::target;
use crate::protocol::error::Result;
use crate::protocol::shapes::{AwsAccountId, NonEmptyString, ProfileServiceMaxResults};
use crate::store::{Page, Position, Record};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// How many events a call looks at, whether or not they are what is asked for.
const LOOKED_AT_MAX: usize = 2000;

// Shapes.

/// The request of `LookupEvents`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct LookupEventsRequest {
    account_id: Option<NonEmptyString>,
    aws_account_id: Option<AwsAccountId>,
    end_time: Option<Timestamp>,
    event_name: Option<NonEmptyString>,
    #[serde(default)]
    max_results: ProfileServiceMaxResults,
    next_token: Option<String>,
    read_only: Option<ReadOnly>,
    start_time: Option<Timestamp>,
    username: Option<NonEmptyString>,
}

/// Whether a call only read, in a text, as CloudTrail writes it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum ReadOnly {
    True,
    False,
}

/// The answer of `LookupEvents`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct LookupEventsResponse {
    events: Vec<Event>,
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    access_key_id: String,
    cloud_trail_event: String,
    event_id: String,
    event_name: String,
    event_source: String,
    event_time: Timestamp,
    read_only: ReadOnly,
    username: String,
}

impl ReadOnly {
    fn of(read_only: bool) -> Self {
        if read_only { Self::True } else { Self::False }
    }
}

impl From<AuditEventRecord> for Event {
    fn from(record: AuditEventRecord) -> Self {
        Self {
            cloud_trail_event: record.in_cloud_trails_form(),
            username: record.username().to_owned(),
            read_only: ReadOnly::of(record.read_only),
            event_name: record.event_name().to_owned(),
            event_source: record.event_source().into_owned(),
            access_key_id: record.user_identity.access_key_id,
            event_id: record.event_id,
            event_time: record.event_time,
        }
    }
}

// Operation.

/// Lists the events of an AWS account that are what is asked for. A page can be short or empty
/// though others follow: a call looks at a limited number of events.
pub(in super::super) fn lookup_events(
    cx: &mut Context<'_>,
    request: &LookupEventsRequest,
) -> Result<LookupEventsResponse> {
    let aws_account_id = target(cx, request.aws_account_id.as_ref())?;
    let filters = (
        &aws_account_id,
        request.start_time,
        request.end_time,
        request.account_id.as_deref(),
        request.event_name.as_deref(),
        request.read_only,
        request.username.as_deref(),
    );
    let query = Query { operation: "LookupEvents", filters };
    let start = request.start_time.map(|start| at(&aws_account_id, start));
    let mut after = query
        .position(cx, request.next_token.as_deref())?
        .or_else(|| start.map(|start| Position::at(start.into_bytes())));
    let index = AuditEventRecord::of_aws_account(&aws_account_id);
    // All at once: what an answer costs on another machine does not grow with the events there are.
    let looked_at = if request.asks_for_some() { LOOKED_AT_MAX } else { request.max_results.get() };
    let page: Page<AuditEventRecord> = cx.tx.page(&index, after.as_ref(), looked_at)?;
    let mut events = Vec::new();
    for record in page.items {
        if request.end_time.is_some_and(|end| {
            end.as_sortable_millisecond() < record.event_time.as_sortable_millisecond()
        }) {
            return Ok(LookupEventsResponse { events, next_token: None });
        }
        if events.len() == request.max_results.get() {
            let next_token = query.token(cx, after.as_ref());
            return Ok(LookupEventsResponse { events, next_token });
        }
        after = Some(Position::at(record.key().into_bytes()));
        if request.asks_for(&record) {
            events.push(record.into());
        }
    }
    Ok(LookupEventsResponse { events, next_token: query.token(cx, page.next.as_ref()) })
}

// Helpers.

impl LookupEventsRequest {
    /// Tells whether only some of the events are asked for.
    fn asks_for_some(&self) -> bool {
        self.event_name.is_some()
            || self.read_only.is_some()
            || self.username.is_some()
            || self.account_id.is_some()
    }

    fn asks_for(&self, event: &AuditEventRecord) -> bool {
        let is = |asked: &Option<NonEmptyString>, found: &str| {
            asked.as_deref().is_none_or(|asked| asked == found)
        };
        is(&self.event_name, event.event_name())
            && self.read_only.is_none_or(|asked| asked == ReadOnly::of(event.read_only))
            && is(&self.username, event.username())
            && self.account_id.as_deref().is_none_or(|asked| event.is_about(asked))
    }
}

/// The members of parameters or of an answer that name an account.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct About<'a> {
    #[serde(borrow)]
    account_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    account: Option<Box<About<'a>>>,
}

impl AuditEventRecord {
    /// Tells whether the call was about a Chime account: named it, or made it.
    fn is_about(&self, account_id: &str) -> bool {
        let elements = [&self.request_parameters, &self.response_elements];
        elements.into_iter().flatten().any(|elements| {
            serde_json::from_str::<About<'_>>(elements.get()).is_ok_and(|about| {
                let inner = about.account.and_then(|account| account.account_id);
                [about.account_id, inner].iter().flatten().any(|it| it == account_id)
            })
        })
    }
}
