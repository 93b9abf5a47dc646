//! HTTP by hand: tests must be able to send what no library would.

use super::kept;
use ::http::HeaderMap;
use campanile::protocol::error::Exception;
use serde_json::Value;
use std::collections::HashSet;
use std::fmt;
use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;
use uuid::{Uuid, Version};

/// How long a test waits for an answer before it fails.
const TIMEOUT: Duration = Duration::from_mins(1);

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// The headers in their order, names as they were written.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        header.map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Returns the exception and the message of an error, which has the one form of all errors.
    pub fn error(&self) -> (String, String) {
        let body = self.json();
        let exception = self.header("x-amzn-errortype");
        let exception = exception.unwrap_or_else(|| panic!("no error: {self:?}"));
        let known = Exception::ALL.iter().find(|known| known.name() == exception).unwrap();
        assert_eq!(self.status, known.status().as_u16(), "{self:?}");
        assert_eq!(body["Code"], known.code(), "{self:?}");
        assert_eq!(body["RequestId"], self.header("x-amzn-requestid").unwrap(), "{self:?}");
        assert_eq!(body["Resource"], Value::Null, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        (exception.to_owned(), body["Message"].as_str().unwrap().to_owned())
    }
}

/// Writes a request as it goes over the wire.
pub fn request(method: &str, target: &str, headers: &HeaderMap, body: &[u8]) -> Vec<u8> {
    let mut framing = String::new();
    if !body.is_empty() || method == "POST" || method == "PUT" {
        framing = format!("content-length: {}\r\n", body.len());
    }
    let mut request = head(method, target, headers, &framing);
    request.extend(body);
    request
}

/// Writes a request's line and headers, and the lines that say how its body is framed.
pub fn head(method: &str, target: &str, headers: &HeaderMap, framing: &str) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\n").into_bytes();
    for (name, value) in headers {
        head.extend(name.as_str().as_bytes());
        head.extend(b": ");
        head.extend(value.as_bytes());
        head.extend(b"\r\n");
    }
    head.extend(framing.as_bytes());
    head.extend(b"\r\n");
    head
}

/// Sends bytes on a connection of their own, and reads one answer.
pub fn exchange(address: SocketAddr, request: &[u8]) -> Answer {
    try_exchange(address, request).unwrap()
}

/// Sends bytes to a server that may be gone, and reads one answer. One that breaks off is an error
/// of the kind `InvalidData`, so that it cannot be taken for one that never began.
pub fn try_exchange(address: SocketAddr, request: &[u8]) -> Result<Answer> {
    let mut connection = Connection::try_open(address)?;
    connection.send(request);
    connection.try_answer()
}

/// A connection to a server, on which a test says every byte.
pub struct Connection<S = TcpStream>(BufReader<S>);

impl Connection {
    pub fn open(address: SocketAddr) -> Self {
        Self::try_open(address).unwrap()
    }

    fn try_open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(Self::over(stream))
    }

    /// Says that nothing more will be sent.
    pub fn finish(&mut self) {
        self.0.get_ref().shutdown(Shutdown::Write).unwrap();
    }
}

impl<S: Read + Write> Connection<S> {
    /// Goes on with a connection that is open already, as one of TLS.
    pub fn over(stream: S) -> Self {
        Self(BufReader::new(stream))
    }

    /// Returns what is below.
    pub fn stream(&mut self) -> &mut S {
        self.0.get_mut()
    }

    /// Sends bytes. A server that has seen enough may close before all is sent; its answer counts.
    pub fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).ok();
    }

    /// Reads one answer.
    pub fn answer(&mut self) -> Answer {
        self.try_answer().unwrap()
    }

    /// Reads an answer of a server that may refuse to give one.
    pub fn try_answer(&mut self) -> Result<Answer> {
        let mut answer = self.try_answer_without_body()?;
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).map_err(|error| broken_off(&answer, error))?;
        answer.body = String::from_utf8(body).unwrap();
        kept::note_answer(&answer);
        Ok(answer)
    }

    /// Reads one answer to a HEAD request, which announces a body that does not follow.
    pub fn answer_without_body(&mut self) -> Answer {
        self.try_answer_without_body().unwrap()
    }

    fn try_answer_without_body(&mut self) -> Result<Answer> {
        let head = self.try_read_head()?;
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let answer = Answer { status, headers, body: String::new() };
        assert_fresh(&answer);
        Ok(answer)
    }

    /// Reads up to an empty line.
    pub fn read_head(&mut self) -> String {
        self.try_read_head().unwrap()
    }

    fn try_read_head(&mut self) -> Result<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let error = match self.0.read_until(b'\n', &mut head) {
                Ok(1..) if head.ends_with(b"\n") => continue,
                Ok(_) => ErrorKind::UnexpectedEof.into(),
                Err(error) => error,
            };
            if head.is_empty() {
                return Err(error);
            }
            return Err(broken_off(&String::from_utf8_lossy(&head), error));
        }
        Ok(String::from_utf8(head).unwrap())
    }

    /// Waits until the server closes, and returns what it has written before.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
        rest
    }

    /// Waits until the server closes, and asserts that it has nothing more to say.
    pub fn assert_closed(&mut self) {
        assert_eq!(String::from_utf8_lossy(&self.rest()), "");
    }
}

fn broken_off(so_far: &impl fmt::Debug, error: Error) -> Error {
    Error::new(ErrorKind::InvalidData, format!("{error} in {so_far:?}"))
}

/// Asserts what holds for every answer whatsoever: it has a request id that no other has.
fn assert_fresh(answer: &Answer) {
    static SEEN: LazyLock<Mutex<HashSet<Uuid>>> = LazyLock::new(Mutex::default);
    let id = answer.header("x-amzn-requestid").unwrap_or_else(|| panic!("no id: {answer:?}"));
    let uuid: Uuid = id.parse().unwrap();
    assert_eq!(uuid.get_version(), Some(Version::Random), "{answer:?}");
    assert_eq!(uuid.to_string(), id, "lower case, with hyphens");
    assert!(SEEN.lock().unwrap().insert(uuid), "{answer:?}");
}
