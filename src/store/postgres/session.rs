//! A connection to the database, driven by whoever waits for its answers: no other thread has to be
//! woken for them, and no wait is without an end.

use super::settings::{Settings, Timeouts};
use super::{Fault, sql};
use crate::metrics::Connection;
use futures_util::future::join_all;
use futures_util::stream::{self, BoxStream, FuturesUnordered, StreamExt};
use std::fmt;
use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::error::SqlState;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

/// An open connection.
pub(super) struct Session {
    client: Client,
    messages: BoxStream<'static, Result<AsyncMessage, tokio_postgres::Error>>,
    /// Whether the database has warned of anything since this was looked at last.
    warned: bool,
    runtime: Option<Runtime>,
    pub(super) timeouts: Timeouts,
    pub(super) statements: Statements,
    _counted: Connection,
}

/// The statements that a session has prepared, so that each costs one round trip.
#[derive(Clone)]
pub(super) struct Statements {
    pub(super) get: Statement,
    pub(super) count: Statement,
    pub(super) scan: Statement,
    pub(super) scan_and_get: Statement,
    pub(super) put: Statement,
    pub(super) delete: Statement,
    pub(super) fence: Statement,
}

impl Session {
    /// Connects to the host that takes writes, and prepares all that is asked of it.
    pub(super) fn open(settings: &Settings, counted: Connection) -> Result<Box<Self>, Fault> {
        let bare = Bare::open(settings)?;
        bare.prepared(counted)
    }

