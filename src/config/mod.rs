//! Settings: flags over environment over defaults, and a clear word about those that cannot be.

mod audit;
mod limits;

use crate::access::{MasterKey, RootSettings, Secret};
use crate::server::telemetry::{self, LogFormat};
use crate::server::{
    DnsSettings, MailSettings, MasterKeySource, MetricsSettings, Origins, OtlpEndpoint, PublicUrl,
    Rotation, Settings, Tls,
};
use crate::store::Location;
use audit::AuditArgs;
use clap::Args;
use limits::LimitArgs;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{self, PathBuf};
use std::sync::Arc;
use tracing::Level;

const ROOT_ACCESS_KEY_ID: &str = "CAMPANILE_ROOT_ACCESS_KEY_ID";
const ROOT_SECRET_ACCESS_KEY: &str = "CAMPANILE_ROOT_SECRET_ACCESS_KEY";
const ROOT_AWS_ACCOUNT_ID: &str = "CAMPANILE_ROOT_AWS_ACCOUNT_ID";
const MASTER_KEY: &str = "CAMPANILE_MASTER_KEY";
const MASTER_KEY_FILE: &str = "CAMPANILE_MASTER_KEY_FILE";
const NEW_MASTER_KEY: &str = "CAMPANILE_NEW_MASTER_KEY";
const PREFIX: &str = "CAMPANILE_";
const KNOWN: [&str; 37] = [
    "CAMPANILE_ACCESS_LOG",
    "CAMPANILE_AUDIT_LOG",
    "CAMPANILE_AUDIT_READS",
    "CAMPANILE_AUDIT_RETENTION",
    "CAMPANILE_COPY_FROM",
    "CAMPANILE_COPY_TO",
    "CAMPANILE_CORS_ORIGIN",
    "CAMPANILE_DNS_SERVER",
    "CAMPANILE_INSECURE_HTTP",
    "CAMPANILE_LISTEN",
    "CAMPANILE_LOG_FORMAT",
    "CAMPANILE_LOG_LEVEL",
    "CAMPANILE_MAIL_FROM",
    MASTER_KEY,
    MASTER_KEY_FILE,
    NEW_MASTER_KEY,
    "CAMPANILE_MAX_CONCURRENT_REQUESTS",
    "CAMPANILE_MAX_CONNECTIONS",
    "CAMPANILE_METRICS_CLIENT_CA",
    "CAMPANILE_METRICS_LISTEN",
    "CAMPANILE_OTLP_ENDPOINT",
    "CAMPANILE_PUBLIC_URL",
    "CAMPANILE_QUOTA",
    "CAMPANILE_RATE_ACCOUNT_READS",
    "CAMPANILE_RATE_ACCOUNT_WRITES",
    "CAMPANILE_RATE_CALLER_READS",
    "CAMPANILE_RATE_CALLER_WRITES",
    ROOT_ACCESS_KEY_ID,
    ROOT_AWS_ACCOUNT_ID,
    ROOT_SECRET_ACCESS_KEY,
    "CAMPANILE_SMTP_URL",
    "CAMPANILE_STORE",
    "CAMPANILE_STORE_CONNECTIONS",
    "CAMPANILE_STORE_STARTS_UNREPLICATED",
    "CAMPANILE_TLS_CERT",
    "CAMPANILE_TLS_KEY",
    "CAMPANILE_VERIFY_DOMAINS",
];

/// The settings of `campanile serve`.
#[derive(Args, Clone, Debug)]
#[expect(clippy::doc_markdown, rustdoc::bare_urls, reason = "the comments are the text of --help")]
#[command(after_help = "\
The root credential comes from the environment, so that no secret stands in a process list:
  CAMPANILE_ROOT_ACCESS_KEY_ID      its access key id, letters, digits and _
  CAMPANILE_ROOT_SECRET_ACCESS_KEY  its secret access key; goes with the id
  CAMPANILE_ROOT_AWS_ACCOUNT_ID     the 12 digits of its AWS account
What is not set is made on the first start, stored, and printed that once.

The master key can come from there too, in the place of its file:
  CAMPANILE_MASTER_KEY              base64 of its 32 bytes")]
