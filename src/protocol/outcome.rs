//! What becomes known of a request while it is answered, for those who keep a record of requests.

use super::error::Error;
use crate::access::Caller;
use std::sync::OnceLock;

/// The operation of what reached none, or was refused before that was looked at.
pub const UNKNOWN: &str = "unknown";

/// The operation of a request, who made it, and what was wrong with it, as far as its answer got.
#[derive(Debug, Default)]
pub struct Outcome {
    operation: OnceLock<&'static str>,
    caller: OnceLock<CallerNames>,
    error: OnceLock<&'static str>,
}

/// Who made a request.
#[derive(Debug)]
pub struct CallerNames {
    /// The caller's ARN.
    pub arn: String,
    /// The key that signed.
    pub access_key_id: String,
}

impl Outcome {
    /// Returns what is known of a request that is answered beside the operations.
    pub fn of(operation: &'static str) -> Self {
        Self { operation: operation.into(), ..Self::default() }
    }

    /// Returns the operation, by a name that stands in the code.
    pub fn operation(&self) -> &'static str {
        self.operation.get().copied().unwrap_or(UNKNOWN)
    }

    /// Returns who made the request, once that is proved.
    pub fn caller(&self) -> Option<&CallerNames> {
        self.caller.get()
    }

    /// Returns the name of the exception that answers the request, if one does.
    pub fn error(&self) -> Option<&'static str> {
        self.error.get().copied()
    }

    /// Notes an operation; the first that is noted counts, as with all that is noted here.
    pub(super) fn note_operation(&self, operation: &'static str) {
        self.operation.get_or_init(|| operation);
    }

    pub(super) fn note_caller(&self, caller: &Caller) {
        self.caller.get_or_init(|| CallerNames {
            arn: caller.arn.clone(),
            access_key_id: caller.access_key_id.clone(),
        });
    }

    /// Notes the error that answers the request.
    pub fn note_error(&self, error: &Error) {
        self.error.get_or_init(|| error.exception().name());
    }
}
