//! Sockets and processes: starting, serving, and stopping without losing an answer.

mod cors;
mod duties;
mod http;
mod limits;
mod master_key;
mod process;
mod public_url;
mod refusal;
pub mod telemetry;
mod tls;

pub use cors::Origins;
pub use duties::{AuditLog, DnsSettings, MailSettings};
pub use limits::Limits;
pub use master_key::{MasterKeySource, Rotation, StoreKey};
pub use process::run;
pub use public_url::PublicUrl;
pub use tls::Tls;

use crate::access::{Deployment, LAYOUT, RootSettings};
use crate::clock::Clock;
use crate::operations::layout;
use crate::operations::users::links::LinkKey;
use crate::protocol::{Api, Audit, Setup};
use crate::store::{self, Location, Position, Store, Tx};
use duties::{Bell, Duties, Postman, Shipper, Sweeper, Verifier};
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

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
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<Tls>>,
    api: Arc<Api>,
    cors_origins: Origins,
    duties: Duties,
    limits: Limits,
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
        let listen = settings.listen;
        // Bound before the deployment is made, so that a start that fails for a taken port makes
        // no credential that nobody is shown.
        let bind = |error| StartError::Listen(listen, error);
        let listener = TcpListener::bind(listen).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
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
        let store = Arc::new(store);
        let url = PublicUrl::of(scheme(settings.tls.as_deref()), address);
        settings.warn(&url);
        let beside = Beside {
            store: &store,
            clock: &clock,
            link_key: LinkKey::new(deployment.token_secret.expose().as_bytes()),
            public_url: settings.public_url.unwrap_or(url),
        };
        let (duties, mut setup) = beside.set_up(settings.mail, settings.dns, settings.audit);
        setup.rates = settings.limits.rates;
        let api = Arc::new(Api::new(store, deployment, clock, setup));
        let Settings { tls, cors_origins, limits, .. } = settings;
        Ok(Self {
            listener,
            address,
            tls,
            api,
            cors_origins,
            duties,
            limits,
            new_root,
            new_master_key,
        })
    }

    /// Returns the address that the server is bound to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the scheme of the server's URL: https with TLS.
    pub fn scheme(&self) -> &'static str {
        scheme(self.tls.as_deref())
    }

    /// Returns the certificate that is shown, if there is one.
    fn tls(&self) -> Option<Arc<Tls>> {
        self.tls.clone()
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
        let Limits { connections_max, requests_max, .. } = self.limits;
        let requests = Semaphore::new(limits::places(requests_max));
        let shared = http::Shared { api: self.api, cors_origins: self.cors_origins, requests };
        let connections_max = limits::places(connections_max);
        http::serve(self.listener, self.tls, shared, connections_max, stop).await;
        self.duties.stop().await;
    }
}

fn scheme(tls: Option<&Tls>) -> &'static str {
    if tls.is_some() { "https" } else { "http" }
}

/// What duties need to know, each of them some of it.
struct Beside<'a> {
    store: &'a Arc<Store>,
    clock: &'a Clock,
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
        let Self { store, clock, link_key, public_url } = self;
        let shared = || (Arc::clone(store), clock.clone());
        let mut duties = Duties::new(clock.clone());
        let public_url = public_url.to_string();
        let mut setup = Setup { public_url: public_url.clone(), ..Setup::default() };
        let (sweeper_store, sweeper_clock) = shared();
        let sweeper = Sweeper {
            store: sweeper_store,
            clock: sweeper_clock,
            audit_retention_days: audit.retention_days,
        };
        duties.add(sweeper, Bell::default());
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
            let (bell, (store, clock)) = (Bell::default(), shared());
            setup.deliver = Some(Postman::deliver(&bell));
            duties.add(Postman::new(mail, store, clock, link_key, public_url), bell);
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
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(store::Error::Unavailable(reason) | store::Error::Corrupt(reason)) => {
                f.write_str(reason)
            }
            Self::Store(error) => write!(f, "{error}"),
            Self::MasterKey(reason) => f.write_str(reason),
            Self::Listen(address, error) => write!(
                f,
                "cannot listen on {address}: {error}. Choose another address with --listen, for \
                 example 127.0.0.1:0 for any free port"
            ),
        }
    }
}

impl std::error::Error for StartError {}
