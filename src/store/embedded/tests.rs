//! What only the engine on disk must do: survive what becomes of its files.

use super::*;

impl Embedded {
    /// Closes what is in memory, so that it is written as a table.
    pub(crate) fn seal_now(&self) {
        let mut log = self.locked_log();
        if !log.is_empty() {
            self.seal(&mut log, 0).unwrap();
        }
    }

    /// Ends as if the process were killed: nothing that waits is written any more.
    pub(crate) fn abandon(self) {
        self.core.fail(&Error::Unavailable("it was abandoned".to_owned()));
    }
}
