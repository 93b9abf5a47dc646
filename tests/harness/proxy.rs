//! Between a server and the database: it knows where a message of PostgreSQL's protocol ends, counts for
//! how many answers the server waits, and cuts connections where a test says.

use super::postgres;
use campanile::store::postgres::Settings;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::io::{self, BufReader, Read, Write};
use std::mem;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// How long a test waits for something to come by before it fails.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// No message is longer in any test.
const MESSAGE_BYTES_MAX: usize = 1 << 28;

/// A proxy in front of the tests' database; it ends when this is dropped.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

/// Which way a message goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    ToDatabase,
    ToServer,
}

/// What becomes of a message, and of its connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Deed {
    /// The message does not arrive, and both ends find the connection closed.
    CutBefore,
    /// The same, once the message has gone on.
    CutAfter,
    /// Neither it nor any behind it arrives, and nobody is told.
    Swallow,
    /// It and those behind it arrive when the test says, though the sender may be gone by then.
    Hold,
}

/// A fault that happens once: to the message with this number, counted from 1 since the fault was set,
/// of those that go this way.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    pub way: Way,
    pub number: usize,
    pub deed: Deed,
    /// Whether no connection is taken from then on.
    pub then_refuse: bool,
}

struct Shared {
    database: Upstream,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    fault: Meeting,
    /// How many messages went each way since the fault was set.
    seen: [usize; 2],
    refuses: bool,
    /// What may cut connections at any message, and how many of a thousand messages are met.
    chance: Option<(StdRng, u32)>,
    cuts: usize,
    round_trips: usize,
    /// How long an answer is on its way to the server.
    latency: Duration,
    /// How many messages are held until a test lets them go.
    held: usize,
    let_go: bool,
    /// The SQLSTATEs of the errors that the database has answered.
    errors: Vec<String>,
    is_over: bool,
}

/// Whether a fault is going to happen.
#[derive(Clone, Copy, Default)]
enum Meeting {
    #[default]
    No,
    Set(Fault),
    Happened,
}

/// What a connection does.
#[derive(Default)]
struct Progress {
    /// How many answers the server has asked for that have not gone to it.
    asked: usize,
    /// Whether it has sent anything since it last had all answers.
    is_waiting: bool,
}

