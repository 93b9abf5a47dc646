//! Sockets and processes: starting, serving, and stopping without losing an answer.

mod cors;
mod duties;
mod http;
mod limits;
mod master_key;
mod metrics;
mod observer;
mod process;
mod public_url;
mod refusal;
mod spans;
pub mod telemetry;
mod tls;

pub use cors::Origins;
pub use duties::{AuditLog, DnsSettings, Holder, LeaseRecord, MailSettings};
pub use limits::Limits;
pub use master_key::{MasterKeySource, Rotation, StoreKey};
pub use metrics::MetricsSettings;
pub use process::run;
pub use public_url::PublicUrl;
pub use spans::OtlpEndpoint;
pub use tls::Tls;

use crate::access::{Deployment, KeyUses, LAYOUT, RootSettings};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::operations::layout;
use crate::operations::users::links::LinkKey;
use crate::protocol::{Api, Audit, Setup};
use crate::store::{self, Location, Position, Store, Tx};
use duties::{Bell, Duties, Links, Postman, Recorder, Shipper, Sweeper, Verifier};
use http::{Front, Listening};
use metrics::Exposed;
use observer::Observer;
use spans::Spans;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// What a server needs to know to start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where everything is kept.
    pub store: Location,
    /// The certificate to show; without it, HTTP is plain.
    pub tls: Option<Arc<Tls>>,
    /// Where the master key is that the store's secrets are sealed under.
    pub master_key: MasterKeySource,
    /// What is fixed of the root credential.
    pub root: RootSettings,
    /// The origins whose pages may call.
    pub cors_origins: Origins,
    /// Where people's browsers find the server, if that is not where it listens.
    pub public_url: Option<PublicUrl>,
    /// How mail is sent; without it none is.
    pub mail: Option<MailSettings>,
    /// How the owners of domains are found; without it, claims are believed.
    pub dns: Option<DnsSettings>,
    /// How much is served, at once and in a second.
    pub limits: Limits,
    /// What is recorded of calls.
    pub audit: AuditSettings,
    /// Where metrics are served; without it nowhere.
    pub metrics: Option<MetricsSettings>,
    /// Whether every request is a line of the log.
    pub access_log: bool,
    /// Where spans are exported to; without it there are none.
    pub otlp: Option<OtlpEndpoint>,
}

/// What is recorded of calls, for how long, and where besides the store.
#[derive(Clone, Debug, Default)]
pub struct AuditSettings {
    /// Whether calls that only read leave an event, too.
    pub reads: bool,
    /// For how many days events are kept; 0 keeps them for ever.
    pub retention_days: u32,
    /// Where events are shipped to, if they are.
    pub log: Option<AuditLog>,
}

impl Settings {
    /// Tells the log what can be meant so, and mostly is not.
    fn warn(&self, listening: &PublicUrl) {
        let Some(mail) = &self.mail else { return };
        if self.public_url.is_none() {
            tracing::warn!(
                "links in mail begin with {listening}, where the people who get them may not find \
                 this server. Set --public-url"
            );
        }
        if mail.password_is_in_clear {
            tracing::warn!(
                "the password of the mail server goes over the network as it is. Write smtps://… \
                 in --smtp-url, or add ?tls=required"
            );
        }
    }
}

/// A server that is bound to its address and ready to answer.
#[derive(Debug)]
pub struct Server {
    listening: Listening,
    front: Front,
    metrics: Option<(Listening, Exposed)>,
    duties: Duties,
    new_root: Option<NewRoot>,
    new_master_key: Option<PathBuf>,
}

/// A root credential that this start made, to be shown once.
#[derive(Clone, Debug)]
pub struct NewRoot {
    /// The 12 digits of the root's AWS account.
    pub aws_account_id: String,
    /// The public half of its access key.
    pub access_key_id: String,
    /// The secret half.
    pub secret_access_key: crate::access::Secret,
}

impl Server {
    /// Opens the store and binds the address.
    pub async fn start(settings: Settings, clock: Clock) -> Result<Self, StartError> {
        let store = Store::open(&settings.store).map_err(StartError::Store)?;
        Self::start_over(store, settings, clock).await
    }

