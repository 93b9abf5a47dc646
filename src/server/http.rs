//! HTTP/1.1: connections, limits, and the way of a request to the API and back.

use super::cors::{self, Origins};
use super::observer::{Observer, Open};
use super::refusal::Refusing;
use super::tls::Tls;
use crate::protocol::error::{Error, Exception, Result};
use crate::protocol::{
    Api, Outcome, Peer, REQUEST_ID, Request, failure, new_request_id, request_id_header,
};
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Response, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How long a body may be, in bytes.
const BODY_BYTES_MAX: usize = 1 << 20;
/// How much of a body that is too long is read and thrown away before it is refused, so that the
/// client has finished sending and reads the answer.
const REFUSED_BODY_BYTES_MAX: usize = 16 << 20;
/// How long a request target may be, in bytes.
const TARGET_BYTES_MAX: usize = 8 << 10;
/// How long a request's line and headers may be together, in bytes.
pub(super) const HEAD_BYTES_MAX: usize = 32 << 10;
/// How many headers a request may have.
const HEADERS_MAX: usize = 100;
/// How long a client may take for the handshake of TLS.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may take to send a request's head, or be idle between requests.
const HEAD_TIMEOUT: Duration = Duration::from_mins(1);
/// How long a client may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long requests may go on after the server was told to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
/// How long accepting rests after it failed, which it does when no file descriptor is left.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// A connection that was accepted: who is at its other end, and its place among those that may be
/// open.
struct Accepted {
    peer: Peer,
    _place: OwnedSemaphorePermit,
    _open: Option<Open>,
}

/// What answers requests: the API with what browsers ask beside it.
#[derive(Debug)]
pub(super) struct Front {
    pub(super) api: Arc<Api>,
    pub(super) cors_origins: Origins,
    pub(super) observer: Arc<Observer>,
    /// The places of the requests that are served at once.
    pub(super) requests: Semaphore,
}

/// An address that is bound, and how connections to it are made.
#[derive(Debug)]
pub(super) struct Listening {
    listener: TcpListener,
    pub(super) address: SocketAddr,
    /// The certificate that is shown; without it, HTTP is plain.
    pub(super) tls: Option<Arc<Tls>>,
    connections_max: usize,
    /// Who is told of connections, and of what is refused on them.
    observer: Option<Arc<Observer>>,
}

impl Front {
    /// Serves the API until told to stop, then waits for the requests that have begun.
    pub(super) async fn serve(self, listening: Listening, stop: impl Future<Output = ()>) {
        let observer = Some(Arc::clone(&self.observer));
        let front = Arc::new(self);
        let respond = move |peer, request| Arc::clone(&front).respond(peer, request);
        Listening { observer, ..listening }.serve(respond, stop).await;
    }
}

impl Listening {
    /// Binds an address; port 0 takes a free one.
    pub(super) async fn bind(
        address: SocketAddr,
        tls: Option<Arc<Tls>>,
        connections_max: usize,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, tls, connections_max, observer: None })
    }

    /// Returns the scheme of what is reached here: https with TLS.
    pub(super) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// Serves connections until told to stop, then waits for the requests that have begun.
    pub(super) async fn serve<R, F>(self, respond: R, stop: impl Future<Output = ()>)
    where
        R: Fn(Peer, http::Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = Answer> + Send + 'static,
    {
        let graceful = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(self.connections_max));
        let mut handshakes = JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                (stream, accepted) = self.accept(&places) => match &self.tls {
                    None => self.serve_connection(stream, accepted, respond.clone(), &graceful),
                    Some(tls) => {
                        let acceptor = TlsAcceptor::from(tls.config());
                        handshakes.spawn(handshake(acceptor, stream, accepted));
                    }
                },
                Some(ended) = handshakes.join_next() => {
                    if let Ok(Some((stream, accepted))) = ended {
                        self.serve_connection(stream, accepted, respond.clone(), &graceful);
                    }
                }
            }
        }
        // Nobody has asked anything yet on a connection whose handshake goes on.
        drop((self, handshakes));
        if tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown()).await.is_err() {
            tracing::warn!("stopped with requests unanswered: they took over {DRAIN_TIMEOUT:?}");
        }
    }

    async fn accept(&self, places: &Arc<Semaphore>) -> (TcpStream, Accepted) {
        let place = Arc::clone(places).acquire_owned().await;
        let place = place.expect("the semaphore is never closed");
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) => {
                    // Answers are written whole; waiting to fill a segment only delays them. A socket
                    // that refuses the option works without it.
                    stream.set_nodelay(true).ok();
                    // A v4 address can be written as one of v6.
                    let source_ip = address.ip().to_canonical();
                    let peer = Peer { source_ip, secure_transport: self.tls.is_some() };
                    let open = self.observer.as_deref().map(Observer::connection);
                    return (stream, Accepted { peer, _place: place, _open: open });
                }
                Err(error) => {
                    tracing::warn!("a connection could not be accepted: {error}");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            }
        }
    }

    fn serve_connection<R, F>(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        accepted: Accepted,
        respond: R,
        graceful: &GracefulShutdown,
    ) where
        R: Fn(Peer, http::Request<Incoming>) -> F + Send + 'static,
        F: Future<Output = Answer> + Send + 'static,
    {
        let peer = accepted.peer;
        let service = service_fn(move |request| respond(peer, request));
        let stream = Refusing::new(stream, peer, self.observer.clone());
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            // A client that has nothing more to send still waits for its answers.
            .half_close(true)
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(HEADERS_MAX)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!("a connection ended early: {error}");
            }
            drop(accepted);
        });
    }
}

