//! PostgreSQL with the durability it has by default, and its own load generator.

use crate::process::Process;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// Where Debian puts the programs that are not on everybody's path.
const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";
pub const SERVER: &str = "/usr/lib/postgresql/15/bin/postgres";
const ATTEMPTS_MAX: u32 = 500;
const ATTEMPT_INTERVAL: Duration = Duration::from_millis(20);

/// The key is a sequence, the cheapest there is; the second index is by name, as Campanile's.
const TABLE: &str = "create table accounts (
    id bigint generated always as identity primary key, name text, value text);
create index accounts_by_name on accounts (name);";

/// The bytes of a row beside its id and its name, so that a row has 420.
const VALUE_BYTES: usize = 390;

/// A server over an empty database in a folder of its own.
pub struct Postgres {
    _process: Process,
    folder: TempDir,
}

impl Postgres {
    /// Starts a server on the file system that Campanile's folders are on.
    pub fn start(scratch: &Path) -> Self {
        let folder = tempfile::tempdir_in(scratch).unwrap();
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(folder.path()));
        }
        let data = folder.path().join("data");
        run(program("initdb").args(["--auth=trust", "--username=bench", "-D"]).arg(&data));
        let script = format!(
            "insert into accounts (name, value) values \
             ('Account ' || md5(random()::text), '{}');\n",
            "v".repeat(VALUE_BYTES)
        );
        fs::write(folder.path().join("insert.sql"), script).unwrap();
        let process = Process::start(
            program("postgres")
                .arg("-D")
                .arg(&data)
                .arg("-k")
                .arg(folder.path())
                .args(["-c", "listen_addresses="])
                .stderr(Stdio::null()),
        );
        let postgres = Self { _process: process, folder };
        for _ in 0..ATTEMPTS_MAX {
            if postgres.client("pg_isready").stdout(Stdio::null()).status().unwrap().success() {
                run(postgres.client("psql").args(["-q", "-c", TABLE, "postgres"]));
                return postgres;
            }
            thread::sleep(ATTEMPT_INTERVAL);
        }
        panic!("PostgreSQL does not start in {}", postgres.folder.path().display());
    }

    /// Inserts rows, one a transaction, and returns how many a second were durable.
    pub fn inserts_per_second(&self, clients: usize, time: Duration) -> f64 {
        let said = run(self
            .client("pgbench")
            .args(["--no-vacuum", "--protocol=prepared", "--jobs=2"])
            .arg(format!("--client={clients}"))
            .arg(format!("--time={}", time.as_secs()))
            .arg("--file")
            .arg(self.folder.path().join("insert.sql"))
            .arg("postgres"));
        let tps = said.lines().find_map(|line| line.strip_prefix("tps = "));
        let tps = tps.unwrap_or_else(|| panic!("pgbench tells no rate: {said}"));
        tps.split(' ').next().unwrap().parse().unwrap()
    }

    fn client(&self, name: &str) -> Command {
        let mut client = program(name);
        client.env("PGHOST", self.folder.path()).env("PGUSER", "bench");
        client
    }
}

/// PostgreSQL refuses to run as root.
fn program(name: &str) -> Command {
    let path = format!("{PROGRAMS}/{name}");
    if !is_root() {
        return Command::new(path);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", &path]);
    command.current_dir("/");
    command
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

fn run(command: &mut Command) -> String {
    let done = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}
