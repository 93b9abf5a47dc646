//! What is wrong with the files, in the same words wherever it is found.

use crate::store::Error;
use std::fmt::Display;
use std::path::Path;

/// A file that cannot be made, written or synced.
pub(super) fn failed(path: &Path, error: impl Display) -> Error {
    Error::Unavailable(format!("{} fails: {error}", path.display()))
}

/// A file that is there and cannot be read.
pub(super) fn unreadable(path: &Path, error: impl Display) -> Error {
    Error::Unavailable(format!("{} cannot be read: {error}", path.display()))
}

/// A file that the engine would not have made, in a folder of its own.
pub(super) fn foreign(path: &Path) -> Error {
    Error::Corrupt(format!(
        "{} is not Campanile's, but stands among its files. Nothing was changed. Move it elsewhere",
        path.display()
    ))
}