#[derive(Clone)]
enum Upstream {
    Tcp(String, u16),
    Unix(PathBuf),
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Proxy {
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            database: Upstream::of(&config()),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming() {
                let state = accepting.state();
                let (is_over, refuses) = (state.is_over, state.refuses);
                drop(state);
                if is_over {
                    return;
                }
                if let (Ok(client), false) = (client, refuses) {
                    Shared::connect(&accepting, client);
                }
            }
        });
        Self { port, shared }
    }

    /// Returns how a server finds a schema of the database through this.
    pub fn settings(&self, schema: &str) -> Settings {
        let config = config();
        let (user, name) = (config.get_user().unwrap(), config.get_dbname().unwrap());
        let secret = config
            .get_password()
            .map_or_else(String::new, |password| format!(":{}", String::from_utf8_lossy(password)));
        let port = self.port;
        let url = format!("postgres://{user}{secret}@127.0.0.1:{port}/{name}?sslmode=disable");
        // The name by which the database's own views know the server.
        let url = format!("{url}&application_name={schema}");
        format!("{url}&options=-c%20search_path%3D{schema}").parse().unwrap()
    }

    /// Sets a fault in the place of any other, and counts from here on.
    pub fn set(&self, fault: Fault) {
        let mut state = self.shared.state();
        (state.fault, state.seen) = (Meeting::Set(fault), [0, 0]);
        (state.held, state.let_go) = (0, false);
    }

    /// Lets everything through from now on; tells whether the fault has happened.
    pub fn unset(&self) -> bool {
        let mut state = self.shared.state();
        (state.chance, state.refuses) = (None, false);
        matches!(mem::take(&mut state.fault), Meeting::Happened)
    }

    /// Cuts connections by chance: at so many of a thousand messages.
    pub fn cut_by_chance(&self, seed: u64, of_thousand: u32) {
        self.shared.state().chance = Some((StdRng::seed_from_u64(seed), of_thousand));
    }

    /// Returns how many connections were cut.
    pub fn cuts(&self) -> usize {
        self.shared.state().cuts
    }

    /// Returns how many messages went a way since a fault was set.
    pub fn seen(&self, way: Way) -> usize {
        self.shared.state().seen[way as usize]
    }

    /// Waits until a message is held.
    pub fn wait_until_held(&self) {
        self.wait_until(|state| state.held > 0, "a message to be held");
    }

    /// Lets the message go that is held, and those behind it.
    pub fn let_go(&self) {
        self.shared.state().let_go = true;
        self.shared.changed.notify_all();
    }

    /// Waits until the database has answered an error with this SQLSTATE.
    pub fn wait_for_error(&self, code: &str) {
        self.wait_until(|state| state.errors.iter().any(|it| it == code), code);
    }

    fn wait_until(&self, is_so: impl Fn(&State) -> bool, what: &str) {
        let waited =
            self.shared
                .changed
                .wait_timeout_while(self.shared.state(), WAIT_MAX, |state| !is_so(state));
        assert!(!waited.unwrap().1.timed_out(), "waited in vain for {what}");
    }

    /// Returns for how many answers the server waits while something is done, when each is on its way
    /// for so long. What the server sends without waiting can come by after the answer to what it sent
    /// before, where nothing runs as fast as the database answers; that is the less likely the farther
    /// away the database is. What it waits for is the same from everywhere.
    pub fn round_trips(&self, latency: Duration, what: impl FnOnce()) -> usize {
        let mut state = self.shared.state();
        state.latency = latency;
        let before = state.round_trips;
        drop(state);
        what();
        let mut state = self.shared.state();
        state.latency = Duration::ZERO;
        state.round_trips - before
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        (state.is_over, state.let_go) = (true, true);
        drop(state);
        self.shared.changed.notify_all();
        // Whoever waits for connections looks up.
        TcpStream::connect(("127.0.0.1", self.port)).ok();
    }
}

fn config() -> Config {
    postgres::database().parse().unwrap()
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn connect(shared: &Arc<Self>, client: TcpStream) {
        let Ok(database) = shared.database.connect() else { return };
        client.set_nodelay(true).unwrap();
        let progress = Arc::new(Mutex::new(Progress::default()));
        let client = Stream::Tcp(client);
        for (way, from, to) in
            [(Way::ToDatabase, client.again(), database.again()), (Way::ToServer, database, client)]
        {
            let (shared, progress) = (Arc::clone(shared), Arc::clone(&progress));
            thread::spawn(move || shared.pass_on(way, &from, &to, &progress));
        }
    }

    /// Passes on what goes one way until the connection ends.
    fn pass_on(&self, way: Way, from: &Stream, to: &Stream, progress: &Mutex<Progress>) {
        let mut messages = BufReader::new(from.again());
        let (mut to_end, mut is_first, mut is_gone) = (to.again(), way == Way::ToDatabase, false);
        loop {
            let Ok(message) = read_message(&mut messages, is_first) else {
                if way == Way::ToDatabase {
                    // The server is gone. What the database says to that is still looked at.
                    return to.shut_down(Shutdown::Write);
                }
                break;
            };
            let deed = if is_first { None } else { self.meet(way, &message) };
            match deed {
                Some(Deed::Hold) => self.hold(),
                Some(Deed::Swallow) => is_gone = true,
                Some(Deed::CutBefore) => break,
                Some(Deed::CutAfter) | None => {}
            }
            if way == Way::ToServer && message[0] == b'Z' {
                thread::sleep(self.state().latency);
            }
            // The first message has no type, and is answered as a Sync is.
            self.count(way, if is_first { b'S' } else { message[0] }, progress);
            is_first = false;
            // What the database says is looked at although nobody else listens any more.
            is_gone = is_gone || to_end.write_all(&message).is_err();
            if deed == Some(Deed::CutAfter) {
                break;
            }
        }
        for end in [from, to] {
            end.shut_down(Shutdown::Both);
        }
    }

    /// Settles what becomes of a message.
    fn meet(&self, way: Way, message: &[u8]) -> Option<Deed> {
        let mut state = self.state();
        if way == Way::ToServer && message[0] == b'E' {
            state.errors.push(sql_state(message));
            self.changed.notify_all();
        }
        state.seen[way as usize] += 1;
        let number = state.seen[way as usize];
        if let Meeting::Set(fault) = state.fault
            && (fault.way, fault.number) == (way, number)
        {
            state.fault = Meeting::Happened;
            state.refuses |= fault.then_refuse;
            state.cuts += 1;
            return Some(fault.deed);
        }
        let is_met =
            |(random, of_thousand): &mut (StdRng, u32)| random.random_range(0..1000) < *of_thousand;
        state.chance.as_mut().is_some_and(is_met).then(|| {
            state.cuts += 1;
            Deed::CutBefore
        })
    }

    fn hold(&self) {
        let mut state = self.state();
        state.held += 1;
        self.changed.notify_all();
        drop(self.changed.wait_while(state, |state| !state.let_go).unwrap());
    }

    /// Counts a round trip where the server sends something after it had all answers.
    fn count(&self, way: Way, kind: u8, progress: &Mutex<Progress>) {
        let mut progress = progress.lock().unwrap();
        match (way, kind) {
            (Way::ToDatabase, b'X') => {}
            (Way::ToDatabase, _) => {
                if !progress.is_waiting {
                    progress.is_waiting = true;
                    self.state().round_trips += 1;
                }
                // A statement, a Sync and the beginning are each answered by ReadyForQuery.
                progress.asked += usize::from(matches!(kind, b'Q' | b'S'));
            }
            (Way::ToServer, b'Z') => {
                progress.asked = progress.asked.saturating_sub(1);
                progress.is_waiting = progress.asked > 0;
            }
            (Way::ToServer, _) => {}
        }
    }
}

