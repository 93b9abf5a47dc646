//! Keys: tuples written as bytes, so that the order of the bytes is the order of the tuples.

use super::{Batch, Error, Result, Table};
use std::fmt;

/// How long a key may be that is stored. PostgreSQL's indexes take 2,704 bytes of an entry ("index row
/// size exceeds btree version 4 maximum"); every engine refuses what one of them would.
pub const KEY_BYTES_MAX: usize = 2_600;

/// Refuses a batch with a key that is too long for an engine.
pub(super) fn check_keys(batch: &Batch) -> Result<()> {
    match batch.keys().find(|key| key.len() > KEY_BYTES_MAX) {
        None => Ok(()),
        Some(key) => Err(Error::Unavailable(format!(
            "a key of {} bytes is above the limit of {KEY_BYTES_MAX}",
            key.len()
        ))),
    }
}

/// A key, or the beginning of one.
///
/// A string is written with each zero byte followed by 255, and ends in two zero bytes; so a
/// shorter string sorts before a longer one that it begins, whatever follows either of them.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Key(Vec<u8>);

/// Shows no more than the table: what follows can be an address or a PIN.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.0.first().copied().unwrap_or_default();
        write!(f, "key of {} bytes in table {table}", self.0.len())
    }
}

impl Key {
    /// Begins a key of a table.
    pub fn of(table: Table) -> Self {
        let mut bytes = Vec::with_capacity(96);
        bytes.push(table as u8);
        Self(bytes)
    }

    /// Adds a whole string.
    #[must_use]
    pub fn string(self, text: &str) -> Self {
        let mut key = self.string_prefix(text);
        key.0.extend([0, 0]);
        key
    }

    /// Adds the beginning of a string: every string that begins with it sorts under this key.
    #[must_use]
    pub fn string_prefix(mut self, text: &str) -> Self {
        for &byte in text.as_bytes() {
            self.0.push(byte);
            if byte == 0 {
                self.0.push(255);
            }
        }
        self
    }

    /// Adds a number.
    #[must_use]
    pub fn number(mut self, number: u64) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    /// Adds a whole key, as the last part.
    #[must_use]
    pub fn followed_by(mut self, key: &Self) -> Self {
        self.0.extend(&key.0);
        self
    }

    /// Takes back the bytes of a whole key.
    pub(super) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Returns the bytes that an engine sees.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the bytes that an engine sees.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Returns the range of the keys that begin with this one.
    pub fn prefixed(&self) -> KeyRange {
        let mut end = self.0.clone();
        while end.last() == Some(&255) {
            end.pop();
        }
        // A key begins with its table's number, which is below 255, so a byte to raise is left.
        if let Some(last) = end.last_mut() {
            *last += 1;
        }
        KeyRange { start: self.0.clone(), end }
    }
}

/// The keys from `start` up to, and without, `end`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyRange {
    /// The first key of the range.
    pub start: Vec<u8>,
    /// The first key behind the range.
    pub end: Vec<u8>,
}

impl KeyRange {
    /// Returns the part of the range that comes after a key.
    #[must_use]
    pub fn after(mut self, key: &[u8]) -> Self {
        if key >= self.start.as_slice() {
            self.start = key.to_vec();
            self.start.push(0);
        }
        self
    }

    /// Tells whether no key can be in the range.
    pub fn is_empty(&self) -> bool {
        self.start >= self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(parts: &[String]) -> Key {
        parts.iter().fold(Key::of(Table::Accounts), |key, part| key.string(part))
    }

    fn awkward() -> impl Strategy<Value = String> {
        proptest::collection::vec(
            prop_oneof![Just('\0'), Just('\u{1}'), Just('a'), Just('\u{ff}'), any::<char>()],
            0..6,
        )
        .prop_map(|chars| chars.into_iter().collect())
    }

    proptest! {
        #[test]
        fn keys_sort_as_their_tuples(
            a in proptest::collection::vec(awkward(), 2),
            b in proptest::collection::vec(awkward(), 2),
        ) {
            let tuples = a.iter().map(String::as_bytes).cmp(b.iter().map(String::as_bytes));
            prop_assert_eq!(key(&a).cmp(&key(&b)), tuples);
        }

        #[test]
        fn numbers_sort_as_numbers(a: u64, b: u64, rest in awkward()) {
            let key = |number| Key::of(Table::Accounts).string("a").number(number).string(&rest);
            prop_assert_eq!(key(a).cmp(&key(b)), a.cmp(&b));
            let range = Key::of(Table::Accounts).string("a").number(a).prefixed();
            let key = key(b);
            let inside = range.start.as_slice() <= key.as_bytes()
                && key.as_bytes() < range.end.as_slice();
            prop_assert_eq!(inside, a == b);
        }

        #[test]
        fn a_prefix_holds_the_strings_that_begin_with_it(text in awkward(), prefix in awkward()) {
            let range = Key::of(Table::Accounts).string_prefix(&prefix).prefixed();
            let key = Key::of(Table::Accounts).string(&text);
            let inside = range.start.as_slice() <= key.as_bytes()
                && key.as_bytes() < range.end.as_slice();
            prop_assert_eq!(inside, text.starts_with(&prefix));
        }
    }
}
