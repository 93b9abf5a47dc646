//! A mail server on a loopback port: it speaks SMTP, takes mail or refuses it as a test says, and
//! shows what it took.

use super::kept;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How long a test waits for mail before it fails.
const TIMEOUT: Duration = Duration::from_mins(1);

/// A mail server; it stops taking connections when this is dropped.
pub struct SmtpPeer {
    pub address: SocketAddr,
    manner: Arc<Mutex<Manner>>,
    attempts: Receiver<()>,
    taken: Receiver<Letter>,
    /// Whether connections are still to be taken.
    open: Arc<Mutex<bool>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// What the server does with mail.
#[derive(Clone, Copy, Debug)]
pub enum Manner {
    Take,
    /// Answers every recipient with this line; `{}` stands for the address.
    Refuse(&'static str),
    /// Takes a connection, and closes it without a word.
    HangUp,
    /// Hears a recipient and does not answer. It counts as another attempt when the client gives up.
    Stall,
}

/// A mail that was taken.
#[derive(Clone, Debug)]
pub struct Letter {
    pub to: String,
    /// The whole of it, with its parts decoded.
    pub text: String,
    /// Who showed a name and a password, as SMTP's AUTH PLAIN writes them.
    pub authenticated: Option<String>,
}

impl Letter {
    /// Returns the path of the first link.
    pub fn link(&self) -> String {
        let from = self.text.find("/invites/").unwrap_or_else(|| panic!("no link in {self:?}"));
        let rest = &self.text[from..];
        let is_end = |c: char| !(c.is_ascii_alphanumeric() || "/-_".contains(c));
        let link = &rest[..rest.find(is_end).unwrap()];
        kept::note_secret("InviteToken", link.trim_start_matches("/invites/"));
        link.to_owned()
    }
}

impl SmtpPeer {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (attempted, attempts) = channel();
        let (take, taken) = channel();
        let manner = Arc::new(Mutex::new(Manner::Take));
        let open = Arc::new(Mutex::new(true));
        let (its_manner, is_open) = (Arc::clone(&manner), Arc::clone(&open));
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if !*locked(&is_open) {
                    break;
                }
                let session = Session {
                    manner: Arc::clone(&its_manner),
                    attempted: attempted.clone(),
                    take: take.clone(),
                };
                let stream = stream.unwrap();
                // A client that goes away ends its conversation.
                thread::spawn(move || session.converse(&stream).ok());
            }
        });
        Self { address, manner, attempts, taken, open, thread: Some(thread) }
    }

    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    pub fn set(&self, manner: Manner) {
        *locked(&self.manner) = manner;
    }

    /// Waits for the next mail that is taken.
    pub fn take(&self) -> Letter {
        self.taken.recv_timeout(TIMEOUT).expect("mail comes")
    }

    /// Waits until somebody tries to send a mail.
    pub fn attempt(&self) {
        self.attempts.recv_timeout(TIMEOUT).expect("somebody tries to send mail");
    }

    /// Asserts that no other mail was taken so far.
    #[track_caller]
    pub fn assert_no_more(&self) {
        let more = self.taken.try_recv();
        assert!(more.is_err(), "there is more mail than there should be: {more:?}");
    }
}

impl Drop for SmtpPeer {
    fn drop(&mut self) {
        *locked(&self.open) = false;
        // So that it looks.
        TcpStream::connect(self.address).ok();
        self.thread.take().map(thread::JoinHandle::join);
    }
}

struct Session {
    manner: Arc<Mutex<Manner>>,
    attempted: Sender<()>,
    take: Sender<Letter>,
}

impl Session {
    fn converse(&self, stream: &TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream).lines();
        let reply = |line: &str| (&*stream).write_all(format!("{line}\r\n").as_bytes());
        if matches!(*locked(&self.manner), Manner::HangUp) {
            self.attempted.send(()).ok();
            return Ok(());
        }
        reply("220 peer.example ESMTP")?;
        let (mut to, mut authenticated) = (String::new(), None);
        while let Some(line) = lines.next().transpose()? {
            match line.split([' ', ':']).next().unwrap_or_default().to_uppercase().as_str() {
                "EHLO" => reply("250-peer.example\r\n250-AUTH PLAIN\r\n250 8BITMIME")?,
                "AUTH" => {
                    authenticated = line.split(' ').nth(2).map(str::to_owned);
                    reply("235 welcome")?;
                }
                "RCPT" => {
                    // Settled before the test hears of the attempt.
                    let manner = *locked(&self.manner);
                    self.attempted.send(()).ok();
                    let from = line.find('<').unwrap() + 1;
                    line[from..line.find('>').unwrap()].clone_into(&mut to);
                    match manner {
                        Manner::Take => reply("250 ok")?,
                        Manner::Refuse(line) => reply(&line.replace("{}", &to))?,
                        Manner::HangUp => return Ok(()),
                        Manner::Stall => {
                            lines.next();
                            self.attempted.send(()).ok();
                            return Ok(());
                        }
                    }
                }
                "DATA" => {
                    reply("354 go on")?;
                    let mut text = String::new();
                    while let Some(line) = lines.next().transpose()?.filter(|line| line != ".") {
                        text.push_str(line.strip_prefix('.').unwrap_or(&line));
                        text.push('\n');
                    }
                    let authenticated = authenticated.clone();
                    let letter = Letter { to: to.clone(), text: decoded(&text), authenticated };
                    self.take.send(letter).ok();
                    reply("250 taken")?;
                }
                "QUIT" => return reply("221 bye"),
                _ => reply("250 ok")?,
            }
        }
        Ok(())
    }
}

/// Decodes what is quoted-printable, which nothing else in our mail looks like.
fn decoded(text: &str) -> String {
    if !text.contains("quoted-printable") {
        return text.to_owned();
    }
    let text = text.replace("=\n", "");
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, others @ ..] = rest {
        let hex = others.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| *first == b'=');
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &others[2..] } else { others };
    }
    String::from_utf8(bytes).unwrap()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
