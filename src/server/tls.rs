//! TLS: the certificate that the server shows, and how it is exchanged for another.

use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{Error, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;
use x509_cert::Certificate;
use x509_cert::der::Decode;

/// The protocol that is spoken over TLS, as ALPN names it.
const HTTP_1_1: &[u8] = b"http/1.1";
/// How long a file of certificates, or of a key, may be.
const PEM_BYTES_MAX: u64 = 1 << 20;
const CERT: &str = "--tls-cert (CAMPANILE_TLS_CERT)";
const KEY: &str = "--tls-key (CAMPANILE_TLS_KEY)";
const CLIENT_CA: &str = "--metrics-client-ca (CAMPANILE_METRICS_CLIENT_CA)";

/// A certificate and its key, which new connections get. Those that are open keep what they got.
pub struct Tls {
    files: Files,
    current: watch::Sender<Current>,
}

/// Where what is shown and what is asked for is read from.
#[derive(Debug)]
struct Files {
    cert: PathBuf,
    key: PathBuf,
    /// The authorities of whose certificates a client must show one; without it, none is asked for.
    client_ca: Option<PathBuf>,
}

struct Current {
    config: Arc<ServerConfig>,
    /// When the certificate expires, in seconds since 1970, if that can be read.
    expiry: Option<f64>,
}

impl Tls {
    /// Reads a certificate, with those of the authorities between it and a known one, and its key.
    pub fn open(cert: PathBuf, key: PathBuf) -> Result<Self, String> {
        Self::of(Files { cert, key, client_ca: None })
    }

    /// Reads the same, and the authorities of whose certificates a client must show one.
    pub fn open_for_clients_of(
        client_ca: PathBuf,
        cert: PathBuf,
        key: PathBuf,
    ) -> Result<Self, String> {
        Self::of(Files { cert, key, client_ca: Some(client_ca) })
    }

    fn of(files: Files) -> Result<Self, String> {
        let current = watch::Sender::new(files.read()?);
        Ok(Self { files, current })
    }

    /// Reads all files again. What cannot be used changes nothing.
    pub fn reload(&self) {
        match self.files.read() {
            Ok(current) => {
                self.current.send_replace(current);
                let cert = self.files.cert.display();
                tracing::info!("new connections get the certificate in {cert}");
            }
            Err(error) => {
                tracing::error!("the certificate stays the one that was read before: {error}");
            }
        }
    }

    /// Returns what a new connection gets.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.borrow().config)
    }

    /// Returns when the certificate expires, in seconds since 1970, if that can be read.
    pub(super) fn expiry(&self) -> Option<f64> {
        self.current.borrow().expiry
    }
}

/// Shows where the key is, and never the key.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Files { cert, key, .. } = &self.files;
        f.debug_struct("Tls").field("cert", cert).field("key", key).finish_non_exhaustive()
    }
}

impl Files {
    /// Reads all. The whole configuration is made anew each time, and with it the sessions that
    /// clients may resume: nobody resumes under a certificate that was exchanged.
    fn read(&self) -> Result<Current, String> {
        let certs = certificates(CERT, &self.cert)?;
        let expiry = certs.first().and_then(expiry_of);
        let key = private_key(&self.key)?;
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has the ciphers of TLS 1.2 and 1.3");
        let builder = match &self.client_ca {
            Some(path) => builder.with_client_cert_verifier(clients_of(path)?),
            None => builder.with_no_client_auth(),
        };
        let mut config =
            builder.with_single_cert(certs, key).map_err(|error| self.refused(&error))?;
        config.alpn_protocols = vec![HTTP_1_1.to_vec()];
        Ok(Current { config: Arc::new(config), expiry })
    }

    /// Says why a pair cannot be used.
    fn refused(&self, error: &Error) -> String {
        match error {
            Error::InconsistentKeys(_) => format!(
                "the key in {} does not fit the certificate in {}. {KEY} must be the key that \
                 the first certificate of {CERT} was made for",
                self.key.display(),
                self.cert.display()
            ),
            Error::InvalidCertificate(error) => {
                wrong(CERT, &self.cert, &format!("its first certificate is malformed ({error:?})"))
            }
            // Of a key the library says nothing but that it is none.
            _ => wrong(KEY, &self.key, "its key is not one of RSA, ECDSA or Ed25519"),
        }
    }
}

/// Makes what believes the clients of some authorities.
fn clients_of(path: &Path) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(CLIENT_CA, path)? {
        roots.add(authority).map_err(|error| {
            wrong(
                CLIENT_CA,
                path,
                &format!("a certificate in it is none of an authority ({error})"),
            )
        })?;
    }
    let provider = Arc::new(ring::default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| wrong(CLIENT_CA, path, &format!("it cannot be used: {error}")))
}

fn expiry_of(certificate: &CertificateDer<'_>) -> Option<f64> {
    let certificate = Certificate::from_der(certificate).ok()?;
    Some(certificate.tbs_certificate.validity.not_after.to_unix_duration().as_secs_f64())
}

fn certificates(setting: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = contents(setting, path)?;
    let certs: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certs {
        Ok(certs) if !certs.is_empty() => Ok(certs),
        _ => Err(wrong(
            setting,
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