    /// Waits for an answer, and drives the connection meanwhile.
    pub(super) fn wait<T>(
        &mut self,
        limit: Duration,
        ask: impl AsyncFnOnce(&Client, &Statements) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Fault> {
        let runtime = self.runtime.as_ref().expect("a session has its runtime until it is dropped");
        let answer = ask(&self.client, &self.statements);
        runtime.block_on(driven(answer, &mut self.messages, &mut self.warned, limit))
    }

    /// Tells whether the database has warned of anything since this was asked last.
    pub(super) fn take_warning(&mut self) -> bool {
        std::mem::take(&mut self.warned)
    }

    /// Ends a transaction that has failed, so that the session can be used again.
    pub(super) fn roll_back(&mut self) -> Result<(), Fault> {
        let limit = self.timeouts.answer;
        self.wait(limit, async |client, _| client.batch_execute(sql::ROLLBACK).await)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Nothing runs on it but what is driven here; it may be dropped where nobody may wait.
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

/// A connection over which the schema can be made, before which nothing can be prepared.
pub(super) struct Bare {
    client: Client,
    messages: BoxStream<'static, Result<AsyncMessage, tokio_postgres::Error>>,
    runtime: Runtime,
    timeouts: Timeouts,
    /// Whether the database says that it is `YugabyteDB`.
    pub(super) is_yugabyte: bool,
}

impl Bare {
    /// Connects to the host that takes writes, and settles how the session works.
    pub(super) fn open(settings: &Settings) -> Result<Self, Fault> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Fault::Lost(format!("no connection can be made: {error}")))?;
        let (client, mut messages, peer) = runtime.block_on(first(settings))?;
        let set_up = async {
            let planner = if peer.is_postgresql { &sql::PLANNER[..] } else { &[] };
            let settings = [&sql::SESSION[..], planner].concat().join("; ");
            client.batch_execute(&settings).await?;
            let row = client.query_one(sql::SYNCHRONOUS_COMMIT, &[]).await?;
            if matches!(row.get::<_, &str>(0), "off" | "local") {
                client.batch_execute(sql::COMMIT_SYNCHRONOUSLY).await?;
            }
            Ok(())
        };
        let timeouts = settings.timeouts;
        runtime.block_on(driven(set_up, &mut messages, &mut false, timeouts.answer))?;
        Ok(Self { client, messages, runtime, timeouts, is_yugabyte: peer.is_yugabyte })
    }

    /// Waits for an answer.
    pub(super) fn wait<T>(
        &mut self,
        ask: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Fault> {
        let answer = ask(&self.client);
        let limit = self.timeouts.answer;
        self.runtime.block_on(driven(answer, &mut self.messages, &mut false, limit))
    }

    fn prepared(mut self, counted: Connection) -> Result<Box<Session>, Fault> {
        let texts =
            [sql::GET, sql::COUNT, sql::SCAN, sql::SCAN_AND_GET, sql::PUT, sql::DELETE, sql::FENCE];
        let prepared = self.wait(async |client| {
            let prepared = join_all(texts.map(|text| client.prepare(text))).await;
            prepared.into_iter().collect::<Result<Vec<_>, _>>()
        })?;
        let prepared: Result<[Statement; 7], _> = prepared.try_into();
        let [get, count, scan, scan_and_get, put, delete, fence] =
            prepared.expect("each text makes a statement");
        Ok(Box::new(Session {
            client: self.client,
            messages: self.messages,
            warned: false,
            runtime: Some(self.runtime),
            timeouts: self.timeouts,
            statements: Statements { get, count, scan, scan_and_get, put, delete, fence },
            _counted: counted,
        }))
    }
}

/// What a database says of itself.
#[derive(Clone, Copy)]
struct Peer {
    is_postgresql: bool,
    is_yugabyte: bool,
}

type Connected = (Client, BoxStream<'static, Result<AsyncMessage, tokio_postgres::Error>>, Peer);

/// Asks all hosts at the same time, and takes the first that takes writes.
async fn first(settings: &Settings) -> Result<Connected, Fault> {
    let attempts = settings.hosts.iter().map(async |host| {
        match tokio::time::timeout(settings.timeouts.connect, connect(host, settings)).await {
            Ok(connected) => connected,
            Err(_) => Err(Fault::Lost(format!("{}: no answer in time", name_of(host)))),
        }
    });
    let mut attempts: FuturesUnordered<_> = attempts.collect();
    let mut faults = Vec::new();
    while let Some(connected) = attempts.next().await {
        match connected {
            Ok(connected) => return Ok(connected),
            Err(fault) => faults.push(fault),
        }
    }
    // What one host refuses for good, another may do later.
    let is_lost = faults.iter().any(|fault| !matches!(fault, Fault::Refused(..)));
    let reasons: Vec<_> = faults.into_iter().map(Fault::reason).collect();
    let reasons = format!("no host takes writes: {}", reasons.join("; "));
    Err(if is_lost {
        Fault::Lost(reasons)
    } else {
        Fault::Refused(SqlState::CONNECTION_EXCEPTION, reasons)
    })
}

async fn connect(host: &Config, settings: &Settings) -> Result<Connected, Fault> {
    let failed = |error: tokio_postgres::Error| match Fault::of(&error) {
        Fault::Lost(reason) => {
            let reason = format!("{}: {reason}", name_of(host));
            // The library keeps the kind of its errors to itself. No certificate becomes right because
            // it is looked at again.
            if reason.contains("TLS handshake") {
                Fault::Refused(SqlState::CONNECTION_EXCEPTION, reason)
            } else {
                Fault::Lost(reason)
            }
        }
        fault => fault,
    };
    match &settings.tls {
        None => {
            let (client, connection) = host.connect(NoTls).await.map_err(failed)?;
            Ok(connected(client, connection))
        }
        Some(tls) => {
            let tls = MakeRustlsConnect::new(tls.as_ref().clone());
            let (client, connection) = host.connect(tls).await.map_err(failed)?;
            Ok(connected(client, connection))
        }
    }
}

fn connected<T>(
    client: Client,
    mut connection: tokio_postgres::Connection<tokio_postgres::Socket, T>,
) -> Connected
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let is_cockroach = connection.parameter("crdb_version").is_some();
    let version = connection.parameter("server_version").unwrap_or_default();
    let is_yugabyte = version.contains("YB");
    let peer = Peer { is_postgresql: !is_cockroach && !is_yugabyte, is_yugabyte };
    (client, stream::poll_fn(move |cx| connection.poll_message(cx)).boxed(), peer)
}

fn name_of(host: &Config) -> String {
    let port = host.get_ports().first().copied().unwrap_or_default();
    match host.get_hosts().first() {
        Some(tokio_postgres::config::Host::Tcp(name)) => format!("{name}:{port}"),
        #[cfg(unix)]
        Some(tokio_postgres::config::Host::Unix(path)) => format!("{}, {port}", path.display()),
        None => String::new(),
    }
}

/// Waits for an answer and drives its connection, no longer than a limit.
async fn driven<T>(
    answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    messages: &mut BoxStream<'static, Result<AsyncMessage, tokio_postgres::Error>>,
    warned: &mut bool,
    limit: Duration,
) -> Result<T, Fault> {
    let mut answer = std::pin::pin!(answer);
    let driven = poll_fn(|cx| {
        // What is to be sent is made by the first look at the answer, and sent by the connection.
        if let Poll::Ready(answered) = answer.as_mut().poll(cx) {
            return Poll::Ready(answered.map_err(|error| Fault::of_session(&error)));
        }
        loop {
            match messages.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(AsyncMessage::Notice(notice)))) => {
                    *warned |= notice.severity() == "WARNING" || notice.severity() == "WARN";
                }
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Err(Fault::of_session(&error)));
                }
                Poll::Ready(None) => {
                    return Poll::Ready(Err(Fault::Lost("the connection was closed".to_owned())));
                }
                Poll::Pending => break,
            }
        }
        // What the connection has read may be the answer.
        answer.as_mut().poll(cx).map_err(|error| Fault::of_session(&error))
    });
    match tokio::time::timeout(limit, driven).await {
        Ok(answered) => answered,
        Err(_) => Err(Fault::Lost(format!("the database did not answer within {limit:?}"))),
    }
}
