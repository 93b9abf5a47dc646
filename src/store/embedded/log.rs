//! The log: every batch is in it, and synced, before anybody sees the batch.
//!
//! It is a folder of segments, files that were filled with zeros and synced before they are
//! written, so that syncing a batch writes no metadata. A segment is never changed but at its end,
//! and never written again after a restart; it is deleted once the tree holds all its batches.

use super::fault::{failed, foreign};
use super::folder::sync_folder;
use super::frame::{Kind, Place, SECTOR_BYTES, encode_frame, frame_bytes};
use crate::store::Result;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// How long a segment is, unless one batch needs more. What is in one segment is in memory until
/// it is full, and is read again by a start after a crash.
const SEGMENT_BYTES: usize = 4 << 20;
/// The number of the first batch.
pub(super) const FIRST_SEQUENCE: u64 = 1;

/// The segments of a log as files.
#[derive(Debug)]
pub(super) struct Segments {
    folder: PathBuf,
    store: u64,
    /// The number of the next segment, and its file when it is already filled with zeros.
    next: Mutex<(u64, Option<File>)>,
}

impl Segments {
    /// Names the segments of a folder; `next` is the first number that none has.
    pub(super) fn new(folder: PathBuf, store: u64, next: u64) -> Self {
        Self { folder, store, next: Mutex::new((next, None)) }
    }

    /// Fills the next segment with zeros, so that a roll need not wait for it.
    pub(super) fn prepare(&self) -> Result<()> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if next.1.is_none() {
            next.1 = Some(self.zeroed(next.0, SEGMENT_BYTES)?);
        }
        Ok(())
    }

    /// Waits for the next segment's zeros, and forgets them.
    #[cfg(test)]
    pub(super) fn take_prepared(&self) {
        drop(self.next.lock().unwrap().1.take());
    }

    /// Deletes the segments before one, oldest first, so that what is left is never broken.
    pub(super) fn delete_before(&self, segment: u64) -> Result<()> {
        for (number, path) in list(&self.folder)? {
            if number < segment {
                fs::remove_file(&path)
                    .and_then(|()| sync_folder(&self.folder))
                    .map_err(|error| failed(&path, &error))?;
            }
        }
        Ok(())
    }

    /// Deletes segments that were filled with zeros and never begun.
    pub(super) fn delete_unwritten(&self, segments: &[u64]) -> Result<()> {
        for path in segments.iter().map(|number| path_of(&self.folder, *number)) {
            fs::remove_file(&path).map_err(|error| failed(&path, &error))?;
        }
        Ok(())
    }

    /// Begins the next segment with the number of its first batch.
    fn begin(&self, first: u64, bytes_min: usize) -> Result<Segment> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let number = next.0;
        let mut file = match next.1.take() {
            Some(file) => file,
            None => self.zeroed(number, bytes_min)?,
        };
        next.0 += 1;
        let path = path_of(&self.folder, number);
        let mut begin = || -> io::Result<u64> {
            let bytes = file.metadata()?.len();
            if bytes < bytes_min as u64 {
                file.seek(SeekFrom::Start(bytes))?;
                file.write_all(&vec![0; bytes_min - usize::try_from(bytes).unwrap_or(0)])?;
                file.sync_all()?;
            }
            self.write_head(&mut file, number, first)
        };
        let bytes = begin().map_err(|error| failed(&path, &error))?;
        Ok(Segment { number, path, file, at: SECTOR_BYTES as u64, bytes })
    }

    /// Writes and syncs how a segment begins, and returns how long it is.
    fn write_head(&self, file: &mut File, number: u64, first: u64) -> io::Result<u64> {
        let bytes = file.metadata()?.len();
        let place = Place { store: self.store, segment: number, sequence: 0 };
        let head = encode_frame(place, Kind::Begin, &[first, bytes].map(u64::to_le_bytes).concat());
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&head)?;
        file.sync_data()?;
        Ok(bytes)
    }

    fn zeroed(&self, number: u64, bytes: usize) -> Result<File> {
        let path = path_of(&self.folder, number);
        let zeroed = || -> io::Result<File> {
            let mut file = File::options().write(true).create_new(true).open(&path)?;
            file.write_all(&vec![0; bytes])?;
            file.sync_all()?;
            sync_folder(&self.folder)?;
            Ok(file)
        };
        zeroed().map_err(|error| failed(&path, &error))
    }
}

/// The segment that is written.
#[derive(Debug)]
struct Segment {
    number: u64,
    path: PathBuf,
    file: File,
    /// Where the next frame goes.
    at: u64,
    bytes: u64,
}

