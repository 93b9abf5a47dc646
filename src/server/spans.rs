//! OpenTelemetry: a span for each request, exported by OTLP over HTTP, a batch at a time.
//!
//! A thread of the SDK's own sends the batches. What cannot be sent, or does not fit its queue, is
//! thrown away: nobody waits for a collector but the server's end, and that for a limited time.

use super::observer::{Answered, Told};
use crate::protocol::UNKNOWN;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, Uri};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{
    Span, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId,
    TraceState, Tracer, TracerProvider,
};
use opentelemetry::{Context, Key, KeyValue};
use opentelemetry_http::{HeaderExtractor, HttpClient, HttpError};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use std::fmt;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Where an OTLP endpoint takes spans.
const PATH: &str = "/v1/traces";
/// How long a collector may take for a batch.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long what is still to be sent may take when the server stops.
const FINISH_TIMEOUT: Duration = Duration::from_secs(3);
/// How much of a collector's answer is read: it is a few bytes, and nothing hangs on it.
const ANSWER_BYTES_MAX: u64 = 64 << 10;
/// The header by which AWS's load balancers and SDKs hand on a trace.
const AMZN_TRACE_ID: &str = "x-amzn-trace-id";
const TRACEPARENT: &str = "traceparent";

/// The URL of an OTLP endpoint, as `OTEL_EXPORTER_OTLP_ENDPOINT` has it: that of a kind of telemetry
/// is below it.
#[derive(Clone, Debug)]
pub struct OtlpEndpoint(String);

impl FromStr for OtlpEndpoint {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "an OTLP endpoint is http://HOST:PORT or https://HOST:PORT, perhaps with a \
                     path. What proves who sends belongs into OTEL_EXPORTER_OTLP_HEADERS";
        let uri: Uri = text.parse().map_err(|_| wrong)?;
        let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
        let has_host = uri.authority().is_some_and(|it| !it.as_str().contains('@'));
        if !is_http || !has_host || uri.query().is_some() || text.contains('#') {
            return Err(wrong);
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

/// Exports spans.
#[derive(Debug)]
pub(super) struct Spans {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

/// The ids of a span, as a log has them.
pub(super) struct Names {
    pub(super) trace_id: String,
    pub(super) span_id: String,
}

impl Spans {
    /// Begins to export. How often, and how much, say the SDK's own environment variables.
    pub(super) fn start(endpoint: &OtlpEndpoint) -> Result<Self, String> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Collector::at(endpoint))
            .with_endpoint(format!("{}{PATH}", endpoint.0))
            .build()
            .map_err(|error| format!("spans cannot be exported to {}: {error}", endpoint.0))?;
        let provider = SdkTracerProvider::builder()
            .with_resource(resource())
            .with_batch_exporter(exporter)
            .build();
        let tracer = provider.tracer("campanile");
        Ok(Self { provider, tracer })
    }

    /// Exports the span of a request that was answered just now.
    pub(super) fn export(&self, told: &Told, answered: &Answered<'_>) -> Names {
        let end = opentelemetry::time::now();
        let builder = SpanBuilder::from_name(name(told, answered.outcome.operation()))
            .with_kind(SpanKind::Server)
            .with_start_time(end.checked_sub(answered.took).unwrap_or(end))
            .with_attributes(attributes(told, answered));
        let none = Context::new();
        let parent = told.parent.as_ref().map_or(&none, |parent| &parent.0);
        let mut span = self.tracer.build_with_context(builder, parent);
        if answered.status >= 500 {
            span.set_status(Status::error(""));
        }
        span.end_with_timestamp(end);
        let context = span.span_context();
        Names { trace_id: context.trace_id().to_string(), span_id: context.span_id().to_string() }
    }

    /// Sends what is still to be sent, as far as there is time.
    pub(super) async fn finish(&self) {
        let provider = self.provider.clone();
        let finish = move || provider.shutdown_with_timeout(FINISH_TIMEOUT);
        if !matches!(tokio::task::spawn_blocking(finish).await, Ok(Ok(()))) {
            tracing::warn!("stopped with spans that were not sent");
        }
    }
}

/// Describes the server, by the name that `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES`
/// gives it.
fn resource() -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let named = Resource::builder().with_attribute(version.clone()).build();
    let name = named.get(&Key::from_static_str("service.name"));
    if name.is_some_and(|name| !name.as_str().starts_with("unknown_service")) {
        return named;
    }
    Resource::builder().with_service_name("campanile").with_attribute(version).build()
}

