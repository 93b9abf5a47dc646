//! The log: to standard error, as text or as a JSON object a line.

use super::observer::ACCESS;
use std::io::{self, IsTerminal};
use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

/// How log lines are written.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: a JSON object a line.
    Json,
}

/// Starts logging for the rest of the process. Libraries only get to say what is wrong, and the access
/// log has its lines or not, whatever the level of the others.
pub fn start_log(format: LogFormat, level: Level, access_log: bool) {
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let lines = match format {
        LogFormat::Text => lines.with_target(false).with_ansi(io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let access = if access_log { LevelFilter::INFO } else { LevelFilter::OFF };
    let ours = Targets::new()
        .with_target("campanile", level)
        .with_target(ACCESS, access)
        .with_default(LevelFilter::WARN);
    tracing_subscriber::registry().with(lines.with_filter(ours)).init();
}
