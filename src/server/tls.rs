//! TLS: the certificate that the server shows, and how it is exchanged for another.

use rustls::crypto::ring;
use rustls::{Error, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;

/// The protocol that is spoken over TLS, as ALPN names it.
const HTTP_1_1: &[u8] = b"http/1.1";
/// How long a file of certificates, or of a key, may be.
const PEM_BYTES_MAX: u64 = 1 << 20;
const CERT: &str = "--tls-cert (CAMPANILE_TLS_CERT)";
const KEY: &str = "--tls-key (CAMPANILE_TLS_KEY)";

/// A certificate and its key, which new connections get. Those that are open keep what they got.
pub struct Tls {
    cert: PathBuf,
    key: PathBuf,
    current: watch::Sender<Arc<ServerConfig>>,
}

impl Tls {
    /// Reads a certificate, with those of the authorities between it and a known one, and its key.
    pub fn open(cert: PathBuf, key: PathBuf) -> Result<Self, String> {
        let current = watch::Sender::new(Arc::new(read(&cert, &key)?));
        Ok(Self { cert, key, current })
    }

    /// Reads both files again. What cannot be used changes nothing.
    pub fn reload(&self) {
        match read(&self.cert, &self.key) {
            Ok(config) => {
                self.current.send_replace(Arc::new(config));
                tracing::info!("new connections get the certificate in {}", self.cert.display());
            }
            Err(error) => {
                tracing::error!("the certificate stays the one that was read before: {error}");
            }
        }
    }

    /// Returns what a new connection gets.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.borrow())
    }
}

/// Shows where the key is, and never the key.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cert, key, .. } = self;
        f.debug_struct("Tls").field("cert", cert).field("key", key).finish_non_exhaustive()
    }
}

/// Reads a pair. The whole configuration is made anew each time, and with it the sessions that
/// clients may resume: nobody resumes under a certificate that was exchanged.
fn read(cert_path: &Path, key_path: &Path) -> Result<ServerConfig, String> {
    let certs = certificates(cert_path)?;
    let key = private_key(key_path)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the ciphers of TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_single_cert(certs, key)
        .map_err(|error| match error {
            Error::InconsistentKeys(_) => format!(
                "the key in {} does not fit the certificate in {}. {KEY} must be the key that \
                 the first certificate of {CERT} was made for",
                key_path.display(),
                cert_path.display()
            ),
            Error::InvalidCertificate(error) => {
                wrong(CERT, cert_path, &format!("its first certificate is malformed ({error:?})"))
            }
            // Of a key the library says nothing but that it is none.
            _ => wrong(KEY, key_path, "its key is not one of RSA, ECDSA or Ed25519"),
        })?;
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    Ok(config)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = contents(CERT, path)?;
    let certs: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certs {
        Ok(certs) if !certs.is_empty() => Ok(certs),
        _ => Err(wrong(
            CERT,
            path,
            "it must hold certificates in PEM form, from -----BEGIN CERTIFICATE----- on",
        )),
    }
}

/// Reads a key. The library's errors repeat lines of the file, so that they are not passed on.
fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let pem = contents(KEY, path)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
        let encrypted = b"ENCRYPTED";
        let reason = if pem.windows(encrypted.len()).any(|bytes| bytes == encrypted) {
            "its key is encrypted. Decrypt it, as `openssl pkey` does, and let nobody else read it"
        } else {
            "it must hold a key in PEM form, from -----BEGIN PRIVATE KEY----- on"
        };
        wrong(KEY, path, reason)
    })
}

fn contents(setting: &str, path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(PEM_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| wrong(setting, path, &format!("it cannot be read: {error}")))?;
    if bytes.len() as u64 > PEM_BYTES_MAX {
        return Err(wrong(setting, path, &format!("it has more than {PEM_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

fn wrong(setting: &str, path: &Path, reason: &str) -> String {
    format!("{setting} is the file {}: {reason}", path.display())
}
