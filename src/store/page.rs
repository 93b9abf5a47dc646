//! Pages: a part of an index, and the position at which the next part begins.

/// Some records of an index, in its order.
#[derive(Debug)]
pub struct Page<R> {
    /// The records.
    pub items: Vec<R>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<Position>,
}

/// A place in an index: behind the entry with this key, whether or not that entry still exists.
///
/// A position is a key and not a count, so that what others insert or delete while somebody walks
/// the pages neither repeats nor hides an entry that was there all the time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Position(Vec<u8>);

impl Position {
    /// Returns the place behind a key.
    pub fn at(key: Vec<u8>) -> Self {
        Self(key)
    }

    /// Returns the key.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}
