//! Answers for what is not HTTP enough to reach the API.
//!
//! The HTTP library refuses a malformed or over-long head by itself, with a status and an empty
//! body. Clients of this API are promised an error they can read, so this stream puts one in the
//! place of the library's.

use super::http::{HEAD_BYTES_MAX, head_too_large};
use crate::protocol::error::{Error, Exception};
use crate::protocol::{REQUEST_ID, new_request_id};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The library's own answers are a status line and two or three headers.
const BARE_ANSWER_BYTES_MAX: usize = 256;

/// A stream on which no refusal is bare.
pub(super) struct Refusing<S> {
    stream: S,
    /// What is still to be written of the refusal that replaces the library's.
    refusal: Vec<u8>,
    written: usize,
}

impl<S> Refusing<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, refusal: Vec::new(), written: 0 }
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
            match refusal_for(bytes) {
                Some(refusal) => this.refusal = refusal,
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

/// Returns what to write instead, if this is an answer that the library made: ours all have a
/// request id.
fn refusal_for(bytes: &[u8]) -> Option<Vec<u8>> {
    let status = bytes.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    if !status.starts_with(b"4") || bytes.len() > BARE_ANSWER_BYTES_MAX {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    if text.contains(REQUEST_ID.as_str()) || !text.ends_with("\r\n\r\n") {
        return None;
    }
    let error = match status {
        b"414" => Error::new(
            Exception::RequestUriTooLongException,
            format!("The request's URI is longer than {HEAD_BYTES_MAX} bytes"),
        ),
        b"431" => head_too_large(),
        _ => Error::new(
            Exception::MalformedHttpRequestException,
            "The request is not well-formed HTTP/1.1",
        ),
    };
    let request_id = new_request_id();
    tracing::info!(request_id, "{error}");
    Some(refusal(&error, &request_id))
}

fn refusal(error: &Error, request_id: &str) -> Vec<u8> {
    let body = error.body(request_id);
    let exception = error.exception();
    let head = format!(
        "HTTP/1.1 {}\r\nx-amzn-RequestId: {request_id}\r\nx-amzn-ErrorType: {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        exception.status(),
        exception.name(),
        body.len()
    );
    [head.as_bytes(), &body].concat()
}
