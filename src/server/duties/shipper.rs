//! The shipper: it appends committed events of the audit, as lines of JSON, to a file or to standard
//! output.
//!
//! Each event is written at least once: its note in the store goes when the line is on the disk. A
//! line that a crash tore is ended, and written again as a whole.

use super::{Duty, Stop};
use crate::clock::{Clock, Timestamp};
use crate::operations::audit::shipping::{self, Shipment};
use crate::store::{self, Position, Store};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

/// How often it looks for new events.
const INTERVAL_MILLISECONDS: i64 = 1000;
/// By how much an event's time can be before that of one that was committed earlier, for it to be
/// shipped in the next second. What was committed later still waits for a round over all.
const LATE_MILLISECONDS: i64 = 10 * 1000;
/// How often it looks at all that is not shipped.
const ALL_MILLISECONDS: i64 = 60 * 1000;
/// How long it rests after it could not write.
const RETRY_MILLISECONDS: i64 = 10 * 1000;

/// Where events are shipped to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AuditLog {
    /// `-`, standard output.
    Stdout,
    /// A file, which is opened for each shipment: whoever renames it gets a new one.
    File(PathBuf),
}

impl FromStr for AuditLog {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("name a file, or - for standard output".to_owned()),
            "-" => Ok(Self::Stdout),
            path => Ok(Self::File(path.into())),
        }
    }
}

impl AuditLog {
    /// Tells why nothing can be written there, if that is so.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Self::Stdout => Ok(()),
            Self::File(path) => opened(path).map(drop).map_err(|error| {
                format!("--audit-log (CAMPANILE_AUDIT_LOG) is {}: {error}", path.display())
            }),
        }
    }

    fn append(&self, lines: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(lines)?;
                out.flush()
            }
            Self::File(path) => {
                let mut file = opened(path)?;
                if is_torn(&mut file)? {
                    file.write_all(b"\n")?;
                }
                file.write_all(lines)?;
                file.sync_all()
            }
        }
    }
}

/// Opens a file to append to it; one that is new is only its owner's, and stays when the power goes.
fn opened(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).mode(0o600);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let file = options.create(true).open(path)?;
            let folder = path.parent().filter(|folder| *folder != Path::new(""));
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
            Ok(file)
        }
        opened => opened,
    }
}

/// Tells whether a file's last line has no end.
fn is_torn(file: &mut File) -> io::Result<bool> {
    // What cannot be sought, such as a pipe, has no end to look at.
    if !file.metadata()?.is_file() || file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// Ships events.
#[derive(Debug)]
pub(in super::super) struct Shipper {
    log: AuditLog,
    store: Arc<Store>,
    clock: Clock,
    /// The time of the last event that was shipped, and when all are to be looked at again. What was
    /// shipped before leaves marks in the store that take their time to walk over.
    newest: Option<Timestamp>,
    all_due: Timestamp,
    /// Whether the log has been told that nothing can be written.
    is_failing: bool,
}

impl Shipper {
    pub(in super::super) fn new(log: AuditLog, store: Arc<Store>, clock: Clock) -> Self {
        let all_due = clock.now();
        Self { log, store, clock, newest: None, all_due, is_failing: false }
    }

    /// Returns the place from which on events are looked for.
    fn begin(&mut self) -> Option<Position> {
        let now = self.clock.now();
        if now >= self.all_due {
            self.all_due = now.plus(ALL_MILLISECONDS);
            return None;
        }
        self.newest.map(|newest| shipping::from(newest.plus(-LATE_MILLISECONDS)))
    }

    async fn ship(&self, shipment: Shipment) -> store::Result<io::Result<()>> {
        let log = self.log.clone();
        let Shipment { lines, notes } = shipment;
        let append = tokio::task::spawn_blocking(move || log.append(&lines));
        let appended = append.await.unwrap_or_else(|panic| Err(io::Error::other(panic)));
        if appended.is_ok() {
            self.store.write(move |mut tx| shipping::settle(&mut tx, &notes)).await?;
        }
        Ok(appended)
    }
}

impl Duty for Shipper {
    const NAME: &'static str = "shipping the audit's events";
    const LABEL: &'static str = "shipper";

    async fn round(&mut self, stop: &Stop) -> store::Result<Option<Timestamp>> {
        let mut after = self.begin();
        while stop.goes_on().await {
            let shipment = self.store.read(|tx| shipping::take(&tx, after.as_ref())).await?;
            let Some((end, newest)) = shipment.end() else { break };
            if let Err(error) = self.ship(shipment).await? {
                if !self.is_failing {
                    tracing::error!("--audit-log cannot be written, and is tried again: {error}");
                }
                self.is_failing = true;
                return Ok(Some(self.clock.now().plus(RETRY_MILLISECONDS)));
            }
            self.is_failing = false;
            self.newest = self.newest.max(Some(newest));
            after = Some(end);
        }
        Ok(Some(self.clock.now().plus(INTERVAL_MILLISECONDS)))
    }
}