/// The end of the log, where batches are added.
#[derive(Debug)]
pub(super) struct Log {
    segments: Arc<Segments>,
    segment: Segment,
    /// The number of the next batch.
    next: u64,
    /// True while a write is under way, and forever after one that failed: nobody knows then what
    /// the disk holds.
    broken: bool,
}

impl Log {
    /// Begins a log, or goes on with one in a new segment. `last` is the newest batch of the log
    /// so far: it may be in no more than the system's memory, left there by a process that died
    /// before it was synced, so it is written again.
    pub(super) fn begin(segments: Arc<Segments>, next: u64, last: Option<&[u8]>) -> Result<Self> {
        let first = if last.is_some() { next - 1 } else { next };
        // Beside the batch, one sector begins the segment, and one closes it. A segment for one
        // batch is made sooner than a full one.
        let bytes = |last: &[u8]| 2 * SECTOR_BYTES + frame_bytes(last.len());
        let bytes = last.map_or(SEGMENT_BYTES, bytes);
        let segment = segments.begin(first, bytes)?;
        let mut log = Self { segments, segment, next: first, broken: false };
        if let Some(last) = last {
            log.append(last)?;
        }
        Ok(log)
    }

    /// Goes on with a segment that was begun and holds nothing yet.
    pub(super) fn go_on(segments: Arc<Segments>, number: u64, next: u64) -> Result<Self> {
        let path = path_of(&segments.folder, number);
        let open = || -> io::Result<(File, u64)> {
            let mut file = File::options().write(true).open(&path)?;
            // Its head may be in no more than the system's memory, so it is written again.
            let bytes = segments.write_head(&mut file, number, next)?;
            Ok((file, bytes))
        };
        let (file, bytes) = open().map_err(|error| failed(&path, &error))?;
        let segment = Segment { number, path, file, at: SECTOR_BYTES as u64, bytes };
        Ok(Self { segments, segment, next, broken: false })
    }

    /// Returns the segments.
    pub(super) fn segments(&self) -> Arc<Segments> {
        Arc::clone(&self.segments)
    }

    /// Returns the number of the next batch.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Tells whether a write failed, so that none may follow.
    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Tells whether the segment has room for a batch of so many bytes.
    pub(super) fn has_room(&self, content_bytes: usize) -> bool {
        let bytes = (frame_bytes(content_bytes) + SECTOR_BYTES) as u64;
        self.segment.at + bytes <= self.segment.bytes
    }

    /// Tells whether the segment holds no batch.
    pub(super) fn is_empty(&self) -> bool {
        self.segment.at <= SECTOR_BYTES as u64
    }

    /// Adds a batch, and returns its number once it is durable.
    pub(super) fn append(&mut self, content: &[u8]) -> Result<u64> {
        let sequence = self.next;
        self.write(Kind::Batch, content)?;
        self.sync()?;
        self.next += 1;
        Ok(sequence)
    }

    /// Closes the segment, and begins one with room for a batch of so many bytes. Returns its
    /// number: the segments before it hold nothing but what has been added so far.
    pub(super) fn roll(&mut self, content_bytes: usize) -> Result<u64> {
        // The next segment is on the disk before this one says that it is closed, and that need
        // not be synced: it only lets a start notice that the next is gone.
        let bytes_min = SEGMENT_BYTES.max(frame_bytes(content_bytes) + 2 * SECTOR_BYTES);
        self.broken = true;
        let next = self.segments.begin(self.next, bytes_min)?;
        self.write(Kind::Close, &[])?;
        self.segment = next;
        self.broken = false;
        Ok(self.segment.number)
    }

    fn sync(&mut self) -> Result<()> {
        self.broken = true;
        self.segment.file.sync_data().map_err(|error| failed(&self.segment.path, &error))?;
        self.broken = false;
        Ok(())
    }

    fn write(&mut self, kind: Kind, content: &[u8]) -> Result<()> {
        let (store, segment) = (self.segments.store, self.segment.number);
        let frame = encode_frame(Place { store, segment, sequence: self.next }, kind, content);
        self.broken = true;
        let written = self.segment.file.write_all(&frame);
        written.map_err(|error| failed(&self.segment.path, &error))?;
        self.broken = false;
        self.segment.at += frame.len() as u64;
        Ok(())
    }
}

/// Lists the segments of a folder by number. Refuses what Campanile does not write.
pub(super) fn list(folder: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| failed(folder, &error))? {
        let path = entry.map_err(|error| failed(folder, &error))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let number = name.strip_suffix(".log").and_then(|number| number.parse().ok());
        match number {
            Some(number) if path.is_file() && path_of(folder, number) == path => {
                segments.push((number, path));
            }
            _ => return Err(foreign(&path)),
        }
    }
    segments.sort_unstable();
    Ok(segments)
}

fn path_of(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}.log"))
}
