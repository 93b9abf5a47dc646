//! All entries of an engine, a page at a time, and what they come to.

use super::note::Note;
use super::{Progress, Stage};
use crate::store::key::KEY_BYTES_MAX;
use crate::store::{KeyRange, Result, Transaction};
use ring::digest::{Context, SHA256, digest};
use std::fmt::Write;
use std::vec;

pub(super) type Entry = (Vec<u8>, Vec<u8>);

/// A walk over entries in the order of their keys, without the note of a copy.
pub(super) struct Walk<'a> {
    transaction: &'a dyn Transaction,
    page: vec::IntoIter<Entry>,
    page_entries_max: usize,
    /// What is still to be scanned, if anything is.
    range: Option<KeyRange>,
}

impl<'a> Walk<'a> {
    /// Begins at the first entry.
    pub(super) fn whole(transaction: &'a dyn Transaction, page_entries_max: usize) -> Self {
        let range = Some(KeyRange { start: Vec::new(), end: vec![u8::MAX; KEY_BYTES_MAX + 1] });
        Self { transaction, page: Vec::new().into_iter(), page_entries_max, range }
    }

    /// Begins behind a key.
    pub(super) fn after(
        transaction: &'a dyn Transaction,
        key: &[u8],
        page_entries_max: usize,
    ) -> Self {
        let whole = Self::whole(transaction, page_entries_max);
        Self { range: whole.range.map(|range| range.after(key)), ..whole }
    }

    /// Begins at the first entry, and ends with the one that has a key.
    pub(super) fn up_to(
        transaction: &'a dyn Transaction,
        key: &[u8],
        page_entries_max: usize,
    ) -> Self {
        let range = Some(KeyRange { start: Vec::new(), end: [key, &[0]].concat() });
        Self { range, ..Self::whole(transaction, page_entries_max) }
    }

    /// Tells whether there is no entry, and no note either.
    pub(super) fn is_empty(transaction: &dyn Transaction) -> Result<bool> {
        let is_noted = transaction.get(&Note::KEY)?.is_some();
        Ok(!is_noted && Walk::whole(transaction, 1).next()?.is_none())
    }

    /// Returns the next entry.
    pub(super) fn next(&mut self) -> Result<Option<Entry>> {
        loop {
            if let Some(entry) = self.page.find(|(key, _)| *key != Note::KEY) {
                return Ok(Some(entry));
            }
            let Some(range) = self.range.take() else { return Ok(None) };
            let page = self.transaction.scan(&range, self.page_entries_max)?;
            if let Some((last, _)) = page.last()
                && page.len() == self.page_entries_max
            {
                self.range = Some(range.after(last));
            }
            self.page = page.into_iter();
        }
    }

    /// Tells whether the next entry needs another scan: a moment to say how far it is.
    pub(super) fn is_between_pages(&self) -> bool {
        self.page.len() == 0
    }
}

/// How many entries there were, of how many bytes, and their digest.
#[derive(Clone)]
pub(super) struct Tally {
    pub(super) entries: u64,
    pub(super) bytes: u64,
    context: Context,
}

impl Default for Tally {
    fn default() -> Self {
        Self { entries: 0, bytes: 0, context: Context::new(&SHA256) }
    }
}

impl Tally {
    /// Adds an entry. Each part goes behind its length, so that no two stores give the same bytes.
    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) {
        self.entries += 1;
        for part in [key, value] {
            let length = part.len() as u64;
            self.bytes += length;
            self.context.update(&length.to_be_bytes());
            self.context.update(part);
        }
    }

    /// Returns the digest of what was added so far.
    pub(super) fn digest(&self) -> String {
        hex(self.context.clone().finish().as_ref())
    }

    pub(super) fn progress(&self, stage: Stage, entries_of: Option<u64>) -> Progress {
        Progress { stage, entries: self.entries, bytes: self.bytes, entries_of }
    }
}

/// Returns the digest of some bytes.
pub(super) fn hex_digest(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes what is written");
        text
    })
}