/// Makes a connection one of TLS, if the client does its part in time.
async fn handshake(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    accepted: Accepted,
) -> Option<(TlsStream<TcpStream>, Accepted)> {
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => return Some((stream, accepted)),
        Ok(Err(error)) => tracing::debug!("a TLS handshake failed: {error}"),
        Err(_) => tracing::debug!("a TLS handshake took over {HANDSHAKE_TIMEOUT:?}"),
    }
    None
}

impl Front {
    /// Answers a request. It is moved as seldom as can be, for it is large.
    async fn respond(self: Arc<Self>, peer: Peer, request: http::Request<Incoming>) -> Answer {
        let observed = self.observer.begin(peer, &request);
        let origin = self.cors_origins.allowed(request.headers());
        let (mut response, outcome, bytes_in) =
            match (origin.is_some(), request.method(), request.uri().path()) {
                (true, &Method::OPTIONS, _) => {
                    (cors::preflight(request.headers()), Outcome::of("preflight"), 0)
                }
                (_, &Method::GET | &Method::HEAD, "/health/live") => health(Ok(())),
                (_, &Method::GET | &Method::HEAD, "/health/ready") => {
                    health(self.api.check().await)
                }
                _ => match receive(request, peer).await {
                    Ok(request) => {
                        // Once all of it is here, so that those who send slowly take nobody's place.
                        let response = match self.requests.try_acquire() {
                            Ok(_place) => self.api.respond(&request).await,
                            Err(_) => self.api.overloaded(&request),
                        };
                        (response, request.outcome, request.body.len())
                    }
                    Err(error) => refused(&error),
                },
            };
        self.observer.end(observed, bytes_in, &outcome, &response);
        if let Some(origin) = origin {
            cors::allow(&mut response, origin);
        }
        Ok(response.map(Full::new))
    }
}

/// What a connection is given to write.
pub(super) type Answer = Result<Response<Full<Bytes>>, Infallible>;

/// An answer, what became known of its request, and how many bytes the request's body has.
type Told = (Response<Bytes>, Outcome, usize);

/// Answers what cannot be received.
fn refused(error: &Error) -> Told {
    let (request_id, outcome) = (new_request_id(), Outcome::default());
    outcome.note_error(error);
    tracing::info!(request_id, "{error}");
    (failure(error, &request_id), outcome, 0)
}

fn health(state: Result<()>) -> Told {
    let (request_id, outcome) = (new_request_id(), Outcome::of("health"));
    if let Err(error) = state {
        outcome.note_error(&error);
        tracing::error!(request_id, "not ready{}", error.causes());
        return (failure(&error, &request_id), outcome, 0);
    }
    let mut response = Response::new(Bytes::from_static(b"{\"Status\":\"ok\"}"));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response.headers_mut().insert(REQUEST_ID, request_id_header(&request_id));
    (response, outcome, 0)
}

/// Reads a request to its end, within the limits.
async fn receive(request: http::Request<Incoming>, peer: Peer) -> Result<Request> {
    let (parts, body) = request.into_parts();
    let Some(target) = parts.uri.path_and_query().map(PathAndQuery::as_str) else {
        return Err(Error::new(
            Exception::MalformedHttpRequestException,
            format!("The request's target must be a path; it is '{}'", parts.uri),
        ));
    };
    if target.len() > TARGET_BYTES_MAX {
        return Err(Error::new(
            Exception::RequestUriTooLongException,
            format!("The request's URI has {} bytes; it may have {TARGET_BYTES_MAX}", target.len()),
        ));
    }
    // The HTTP library's own limit only holds roughly.
    let header_bytes = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len());
    if header_bytes.sum::<usize>() > HEAD_BYTES_MAX {
        return Err(head_too_large());
    }
    let target = target.to_owned();
    let announced = body.size_hint().lower();
    if parts.headers.contains_key(header::EXPECT) && announced > BODY_BYTES_MAX as u64 {
        // The client waits with its body for a word that it will not get.
        return Err(too_large(announced));
    }
    let body = if body.is_end_stream() { Bytes::new() } else { receive_body(body).await? };
    let outcome = Outcome::default();
    Ok(Request { method: parts.method, target, headers: parts.headers, body, peer, outcome })
}

async fn receive_body(mut body: Incoming) -> Result<Bytes> {
    let announced = body.size_hint().lower();
    let received = tokio::time::timeout(BODY_TIMEOUT, async {
        let received = Limited::new(&mut body, BODY_BYTES_MAX).collect().await;
        if received.as_ref().is_err_and(|error| error.is::<LengthLimitError>()) {
            // Whether the rest arrives changes nothing.
            Limited::new(&mut body, REFUSED_BODY_BYTES_MAX).collect().await.ok();
        }
        received
    });
    match received.await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(announced)),
        Ok(Err(error)) => Err(Error::new(
            Exception::MalformedHttpRequestException,
            "The request's body ended before its announced length, or its chunks are malformed",
        )
        .caused_by(error)),
        Err(_) => Err(Error::new(
            Exception::RequestTimeoutException,
            format!("The request's body did not arrive within {} seconds", BODY_TIMEOUT.as_secs()),
        )),
    }
}

/// Returns the error of a head that is beyond the limits.
pub(super) fn head_too_large() -> Error {
    Error::new(
        Exception::RequestHeaderFieldsTooLargeException,
        format!(
            "The request's line and headers may have {HEAD_BYTES_MAX} bytes and {HEADERS_MAX} \
             headers"
        ),
    )
}

fn too_large(announced: u64) -> Error {
    Error::new(
        Exception::RequestEntityTooLargeException,
        format!(
            "The request's body may have {BODY_BYTES_MAX} bytes{}",
            if announced > 0 { format!("; it has {announced}") } else { String::new() }
        ),
    )
}