pub struct ServeArgs {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, env = "CAMPANILE_LISTEN", value_name = "ADDRESS:PORT")]
    #[arg(default_value = "127.0.0.1:8018", value_parser = parse_listen)]
    listen: SocketAddr,

    /// Certificate to serve HTTPS with: a PEM file, the server's own first, then those of the
    /// authorities between. SIGHUP reads it and its key again; open connections go on
    #[arg(long, env = "CAMPANILE_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// Its private key: a PEM file that is not encrypted
    #[arg(long, env = "CAMPANILE_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Serve plain HTTP to other machines too, as behind a TLS proxy: without this and without a
    /// certificate, the server listens on loopback addresses alone
    #[arg(long, env = "CAMPANILE_INSECURE_HTTP")]
    insecure_http: bool,

    #[command(flatten)]
    store: StoreArgs,

    /// Origin whose web pages may call the server, such as https://admin.example.com, or *;
    /// repeat the flag, or separate by commas, for several
    #[arg(long, env = "CAMPANILE_CORS_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    #[arg(value_parser = parse_origin)]
    cors_origin: Vec<String>,

    /// URL by which people's browsers reach the server, for the links in mail, such as
    /// https://chime.example.com; without it the ADDRESS:PORT that it listens on
    #[arg(long, env = "CAMPANILE_PUBLIC_URL", value_name = "URL")]
    public_url: Option<PublicUrl>,

    /// Server that takes mail: smtps://USER:PASSWORD@HOST:PORT, or smtp://HOST:PORT, with
    /// ?tls=required for STARTTLS. A password belongs into the environment, where no process list
    /// shows it. Without a server, invites are sent to nobody
    #[arg(long, env = "CAMPANILE_SMTP_URL", value_name = "URL", hide_env_values = true)]
    #[arg(requires = "mail_from")]
    smtp_url: Option<Secret>,

    /// Whom mail is from: an address, or a name and an address, as in "Chime <chime@example.com>"
    #[arg(long, env = "CAMPANILE_MAIL_FROM", value_name = "ADDRESS", requires = "smtp_url")]
    mail_from: Option<String>,

    /// Let a domain belong to an account only once its owner has published a DNS record that the
    /// answer of ClaimDomain names; otherwise it belongs to whoever claims it first
    #[arg(long, env = "CAMPANILE_VERIFY_DOMAINS")]
    verify_domains: bool,

    /// Name server to ask about domains, in the place of those that the system asks
    #[arg(long, env = "CAMPANILE_DNS_SERVER", value_name = "ADDRESS:PORT")]
    #[arg(requires = "verify_domains")]
    dns_server: Option<SocketAddr>,

    #[command(flatten)]
    audit: AuditArgs,

    #[command(flatten)]
    limits: LimitArgs,
    /// Address and port to serve metrics on, at /metrics, for Prometheus; over TLS if the API is
    #[arg(long, env = "CAMPANILE_METRICS_LISTEN", value_name = "ADDRESS:PORT")]
    #[arg(value_parser = parse_listen)]
    metrics_listen: Option<SocketAddr>,

    /// Authorities of whose certificates one must be shown to read the metrics: a PEM file, which
    /// SIGHUP reads again
    #[arg(long, env = "CAMPANILE_METRICS_CLIENT_CA", value_name = "FILE")]
    #[arg(requires_all = ["tls_cert", "metrics_listen"])]
    metrics_client_ca: Option<PathBuf>,

    /// OTLP endpoint to export a span of every request to, such as http://127.0.0.1:4318
    #[arg(long, env = "CAMPANILE_OTLP_ENDPOINT", value_name = "URL")]
    otlp_endpoint: Option<OtlpEndpoint>,

    /// Write a line of every request to the log, whatever the level of the others
    #[arg(long, env = "CAMPANILE_ACCESS_LOG")]
    access_log: bool,

    /// How log lines are written to standard error
    #[arg(long, env = "CAMPANILE_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,

    /// The least level that is logged: error, warn, info, debug or trace
    #[arg(long, env = "CAMPANILE_LOG_LEVEL", value_name = "LEVEL", default_value = "info")]
    #[arg(value_parser = parse_level)]
    log_level: Level,
}

impl ServeArgs {
    /// Starts the log.
    pub fn start_log(&self) {
        telemetry::start_log(self.log_format, self.log_level, self.access_log);
    }

