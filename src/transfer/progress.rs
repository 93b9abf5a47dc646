//! What a person sees meanwhile, on standard error: how far it is, and faults as they are found.

use super::TransferError;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal, Write};

/// How far it is, and how many faults were told.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    faults: usize,
}

impl Progress {
    /// Begins with nothing to show; where standard error is no terminal, that stays so.
    pub(super) fn new() -> Self {
        let terminal = io::stderr().is_terminal();
        let bar = if terminal { ProgressBar::no_length() } else { ProgressBar::hidden() };
        Self { bar, faults: 0 }
    }

    /// Begins a stage, of so many things if that is known.
    pub(super) fn stage(&self, name: &'static str, things: Option<u64>) {
        let template = match things {
            Some(_) => "{msg} {wide_bar} {human_pos} of {human_len}, {eta} left",
            None => "{msg} {human_pos}, {elapsed}",
        };
        let style = ProgressStyle::with_template(template);
        self.bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        self.bar.reset();
        self.bar.set_message(name);
        match things {
            Some(things) => self.bar.set_length(things),
            None => self.bar.unset_length(),
        }
    }

    /// Goes on by so many things.
    pub(super) fn add(&self, things: usize) {
        self.bar.inc(things as u64);
    }

    /// Tells a fault at once, so that however many there are, none need be kept.
    pub(super) fn fault(&mut self, at: &str, fault: &str) {
        self.faults += 1;
        // Where standard error is closed, the exit code still says it.
        self.bar.suspend(|| writeln!(io::stderr().lock(), "{at}: {fault}").ok());
    }

    /// Returns how many faults were told.
    pub(super) fn faults(&self) -> usize {
        self.faults
    }

    /// Fails if a fault was told.
    pub(super) fn check(&self) -> Result<(), TransferError> {
        if self.faults == 0 { Ok(()) } else { Err(TransferError::Faults(self.faults)) }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Writes a number as people read it.
pub(super) fn people(number: u64) -> String {
    HumanCount(number).to_string()
}
