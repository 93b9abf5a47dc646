//! The process: its runtime, and the signals that stop it.

use super::{Server, Settings, Tls};
use crate::clock::Clock;
use std::error::Error;
use std::io;
use std::sync::Arc;
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
        // Without TLS there is nothing to read again, and a terminal that goes ends the server.
        let certificates = server.certificates();
        if !certificates.is_empty() {
            reload_at_signals(certificates)?;
        }
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

fn reload_at_signals(certificates: Vec<Arc<Tls>>) -> io::Result<()> {
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hang_up.recv().await.is_some() {
            for tls in certificates.iter().map(Arc::clone) {
                // Files of a network may take their time. A reload that panics has changed nothing.
                tokio::task::spawn_blocking(move || tls.reload()).await.ok();
            }
        }
    });
    Ok(())
}
