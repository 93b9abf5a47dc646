//! The tables, made step by step by whoever comes first, and what a database has to promise.

use super::session::Bare;
use super::settings::Settings;
use super::{Fault, sql, views};
use tokio_postgres::error::SqlState;

/// The steps in which the schema is made, in their order: one statement each, which can be run again.
/// A release adds steps behind those of the releases before it, and changes none.
const STEPS: &[&str] =
    &[ENTRIES, COMMITS, views::ACCOUNTS, views::USERS, views::INVITES, views::AUDIT_EVENTS];

const CURRENT_SCHEMA: &str = "SELECT current_schema()::text";
const SEARCH_PATH: &str = "SHOW search_path";
const MIGRATIONS: &str = "CREATE TABLE IF NOT EXISTS migrations (step int4 PRIMARY KEY)";
const LAST_STEP: &str = "SELECT coalesce(max(step), 0)::int4 FROM migrations";
const IS_THERE: &str = "SELECT count(*) > 0 FROM information_schema.tables \
     WHERE table_schema = current_schema() AND table_name = 'entries'";
const NOTE_STEP: &str =
    "INSERT INTO migrations (step) VALUES ($1::int4) ON CONFLICT (step) DO NOTHING";

/// The store itself: keys sort by their bytes.
const ENTRIES: &str = "CREATE TABLE IF NOT EXISTS entries (\
     key bytea NOT NULL PRIMARY KEY, value bytea NOT NULL)";

/// Where a primary key is hashed unless one says otherwise.
const ENTRIES_OF_YUGABYTE: &str = "CREATE TABLE IF NOT EXISTS entries (\
     key bytea NOT NULL, value bytea NOT NULL, PRIMARY KEY (key ASC))";

/// A marker of every commit of the last hour, and of every commit that was kept from happening.
const COMMITS: &str =
    "CREATE TABLE IF NOT EXISTS commits (id uuid NOT NULL PRIMARY KEY, fence boolean NOT NULL)";

/// Brings the schema to where this release needs it. Any number of servers may do so at once.
pub(super) fn prepare(settings: &Settings) -> Result<(), Fault> {
    let mut session = Bare::open(settings)?;
    let steps = i32::try_from(STEPS.len()).expect("there are few steps");
    make_schema(&mut session)?;
    made(session.wait(async |client| client.batch_execute(MIGRATIONS).await))?;
    let last = session
        .wait(async |client| client.query_one(LAST_STEP, &[]).await?.try_get::<_, i32>(0))?;
    if last > steps {
        return Err(refused(format!(
            "the schema was made by a newer Campanile: it is at step {last}, and this one knows \
             {steps}. Start a release that is at least as new"
        )));
    }
    for (step, statement) in (1..).zip(STEPS).skip_while(|(step, _)| *step <= last) {
        let statement = match *statement {
            ENTRIES if session.is_yugabyte => ENTRIES_OF_YUGABYTE,
            statement => statement,
        };
        made(session.wait(async |client| client.batch_execute(statement).await))?;
        session.wait(async |client| client.execute(NOTE_STEP, &[&step]).await)?;
    }
    check_replicas(&mut session, settings)
}

/// Tells whether a database was prepared, without doing so.
pub(super) fn is_there(settings: &Settings) -> Result<bool, Fault> {
    let mut session = Bare::open(settings)?;
    session.wait(async |client| client.query_one(IS_THERE, &[]).await?.try_get(0))
}

/// Makes the schema that the URL names with `search_path`, if there is none of that name.
fn make_schema(session: &mut Bare) -> Result<(), Fault> {
    let missing = session.wait(async |client| {
        let current = client.query_one(CURRENT_SCHEMA, &[]).await?;
        if current.try_get::<_, Option<String>>(0)?.is_some() {
            return Ok(None);
        }
        client.query_one(SEARCH_PATH, &[]).await?.try_get::<_, String>(0).map(Some)
    })?;
    let Some(name) = missing else { return Ok(()) };
    if name.is_empty() || name.contains(',') {
        return Err(refused(format!(
            "none of the schemas of search_path, {name}, is there. Make one, or name a single one"
        )));
    }
    // PostgreSQL shows the name as SQL has it, with its quotes.
    let statement = format!("CREATE SCHEMA IF NOT EXISTS {name}");
    made(session.wait(async |client| client.batch_execute(&statement).await))
}

/// Refuses a database whose commits are to wait for replicas, and do not.
fn check_replicas(session: &mut Bare, settings: &Settings) -> Result<(), Fault> {
    let names = session
        .wait(async |client| client.query_one(sql::REPLICAS, &[]).await?.try_get::<_, String>(0));
    // An engine that knows no such setting replicates in its own way.
    let Ok(names) = names else { return Ok(()) };
    if names.is_empty() {
        return Ok(());
    }
    let in_force = session.wait(async |client| {
        client.query_one(sql::REPLICAS_IN_FORCE, &[]).await?.try_get::<_, i64>(0)
    })?;
    if in_force > 0 {
        return Ok(());
    }
    let wrong = format!(
        "synchronous replication is configured (synchronous_standby_names is '{names}'), and no \
         replica is in force (pg_stat_replication shows none whose sync_state is sync or quorum): \
         writes would wait for one. Start the replica; if it runs, let the server's user see it: \
         GRANT pg_read_all_stats TO …"
    );
    if settings.starts_unreplicated {
        tracing::warn!("{wrong}");
        return Ok(());
    }
    Err(refused(format!("{wrong}. Or start all the same with --store-starts-unreplicated")))
}

/// Tells servers that are making the same thing at the same time from those that cannot make it.
fn made(outcome: Result<(), Fault>) -> Result<(), Fault> {
    // XX000: "tuple concurrently updated".
    let of_others = [
        SqlState::UNIQUE_VIOLATION,
        SqlState::DUPLICATE_TABLE,
        SqlState::DUPLICATE_OBJECT,
        SqlState::INTERNAL_ERROR,
    ];
    match outcome {
        Err(Fault::Refused(code, reason)) if of_others.contains(&code) => {
            Err(Fault::Conflict(reason))
        }
        outcome => outcome,
    }
}

fn refused(reason: String) -> Fault {
    Fault::Refused(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, reason)
}