/// Reads a message as it goes over the wire: a type, but for the first, and a length that counts itself.
fn read_message(from: &mut impl Read, is_first: bool) -> io::Result<Vec<u8>> {
    let mut message = vec![0; if is_first { 4 } else { 5 }];
    from.read_exact(&mut message)?;
    let length = message[message.len() - 4..].try_into().unwrap();
    let length = u32::from_be_bytes(length) as usize;
    assert!((4..MESSAGE_BYTES_MAX).contains(&length), "a message has {length} bytes");
    let head = message.len();
    message.resize(head + length - 4, 0);
    from.read_exact(&mut message[head..])?;
    Ok(message)
}

/// Returns the SQLSTATE of an error: the field `C`, each of which ends with a zero.
fn sql_state(message: &[u8]) -> String {
    let mut fields = message[5..].split(|byte| *byte == 0);
    let code = fields.find_map(|field| field.strip_prefix(b"C")).unwrap_or_default();
    String::from_utf8_lossy(code).into_owned()
}

impl Upstream {
    fn of(config: &Config) -> Self {
        let port = config.get_ports().first().copied().unwrap_or(5432);
        match config.get_hosts().first().expect("the URL of the tests' database names a host") {
            Host::Tcp(name) => Self::Tcp(name.clone(), port),
            Host::Unix(folder) => Self::Unix(folder.join(format!(".s.PGSQL.{port}"))),
        }
    }

    fn connect(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(name, port) => TcpStream::connect((name.as_str(), *port)).map(Stream::Tcp),
            Self::Unix(path) => UnixStream::connect(path).map(Stream::Unix),
        }
    }
}

impl Stream {
    /// Returns another handle of the same connection.
    fn again(&self) -> Self {
        match self {
            Self::Tcp(stream) => Self::Tcp(stream.try_clone().unwrap()),
            Self::Unix(stream) => Self::Unix(stream.try_clone().unwrap()),
        }
    }

    fn shut_down(&self, how: Shutdown) {
        match self {
            Self::Tcp(stream) => stream.shutdown(how).ok(),
            Self::Unix(stream) => stream.shutdown(how).ok(),
        };
    }
}

impl Read for Stream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(bytes),
            Self::Unix(stream) => stream.read(bytes),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