    /// Binds the address over a store that is open already.
    pub async fn start_over(
        store: Store,
        settings: Settings,
        clock: Clock,
    ) -> Result<Self, StartError> {
        // Bound before the deployment is made, so that a start that fails for a taken port makes
        // no credential that nobody is shown.
        let connections_max = limits::places(settings.limits.connections_max);
        let listening = Listening::bind(settings.listen, settings.tls.clone(), connections_max)
            .await
            .map_err(|error| StartError::Listen(settings.listen, error))?;
        let metrics_listening = match settings.metrics.clone() {
            Some(metrics) => Some(metrics.bind().await?),
            None => None,
        };
        let spans = settings.otlp.as_ref().map(Spans::start).transpose();
        let spans = spans.map_err(StartError::Spans)?;
        let StoreKey { key, new_file: new_master_key } = settings.master_key.find(&store)?;
        let deployment = Deployment::open(&store, settings.root.clone(), key, clock.now())
            .await
            .map_err(StartError::Store)?;
        if deployment.layout < LAYOUT {
            lay_out(&store, &deployment).await.map_err(StartError::Store)?;
        }
        let new_root = deployment.root_is_new.then(|| NewRoot {
            aws_account_id: deployment.root_aws_account_id.clone(),
            access_key_id: deployment.root_access_key_id.clone(),
            secret_access_key: deployment.root_secret_access_key.clone(),
        });
        let metrics = Arc::new(Metrics::new(store.commits(), clock.now()));
        let store = Arc::new(store);
        let url = PublicUrl::of(listening.scheme(), listening.address);
        settings.warn(&url);
        let beside = Beside {
            store: &store,
            clock: &clock,
            metrics: &metrics,
            link_key: LinkKey::new(deployment.token_secret.expose().as_bytes()),
            public_url: settings.public_url.unwrap_or(url),
        };
        let (duties, mut setup) = beside.set_up(settings.mail, settings.dns, settings.audit);
        (setup.rates, setup.quotas) = (settings.limits.rates, settings.limits.quotas);
        let Settings { tls, cors_origins, access_log, limits, .. } = settings;
        let exposed =
            Exposed { metrics: Arc::clone(&metrics), store: Arc::clone(&store), tls: tls.clone() };
        let front = Front {
            api: Arc::new(Api::new(store, deployment, clock, setup)),
            cors_origins,
            observer: Arc::new(Observer::new(metrics, access_log, spans)),
            requests: Semaphore::new(limits::places(limits.requests_max)),
        };
        let metrics = metrics_listening.map(|listening| (listening, exposed));
        Ok(Self { listening, front, metrics, duties, new_root, new_master_key })
    }

    /// Returns the address that the server is bound to.
    pub fn address(&self) -> SocketAddr {
        self.listening.address
    }

    /// Returns the scheme of the server's URL: https with TLS.
    pub fn scheme(&self) -> &'static str {
        self.listening.scheme()
    }

    /// Returns the address that metrics are served on, if they are.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        let (listening, _) = self.metrics.as_ref()?;
        Some(listening.address)
    }

    /// Returns the certificates that are shown.
    fn certificates(&self) -> Vec<Arc<Tls>> {
        let of_metrics = self.metrics.as_ref().and_then(|(listening, _)| listening.tls.clone());
        self.listening.tls.clone().into_iter().chain(of_metrics).collect()
    }

    /// Returns the root credential, if this start made it.
    pub fn new_root(&self) -> Option<&NewRoot> {
        self.new_root.as_ref()
    }

    /// Returns the file of the master key, if this start was the first to seal anything under it.
    pub fn new_master_key(&self) -> Option<&Path> {
        self.new_master_key.as_deref()
    }

    /// Answers requests until told to stop, then finishes those it has begun, and what goes on
    /// beside them.
    pub async fn serve(mut self, stop: impl Future<Output = ()>) {
        self.duties.start();
        // Metrics can be read to the end, and end when this is dropped.
        let mut beside = JoinSet::new();
        if let Some((listening, exposed)) = self.metrics {
            beside.spawn(exposed.serve(listening));
        }
        let observer = Arc::clone(&self.front.observer);
        self.front.serve(self.listening, stop).await;
        self.duties.stop().await;
        observer.finish().await;
    }
}

