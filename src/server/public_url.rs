//! Where people's browsers find the server: what the links in mail begin with.

use http::Uri;
use http::uri::Scheme;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// A URL of a scheme, a host and perhaps a port, without a path: AWS's clients sign the path, so that
/// a proxy must leave it as it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// Returns the URL under which this machine finds a server that listens on an address.
    pub fn of(scheme: &str, address: SocketAddr) -> Self {
        let host = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        Self(format!("{scheme}://{}", SocketAddr::new(host, address.port())))
    }
}

impl FromStr for PublicUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "a public URL is https://HOST or http://HOST, perhaps with a port, and without \
                     a path";
        let uri: Uri = text.parse().map_err(|_| wrong)?;
        let scheme = uri.scheme().filter(|it| [Scheme::HTTP, Scheme::HTTPS].contains(it));
        let authority = uri.authority().filter(|it| !it.as_str().contains('@'));
        let has_path = uri.path_and_query().is_some_and(|path| path != "/");
        match (scheme, authority) {
            (Some(scheme), Some(authority)) if !has_path && !text.contains('#') => {
                Ok(Self(format!("{scheme}://{authority}")))
            }
            _ => Err(wrong),
        }
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
