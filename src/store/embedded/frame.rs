//! The form of the log: batches as frames, and frames cut into sectors that vouch for themselves.
//!
//! A sector is 512 bytes, because a disk that loses power keeps or loses at least that much as
//! one. Each carries a checksum over what it holds and where it belongs, and ends in a byte that is
//! not zero. The log is written over zeros; so a sector that was never written, or only in part,
//! ends in zero, and is told from one that was written whole and damaged later.

use crate::store::{Batch, Error, Result};
use std::collections::HashMap;
use xxhash_rust::xxh3::xxh3_64;

/// How many bytes a disk writes whole or not at all.
pub(super) const SECTOR_BYTES: usize = 512;
const CHECK_BYTES: usize = 8;
const BODY_BYTES: usize = SECTOR_BYTES - CHECK_BYTES;
/// The kind of a frame, one byte, and how long what it holds is.
const HEAD_BYTES: usize = 5;
/// How much one batch may hold: what a start has to take into memory in one piece.
const BATCH_BYTES_MAX: usize = 256 << 20;

/// What a frame is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// The beginning of a segment: the sequence number of its first batch.
    Begin,
    /// A batch.
    Batch,
    /// The end of a segment that another continues.
    Close,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Begin, Self::Batch, Self::Close];

    fn byte(self) -> u8 {
        match self {
            Self::Begin => 1,
            Self::Batch => 2,
            Self::Close => 3,
        }
    }
}

/// Where a frame belongs. Its checksums cover this, so that no frame passes for another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The data folder.
    pub(super) store: u64,
    /// The number of the segment.
    pub(super) segment: u64,
    /// The sequence number of the batch.
    pub(super) sequence: u64,
}

impl Place {
    fn check(&self, index: usize, body: &[u8]) -> [u8; CHECK_BYTES] {
        let mut place = [0; 32];
        let parts = [self.store, self.segment, self.sequence, index as u64];
        for (bytes, part) in place.chunks_exact_mut(8).zip(parts) {
            bytes.copy_from_slice(&part.to_le_bytes());
        }
        let mut check = xxh3_64(body).wrapping_add(xxh3_64(&place)).to_le_bytes();
        // Two bits, so that no single one that flips makes the sector look unwritten.
        check[CHECK_BYTES - 1] |= 0x81;
        check
    }

    /// Tells whether a sector is whole and the frame's, at this index in it.
    pub(super) fn holds(&self, index: usize, sector: &[u8]) -> bool {
        sector
            .split_at_checked(BODY_BYTES)
            .is_some_and(|(body, check)| check == self.check(index, body).as_slice())
    }
}

/// Tells whether a sector was never written to its end.
pub(super) fn is_unwritten(sector: &[u8]) -> bool {
    sector.last().is_none_or(|last| *last == 0)
}

/// Returns how many bytes a frame takes in the log.
pub(super) fn frame_bytes(content_bytes: usize) -> usize {
    (HEAD_BYTES + content_bytes).div_ceil(BODY_BYTES) * SECTOR_BYTES
}

/// Writes a frame.
pub(super) fn encode_frame(place: Place, kind: Kind, content: &[u8]) -> Vec<u8> {
    let content_bytes = u32::try_from(content.len()).expect("a batch is far below four gigabytes");
    let mut whole = Vec::with_capacity(HEAD_BYTES + content.len());
    whole.push(kind.byte());
    whole.extend(content_bytes.to_le_bytes());
    whole.extend(content);
    let mut frame = Vec::with_capacity(frame_bytes(content.len()));
    for (index, body) in whole.chunks(BODY_BYTES).enumerate() {
        let begin = frame.len();
        frame.extend(body);
        frame.resize(begin + BODY_BYTES, 0);
        let check = place.check(index, frame.get(begin..).unwrap_or_default());
        frame.extend(check);
    }
    frame
}