    /// Checks what the environment holds besides, and makes the server's settings of it all.
    pub fn settings(self) -> Result<Settings, String> {
        refuse_unknown(std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()))?;
        self.refuse_plain_http()?;
        let metrics = self.metrics()?;
        let tls = self.tls_cert.zip(self.tls_key);
        let mail = self.smtp_url.zip(self.mail_from);
        Ok(Settings {
            listen: self.listen,
            tls: tls.map(|(cert, key)| Tls::open(cert, key)).transpose()?.map(Arc::new),
            master_key: self.store.master_key(variable)?,
            store: self.store.location()?,
            metrics,
            access_log: self.access_log,
            otlp: self.otlp_endpoint,
            root: root_settings(variable)?,
            cors_origins: Origins::new(self.cors_origin),
            public_url: self.public_url,
            dns: self.verify_domains.then(|| DnsSettings::new(self.dns_server)).transpose()?,
            mail: mail.map(|(url, from)| MailSettings::new(&url, &from)).transpose()?,
            audit: self.audit.settings()?,
            limits: self.limits.limits(),
        })
    }

    /// Returns how metrics are served. Their certificate is a reading of its own, so that a session
    /// with the API is none with them.
    fn metrics(&self) -> Result<Option<MetricsSettings>, String> {
        let Some(listen) = self.metrics_listen else { return Ok(None) };
        let tls = match (&self.tls_cert, &self.tls_key, &self.metrics_client_ca) {
            (Some(cert), Some(key), Some(ca)) => {
                Some(Tls::open_for_clients_of(ca.clone(), cert.clone(), key.clone())?)
            }
            (Some(cert), Some(key), None) => Some(Tls::open(cert.clone(), key.clone())?),
            _ => None,
        };
        Ok(Some(MetricsSettings { listen, tls: tls.map(Arc::new) }))
    }

    fn refuse_plain_http(&self) -> Result<(), String> {
        let listens = [
            ("--listen (CAMPANILE_LISTEN)", Some(self.listen)),
            ("--metrics-listen (CAMPANILE_METRICS_LISTEN)", self.metrics_listen),
        ];
        if self.tls_cert.is_some() || self.insecure_http {
            return Ok(());
        }
        // A v4 address can be written as one of v6.
        let is_loopback = |address: SocketAddr| address.ip().to_canonical().is_loopback();
        let mut listens = listens.into_iter().filter_map(|(setting, it)| Some((setting, it?)));
        match listens.find(|(_, address)| !is_loopback(*address)) {
            None => Ok(()),
            Some((setting, address)) => Err(format!(
                "{setting} is {address}, where other machines reach the server, and without TLS \
                 whoever is on the way can read what is sent. Set --tls-cert and --tls-key, listen \
                 on 127.0.0.1, or say --insecure-http, as behind a TLS proxy"
            )),
        }
    }
}

/// Where a store is, or why that cannot be read. What is wrong with the URL of a database is said later,
/// for whoever reads the command line repeats what it was given, and a password can be part of it.
pub type StoreUrl = Result<Location, String>;

/// Reads where a store is.
pub fn parse_store(text: &str) -> Result<StoreUrl, String> {
    match text.parse() {
        Err(error) if text.starts_with("postgres") && text.contains("://") => Ok(Err(error)),
        parsed => parsed.map(Ok),
    }
}

/// The settings of what works on a store: where it is, and the key to its secrets.
#[derive(Args, Clone, Debug)]
#[expect(clippy::doc_markdown, reason = "the comments are the text of --help")]
pub struct StoreArgs {
    /// Where everything is kept: embedded:PATH, a folder; memory:, gone with the process; or
    /// postgres://USER:PASSWORD@HOST,HOST/DATABASE?sslmode=verify-full, a database that many servers
    /// share. A password belongs into the environment, where no process list shows it
    #[arg(long, env = "CAMPANILE_STORE", value_name = "STORE", hide_env_values = true)]
    #[arg(default_value = "embedded:./campanile-data", value_parser = parse_store)]
    store: StoreUrl,

    /// How many connections to a PostgreSQL database the server has at the most, each for one request
    /// at a time [default: 16]
    #[arg(long, env = "CAMPANILE_STORE_CONNECTIONS", value_name = "NUMBER")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    store_connections: Option<u16>,

