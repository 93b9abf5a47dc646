//! What the tests and their servers say, kept for the search that ends a run of all tests: no secret may
//! stand in it, but those that are shown on purpose.

use super::Answer;
use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{Targets, dynamic_filter_fn};
use tracing_subscriber::prelude::*;

/// The file of this process, where `TEST_LOGS` names a folder.
static KEPT: LazyLock<Option<File>> = LazyLock::new(|| {
    let folder = PathBuf::from(std::env::var_os("TEST_LOGS")?).join("tests");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join(format!("{}.log", std::process::id()));
    Some(OpenOptions::new().create(true).append(true).open(file).unwrap())
});
/// The file of all secrets, where `TEST_SECRETS` names it.
static SECRETS: LazyLock<Option<File>> = LazyLock::new(|| {
    let file = std::env::var_os("TEST_SECRETS")?;
    Some(OpenOptions::new().create(true).append(true).open(file).unwrap())
});
static NOTED: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);
static LOG: LazyLock<()> = LazyLock::new(|| {
    // All that the server would ever log: libraries only get to say what is wrong.
    let ours =
        Targets::new().with_target("campanile", LevelFilter::TRACE).with_default(LevelFilter::WARN);
    let lines = tracing_subscriber::fmt::layer().with_ansi(false);
    let kept = KEPT.as_ref().map(|file| lines.with_writer(move || file).with_filter(ours));
    let is_captured = dynamic_filter_fn(|metadata, _| {
        CAPTURES.load(Ordering::Relaxed)
            && *metadata.level() <= Level::INFO
            && metadata.target() != "campanile::access"
    });
    let lines = tracing_subscriber::fmt::layer().with_ansi(false);
    let captured = lines.with_writer(|| Log).with_filter(is_captured);
    tracing_subscriber::registry().with(kept).with(captured).init();
});
/// Whether tests look at what is logged.
static CAPTURES: AtomicBool = AtomicBool::new(false);
static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());
/// What shows a secret on purpose, up to the secret: each with its kind, and with what ends it.
const SHOWN: [(&str, &str, char); 6] = [
    ("export AWS_SECRET_ACCESS_KEY=", "RootSecretAccessKey", '\n'),
    ("\"SecretAccessKey\":\"", "SecretAccessKey", '"'),
    ("\"SecretAccessKey\": \"", "SecretAccessKey", '"'),
    ("<SecretAccessKey>", "SecretAccessKey", '<'),
    ("\"SessionToken\":\"", "SessionToken", '"'),
    ("<SessionToken>", "SessionToken", '<'),
];
/// The link of an invite, which lets in whoever has it.
const INVITE: (&str, &str, char) = ("/invites/", "InviteToken", '"');

/// Tells whether output is kept.
pub fn is_on() -> bool {
    KEPT.is_some()
}

/// Keeps the log of the servers in this process from now on.
pub fn start_log() {
    LazyLock::force(&LOG);
}

/// Keeps output, without the lines that show a secret on purpose.
pub fn keep(output: &str) {
    let Some(mut file) = KEPT.as_ref() else { return };
    let kept =
        output.lines().filter(|line| SHOWN.iter().all(|(before, ..)| !line.contains(before)));
    let mut text = kept.collect::<Vec<_>>().join("\n");
    text.push('\n');
    file.write_all(text.as_bytes()).unwrap();
    note_shown(output);
}

/// Notes a secret that no output may show.
pub fn note_secret(kind: &str, secret: &str) {
    let Some(mut file) = SECRETS.as_ref() else { return };
    let mut noted = NOTED.lock().unwrap_or_else(PoisonError::into_inner);
    if noted.insert(secret.to_owned()) {
        // One write a line, for many processes write to the file.
        let line = format!("{kind}\t{secret}\n");
        file.write_all(line.as_bytes()).unwrap();
    }
}

/// Notes the secrets that an answer tells its client.
pub fn note_answer(answer: &Answer) {
    if SECRETS.is_some() {
        note_shown(&answer.body);
        note_between(&answer.body, INVITE);
        let cookie = answer.header("set-cookie").and_then(|it| it.split_once('='));
        if let Some((_, value)) = cookie {
            note_secret("SessionCookie", value.split(';').next().unwrap());
        }
    }
}

fn note_shown(text: &str) {
    for shown in SHOWN {
        note_between(text, shown);
    }
}

fn note_between(text: &str, (before, kind, end): (&str, &str, char)) {
    for rest in text.split(before).skip(1) {
        let secret = rest.split_once(end).map(|(secret, _)| secret);
        let is_secret =
            |it: &&str| it.len() >= 16 && it.bytes().all(|byte| byte.is_ascii_graphic());
        if let Some(secret) = secret.filter(is_secret) {
            note_secret(kind, secret);
        }
    }
}

/// Everything that the servers of this process have logged, but the access log.
pub struct Log;

impl Log {
    /// Begins to keep what is logged.
    pub fn keep() {
        start_log();
        CAPTURES.store(true, Ordering::Relaxed);
    }

    /// Returns the lines about an answer.
    pub fn about(answer: &Answer) -> String {
        Self::with(answer.header("x-amzn-requestid").unwrap())
    }

    /// Returns the lines that hold a text.
    pub fn with(text: &str) -> String {
        let all = String::from_utf8(LINES.lock().unwrap().clone()).unwrap();
        all.lines().filter(|line| line.contains(text)).collect::<Vec<_>>().join("\n")
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