/// Reads the frame at the beginning of some sectors; `None` when they do not hold all of it.
pub(super) fn decode_frame(place: Place, sectors: &[u8]) -> Option<(Kind, Vec<u8>)> {
    let mut bodies = sectors.chunks_exact(SECTOR_BYTES).enumerate().map_while(|(index, sector)| {
        place.holds(index, sector).then(|| sector.get(..BODY_BYTES).unwrap_or_default())
    });
    let first = bodies.next()?;
    let (head, rest) = first.split_at_checked(HEAD_BYTES)?;
    let (kind, length) = head.split_first()?;
    let kind = Kind::ALL.into_iter().find(|known| known.byte() == *kind)?;
    let content_bytes = u32::from_le_bytes(length.try_into().ok()?) as usize;
    if content_bytes > sectors.len() {
        return None;
    }
    let mut content = Vec::with_capacity(content_bytes.max(rest.len()));
    content.extend(rest);
    while content.len() < content_bytes {
        content.extend(bodies.next()?);
    }
    content.truncate(content_bytes);
    Some((kind, content))
}

/// Writes what a batch holds: its values, each of them once, and its keys.
///
/// A record and the entries of its indexes share one value, and most batches hold little else.
pub(super) fn encode_batch(batch: &Batch) -> Result<Vec<u8>> {
    let mut values: Vec<&[u8]> = Vec::with_capacity(batch.len());
    let mut known: HashMap<u64, usize> = HashMap::with_capacity(batch.len());
    let mut numbers = Vec::with_capacity(batch.len());
    for value in batch.values() {
        let Some(value) = value else {
            numbers.push(0);
            continue;
        };
        let number = *known.entry(xxh3_64(value)).or_insert(values.len());
        if values.get(number).is_some_and(|shared| shared == value) {
            numbers.push(number + 1);
        } else {
            values.push(value);
            numbers.push(values.len());
        }
    }
    let part_bytes = |bytes: usize, part: &[u8]| bytes.saturating_add(part.len() + 8);
    let bytes = batch.keys().map(Vec::as_slice).chain(values.iter().copied());
    let bytes = bytes.fold(8, part_bytes);
    if bytes > BATCH_BYTES_MAX {
        return Err(Error::Unavailable(format!(
            "a batch of {bytes} bytes is above the limit of {BATCH_BYTES_MAX}"
        )));
    }
    let mut content = Vec::with_capacity(bytes);
    let number = |content: &mut Vec<u8>, number: usize| {
        let number = u32::try_from(number).expect("a batch is far below four gigabytes");
        content.extend(number.to_le_bytes());
    };
    number(&mut content, values.len());
    for value in values {
        number(&mut content, value.len());
        content.extend(value);
    }
    number(&mut content, batch.len());
    for (key, value) in batch.keys().zip(numbers) {
        number(&mut content, value);
        number(&mut content, key.len());
        content.extend(key);
    }
    Ok(content)
}

/// What a batch holds: values, and keys with the place of their value among them.
pub(super) struct Entries<'a> {
    /// The values.
    pub(super) values: Vec<&'a [u8]>,
    /// The keys; `None` deletes.
    pub(super) keys: Vec<(&'a [u8], Option<usize>)>,
}

/// Reads what [`encode_batch`] wrote; `None` when it did not.
pub(super) fn decode_batch(content: &[u8]) -> Option<Entries<'_>> {
    let mut rest = content;
    let values = (0..number(&mut rest)?)
        .map(|_| number(&mut rest).and_then(|bytes| part(&mut rest, bytes)))
        .collect::<Option<Vec<_>>>()?;
    let keys = (0..number(&mut rest)?)
        .map(|_| {
            let value = number(&mut rest)?.checked_sub(1);
            let bytes = number(&mut rest)?;
            Some((part(&mut rest, bytes)?, value))
        })
        .collect::<Option<Vec<_>>>()?;
    let known = keys.iter().all(|(_, value)| value.is_none_or(|value| value < values.len()));
    (known && rest.is_empty()).then_some(Entries { values, keys })
}

fn number(rest: &mut &[u8]) -> Option<usize> {
    let bytes = part(rest, 4)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
}

fn part<'a>(rest: &mut &'a [u8], bytes: usize) -> Option<&'a [u8]> {
    let (part, behind) = rest.split_at_checked(bytes)?;
    *rest = behind;
    Some(part)
}
