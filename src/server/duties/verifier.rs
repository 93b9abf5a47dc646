//! The verifier: it looks whether the owners of domains that accounts claim have published the DNS
//! record that shows it.

use super::{Bell, Duty, Stop};
use crate::clock::{Clock, Timestamp};
use crate::operations::accounts::domains::{self, DomainRecord};
use crate::protocol::Wake;
use crate::store::{self, Position, Record, Store, Tx};
use futures_util::{StreamExt, TryStreamExt, stream};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use hickory_resolver::system_conf::read_system_conf;
use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const MINUTE: i64 = 60 * 1000;
/// How old a claim is when it is looked up for the last time before this goes on at an interval. Up
/// to then it is looked up when it is made, and at 1, 2, 4, 8, … minutes.
const YOUNG_MILLISECONDS: i64 = 256 * MINUTE;
/// How often an older claim is looked up.
const INTERVAL_MILLISECONDS: i64 = 4 * 60 * MINUTE;
/// How long it rests, for each page of claims that there is, before it looks for claims made on other
/// servers, whose bells are not heard here.
const LOOK_MILLISECONDS: i64 = 5 * 1000;
/// A claim's time is that of its request, and may be this much older than its commit.
const COMMIT_MILLISECONDS: i64 = 10 * 1000;
/// How many claims that are younger than that are known to have been looked up; the others are looked
/// up once more.
const LOOKED_UP_MAX: usize = 10_000;
/// How many claims are read at a time.
const PAGE_MAX: usize = 100;
/// How many domains are looked up side by side.
const LOOKUPS_MAX: usize = 8;
/// How long a name server may take, and how often it is asked.
const DNS_TIMEOUT: Duration = Duration::from_secs(3);
const DNS_ATTEMPTS: usize = 2;

/// How DNS is asked: `--verify-domains` and `--dns-server`.
#[derive(Clone)]
pub struct DnsSettings(TokioResolver);

impl DnsSettings {
    /// Asks one name server, or those that the system asks.
    pub fn new(server: Option<SocketAddr>) -> Result<Self, String> {
        let wrong = |error| {
            format!(
                "--verify-domains needs DNS, and the system's configuration of it cannot be used: \
                 {error}. Name a server with --dns-server"
            )
        };
        let (config, mut options) = match server {
            Some(address) => (asking(address), ResolverOpts::default()),
            None => read_system_conf().map_err(wrong)?,
        };
        options.timeout = DNS_TIMEOUT;
        options.attempts = DNS_ATTEMPTS;
        // A record that was just published must be seen.
        options.cache_size = 0;
        // A record in a file of this machine is not the owner's.
        options.use_hosts_file = ResolveHosts::Never;
        let provider = TokioRuntimeProvider::default();
        let resolver = TokioResolver::builder_with_config(config, provider);
        resolver.with_options(options).build().map_err(wrong).map(Self)
    }
}

impl fmt::Debug for DnsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DnsSettings").finish_non_exhaustive()
    }
}

fn asking(address: SocketAddr) -> ResolverConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    let server = NameServerConfig::new(address.ip(), true, connections.into());
    ResolverConfig::from_name_servers(vec![server])
}

/// Looks up the domains that wait.
pub(in super::super) struct Verifier {
    store: Arc<Store>,
    clock: Clock,
    resolver: TokioResolver,
    /// When the last round began; what came due since then is due in the next.
    last: Option<Timestamp>,
    /// What was looked up and still counts as new.
    looked_up: BTreeSet<(Vec<u8>, Timestamp)>,
}

impl Verifier {
    pub(in super::super) fn new(settings: DnsSettings, store: Arc<Store>, clock: Clock) -> Self {
        Self { store, clock, resolver: settings.0, last: None, looked_up: BTreeSet::new() }
    }

    /// Returns what calls the verifier whom a bell calls.
    pub(in super::super) fn wake(bell: &Bell) -> Wake {
        let bell = bell.clone();
        Wake::new(move || bell.ring())
    }

