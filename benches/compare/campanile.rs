//! Campanile's server as users start it, and folders with many accounts for it.

use crate::load::{self, Load, Until};
use crate::machine;
use crate::process::Process;
use crate::requests::{self, ACCESS_KEY_ID, AWS_ACCOUNT_ID, SECRET_ACCESS_KEY};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the release build made.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_campanile");

/// The load is one caller's. Its rates are counted, and are beyond what any server serves.
const RATES: [&str; 8] = [
    "--rate-caller-reads",
    "1000000",
    "--rate-caller-writes",
    "1000000",
    "--rate-account-reads",
    "1000000",
    "--rate-account-writes",
    "1000000",
];

/// How many connections fill a folder.
const FILLING_CONNECTIONS: usize = 64;

/// A server that answers.
pub struct Campanile {
    pub process: Process,
    pub address: SocketAddr,
}

impl Campanile {
    /// Starts a server on a folder, and waits for the line that tells that it answers.
    pub fn start(folder: &Path, core: Option<usize>) -> Self {
        Self::try_start(folder, core).expect("campanile says on standard error why it stops")
    }

    fn try_start(folder: &Path, core: Option<usize>) -> Option<Self> {
        let mut process = Process::start(
            machine::command(PROGRAM, core)
                .args(["serve", "--listen", "127.0.0.1:0", "--log-level", "warn", "--store"])
                .arg(format!("embedded:{}", folder.display()))
                .args(RATES)
                .env("CAMPANILE_ROOT_ACCESS_KEY_ID", ACCESS_KEY_ID)
                .env("CAMPANILE_ROOT_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
                .env("CAMPANILE_ROOT_AWS_ACCOUNT_ID", AWS_ACCOUNT_ID)
                .stdout(Stdio::piped()),
        );
        // A first start tells of the key that it made, too.
        let mut lines =
            BufReader::new(process.child().stdout.take()?).lines().map_while(Result::ok);
        let address =
            lines.find_map(|line| line.strip_prefix("listening on http://")?.parse().ok());
        let address = address?;
        Some(Self { process, address })
    }

    /// Sends one request on a connection of its own, and returns the body of the answer.
    pub fn get(&self, target: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(&requests::get(self.address, target)).unwrap();
        let (mut answer, mut part) = (Vec::new(), [0; 4096]);
        loop {
            let count = stream.read(&mut part).unwrap();
            assert!(count > 0, "the server closed a connection");
            answer.extend_from_slice(&part[..count]);
            if let Some(body) = load::body(&answer) {
                return String::from_utf8(body.to_vec()).unwrap();
            }
        }
    }

    /// Creates accounts, and returns their ids.
    pub fn create_accounts(&self, count: usize) -> Vec<String> {
        let mut ids = Vec::with_capacity(count);
        let load = Load {
            address: self.address,
            connections: FILLING_CONNECTIONS,
            until: Until::Count(count),
            core: None,
        };
        load.run(requests::create_accounts(self.address), |body| ids.push(account_id(body)));
        ids
    }
}

fn account_id(body: &[u8]) -> String {
    let answer: serde_json::Value = serde_json::from_slice(body).unwrap();
    answer["Account"]["AccountId"].as_str().unwrap().to_owned()
}

/// Returns where everything is that a run keeps or throws away.
pub fn scratch() -> PathBuf {
    env!("CARGO_TARGET_TMPDIR").into()
}

/// A folder with accounts, for one run, and their ids.
pub struct Filled {
    folder: tempfile::TempDir,
    pub ids: Vec<String>,
}

impl Filled {
    /// Copies a folder that earlier runs filled, or fills one to be kept.
    pub fn with(count: usize) -> Self {
        let kept = scratch().join(format!("accounts-{count}"));
        if !is_usable(&kept) {
            fs::remove_dir_all(&kept).ok();
            fill(&kept, count);
        }
        let folder = tempfile::tempdir_in(scratch()).unwrap();
        let copied =
            Command::new("cp").arg("-a").arg(kept.join("data")).arg(folder.path()).status();
        assert!(copied.unwrap().success(), "{} cannot be copied", kept.display());
        let ids = fs::read_to_string(kept.join("ids")).unwrap();
        Self { folder, ids: ids.lines().map(str::to_owned).collect() }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

/// Tells whether a folder was filled to its end, by a Campanile whose folders this one reads.
fn is_usable(kept: &Path) -> bool {
    kept.join("ids").exists() && Campanile::try_start(&kept.join("data"), None).is_some()
}

fn fill(kept: &Path, count: usize) {
    println!("Making {count} accounts in {}, once", kept.display());
    fs::create_dir_all(kept).unwrap();
    let server = Campanile::start(&kept.join("data"), None);
    let ids = server.create_accounts(count);
    drop(server);
    fs::write(kept.join("ids"), ids.join("\n")).unwrap();
}
