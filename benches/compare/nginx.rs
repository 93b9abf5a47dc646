//! nginx, answering every request with the same bytes.

use crate::machine;
use crate::process::Process;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

const ATTEMPTS_MAX: u32 = 200;
const ATTEMPT_INTERVAL: Duration = Duration::from_millis(10);

/// Where `make` puts nginx; else the one of the machine is taken.
const FETCHED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/.tools/nginx/usr/sbin/nginx");

/// A server that answers.
pub struct Nginx {
    pub address: SocketAddr,
    _process: Process,
    _folder: TempDir,
}

pub fn program() -> &'static str {
    if Path::new(FETCHED).exists() { FETCHED } else { "nginx" }
}

impl Nginx {
    /// Starts an nginx of one process on a core.
    pub fn start(body: &str, core: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = free_address();
        let settings = folder.path().join("nginx.conf");
        fs::write(&settings, configuration(folder.path(), address, body)).unwrap();
        let process = Process::start(
            machine::command(program(), Some(core))
                .args(["-e", "stderr", "-p"])
                .arg(folder.path())
                .arg("-c")
                .arg(&settings)
                .stdin(Stdio::null()),
        );
        for _ in 0..ATTEMPTS_MAX {
            if TcpStream::connect(address).is_ok() {
                return Self { address, _process: process, _folder: folder };
            }
            thread::sleep(ATTEMPT_INTERVAL);
        }
        panic!("nginx does not listen on {address}");
    }
}

/// nginx cannot take a free port by itself.
fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

/// The headers are those of Campanile's answer; nginx adds `Server` and `Connection`.
fn configuration(folder: &Path, address: SocketAddr, body: &str) -> String {
    let folder = folder.display();
    format!(
        "daemon off;
master_process off;
worker_processes 1;
error_log stderr crit;
pid {folder}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    server_tokens off;
    keepalive_timeout 1h;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen {address};
        default_type application/json;
        add_header x-amzn-RequestId 7d0f2c1e-0d6c-4a57-9d0b-3f1a8f6e2b44;
        return 200 '{body}';
    }}
}}
"
    )
}
