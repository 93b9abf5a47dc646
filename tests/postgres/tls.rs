//! TLS to the database: what each `sslmode` checks, in libpq's words.

use crate::harness::postgres::{Cluster, serve};
use crate::harness::process::{Process, run};
use crate::harness::tls::Authority;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A database that shows a certificate of an authority, for 127.0.0.1 alone.
struct Database {
    _cluster: Cluster,
    port: u16,
    authority: Authority,
}

impl Database {
    fn start() -> Self {
        let authority = Authority::new();
        let folder = tempfile::tempdir().unwrap();
        fs::copy(authority.cert(), folder.path().join("server.crt")).unwrap();
        fs::copy(authority.key(), folder.path().join("server.key")).unwrap();
        let (cluster, port) = Cluster::start_on_port(Some(folder.path()));
        Self { _cluster: cluster, port, authority }
    }

    fn serve(&self, host: &str, mode: &str, root_cert: Option<&Path>) -> Command {
        let root_cert =
            root_cert.map(|path| format!("&sslrootcert={}", path.display())).unwrap_or_default();
        let port = self.port;
        let url = format!("postgres://campanile@{host}:{port}/postgres?sslmode={mode}{root_cert}");
        serve(&url, &BASE64_STANDARD.encode([7; 32]))
    }
}

#[test]
fn each_mode_checks_what_it_says() {
    let (database, stranger) = (Database::start(), Authority::new());
    let (known, unknown) = (database.authority.bundle(), stranger.bundle());
    let (known, unknown) = (Some(known.as_path()), Some(unknown.as_path()));
    for (host, mode, root_cert) in [
        ("127.0.0.1", "verify-full", known),
        ("localhost", "verify-ca", known),
        ("localhost", "require", known),
        ("localhost", "require", None),
        ("localhost", "prefer", None),
        ("localhost", "disable", None),
    ] {
        drop(Process::start_with(&mut database.serve(host, mode, root_cert)));
    }
    for (host, mode, root_cert) in [
        ("localhost", "verify-full", known),
        ("127.0.0.1", "verify-full", unknown),
        ("127.0.0.1", "verify-full", None),
        ("127.0.0.1", "verify-ca", unknown),
        ("127.0.0.1", "require", unknown),
    ] {
        let ended = run(&mut database.serve(host, mode, root_cert));
        assert_eq!(ended.code, Some(1), "{host} {mode}: {ended:?}");
        assert!(ended.stderr.contains("certificate"), "{host} {mode}: {ended:?}");
    }
}

#[test]
fn a_database_without_tls_is_refused_where_it_is_required() {
    let (_cluster, port) = Cluster::start_on_port(None);
    let url = format!("postgres://campanile@127.0.0.1:{port}/postgres?sslmode=require");
    let ended = run(&mut serve(&url, &BASE64_STANDARD.encode([7; 32])));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("TLS"), "{ended:?}");
}
