//! Stores in the database that `tests/postgres.sh` starts: each in a schema of its own.

use super::process::{campanile, with_root};
use campanile::store::Location;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// A connection of a test's own, beside those of servers.
pub struct Control {
    runtime: Runtime,
    client: Client,
}

impl Control {
    pub fn open() -> Self {
        let runtime = Runtime::new().unwrap();
        let (client, connection) =
            runtime.block_on(tokio_postgres::connect(&database(), NoTls)).unwrap();
        runtime.spawn(connection);
        Self { runtime, client }
    }

    pub fn execute(&self, statements: &str) {
        self.runtime.block_on(self.client.batch_execute(statements)).unwrap();
    }

    /// Returns what a query counts.
    pub fn count(&self, query: &str) -> usize {
        let row = self.runtime.block_on(self.client.query_one(query, &[])).unwrap();
        usize::try_from(row.get::<_, i64>(0)).unwrap()
    }
}

/// Returns where a store can be that is empty.
pub fn location() -> Location {
    url().parse().unwrap()
}

/// Returns the URL of a schema that is not there yet.
pub fn url() -> String {
    format!("{}?options=-c%20search_path%3D{}", database(), new_schema())
}

/// Returns the name of a schema that is not there yet.
pub fn new_schema() -> String {
    format!("test_{}", uuid::Uuid::new_v4().simple())
}

/// Returns where a schema is.
pub fn location_of(schema: &str) -> Location {
    format!("{}?options=-c%20search_path%3D{schema}", database()).parse().unwrap()
}

/// Returns the URL of the database.
pub fn database() -> String {
    #[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the server")]
    let url = std::env::var("TEST_POSTGRES_URL");
    url.expect("tests on postgres run under tests/postgres.sh, which starts one")
}

/// Makes the command line of a server over a database, with the root credential that the tests fix.
pub fn serve(url: &str, master_key: &str) -> Command {
    let mut command = campanile();
    command.args(["serve", "--listen", "127.0.0.1:0"]);
    command.env("CAMPANILE_STORE", url).env("CAMPANILE_MASTER_KEY", master_key);
    with_root(&mut command);
    command
}

/// Runs SQL that is none of Campanile's, and returns the first value that it answers.
pub fn sql(url: &str, statement: &str) -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        let answers = client.simple_query(statement).await.unwrap();
        answers.iter().find_map(|answer| match answer {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        })
    })
}

/// A PostgreSQL of a test's own, for what cannot be settled for one schema alone. It ends with this.
pub struct Cluster {
    /// The URL of its database.
    pub url: String,
    process: Child,
    answers: BufReader<ChildStdout>,
}

impl Cluster {
    /// Starts one with options of the server, and with the certificate in a folder, if it shows one.
    pub fn start(options: &str, tls: Option<&Path>) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/postgres.sh");
        let mut command = Command::new(script);
        command.arg("--controlled").env("TEST_POSTGRES_OPTIONS", options);
        match tls {
            Some(folder) => command.env("TEST_POSTGRES_TLS", folder),
            None => command.env_remove("TEST_POSTGRES_TLS"),
        };
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        let mut cluster = Self { url: String::new(), process, answers };
        cluster.url = cluster.answer();
        cluster
    }

    /// Starts one that listens on a port of the loopback address, too, and returns the port.
    pub fn start_on_port(tls: Option<&Path>) -> (Self, u16) {
        // PostgreSQL takes no port that the system chooses.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let options = format!("-c listen_addresses=127.0.0.1 -c port={port}");
        (Self::start(&options, tls), port)
    }

    /// Stops it, or starts it again.
    pub fn control(&mut self, command: &str) {
        writeln!(self.process.stdin.as_ref().unwrap(), "{command}").unwrap();
        assert_eq!(self.answer(), "done");
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "tests/postgres.sh goes on");
        line.trim_end().to_owned()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        self.process.wait().unwrap();
    }
}