    /// Start, with a warning, although PostgreSQL is configured to replicate synchronously and no
    /// replica is in force
    #[arg(long, env = "CAMPANILE_STORE_STARTS_UNREPLICATED")]
    store_starts_unreplicated: bool,

    /// File with the master key, under which the secrets in the store are sealed; PATH.key beside
    /// the folder if nothing is said. The first start makes it; keep a copy apart from the folder
    #[arg(long, env = MASTER_KEY_FILE, value_name = "FILE")]
    master_key_file: Option<PathBuf>,
}

impl StoreArgs {
    /// Returns how the master key is to be exchanged, and of which store.
    pub fn rotation(self) -> Result<(Location, Rotation), String> {
        refuse_unknown(std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()))?;
        let location = self.location()?;
        if location == Location::Memory {
            return Err(
                "memory: keeps nothing whose master key could be exchanged. Name a folder \
                        with --store embedded:PATH"
                    .to_owned(),
            );
        }
        let new = told_key(NEW_MASTER_KEY, variable)?;
        let rotation = match (self.master_key(variable)?, new) {
            (MasterKeySource::File(path), None) => Rotation::File(path),
            (MasterKeySource::Given(old), Some(new)) if old == new => {
                return Err(format!("{NEW_MASTER_KEY} is the key in {MASTER_KEY}. Make another"));
            }
            (MasterKeySource::Given(old), Some(new)) => Rotation::Given { old, new },
            (MasterKeySource::File(_), Some(_)) => return Err(needs(NEW_MASTER_KEY, MASTER_KEY)),
            (MasterKeySource::Given(_), None) => return Err(needs(MASTER_KEY, NEW_MASTER_KEY)),
        };
        Ok((location, rotation))
    }

    /// Returns where the store is, and how it is used.
    fn location(&self) -> Result<Location, String> {
        let store = self.store.clone();
        let mut location = store.map_err(|error| format!("--store (CAMPANILE_STORE): {error}"))?;
        if let Location::Postgres(settings) = &mut location {
            settings.starts_unreplicated = self.store_starts_unreplicated;
            if let Some(connections) = self.store_connections {
                settings.connections = connections.into();
            }
        }
        Ok(location)
    }

    fn master_key(
        &self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<MasterKeySource, String> {
        let told = told_key(MASTER_KEY, variable)?;
        match (told, &self.master_key_file) {
            (Some(_), Some(_)) => Err(format!(
                "{MASTER_KEY} holds a master key and --master-key-file ({MASTER_KEY_FILE}) names \
                 another. Set one of them"
            )),
            (Some(key), None) => Ok(MasterKeySource::Given(key)),
            (None, Some(file)) => {
                self.refuse_inside(file)?;
                Ok(MasterKeySource::File(file.clone()))
            }
            (None, None) => MasterKeySource::of(&self.location()?),
        }
    }

    /// Keeps a key out of what it protects.
    fn refuse_inside(&self, file: &path::Path) -> Result<(), String> {
        let Ok(Location::Embedded(folder)) = &self.store else { return Ok(()) };
        let (inner, outer) = (path::absolute(file), path::absolute(folder));
        if !matches!((inner, outer), (Ok(inner), Ok(outer)) if inner.starts_with(&outer)) {
            return Ok(());
        }
        Err(format!(
            "--master-key-file ({MASTER_KEY_FILE}) is {}, inside the data folder {}: every copy of \
             the folder would hold the key to its secrets. Name a file outside of it",
            file.display(),
            folder.display()
        ))
    }
}

fn told_key(
    name: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<MasterKey>, String> {
    let Some(text) = variable(name) else { return Ok(None) };
    let key = MasterKey::parse(text.trim_end());
    key.map(Some).ok_or_else(|| {
        format!("{name} must be base64 of 32 bytes, as `openssl rand -base64 32` prints it")
    })
}

/// Returns an environment variable that is set to something.
pub fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "settings are read here")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn refuse_unknown(names: impl Iterator<Item = String>) -> Result<(), String> {
    let mut names = names.filter(|name| name.starts_with(PREFIX));
    match names.find(|name| !KNOWN.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(format!(
            "the environment variable {name} is no setting of Campanile. Unset it, or use one \
             of: {}",
            KNOWN.join(", ")
        )),
    }
}

