//! HTTP/1.1: connections, limits, and the way of a request to the API and back.

use super::cors::{self, Origins};
use super::refusal::Refusing;
use super::tls::Tls;
use crate::protocol::error::{Error, Exception, Result};
use crate::protocol::{Api, Peer, REQUEST_ID, Request, failure, new_request_id, request_id_header};
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
}

/// What all connections share.
pub(super) struct Shared {
    pub(super) api: Arc<Api>,
    pub(super) cors_origins: Origins,
    /// The places of the requests that are served at once.
    pub(super) requests: Semaphore,
}

/// Serves connections until told to stop, then waits for the requests that have begun.
pub(super) async fn serve(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    shared: Shared,
    connections_max: usize,
    stop: impl Future<Output = ()>,
) {
    let shared = Arc::new(shared);
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(connections_max));
    let mut handshakes = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            (stream, accepted) = accept(&listener, &places, tls.is_some()) => match &tls {
                None => serve_connection(stream, accepted, &shared, &graceful),
                Some(tls) => {
                    handshakes.spawn(handshake(TlsAcceptor::from(tls.config()), stream, accepted));
                }
            },
            Some(ended) = handshakes.join_next() => {
                if let Ok(Some((stream, accepted))) = ended {
                    serve_connection(stream, accepted, &shared, &graceful);
                }
            }
        }
    }
    // Nobody has asked anything yet on a connection whose handshake goes on.
    drop((listener, handshakes));
    if tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown()).await.is_err() {
        tracing::warn!("stopped with requests unanswered: they took over {DRAIN_TIMEOUT:?}");
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    secure_transport: bool,
) -> (TcpStream, Accepted) {
    let place = Arc::clone(places).acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                // Answers are written whole; waiting to fill a segment only delays them. A socket
                // that refuses the option works without it.
                stream.set_nodelay(true).ok();
                // A v4 address can be written as one of v6.
                let source_ip = address.ip().to_canonical();
                let peer = Peer { source_ip, secure_transport };
                return (stream, Accepted { peer, _place: place });
            }
            Err(error) => {
                tracing::warn!("a connection could not be accepted: {error}");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
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

fn serve_connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    accepted: Accepted,
    shared: &Arc<Shared>,
    graceful: &GracefulShutdown,
) {
    let peer = accepted.peer;
    let shared = Arc::clone(shared);
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(respond(&shared, peer, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // A client that has nothing more to send still waits for its answers.
        .half_close(true)
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(Refusing::new(stream)), service);
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!("a connection ended early: {error}");
        }
        drop(accepted);
    });
}

async fn respond(
    shared: &Shared,
    peer: Peer,
    request: http::Request<Incoming>,
) -> Response<Full<Bytes>> {
    let Shared { api, cors_origins, requests } = shared;
    let origin = cors_origins.allowed(request.headers());
    let mut response = match (origin.is_some(), request.method(), request.uri().path()) {
        (true, &Method::OPTIONS, _) => cors::preflight(request.headers()),
        (_, &Method::GET | &Method::HEAD, "/health/live") => health(Ok(())),
        (_, &Method::GET | &Method::HEAD, "/health/ready") => health(api.check()),
        _ => match receive(request, peer).await {
            // Once all of it is here, so that those who send slowly take nobody's place.
            Ok(request) => match requests.try_acquire() {
                Ok(_place) => api.respond(&request).await,
                Err(_) => api.overloaded(&request),
            },
            Err(error) => {
                let request_id = new_request_id();
                tracing::info!(request_id, "{error}");
                failure(&error, &request_id)
            }
        },
    };
    if let Some(origin) = origin {
        cors::allow(&mut response, origin);
    }
    response.map(Full::new)
}

fn health(state: Result<()>) -> Response<Bytes> {
    let request_id = new_request_id();
    if let Err(error) = state {
        tracing::error!(request_id, "not ready{}", error.causes());
        return failure(&error, &request_id);
    }
    let mut response = Response::new(Bytes::from_static(b"{\"Status\":\"ok\"}"));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response.headers_mut().insert(REQUEST_ID, request_id_header(&request_id));
    response
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
    Ok(Request { method: parts.method, target, headers: parts.headers, body, peer })
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
