//! Why a store was not copied, or not all of it.

use crate::store::Error;
use std::fmt;

/// Why a store was not copied, or not all of it.
#[derive(Clone, Debug)]
pub enum CopyError {
    /// The source cannot be read.
    Source(Error),
    /// The destination cannot be read or written.
    Destination(Error),
    /// The source has no deployment: no server ever used it.
    NothingToCopy,
    /// The source is itself a copy that is not complete.
    SourceIncomplete,
    /// The destination holds something that is no copy of the source.
    DestinationTaken,
    /// The destination holds a copy, begun from another source.
    AnotherSource,
    /// The source is not what it was when the copy was begun.
    SourceChanged,
    /// Somebody else wrote to the destination meanwhile.
    Disturbed,
    /// The two sides differ, first in the table of this number.
    Different(u8),
}

impl CopyError {
    /// Tells whether the same command can go on where it was.
    pub fn can_go_on(&self) -> bool {
        let (Self::Source(error) | Self::Destination(error)) = self else { return false };
        matches!(error, Error::Unavailable(_) | Error::Again(_) | Error::Unknown(_))
    }
}

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(error) => write!(f, "the source: {}", reason(error)),
            Self::Destination(error) => write!(f, "the destination: {}", reason(error)),
            Self::NothingToCopy => f.write_str(
                "the source holds no deployment: no server was ever started on it, so there is \
                 nothing to copy",
            ),
            Self::SourceIncomplete => f.write_str(
                "the source is itself a copy that is not complete. Complete it first, with the \
                 `campanile copy` that began it",
            ),
            Self::DestinationTaken => f.write_str(
                "the destination holds something already that is no copy of the source. Nothing \
                 in it was changed. Name an empty one",
            ),
            Self::AnotherSource => f.write_str(
                "the destination holds a copy that was begun from another source, or from this \
                 one before its master key was exchanged. Nothing in it was changed. Name the \
                 source that it was begun from, or an empty destination",
            ),
            Self::SourceChanged => f.write_str(
                "the source was changed after the copy was begun, so the copy is of no use. Stop \
                 all servers on the source, remove the destination, and copy again",
            ),
            Self::Disturbed => f.write_str(
                "somebody else writes to the destination: another copy, or a server. Stop it, and \
                 run the same command again",
            ),
            Self::Different(table) => write!(
                f,
                "the copy is not the same as its source: the first difference is in table \
                 {table}. Remove the destination, and copy again"
            ),
        }
    }
}

/// What is to be run again here is not the transaction alone.
fn reason(error: &Error) -> String {
    match error {
        Error::Again(reason) => reason.clone(),
        error => error.to_string(),
    }
}

impl std::error::Error for CopyError {}
