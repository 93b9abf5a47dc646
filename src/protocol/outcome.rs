//! What becomes known of a request while it is answered, for those who keep a record of requests.

use super::error::Error;
use crate::access::Caller;
use std::sync::{Arc, OnceLock};

/// The operation of what reached none, or was refused before that was looked at.
pub const UNKNOWN: &str = "unknown";

/// The operation of a request, who made it, and what was wrong with it, as far as its answer got.
#[derive(Debug, Default)]
pub struct Outcome {
    operation: OnceLock<&'static str>,
    caller: OnceLock<Arc<Caller>>,
    error: OnceLock<&'static str>,
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
    pub fn caller(&self) -> Option<&Caller> {
        self.caller.get().map(Arc::as_ref)
    }

    /// Returns the name of the exception that answers the request, if one does.
    pub fn error(&self) -> Option<&'static str> {
        self.error.get().copied()
    }

    /// Notes an operation; the first that is noted counts, as with all that is noted here.
    pub(super) fn note_operation(&self, operation: &'static str) {
        self.operation.get_or_init(|| operation);
    }

    pub(super) fn note_caller(&self, caller: &Arc<Caller>) {
        self.caller.get_or_init(|| Arc::clone(caller));
    }

    /// Notes the error that answers the request.
    pub fn note_error(&self, error: &Error) {
        self.error.get_or_init(|| error.exception().name());
    }
}
