//! A PostgreSQL as an operator has it: with a folder, a log and an archive of its own, and commits that
//! wait for the disk.

use super::{exported, run};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The database server of a test; it is stopped, and all of it removed, when this is dropped.
pub struct Database {
    folder: TempDir,
    programs: PathBuf,
}

impl Database {
    /// Starts one with an empty database named campanile.
    pub fn start() -> Self {
        let database = Self { folder: tempfile::tempdir().unwrap(), programs: programs() };
        if is_root() {
            database.run_as_root(&["chown", "postgres"]);
        }
        database.shell(
            "initdb -D \"$PGDATA\" -U postgres -E UTF8 --locale=C --auth=trust >/dev/null\n\
             echo \"listen_addresses = ''\n\
             unix_socket_directories = '$PGHOST'\n\
             max_connections = 60\" >>\"$PGDATA/postgresql.conf\"\n\
             database_server start\n\
             psql -qc 'CREATE ROLE campanile LOGIN' postgres\n\
             createdb --owner campanile",
        );
        database
    }

    /// Returns the URL of one of its databases, as `--store` takes it.
    pub fn url(&self, name: &str) -> String {
        let folder = self.folder.path().to_str().unwrap().replace('/', "%2F");
        format!("postgres://campanile@{folder}/{name}")
    }

    /// Runs a block of the page as the user who has the database.
    #[track_caller]
    pub fn run(&self, block: &str, variables: &[(&str, &str)]) -> String {
        let mut shell = as_owner("bash");
        self.set(&mut shell);
        run(shell, SERVER, block, variables)
    }

    /// Runs commands that are a test's own.
    #[track_caller]
    pub fn shell(&self, commands: &str) -> String {
        let mut shell = as_owner("bash");
        self.set(&mut shell);
        shell.args(["-euo", "pipefail", "-c", &format!("{SERVER}\n{commands}")]);
        let done = shell.output().unwrap();
        assert!(done.status.success(), "{commands}: {done:?}");
        String::from_utf8(done.stdout).unwrap().trim_end().to_owned()
    }

    /// Returns the folder of a name that the page's commands put things into.
    pub fn folder(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Gives the page's variables the places of a test.
    fn set(&self, shell: &mut Command) {
        let path = std::env::var_os("PATH").unwrap().into_string().unwrap();
        let folder = |name: &str| self.folder(name).to_str().unwrap().to_owned();
        let places = [
            ("PGDATA", folder("data")),
            ("ARCHIVE", folder("archive")),
            ("BACKUPS", folder("backups")),
            ("PGHOST", folder("")),
            ("PGUSER", "postgres".to_owned()),
            ("PGDATABASE", "campanile".to_owned()),
            ("PATH", format!("{}:{path}", self.programs.display())),
        ];
        let names = places.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(exported("places"), names, "the page names the same places");
        shell.env_clear().envs(places).current_dir(self.folder.path());
    }

    fn run_as_root(&self, command: &[&str]) {
        let done = Command::new(command[0]).args(&command[1..]).arg(self.folder.path()).status();
        assert!(done.unwrap().success(), "{command:?}");
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let mut stop = as_owner("bash");
        self.set(&mut stop);
        stop.args(["-c", "pg_ctl stop -D \"$PGDATA\" -m immediate"]).output().ok();
    }
}

/// What the page says of a database server that no package manages.
const SERVER: &str = "database_server() { pg_ctl -D \"$PGDATA\" -s -w -l \"$PGDATA.log\" \"$1\"; }";

/// Makes a command of the user who may run PostgreSQL, which is not root.
fn as_owner(program: &str) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", program]);
    command
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Returns where the programs are, as `tests/postgres.sh` finds them.
fn programs() -> PathBuf {
    let debian = Path::new("/usr/lib/postgresql/15/bin");
    if debian.join("postgres").exists() {
        return debian.to_owned();
    }
    let told = Command::new("pg_config").arg("--bindir").output().expect("PostgreSQL is installed");
    String::from_utf8(told.stdout).unwrap().trim_end().into()
}