fn root_settings(variable: impl Fn(&str) -> Option<String>) -> Result<RootSettings, String> {
    let access_key = match (variable(ROOT_ACCESS_KEY_ID), variable(ROOT_SECRET_ACCESS_KEY)) {
        (None, None) => None,
        (Some(id), Some(secret)) => Some((access_key_id(id)?, secret_access_key(secret)?)),
        (Some(_), None) => return Err(needs(ROOT_ACCESS_KEY_ID, ROOT_SECRET_ACCESS_KEY)),
        (None, Some(_)) => return Err(needs(ROOT_SECRET_ACCESS_KEY, ROOT_ACCESS_KEY_ID)),
    };
    let aws_account_id = variable(ROOT_AWS_ACCOUNT_ID).map(aws_account_id).transpose()?;
    Ok(RootSettings { access_key, aws_account_id })
}

fn needs(set: &str, missing: &str) -> String {
    format!("{set} is set and {missing} is not. Set both, or neither")
}

fn access_key_id(id: String) -> Result<String, String> {
    if id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Ok(id);
    }
    Err(format!(
        "{ROOT_ACCESS_KEY_ID} is '{id}'. It may have 1 to 128 letters, digits and _, as an access \
         key id of AWS"
    ))
}

fn secret_access_key(secret: String) -> Result<Secret, String> {
    if secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(Secret::new(secret));
    }
    Err(format!(
        "{ROOT_SECRET_ACCESS_KEY} holds a space or a character that is not ASCII; it may hold \
         neither"
    ))
}

fn aws_account_id(id: String) -> Result<String, String> {
    if id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(id);
    }
    Err(format!("{ROOT_AWS_ACCOUNT_ID} is '{id}'. An AWS account id has 12 digits"))
}

fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    let mut addresses = text.to_socket_addrs().map_err(|error| {
        format!("{error}. Write an address and a port, as in 127.0.0.1:8018 or [::1]:8018")
    })?;
    addresses.next().ok_or_else(|| format!("the name in {text} has no address"))
}

fn parse_level(text: &str) -> Result<Level, String> {
    text.parse().map_err(|_| "a level is error, warn, info, debug or trace".to_owned())
}

fn parse_origin(text: &str) -> Result<String, String> {
    let host = text.split_once("://").map(|(_, host)| host);
    if text == "*" || host.is_some_and(|host| !host.is_empty() && !host.contains('/')) {
        return Ok(text.to_owned());
    }
    Err("an origin is scheme://host or scheme://host:port without a path, or *".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(variables: &[(&str, &str)]) -> Result<RootSettings, String> {
        root_settings(|name| {
            variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn half_a_root_credential_is_refused() {
        let error = root(&[(ROOT_ACCESS_KEY_ID, "AKIA")]).unwrap_err();
        assert!(error.contains(ROOT_SECRET_ACCESS_KEY), "{error}");
        let error = root(&[(ROOT_SECRET_ACCESS_KEY, "s3cret")]).unwrap_err();
        assert!(error.contains(ROOT_ACCESS_KEY_ID) && !error.contains("s3cret"), "{error}");
    }

    #[test]
    fn impossible_values_are_named() {
        let error = root(&[(ROOT_AWS_ACCOUNT_ID, "12345")]).unwrap_err();
        assert!(error.contains("'12345'") && error.contains("12 digits"), "{error}");
        let error =
            root(&[(ROOT_ACCESS_KEY_ID, "a/b"), (ROOT_SECRET_ACCESS_KEY, "x")]).unwrap_err();
        assert!(error.contains("'a/b'"), "{error}");
        let error =
            root(&[(ROOT_ACCESS_KEY_ID, "a"), (ROOT_SECRET_ACCESS_KEY, "se cret")]).unwrap_err();
        assert!(!error.contains("se cret"), "{error}");
    }

    #[test]
    fn an_unknown_variable_is_named() {
        let error = refuse_unknown(["CAMPANILE_LISTNE".to_owned()].into_iter()).unwrap_err();
        assert!(error.contains("CAMPANILE_LISTNE"), "{error}");
        assert!(refuse_unknown(KNOWN.iter().map(|name| (*name).to_owned())).is_ok());
    }
}