/// What duties need to know, each of them some of it.
struct Beside<'a> {
    store: &'a Arc<Store>,
    clock: &'a Clock,
    metrics: &'a Arc<Metrics>,
    link_key: LinkKey,
    public_url: PublicUrl,
}

impl Beside<'_> {
    /// Makes the duties, and what the API needs to call them.
    fn set_up(
        self,
        mail: Option<MailSettings>,
        dns: Option<DnsSettings>,
        audit: AuditSettings,
    ) -> (Duties, Setup) {
        let Self { store, clock, metrics, link_key: key, public_url } = self;
        let shared = || (Arc::clone(store), clock.clone());
        let mut duties = Duties::new(store, clock.clone(), Arc::clone(metrics));
        let public_url = public_url.to_string();
        let mut setup = Setup {
            public_url: public_url.clone(),
            metrics: Arc::clone(metrics),
            ..Setup::default()
        };
        let (sweeper_store, sweeper_clock) = shared();
        let sweeper = Sweeper {
            store: sweeper_store,
            clock: sweeper_clock,
            audit_retention_days: audit.retention_days,
        };
        duties.add(sweeper, Bell::default());
        let (store, clock) = shared();
        let uses: Arc<KeyUses> = Arc::clone(&setup.key_uses);
        duties.add(Recorder { store, clock, uses }, Bell::default());
        setup.audit = Audit { reads: audit.reads, ships: audit.log.is_some() };
        if let Some(log) = audit.log {
            let (store, clock) = shared();
            duties.add(Shipper::new(log, store, clock), Bell::default());
        }
        if let Some(dns) = dns {
            let (bell, (store, clock)) = (Bell::default(), shared());
            setup.verifier = Some(Verifier::wake(&bell));
            duties.add(Verifier::new(dns, store, clock), bell);
        }
        if let Some(mail) = mail {
            let (bell, links) = (Bell::default(), Links { key, public_url });
            setup.deliver = Some(Postman::deliver(&bell, shared()));
            duties.add(Postman::new(mail, shared(), links, Arc::clone(metrics)), bell);
        }
        (duties, setup)
    }
}

/// Brings a store that an older release left to today's layout. Whoever interrupts it begins again.
async fn lay_out(store: &Store, deployment: &Deployment) -> store::Result<()> {
    tracing::info!("the store is of an older release: writing it as this one needs it");
    if deployment.layout < 2 {
        in_parts(store, |tx, after, _| layout::index_deleted_accounts(tx, after)).await?;
    }
    let seal = deployment.seal.clone();
    in_parts(store, move |tx, after, seed| layout::seal_access_keys(tx, after, &seal, seed))
        .await?;
    // Nobody is served yet who would have to wait for it.
    store.forget()?;
    Deployment::laid_out(store).await
}

/// Runs a change of many records, each part of it in a transaction of its own.
async fn in_parts<F>(store: &Store, run: F) -> store::Result<()>
where
    F: Fn(&mut Tx<'_>, Option<&Position>, [u8; 32]) -> store::Result<Option<Position>>
        + Clone
        + Send
        + 'static,
{
    let mut after: Option<Position> = None;
    loop {
        let (run, seed) = (run.clone(), rand::random());
        after = store.write(move |mut tx| run(&mut tx, after.as_ref(), seed)).await?;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// Why a server does not start, or a master key is not exchanged.
#[derive(Debug)]
pub enum StartError {
    /// The store cannot be opened.
    Store(store::Error),
    /// The master key is not there, or not the store's.
    MasterKey(String),
    /// The address cannot be bound.
    Listen(SocketAddr, std::io::Error),
    /// The address of the metrics cannot be bound.
    ListenMetrics(SocketAddr, std::io::Error),
    /// Spans cannot be exported as the environment says.
    Spans(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(store::Error::Unavailable(reason) | store::Error::Corrupt(reason)) => {
                f.write_str(reason)
            }
            Self::Store(error) => write!(f, "{error}"),
            Self::Listen(address, error) => write!(
                f,
                "cannot listen on {address}: {error}. Choose another address with --listen, for \
                 example 127.0.0.1:0 for any free port"
            ),
            Self::ListenMetrics(address, error) => write!(
                f,
                "cannot listen on {address} for metrics: {error}. Choose another address with \
                 --metrics-listen"
            ),
            Self::MasterKey(reason) | Self::Spans(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for StartError {}
