//! A store in a database that the tests have, each in a schema of its own.

use super::{Postgres, Settings};

/// Opens an empty store in the database that `TEST_POSTGRES_URL` names; `None` where it names none.
pub(crate) fn engine() -> Option<Postgres> {
    settings().map(|settings| Postgres::open(&settings).unwrap())
}

fn settings() -> Option<Settings> {
    #[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the server")]
    let url = std::env::var("TEST_POSTGRES_URL").ok()?;
    let schema = uuid::Uuid::new_v4().simple();
    Some(format!("{url}?options=-c%20search_path%3Dunit_{schema}").parse().unwrap())
}
