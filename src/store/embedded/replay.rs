//! Reading the log at a start: which batches it holds, and whether any is missing.
//!
//! Only one kind of damage is nobody's fault: the batch that was being written when the power
//! went, so that nobody was told of it. It is the last, nothing was written behind it, and some of
//! its sectors are missing while the others are whole. Whatever else does not read as it was
//! written stops the start, and nothing on the disk is changed.

use super::fault::unreadable;
use super::frame::{Kind, Place, SECTOR_BYTES, decode_frame, is_unwritten};
use super::log::{self, FIRST_SEQUENCE};
use crate::store::{Error, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// What the log holds.
#[derive(Debug)]
pub(super) struct Replay {
    segments: Vec<Segment>,
}

/// The batches that a log holds behind those that are in the tree.
#[derive(Debug)]
pub(super) struct Rest {
    /// The batches that are not in the tree, oldest first, with their numbers.
    pub(super) batches: Vec<(u64, Vec<u8>)>,
    /// The newest batch, if the log still holds it.
    pub(super) last: Option<Vec<u8>>,
    /// The number of the next batch.
    pub(super) next: u64,
    /// The newest segment, if it is begun and holds nothing.
    pub(super) unused: Option<u64>,
    /// The segments that were made and never begun.
    pub(super) unwritten: Vec<u64>,
    /// The first number that no other segment has.
    pub(super) next_segment: u64,
}

#[derive(Debug)]
struct Segment {
    number: u64,
    path: PathBuf,
    /// The number of its first batch; `None` when not even its beginning was written.
    first: Option<u64>,
    batches: Vec<Vec<u8>>,
    closed: bool,
    /// Where its last whole frame ends.
    end: usize,
    /// Whether anything was written behind that.
    torn: bool,
}

impl Segment {
    fn next(&self) -> Option<u64> {
        self.first.map(|first| first + self.batches.len() as u64)
    }
}

/// Reads the log in a folder, without changing anything.
pub(super) fn read(folder: &Path, store: u64) -> Result<Replay> {
    let mut segments: Vec<Segment> = Vec::new();
    for (number, path) in log::list(folder)? {
        let bytes = fs::read(&path).map_err(|error| unreadable(&path, error))?;
        segments.push(read_segment((number, path), &bytes, store)?);
    }
    for (index, segment) in segments.iter().enumerate() {
        // The next segment was begun, and synced, before this one was closed.
        let next = segments.get(index + 1).filter(|next| next.first.is_some());
        if segment.closed && next.map(|next| next.number) != Some(segment.number + 1) {
            return Err(Error::Corrupt(format!(
                "the segment after {} is missing, and with it batches that were acknowledged. \
                 Nothing was changed. Restore the folder from a backup",
                segment.path.display()
            )));
        }
    }
    Ok(Replay { segments })
}

impl Replay {
    /// Returns what is not in the tree, which holds every batch up to `persisted`.
    pub(super) fn behind(self, persisted: Option<u64>) -> Result<Rest> {
        let persisted = persisted.unwrap_or(FIRST_SEQUENCE - 1);
        let is_unwritten = |segment: &&Segment| segment.first.is_none() && !segment.torn;
        let unwritten = self.segments.iter().filter(is_unwritten).map(|segment| segment.number);
        let unwritten: Vec<_> = unwritten.collect();
        let newest = self.segments.iter().rfind(|segment| !is_unwritten(segment));
        let next_segment = newest.map_or(1, |segment| segment.number + 1);
        let unused =
            newest.filter(|segment| segment.batches.is_empty() && !segment.torn && !segment.closed);
        let unused = unused.and_then(|segment| Some((segment.number, segment.first?)));
        let mut batches: Vec<(u64, Vec<u8>)> = Vec::new();
        let mut next = None;
        for segment in self.segments {
            let Some(first) = segment.first else { continue };
            // A start writes the newest batch of the log again, in the segment that it begins.
            let repeated = next == Some(first + 1);
            if !repeated && next != Some(first) && first > persisted + 1 {
                return Err(missing(&segment.path, next.unwrap_or(persisted + 1), first));
            }
            let end = segment.next().max(next.filter(|_| repeated));
            for (sequence, batch) in (first..).zip(segment.batches) {
                match batches.last() {
                    Some((last, kept)) if *last == sequence => {
                        if *kept != batch {
                            return Err(missing(&segment.path, sequence, sequence + 1));
                        }
                    }
                    _ => batches.push((sequence, batch)),
                }
            }
            next = end;
        }
        match next {
            Some(next) if next > persisted => {
                let last = batches.last().map(|(_, batch)| batch.clone());
                batches.retain(|(sequence, _)| *sequence > persisted);
                let unused = unused.filter(|(_, first)| *first == next).map(|(number, _)| number);
                Ok(Rest { batches, last, next, unused, unwritten, next_segment })
            }
            _ => Err(Error::Corrupt(format!(
                "the log ends before batch {persisted}, which the tree holds: segments of the log \
                 are missing. Restore the folder from a backup"
            ))),
        }
    }
}

fn missing(path: &Path, from: u64, to: u64) -> Error {
    Error::Corrupt(format!(
        "batches {from} to {} should be in the log before {} but are missing or differ. Restore \
         the folder from a backup",
        to - 1,
        path.display()
    ))
}

fn read_segment((number, path): (u64, PathBuf), bytes: &[u8], store: u64) -> Result<Segment> {
    let place = |sequence| Place { store, segment: number, sequence };
    let sectors = |at: usize| bytes.get(at..).unwrap_or_default();
    let mut segment = Segment {
        number,
        path,
        first: None,
        batches: Vec::new(),
        closed: false,
        end: 0,
        torn: false,
    };
    if bytes.first_chunk::<SECTOR_BYTES>().is_some_and(|head| !is_unwritten(head)) {
        let Some((Kind::Begin, head)) = decode_frame(place(0), bytes) else {
            return Err(damaged(&segment.path, 0));
        };
        let (first, length) = head_numbers(&head).ok_or_else(|| damaged(&segment.path, 0))?;
        if length != bytes.len() as u64 {
            return Err(damaged(&segment.path, bytes.len()));
        }
        segment.first = Some(first);
        segment.end = SECTOR_BYTES;
    }
    while let Some(next) = segment.next().filter(|_| !segment.closed) {
        match decode_frame(place(next), sectors(segment.end)) {
            Some((Kind::Batch, batch)) => {
                segment.end += super::frame::frame_bytes(batch.len());
                segment.batches.push(batch);
            }
            Some((Kind::Close, _)) => {
                segment.end += SECTOR_BYTES;
                segment.closed = true;
            }
            Some((Kind::Begin, _)) => return Err(damaged(&segment.path, segment.end)),
            None => break,
        }
    }
    // What was cut off while it was written can only be the next batch.
    let cut_off = segment.next().filter(|_| !segment.closed).map(place);
    for (index, sector) in sectors(segment.end).chunks(SECTOR_BYTES).enumerate() {
        let whole = cut_off.is_some_and(|place| place.holds(index, sector));
        if !whole && !is_unwritten(sector) {
            return Err(damaged(&segment.path, segment.end + index * SECTOR_BYTES));
        }
    }
    segment.torn = sectors(segment.end).iter().any(|byte| *byte != 0);
    Ok(segment)
}

/// Reads the number of a segment's first batch, and how long the segment is.
fn head_numbers(head: &[u8]) -> Option<(u64, u64)> {
    let (first, length) = head.split_first_chunk()?;
    Some((u64::from_le_bytes(*first), u64::from_le_bytes(length.try_into().ok()?)))
}

fn damaged(path: &Path, offset: usize) -> Error {
    Error::Corrupt(format!(
        "{} is damaged at byte {offset}: what is there is not what was written. Nothing was \
         changed. Restore the folder from a backup",
        path.display()
    ))
}
