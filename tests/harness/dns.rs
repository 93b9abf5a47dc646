//! A name server on a loopback port: it answers what a test published, over UDP (RFC 1035).

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How long a test waits for a question before it fails.
const TIMEOUT: Duration = Duration::from_mins(1);
const NO_ERROR: u8 = 0;
const SERVER_FAILURE: u8 = 2;
const NO_SUCH_NAME: u8 = 3;

/// A name server; it stops when this is dropped.
pub struct DnsPeer {
    pub address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    asked: Receiver<String>,
    thread: Option<thread::JoinHandle<()>>,
}

/// What is known of each name: its TXT records, or nothing but that asking fails.
#[derive(Default)]
struct Zone {
    names: BTreeMap<String, Option<Vec<Vec<String>>>>,
    closed: bool,
}

impl DnsPeer {
    pub fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let zone = Arc::new(Mutex::new(Zone::default()));
        let (ask, asked) = channel();
        let its_zone = Arc::clone(&zone);
        let thread = thread::spawn(move || serve(&socket, &its_zone, &ask));
        Self { address, zone, asked, thread: Some(thread) }
    }

    /// Gives a name another TXT record, in the strings that it is cut into.
    pub fn publish(&self, name: &str, strings: &[&str]) {
        let mut zone = self.zone.lock().unwrap();
        let records = zone.names.entry(name.to_owned()).or_default().get_or_insert_default();
        records.push(strings.iter().map(|&string| string.to_owned()).collect());
    }

    /// Makes every question about a name fail.
    pub fn fail(&self, name: &str) {
        self.zone.lock().unwrap().names.insert(name.to_owned(), None);
    }

    /// Waits for the next question, and returns the name that it is about.
    pub fn asked(&self) -> String {
        self.asked.recv_timeout(TIMEOUT).expect("the name server is asked")
    }

    /// Asserts that it was asked no more so far.
    #[track_caller]
    pub fn assert_no_more(&self) {
        let more = self.asked.try_recv();
        assert!(more.is_err(), "it was asked more than it should be: {more:?}");
    }
}

impl Drop for DnsPeer {
    fn drop(&mut self) {
        self.zone.lock().unwrap().closed = true;
        // So that it looks.
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(&[], self.address).ok();
        self.thread.take().map(thread::JoinHandle::join);
    }
}

fn serve(socket: &UdpSocket, zone: &Mutex<Zone>, ask: &Sender<String>) {
    let mut buffer = [0; 1500];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).unwrap();
        let zone = zone.lock().unwrap();
        if zone.closed {
            return;
        }
        let (name, answer) = answer(&buffer[..length], &zone);
        // Settled before the test hears of it.
        drop(zone);
        ask.send(name).ok();
        socket.send_to(&answer, from).unwrap();
    }
}

/// Returns the name that a question is about, and what is known of it.
fn answer(question: &[u8], zone: &Zone) -> (String, Vec<u8>) {
    let (mut at, mut labels) = (12, Vec::new());
    while question[at] != 0 {
        let label = &question[at + 1..=at + usize::from(question[at])];
        labels.push(String::from_utf8(label.to_vec()).unwrap().to_lowercase());
        at += 1 + label.len();
    }
    let end = at + 5;
    assert_eq!(question[at..end], [0, 0, 16, 0, 1], "it is asked for TXT and nothing else");
    let name = labels.join(".");
    let none = Vec::new();
    let (code, records) = match zone.names.get(&name) {
        None => (NO_SUCH_NAME, &none),
        Some(None) => (SERVER_FAILURE, &none),
        Some(Some(records)) => (NO_ERROR, records),
    };
    let count = u8::try_from(records.len()).unwrap();
    let mut answer = question[..2].to_vec();
    // An answer, with recursion; one question, the answers, nothing else.
    answer.extend([0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0]);
    answer.extend(&question[12..end]);
    for record in records {
        let mut data = Vec::new();
        for string in record {
            data.push(u8::try_from(string.len()).unwrap());
            data.extend(string.as_bytes());
        }
        // The name of the question, TXT, IN, an hour.
        answer.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0x0e, 0x10]);
        answer.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        answer.extend(data);
    }
    (name, answer)
}