    async fn verify(&self, claim: DomainRecord, stop: &Stop) -> store::Result<()> {
        if !stop.goes_on().await || !self.has_record(&claim).await {
            return Ok(());
        }
        let now = self.clock.now();
        let domain = claim.domain_name.clone();
        if self.store.write(move |mut tx| domains::confirm(&mut tx, &claim, now)).await? {
            tracing::info!(domain, "a domain is verified");
        }
        Ok(())
    }

    async fn has_record(&self, claim: &DomainRecord) -> bool {
        let Some(value) = &claim.verification_value else { return false };
        let domain = &claim.domain_name;
        // With the dot at its end a name is what it says, whatever the system would search.
        let found = match self.resolver.txt_lookup(format!("{domain}.")).await {
            Ok(found) => found,
            // Nothing is published yet: that is no fault.
            Err(error) if error.is_no_records_found() || error.is_nx_domain() => return false,
            Err(error) => {
                tracing::warn!(domain, "DNS cannot be asked about a domain: {error}");
                return false;
            }
        };
        found.answers().iter().any(|record| match &record.data {
            RData::TXT(text) => text.txt_data.concat() == value.as_bytes(),
            _ => false,
        })
    }

    /// Tells whether a time of a claim came since the last round.
    fn is_due(&self, claim: &DomainRecord, now: Timestamp) -> bool {
        let Some(last) = self.last else { return true };
        let is_new = is_new(claim, last) && !self.looked_up.contains(&id(claim));
        is_new || next_time(claim, last) <= now
    }
}

/// Tells whether a claim can have been committed after an instant.
fn is_new(claim: &DomainRecord, after: Timestamp) -> bool {
    claim.claimed_timestamp.plus(COMMIT_MILLISECONDS) > after
}

/// Returns what no other claim has, and this one not when it is repeated.
fn id(claim: &DomainRecord) -> (Vec<u8>, Timestamp) {
    (claim.key().into_bytes(), claim.claimed_timestamp)
}

/// Returns when a claim is looked up next after an instant.
fn next_time(claim: &DomainRecord, after: Timestamp) -> Timestamp {
    let age = after.as_millisecond() - claim.claimed_timestamp.as_millisecond();
    let mut at = MINUTE;
    while at <= age && at < YOUNG_MILLISECONDS {
        at *= 2;
    }
    if at <= age {
        at += ((age - at) / INTERVAL_MILLISECONDS + 1) * INTERVAL_MILLISECONDS;
    }
    claim.claimed_timestamp.plus(at)
}

impl Duty for Verifier {
    const NAME: &'static str = "verifying domains";
    const LABEL: &'static str = "verifier";

    async fn round(&mut self, stop: &Stop) -> store::Result<Option<Timestamp>> {
        let now = self.clock.now();
        let mut next: Option<Timestamp> = None;
        let (mut after, mut look): (Option<Position>, _) = (None, now);
        while stop.goes_on().await {
            look = look.plus(LOOK_MILLISECONDS);
            let pending = |tx: Tx<'_>| domains::pending(&tx, after.as_ref(), PAGE_MAX);
            let page = self.store.read(pending).await?;
            let times = page.items.iter().map(|claim| next_time(claim, now));
            next = next.into_iter().chain(times).min();
            let verifier = &*self;
            let due = page.items.into_iter().filter(|claim| verifier.is_due(claim, now));
            let due: Vec<_> = due.collect();
            let new: Vec<_> = due.iter().filter(|claim| is_new(claim, now)).map(id).collect();
            stream::iter(due)
                .map(|claim| verifier.verify(claim, stop))
                .buffer_unordered(LOOKUPS_MAX)
                .try_collect::<()>()
                .await?;
            let left = LOOKED_UP_MAX.saturating_sub(self.looked_up.len());
            self.looked_up.extend(new.into_iter().take(left));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        self.looked_up.retain(|(_, claimed)| claimed.plus(COMMIT_MILLISECONDS) > now);
        self.last = Some(now);
        let look = self.store.is_shared().then_some(look);
        Ok(next.into_iter().chain(look).min())
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("last", &self.last).finish_non_exhaustive()
    }
}
