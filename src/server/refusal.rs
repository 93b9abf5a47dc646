//! Answers for what is not HTTP enough to reach the API.
//!
//! The HTTP library refuses a malformed or over-long head by itself, with a status and an empty
//! body. Clients of this API are promised an error they can read, so this stream puts one in the
//! place of the library's.

use super::http::{HEAD_BYTES_MAX, head_too_large};
use super::observer::Observer;
use crate::protocol::error::{Error, Exception};
use crate::protocol::{Peer, REQUEST_ID, new_request_id};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The library's own answers are a status line and two or three headers.
const BARE_ANSWER_BYTES_MAX: usize = 256;

/// A stream on which no refusal is bare.
pub(super) struct Refusing<S> {
    stream: S,
    peer: Peer,
    /// Who is told of refusals.
    observer: Option<Arc<Observer>>,
    /// What is still to be written of the refusal that replaces the library's.
    refusal: Vec<u8>,
    written: usize,
}

impl<S> Refusing<S> {
    pub(super) fn new(stream: S, peer: Peer, observer: Option<Arc<Observer>>) -> Self {
        Self { stream, peer, observer, refusal: Vec::new(), written: 0 }
    }

    /// Returns what to write in the place of an answer that the library made, and tells of it.
    fn refusal(&self, error: &Error) -> Vec<u8> {
        let request_id = new_request_id();
        tracing::info!(request_id, "{error}");
        let body = error.body(&request_id);
        if let Some(observer) = &self.observer {
            observer.refused(self.peer, &request_id, error, body.len());
        }
        [head(error, &request_id, body.len()).as_bytes(), &body].concat()
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Refusing<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.refusal.is_empty() {
            match refused_by_library(bytes) {
                Some(error) => this.refusal = this.refusal(&error),
                None => return Pin::new(&mut this.stream).poll_write(cx, bytes),
            }
        }
        while let Some(rest) = this.refusal.get(this.written..).filter(|rest| !rest.is_empty()) {
            let count = ready!(Pin::new(&mut this.stream).poll_write(cx, rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            this.written += count;
        }
        this.refusal.clear();
        this.written = 0;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Refusing<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buffer)
    }
}

/// Returns what is wrong, if this is an answer that the library made: ours all have a request id.
fn refused_by_library(bytes: &[u8]) -> Option<Error> {
    let status = bytes.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    if !status.starts_with(b"4") || bytes.len() > BARE_ANSWER_BYTES_MAX {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    if text.contains(REQUEST_ID.as_str()) || !text.ends_with("\r\n\r\n") {
        return None;
    }
    Some(match status {
        b"414" => Error::new(
            Exception::RequestUriTooLongException,
            format!("The request's URI is longer than {HEAD_BYTES_MAX} bytes"),
        ),
        b"431" => head_too_large(),
        _ => Error::new(
            Exception::MalformedHttpRequestException,
            "The request is not well-formed HTTP/1.1",
        ),
    })
}

fn head(error: &Error, request_id: &str, body_bytes: usize) -> String {
    let exception = error.exception();
    format!(
        "HTTP/1.1 {}\r\nx-amzn-RequestId: {request_id}\r\nx-amzn-ErrorType: {}\r\n\
         Content-Type: application/json\r\nContent-Length: {body_bytes}\r\n\
         Connection: close\r\n\r\n",
        exception.status(),
        exception.name(),
    )
}
