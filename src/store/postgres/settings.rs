//! Where the database is, as `--store postgres://…` says, in the words of libpq's URLs.

use super::tls;
use rustls::ClientConfig;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

/// How many connections to the database a server has at the most unless somebody says otherwise:
/// PostgreSQL takes 100 of all its clients together unless it is told otherwise.
const CONNECTIONS: usize = 16;
const APPLICATION_NAME: &str = "campanile";

/// How long connecting may take: a host that is frozen takes the connection, and says nothing more.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long an answer may take that waits for nobody but the database itself.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a commit may take, which waits for replicas: longer than it takes to do without one that is
/// gone.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(20);
/// For how long a server tries to find out what became of a commit, after it has waited for the answer:
/// together less than the minute after which boto3 waits for an answer no longer.
const FENCE_TIMEOUT: Duration = Duration::from_secs(25);

/// Where the database is, and how it is used.
#[derive(Clone)]
pub struct Settings {
    /// One for each host, in the order of the URL.
    pub(super) hosts: Vec<Config>,
    /// How the server's certificate is checked; without it, there is no TLS.
    pub(super) tls: Option<Arc<ClientConfig>>,
    /// The URL without its password.
    shown: String,
    /// How many connections there are at the most.
    pub connections: usize,
    /// Whether a server starts although synchronous replication is configured and not in force.
    pub starts_unreplicated: bool,
    /// For how long the database is waited for.
    pub timeouts: Timeouts,
}

/// For how long the database is waited for, each time that something is asked of it.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Until a connection is open.
    pub connect: Duration,
    /// Until an answer that waits for nobody but the database itself.
    pub answer: Duration,
    /// Until a commit is acknowledged.
    pub commit: Duration,
    /// After that, until it is known what became of one that was not.
    pub fence: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: CONNECT_TIMEOUT,
            answer: ANSWER_TIMEOUT,
            commit: COMMIT_TIMEOUT,
            fence: FENCE_TIMEOUT,
        }
    }
}

impl FromStr for Settings {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        let (ours, theirs): (Vec<_>, Vec<_>) = query
            .split('&')
            .filter(|it| !it.is_empty())
            .partition(|it| it.starts_with("sslmode=") || it.starts_with("sslrootcert="));
        let value = |name: &str| ours.iter().find_map(|it| it.strip_prefix(name));
        let mode = value("sslmode=").unwrap_or("prefer");
        let root_cert = value("sslrootcert=").map(decoded).transpose()?.map(PathBuf::from);
        let tls = tls::of_mode(mode, root_cert.as_deref())?;
        let url = match theirs.as_slice() {
            [] => address.to_owned(),
            theirs => format!("{address}?{}", theirs.join("&")),
        };
        // What the library says of a URL does not repeat it.
        let config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            let because = source.unwrap_or_else(|| error.to_string());
            format!(
                "the URL of the database cannot be read: {because}. It is written \
                 postgres://USER:PASSWORD@HOST,HOST/DATABASE?sslmode=verify-full, each special \
                 character of the password as % and two digits"
            )
        })?;
        let hosts = hosts(&config, mode)?;
        Ok(Self {
            hosts,
            tls,
            shown: shown(address, query),
            connections: CONNECTIONS,
            starts_unreplicated: false,
            timeouts: Timeouts::default(),
        })
    }
}

