//! Certificates of an authority that a test makes, and a client that speaks TLS.

use super::http::Connection;
use campanile::server::Tls;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use rustls::crypto::ring;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::fs;
use std::io::Result;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// How long a test waits for an answer before it fails.
const TIMEOUT: Duration = Duration::from_mins(1);

/// A connection over TLS.
pub type TlsConnection = Connection<StreamOwned<ClientConnection, TcpStream>>;

/// A client's certificate, and its key.
pub type ClientCertificate = (CertificateDer<'static>, PrivateKeyDer<'static>);

/// An authority that nobody else knows, and the files of a server's certificate.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    /// Makes an authority, and a first certificate for 127.0.0.1.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "An authority of the tests");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let authority = Self { issuer, folder: tempfile::tempdir().unwrap() };
        fs::write(authority.bundle(), authority.issuer.pem()).unwrap();
        authority.issue();
        authority
    }

    /// Writes another certificate with its key, and returns it.
    pub fn issue(&self) -> CertificateDer<'static> {
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(self.cert(), cert.pem()).unwrap();
        fs::write(self.key(), key.serialize_pem()).unwrap();
        cert.der().clone()
    }

    /// Returns the file with the server's certificate.
    pub fn cert(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    /// Returns the file with its key.
    pub fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    /// Returns the file with the authority's own certificate.
    pub fn bundle(&self) -> PathBuf {
        self.folder.path().join("bundle.pem")
    }

    pub fn tls(&self) -> Arc<Tls> {
        Arc::new(Tls::open(self.cert(), self.key()).unwrap())
    }

    /// Makes a certificate for a client, with its key.
    pub fn issue_for_client(&self) -> ClientCertificate {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        (cert.der().clone(), PrivateKeyDer::try_from(key.serialize_der()).unwrap())
    }

    pub fn connect(&self, address: SocketAddr) -> TlsConnection {
        self.connect_with(address, rustls::ALL_VERSIONS).unwrap()
    }

    /// Connects with one of these versions, and offers HTTP/2 as browsers do.
    pub fn connect_with(
        &self,
        address: SocketAddr,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Result<TlsConnection> {
        self.connect_as(None, address, versions)
    }

    /// Connects as a client with a certificate, or without one.
    pub fn connect_as(
        &self,
        client: Option<ClientCertificate>,
        address: SocketAddr,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Result<TlsConnection> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match client {
            Some((cert, key)) => builder.with_client_auth_cert(vec![cert], key).unwrap(),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let mut tls = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        tls.complete_io(&mut stream)?;
        Ok(Connection::over(StreamOwned::new(tls, stream)))
    }
}

/// Returns the certificate that the server showed.
pub fn shown(connection: &mut TlsConnection) -> CertificateDer<'static> {
    connection.stream().conn.peer_certificates().unwrap()[0].clone().into_owned()
}
