//! What is told of every request besides its answer: it is counted, written to the access log, and
//! exported as a span, as the settings say.

use super::spans::{self, Parent, Spans};
use crate::metrics::Metrics;
use crate::protocol::error::Error;
use crate::protocol::{Outcome, Peer, REQUEST_ID, loggable_path};
use bytes::Bytes;
use http::header::USER_AGENT;
use http::{HeaderMap, Method, Request, Response};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The target of the lines of the access log.
pub(super) const ACCESS: &str = "campanile::access";
/// How much of what a client calls itself is told.
const USER_AGENT_CHARACTERS_MAX: usize = 256;
/// How much of a path is told: that of an operation has at most some hundred characters.
const PATH_CHARACTERS_MAX: usize = 1024;

/// Tells of requests.
#[derive(Debug)]
pub(super) struct Observer {
    metrics: Arc<Metrics>,
    access_log: bool,
    spans: Option<Spans>,
}

/// A request that is being answered.
pub(super) struct Observed {
    in_flight: InFlight,
    begun: Instant,
    /// What is told of it, where somebody is told more than that it was.
    told: Option<Box<Told>>,
}

/// What is told of a request in a line of its own.
pub(super) struct Told {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) peer: Peer,
    pub(super) user_agent: Option<String>,
    pub(super) parent: Option<Parent>,
}

/// How a request was answered.
pub(super) struct Answered<'a> {
    pub(super) request_id: &'a str,
    pub(super) status: u16,
    pub(super) outcome: &'a Outcome,
    pub(super) bytes_in: usize,
    pub(super) bytes_out: usize,
    pub(super) took: Duration,
}

impl Observer {
    pub(super) fn new(metrics: Arc<Metrics>, access_log: bool, spans: Option<Spans>) -> Self {
        Self { metrics, access_log, spans }
    }

    /// Counts a connection for as long as this is kept.
    pub(super) fn connection(&self) -> Open {
        self.metrics.connections_open.inc();
        Open(Arc::clone(&self.metrics))
    }

    /// Notes that a request has come.
    pub(super) fn begin<B>(&self, peer: Peer, request: &Request<B>) -> Observed {
        self.metrics.requests_in_flight.inc();
        let is_told = self.access_log || self.spans.is_some();
        let told = is_told.then(|| Box::new(Told::of(peer, request)));
        Observed { in_flight: InFlight(Arc::clone(&self.metrics)), begun: Instant::now(), told }
    }

    /// Tells how a request was answered.
    pub(super) fn end(
        &self,
        observed: Observed,
        bytes_in: usize,
        outcome: &Outcome,
        response: &Response<Bytes>,
    ) {
        let Observed { in_flight, begun, told } = observed;
        drop(in_flight);
        let request_id = response.headers().get(REQUEST_ID).and_then(|it| it.to_str().ok());
        self.tell(
            told.as_deref(),
            &Answered {
                request_id: request_id.unwrap_or_default(),
                status: response.status().as_u16(),
                outcome,
                bytes_in,
                bytes_out: response.body().len(),
                took: begun.elapsed(),
            },
        );
    }

    /// Tells of what was refused because it is not HTTP, so that nothing is known of it.
    pub(super) fn refused(&self, peer: Peer, request_id: &str, error: &Error, bytes_out: usize) {
        let outcome = Outcome::default();
        outcome.note_error(error);
        let told = Told {
            method: Method::default(),
            path: String::new(),
            peer,
            user_agent: None,
            parent: None,
        };
        self.tell(
            Some(&told),
            &Answered {
                request_id,
                status: error.exception().status().as_u16(),
                outcome: &outcome,
                bytes_in: 0,
                bytes_out,
                took: Duration::ZERO,
            },
        );
    }

    fn tell(&self, told: Option<&Told>, answered: &Answered<'_>) {
        let Answered { outcome, status, took, .. } = *answered;
        self.metrics.answered(outcome.operation(), status, outcome.error(), took);
        let Some(told) = told else { return };
        let span = self.spans.as_ref().map(|spans| spans.export(told, answered));
        if self.access_log {
            log(told, answered, span.as_ref());
        }
    }

    /// Sends what is still to be sent.
    pub(super) async fn finish(&self) {
        if let Some(spans) = &self.spans {
            spans.finish().await;
        }
    }
}

/// Writes the line of a request.
fn log(told: &Told, answered: &Answered<'_>, span: Option<&spans::Names>) {
    let Answered { request_id, status, outcome, bytes_in, bytes_out, took } = answered;
    let caller = outcome.caller();
    tracing::info!(
        target: ACCESS,
        request_id,
        source_ip = %told.peer.source_ip,
        method = told.method(),
        path = told.path,
        operation = outcome.operation(),
        status,
        error = outcome.error(),
        bytes_in,
        bytes_out,
        duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        caller = caller.map(|it| it.arn.as_str()),
        access_key_id = caller.map(|it| it.access_key_id.as_str()),
        user_agent = told.user_agent,
        trace_id = span.map(|it| it.trace_id.as_str()).or(told.trace_id().as_deref()),
        span_id = span.map(|it| it.span_id.as_str()),
        "request"
    );
}

impl Told {
    fn of<B>(peer: Peer, request: &Request<B>) -> Self {
        let headers = request.headers();
        Self {
            method: request.method().clone(),
            path: cut(loggable_path(request.uri().path()), PATH_CHARACTERS_MAX),
            peer,
            user_agent: user_agent(headers),
            parent: Parent::of(headers),
        }
    }

    /// Returns the method; none, where nothing was understood.
    pub(super) fn method(&self) -> Option<&str> {
        (!self.path.is_empty()).then_some(self.method.as_str())
    }

    fn trace_id(&self) -> Option<String> {
        self.parent.as_ref().map(Parent::trace_id)
    }
}

fn user_agent(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(USER_AGENT)?;
    Some(cut(&String::from_utf8_lossy(value.as_bytes()), USER_AGENT_CHARACTERS_MAX))
}

fn cut(text: &str, characters_max: usize) -> String {
    text.chars().take(characters_max).collect()
}

/// A request that counts as one in flight, until this is dropped: also where its client goes away.
struct InFlight(Arc<Metrics>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.requests_in_flight.dec();
    }
}

/// A connection that counts as open, until this is dropped.
pub(super) struct Open(Arc<Metrics>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections_open.dec();
    }
}
