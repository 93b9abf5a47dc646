//! The servers' processes, which end with what owns them.

use std::fs;
use std::process::{Child, Command};

/// A running server.
pub struct Process(Child);

impl Process {
    /// Starts a program that serves until it is told to stop.
    pub fn start(command: &mut Command) -> Self {
        let child = command.spawn();
        Self(child.unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }

    pub fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    /// Sends a signal and waits for the end.
    pub fn end(&mut self, signal: &str) {
        if matches!(self.0.try_wait(), Ok(None)) {
            let id = self.0.id().to_string();
            let sent = Command::new("kill").args(["-s", signal, &id]).status();
            assert!(sent.unwrap().success(), "{id} cannot be ended");
        }
        self.0.wait().unwrap();
    }

    /// Returns how much of the process is in memory, in MiB.
    pub fn resident_mib(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SIGINT is what PostgreSQL stops for at once; the others take it for SIGTERM.
        self.end("INT");
    }
}