/// Makes a configuration of each host, so that all can be asked at the same time.
fn hosts(config: &Config, mode: &str) -> Result<Vec<Config>, String> {
    let count = config.get_hosts().len();
    if count == 0 {
        return Err("the URL of the database names no host".to_owned());
    }
    if !config.get_hostaddrs().is_empty() {
        return Err("hostaddr is not taken in the URL of the database. Name hosts".to_owned());
    }
    if config.get_target_session_attrs() == TargetSessionAttrs::ReadOnly {
        let attributes = "target_session_attrs=read-only is no use: a server writes, too. Say \
                          target_session_attrs=read-write";
        return Err(attributes.to_owned());
    }
    let ports = config.get_ports();
    let host = |index: usize| {
        let mut one = Config::new();
        match config.get_hosts().get(index) {
            Some(Host::Tcp(name)) => one.host(name),
            #[cfg(unix)]
            Some(Host::Unix(path)) => one.host_path(path),
            None => &mut one,
        };
        // One port counts for all hosts.
        one.port(ports.get(index).or(ports.first()).copied().unwrap_or(5432));
        config.get_user().map(|user| one.user(user));
        config.get_password().map(|password| one.password(password));
        config.get_dbname().map(|name| one.dbname(name));
        config.get_options().map(|options| one.options(options));
        one.application_name(config.get_application_name().unwrap_or(APPLICATION_NAME));
        one.channel_binding(config.get_channel_binding());
        one.ssl_negotiation(config.get_ssl_negotiation());
        one.keepalives(config.get_keepalives());
        one.keepalives_idle(config.get_keepalives_idle());
        // What was sent to a host that is cut off is not to arrive long after it was given up.
        one.tcp_user_timeout(config.get_tcp_user_timeout().copied().unwrap_or(COMMIT_TIMEOUT));
        one.ssl_mode(match mode {
            "disable" => SslMode::Disable,
            "prefer" => SslMode::Prefer,
            _ => SslMode::Require,
        });
        // A replica refuses writes, and what it answers can be old.
        one.target_session_attrs(TargetSessionAttrs::ReadWrite);
        one
    };
    Ok((0..count).map(host).collect())
}

/// Returns a URL as others may see it.
fn shown(address: &str, query: &str) -> String {
    let (scheme, rest) = address.split_once("://").unwrap_or(("postgres", address));
    let hosts = match rest.rsplit_once('@') {
        Some((user, hosts)) => {
            let user = user.split(':').next().unwrap_or_default();
            format!("{user}@{hosts}")
        }
        None => rest.to_owned(),
    };
    let has_password = |it: &&str| it.starts_with("password=") || it.starts_with("sslpassword=");
    let query: Vec<_> = query.split('&').filter(|it| !it.is_empty() && !has_password(it)).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{scheme}://{hosts}{mark}{}", query.join("&"))
}

fn decoded(text: &str) -> Result<String, String> {
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
    decoded.map(Into::into).map_err(|_| format!("{text} in the URL of the database is not UTF-8"))
}

impl PartialEq for Settings {
    fn eq(&self, other: &Self) -> bool {
        self.hosts == other.hosts && self.shown == other.shown
    }
}

impl Eq for Settings {}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("url", &self.shown).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str) -> Settings {
        url.parse().unwrap()
    }

    #[test]
    fn a_url_is_shown_without_its_password() {
        let url = "postgres://chime:s3%40cret@a,b:5433/db?sslmode=disable&password=s3cret";
        let settings = settings(url);
        let shown = format!("{settings} {settings:?}");
        assert!(!shown.contains("cret"), "{shown}");
        assert!(shown.starts_with("postgres://chime@a,b:5433/db?sslmode=disable "), "{shown}");
    }

    #[test]
    fn every_host_is_asked_for_one_that_writes() {
        let settings = settings("postgresql://u:p@a:1,b:2/db?options=-c%20search_path%3Dx");
        let of = |index: usize| &settings.hosts[index];
        assert_eq!((of(0).get_ports(), of(1).get_ports()), (&[1][..], &[2][..]));
        assert_eq!(of(1).get_hosts(), [Host::Tcp("b".to_owned())]);
        assert_eq!(of(1).get_options(), Some("-c search_path=x"));
        assert_eq!(of(0).get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        assert_eq!(of(0).get_password(), Some(&b"p"[..]));
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said_without_its_password() {
        for (url, expected) in [
            ("postgres://u:s3cret@h/db?sslmode=most", "sslmode"),
            ("postgres://u:s3cret@h/db?target_session_attrs=read-only", "read-write"),
            ("postgres://u:s3cret@h/db?conect_timeout=1", "conect_timeout"),
            ("postgres://u:s3cret@h:port/db", "port"),
            ("postgres://u:s3cret@h/db?sslmode=verify-full&sslrootcert=/nowhere", "/nowhere"),
        ] {
            let error = url.parse::<Settings>().unwrap_err();
            assert!(error.contains(expected) && !error.contains("s3cret"), "{error}");
        }
    }
}
