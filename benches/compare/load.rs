//! The load: one thread that keeps a number of connections busy, each with one request at a time.
//!
//! It is written for being cheap, so that the server is what is measured: two system calls a
//! request, no request parsed, and of an answer only the status and the length.

use crate::machine;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

/// A server that does not answer for so long is broken.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// What to send, where to and for how long.
#[derive(Clone, Copy)]
pub struct Load {
    pub address: SocketAddr,
    pub connections: usize,
    pub until: Until,
    /// The core that the generator is kept on.
    pub core: Option<usize>,
}

#[derive(Clone, Copy)]
pub enum Until {
    Time(Duration),
    Count(usize),
}

/// How it went.
#[derive(Clone, Copy)]
pub struct Outcome {
    pub per_second: f64,
    /// How much of a core the generator used.
    pub generator_core: f64,
}

impl Load {
    /// Runs the load. `next` writes a request; `answered` gets the body of each answer.
    pub fn run(
        &self,
        next: impl FnMut(&mut Vec<u8>) + Send,
        answered: impl FnMut(&[u8]) + Send,
    ) -> Outcome {
        thread::scope(|scope| scope.spawn(|| self.run_here(next, answered)).join().unwrap())
    }

    fn run_here(
        &self,
        mut next: impl FnMut(&mut Vec<u8>),
        mut answered: impl FnMut(&[u8]),
    ) -> Outcome {
        if let Some(core) = self.core {
            machine::pin_this_thread(core);
        }
        let mut poll = Poll::new().unwrap();
        let mut connections: Vec<_> = (0..self.connections)
            .map(|index| Connection::open(self.address, &poll, index))
            .collect();
        let (mut sent, mut done) = (0, 0);
        let (begin, cpu) = (Instant::now(), machine::thread_cpu_time());
        for connection in &mut connections {
            if self.goes_on(begin, sent) {
                connection.send(&mut next);
                sent += 1;
            }
        }
        let mut events = Events::with_capacity(self.connections);
        while done < sent && self.goes_on(begin, done) {
            poll.poll(&mut events, Some(SILENCE_MAX)).unwrap();
            assert!(!events.is_empty(), "{} does not answer", self.address);
            let more = self.goes_on(begin, sent);
            for event in &events {
                let connection = &mut connections[event.token().0];
                if !connection.receive(&mut answered) {
                    continue;
                }
                done += 1;
                if more && self.goes_on_counting(sent) {
                    connection.send(&mut next);
                    sent += 1;
                }
            }
        }
        let seconds = begin.elapsed().as_secs_f64();
        let cpu = machine::thread_cpu_time().saturating_sub(cpu).as_secs_f64();
        Outcome { per_second: per_second(done, seconds), generator_core: cpu / seconds }
    }

    fn goes_on(&self, begin: Instant, count: usize) -> bool {
        match self.until {
            Until::Time(time) => begin.elapsed() < time,
            Until::Count(_) => self.goes_on_counting(count),
        }
    }

    fn goes_on_counting(&self, count: usize) -> bool {
        match self.until {
            Until::Time(_) => true,
            Until::Count(count_max) => count < count_max,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "no run has 2^52 requests")]
pub fn per_second(count: usize, seconds: f64) -> f64 {
    count as f64 / seconds
}

struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    answer: Vec<u8>,
    received: usize,
}

impl Connection {
    fn open(address: SocketAddr, poll: &Poll, index: usize) -> Self {
        let stream = std::net::TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_nonblocking(true).unwrap();
        let mut stream = TcpStream::from_std(stream);
        poll.registry().register(&mut stream, Token(index), Interest::READABLE).unwrap();
        Self { stream, request: Vec::new(), answer: vec![0; 1 << 17], received: 0 }
    }

    fn send(&mut self, next: &mut impl FnMut(&mut Vec<u8>)) {
        self.request.clear();
        next(&mut self.request);
        // The buffer of a connection without an open request takes a request whole.
        self.stream.write_all(&self.request).unwrap();
    }

    /// Reads what has come; tells whether it completes the answer.
    fn receive(&mut self, answered: &mut impl FnMut(&[u8])) -> bool {
        loop {
            match self.stream.read(&mut self.answer[self.received..]) {
                Ok(0) => panic!("the server closed a connection"),
                Ok(count) => self.received += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) => panic!("a connection broke: {error}"),
            }
            if let Some(body) = body(&self.answer[..self.received]) {
                answered(body);
                self.received = 0;
                return true;
            }
        }
    }
}

/// Returns the body of an answer once it is there; an answer that is no success ends everything.
pub fn body(answer: &[u8]) -> Option<&[u8]> {
    let head_end = answer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let (head, body) = answer.split_at(head_end);
    assert!(head.starts_with(b"HTTP/1.1 20"), "{}", String::from_utf8_lossy(answer));
    let length = content_length(head).expect("an answer has a length");
    assert!(body.len() <= length, "more came than was asked for");
    (body.len() == length).then_some(body)
}

fn content_length(head: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"content-length: ";
    let line = head
        .split(|&byte| byte == b'\n')
        .find(|line| line.get(..NAME.len()).is_some_and(|name| name.eq_ignore_ascii_case(NAME)))?;
    std::str::from_utf8(&line[NAME.len()..]).ok()?.trim().parse().ok()
}
