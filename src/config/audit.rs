//! The settings of what is recorded of calls.

use crate::server::{AuditLog, AuditSettings};
use clap::Args;

/// A hundred years, beyond which a number of days is a mistake.
const DAYS_MAX: i64 = 36_500;

/// The settings of the audit.
#[derive(Args, Clone, Debug)]
pub(super) struct AuditArgs {
    /// Record calls that only read, too: each answer waits until its event is stored
    #[arg(long, env = "CAMPANILE_AUDIT_READS")]
    audit_reads: bool,

    /// For how many days the events of calls are kept; 0 keeps them for ever
    #[arg(long, env = "CAMPANILE_AUDIT_RETENTION", value_name = "DAYS", default_value = "90")]
    #[arg(value_parser = clap::value_parser!(u32).range(..=DAYS_MAX))]
    audit_retention: u32,

    /// File that events are appended to besides, each a line of JSON, or - for standard output
    #[arg(long, env = "CAMPANILE_AUDIT_LOG", value_name = "FILE")]
    audit_log: Option<AuditLog>,
}

impl AuditArgs {
    pub(super) fn settings(self) -> Result<AuditSettings, String> {
        self.audit_log.as_ref().map_or(Ok(()), AuditLog::check)?;
        Ok(AuditSettings {
            reads: self.audit_reads,
            retention_days: self.audit_retention,
            log: self.audit_log,
        })
    }
}
