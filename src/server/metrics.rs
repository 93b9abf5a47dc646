//! Where Prometheus finds the metrics: a listener of its own, which answers that and nothing else.

use super::StartError;
use super::http::Listening;
use super::tls::Tls;
use crate::metrics::{Format, Look, Metrics};
use crate::operations::users::outbox;
use crate::protocol::{REQUEST_ID, new_request_id, request_id_header};
use crate::store::Store;
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

/// How many connections may be open: each scraper needs one.
const CONNECTIONS_MAX: usize = 32;
/// How far the outbox is counted, so that nothing is held up by a long one.
const MAILS_COUNTED_MAX: usize = 1000;
const PATH: &str = "/metrics";
/// The name of the `OpenMetrics` text, by which a scraper asks for it.
const OPEN_METRICS: &str = "application/openmetrics-text";
const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// How metrics are served.
#[derive(Clone, Debug)]
pub struct MetricsSettings {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The certificate to show, and whose client certificates to ask for; without it, HTTP is plain.
    pub tls: Option<Arc<Tls>>,
}

impl MetricsSettings {
    pub(super) async fn bind(self) -> Result<Listening, StartError> {
        Listening::bind(self.listen, self.tls, CONNECTIONS_MAX)
            .await
            .map_err(|error| StartError::ListenMetrics(self.listen, error))
    }
}

/// The metrics, and what has to be looked at when they are asked for.
#[derive(Clone, Debug)]
pub(super) struct Exposed {
    pub(super) metrics: Arc<Metrics>,
    pub(super) store: Arc<Store>,
    /// The certificate that the API shows.
    pub(super) tls: Option<Arc<Tls>>,
}

impl Exposed {
    /// Answers on a listener, until this is dropped.
    pub(super) async fn serve(self, listening: Listening) {
        let exposed = Arc::new(self);
        let respond = move |_, request| {
            let exposed = Arc::clone(&exposed);
            async move {
                let mut response = exposed.respond(&request).await;
                let request_id = request_id_header(&new_request_id());
                response.headers_mut().insert(REQUEST_ID, request_id);
                Ok(response.map(Full::new))
            }
        };
        listening.serve(respond, std::future::pending()).await;
    }

    async fn respond<B>(&self, request: &Request<B>) -> Response<Bytes> {
        if request.uri().path() != PATH {
            return refused(
                StatusCode::NOT_FOUND,
                "Metrics are at /metrics, and nothing else is here.\n",
            );
        }
        if request.method() != Method::GET && request.method() != Method::HEAD {
            let mut response =
                refused(StatusCode::METHOD_NOT_ALLOWED, "Metrics are there for GET.\n");
            let allowed = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(header::ALLOW, allowed);
            return response;
        }
        let (format, content_type) = if takes_open_metrics(request.headers()) {
            (Format::OpenMetrics, "application/openmetrics-text; version=1.0.0; charset=utf-8")
        } else {
            (Format::Prometheus, "text/plain; version=0.0.4; charset=utf-8")
        };
        let mut response = Response::new(self.metrics.written(format, self.look().await).into());
        let content_type = HeaderValue::from_static(content_type);
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
        response
    }

    async fn look(&self) -> Look {
        let waiting = self.store.read(|tx| outbox::waiting(&tx, MAILS_COUNTED_MAX));
        let waiting = AssertUnwindSafe(waiting).catch_unwind().await;
        Look {
            writes_waiting: self.store.writes_waiting(),
            // A store that cannot be read is told of by what fails for it.
            mails_waiting: waiting.ok().and_then(Result::ok).map_or(0, |mails| mails.len()),
            certificate_expiry: self.tls.as_ref().and_then(|tls| tls.expiry()),
        }
    }
}

/// Tells whether a scraper asks for `OpenMetrics`: those that know it ask for it before all else.
fn takes_open_metrics(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut types = values.flat_map(|value| value.split(','));
    types.any(|it| it.split(';').next().is_some_and(|it| it.trim() == OPEN_METRICS))
}

fn refused(status: StatusCode, text: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(text.as_bytes()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, PLAIN);
    response
}
