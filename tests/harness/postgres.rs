//! Stores in the database that `tests/postgres.sh` starts: each in a schema of its own.

use campanile::store::Location;

/// Returns where a store can be that is empty.
pub fn location() -> Location {
    url().parse().unwrap()
}

/// Returns the URL of a schema that is not there yet.
pub fn url() -> String {
    let schema = uuid::Uuid::new_v4().simple();
    format!("{}?options=-c%20search_path%3Dtest_{schema}", database())
}

/// Returns the URL of the database.
pub fn database() -> String {
    #[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the server")]
    let url = std::env::var("TEST_POSTGRES_URL");
    url.expect("tests on postgres run under tests/postgres.sh, which starts one")
}
