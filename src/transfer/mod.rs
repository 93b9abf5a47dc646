//! Moving a whole directory in and out of a running server, at constant memory.
//!
//! What comes in was saved with the AWS CLI; what goes out has the same form.

mod documents;
pub mod export;
pub mod import;
mod progress;
mod staging;

use crate::client::CallError;
use crate::store;
use std::fmt;

/// Why a directory was not moved, or not all of it.
#[derive(Debug)]
pub enum TransferError {
    /// The server could not be asked, or refused the whole.
    Call(CallError),
    /// So many faults were found and told; nothing was imported.
    Faults(usize),
    /// So many things were refused while the others were imported.
    Refused(usize),
    /// A file, the temporary folder or the output cannot be used.
    Local(String),
}

impl From<CallError> for TransferError {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl From<store::Error> for TransferError {
    fn from(error: store::Error) -> Self {
        Self::Local(format!("the temporary folder: {error}"))
    }
}

impl fmt::Display for TransferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(error) => error.fmt(f),
            Self::Faults(1) => f.write_str("1 fault; nothing was imported"),
            Self::Faults(count) => write!(f, "{count} faults; nothing was imported"),
            Self::Refused(count) => write!(
                f,
                "{count} faults met only now, because the directory was changed meanwhile; the \
                 rest was imported. Run the same command again"
            ),
            Self::Local(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for TransferError {}