/// Names a span as SDKs for AWS name theirs, by an operation, or by a method where there is none.
fn name(told: &Told, operation: &'static str) -> String {
    match rpc(operation) {
        Some((service, method)) => format!("{service}.{method}"),
        None => told.method().unwrap_or("HTTP").to_owned(),
    }
}

/// Returns the service and the method that an operation is of.
fn rpc(operation: &'static str) -> Option<(&'static str, &'static str)> {
    match operation.split_once(':') {
        Some(("sts", method)) => Some(("STS", method)),
        _ if operation == UNKNOWN || !operation.starts_with(char::is_uppercase) => None,
        _ => Some(("Chime", operation)),
    }
}

/// Returns what OpenTelemetry's conventions have a server tell of a request.
fn attributes(told: &Told, answered: &Answered<'_>) -> Vec<KeyValue> {
    let outcome = answered.outcome;
    let scheme = if told.peer.secure_transport { "https" } else { "http" };
    let size = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
    let mut attributes = vec![
        KeyValue::new("http.request.method", told.method().unwrap_or("_OTHER").to_owned()),
        KeyValue::new("url.path", told.path.clone()),
        KeyValue::new("url.scheme", scheme),
        KeyValue::new("client.address", told.peer.source_ip.to_string()),
        KeyValue::new("http.response.status_code", i64::from(answered.status)),
        KeyValue::new("http.request.body.size", size(answered.bytes_in)),
        KeyValue::new("http.response.body.size", size(answered.bytes_out)),
        KeyValue::new("aws.request_id", answered.request_id.to_owned()),
    ];
    if let Some((service, method)) = rpc(outcome.operation()) {
        attributes.push(KeyValue::new("rpc.system", "aws-api"));
        attributes.push(KeyValue::new("rpc.service", service));
        attributes.push(KeyValue::new("rpc.method", method));
    }
    if let Some(caller) = outcome.caller() {
        attributes.push(KeyValue::new("enduser.id", caller.arn.clone()));
    }
    if let Some(user_agent) = &told.user_agent {
        attributes.push(KeyValue::new("user_agent.original", user_agent.clone()));
    }
    if let Some(error) = outcome.error() {
        attributes.push(KeyValue::new("error.type", error));
    }
    attributes
}

/// The trace that a request belongs to, as its client says.
#[derive(Debug)]
pub(super) struct Parent(Context);

impl Parent {
    /// Reads what the W3C's header says, or else AWS's.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let of_w3c = || {
            headers.get(TRACEPARENT)?;
            let propagator = TraceContextPropagator::new();
            let context =
                propagator.extract_with_context(&Context::new(), &HeaderExtractor(headers));
            context.span().span_context().is_valid().then_some(context)
        };
        let of_aws = || {
            let span = amzn_trace(headers.get(AMZN_TRACE_ID)?.to_str().ok()?)?;
            Some(Context::new().with_remote_span_context(span))
        };
        of_w3c().or_else(of_aws).map(Self)
    }

    pub(super) fn trace_id(&self) -> String {
        self.0.span().span_context().trace_id().to_string()
    }
}

