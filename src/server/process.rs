//! The process: its runtime, and the signals that stop it.

use super::{Server, Settings};
use crate::clock::Clock;
use std::error::Error;
use std::io;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

/// Runs a server until the process is told to stop. It is announced once it can be stopped.
pub fn run(
    settings: Settings,
    announce: impl FnOnce(&Server) -> io::Result<()>,
) -> Result<(), Box<dyn Error>> {
    Runtime::new()?.block_on(async {
        let server = Server::start(settings, Clock::system()).await?;
        let stop = stop_signal()?;
        announce(&server)?;
        server.serve(stop).await;
        Ok(())
    })
}

fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: no new connections; open requests are finished");
    })
}
