//! Stores in the database that `tests/postgres.sh` starts: each in a schema of its own.

use campanile::store::Location;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};

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