/// Reads `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1` (AWS X-Ray's
/// developer guide, "Tracing header"). A load balancer sends the root alone: then there is no span
/// to be the parent of ours, and its place is taken by the root's last part.
fn amzn_trace(value: &str) -> Option<SpanContext> {
    let part = |name: &str| {
        let mut parts = value.split(';').filter_map(|part| part.trim().split_once('='));
        parts.find(|(other, _)| *other == name).map(|(_, value)| value)
    };
    let (version, root) = part("Root")?.split_once('-')?;
    let (time, unique) = root.split_once('-')?;
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_root = version == "1" && time.len() == 8 && unique.len() == 24;
    if !is_root || !is_hex(time) || !is_hex(unique) {
        return None;
    }
    let trace_id = TraceId::from_hex(&format!("{time}{unique}")).ok()?;
    let parent = part("Parent").filter(|it| it.len() == 16 && is_hex(it));
    let span_id = SpanId::from_hex(parent.or(unique.get(8..))?).ok()?;
    let is_sampled = part("Sampled") != Some("0");
    let flags = TraceFlags::default().with_sampled(is_sampled);
    let span = SpanContext::new(trace_id, span_id, flags, true, TraceState::default());
    span.is_valid().then_some(span)
}

/// The way to a collector. That it cannot be reached is told once, until it can be again.
struct Collector {
    endpoint: String,
    agent: ureq::Agent,
    is_failing: AtomicBool,
}

impl Collector {
    fn at(endpoint: &OtlpEndpoint) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(EXPORT_TIMEOUT))
            .build()
            .new_agent();
        Self { endpoint: endpoint.0.clone(), agent, is_failing: AtomicBool::new(false) }
    }

    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ureq::Error> {
        let response = self.agent.run(request.map(|body| body.to_vec()))?;
        let (parts, mut body) = response.into_parts();
        let body = body.with_config().limit(ANSWER_BYTES_MAX).read_to_vec()?;
        Ok(Response::from_parts(parts, body.into()))
    }

    fn tell(&self, failure: Option<&str>) {
        let was_failing = self.is_failing.swap(failure.is_some(), Ordering::Relaxed);
        match failure {
            Some(reason) if !was_failing => tracing::warn!(
                "spans cannot be sent to {}, and are thrown away until they can: {reason}",
                self.endpoint
            ),
            None if was_failing => tracing::info!("spans are sent to {} again", self.endpoint),
            _ => {}
        }
    }
}

impl HttpClient for Collector {
    /// Sends a batch, on the SDK's thread, which may wait.
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let response = self.send(request);
        match &response {
            Ok(response) if response.status().is_success() => self.tell(None),
            Ok(response) => self.tell(Some(&format!("it answers {}", response.status()))),
            Err(error) => self.tell(Some(&error.to_string())),
        }
        Box::pin(std::future::ready(response.map_err(HttpError::from)))
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_of_aws_is_read() {
        let trace = |value: &str| {
            amzn_trace(value).map(|span| {
                (span.trace_id().to_string(), span.span_id().to_string(), span.is_sampled())
            })
        };
        let root = "Root=1-5759e988-bd862e3fe1be46a994272793";
        let trace_id = "5759e988bd862e3fe1be46a994272793".to_owned();
        let whole = format!("{root};Parent=53995c3f42cd8ad8;Sampled=0");
        assert_eq!(trace(&whole), Some((trace_id.clone(), "53995c3f42cd8ad8".to_owned(), false)));
        let of_balancer = format!("Self=1-67891234-12456789abcdef012345678;{root}");
        assert_eq!(trace(&of_balancer), Some((trace_id, "e1be46a994272793".to_owned(), true)));
        for wrong in [
            "",
            "Root=",
            "Root=1-5759e988",
            "Root=2-5759e988-bd862e3fe1be46a994272793",
            "Root=1-5759e98-bd862e3fe1be46a9942727934",
            "Root=1-5759e988-bd862e3fe1be46a99427279g",
            "Root=1-00000000-000000000000000000000000",
        ] {
            assert_eq!(trace(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_endpoint_is_a_url_without_a_secret() {
        for good in ["http://127.0.0.1:4318", "https://collector.example/otlp/"] {
            assert!(good.parse::<OtlpEndpoint>().is_ok(), "{good}");
        }
        let wrong = ["", "collector:4318", "grpc://a:4317", "http://me:s3cret@a", "http://a?key=b"];
        for wrong in wrong {
            let error = wrong.parse::<OtlpEndpoint>().unwrap_err();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
