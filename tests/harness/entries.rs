//! What a store is, whatever was done to it: its records, the entries that they make, and no others.

use super::kept;
use campanile::access::{
    self, AccessGenerationRecord, AccessKeyLastUsedRecord, AccessKeyRecord, PolicyRecord,
    RoleRecord,
};
use campanile::operations::accounts::AccountRecord;
use campanile::operations::accounts::domains::DomainRecord;
use campanile::operations::audit::AuditEventRecord;
use campanile::operations::audit::shipping::UnshippedRecord;
use campanile::operations::invocations::InvocationRecord;
use campanile::operations::users::UserRecord;
use campanile::operations::users::invites::InviteRecord;
use campanile::operations::users::outbox::MailRecord;
use campanile::server::LeaseRecord;
use campanile::store::{self, Access, Engine, Key, KeyRange, Page, Record, Store, Table, Tx};
use std::collections::BTreeMap;
use std::sync::Arc;

/// More than any test stores.
const ENTRIES_MAX: usize = 10_000_000;
/// How many events of a store are kept.
const EVENTS_KEPT_MAX: usize = 1000;

type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// Says what is wrong with the entries of a store, if anything is.
pub fn check(engine: &Arc<dyn Engine>) -> Result<(), String> {
    let found = all(engine.as_ref()).map_err(|error| error.to_string())?;
    let store = Store::over(Arc::clone(engine));
    let expected =
        store.read_blocking(|tx| expected(&tx, &found)).map_err(|error| error.to_string())?;
    let mut wrong = Vec::new();
    for key in found.keys().chain(expected.keys()) {
        match (found.get(key), expected.get(key)) {
            (Some(found), Some(expected)) if found == expected => {}
            (Some(_), Some(_)) => wrong.push(format!("{} holds something else", shown(key))),
            (Some(_), None) => wrong.push(format!("{} belongs to no record", shown(key))),
            (None, _) => wrong.push(format!("{} is missing", shown(key))),
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// Keeps the audit of a store for the search that ends a run of all tests. The thousands of events that
/// random tests leave are alike.
pub fn keep_events(engine: &Arc<dyn Engine>) {
    let range = Key::of(Table::AuditEvents).prefixed();
    let events = engine.begin(Access::Read).and_then(|tx| tx.scan(&range, EVENTS_KEPT_MAX));
    for (_, event) in events.unwrap() {
        kept::keep(&String::from_utf8_lossy(&event));
    }
}

/// Returns all entries but the one about the deployment.
fn all(engine: &dyn Engine) -> store::Result<Entries> {
    let range = KeyRange { start: vec![Table::Deployment as u8 + 1], end: vec![255] };
    let entries = engine.begin(Access::Read)?.scan(&range, ENTRIES_MAX)?;
    Ok(entries.into_iter().collect())
}

/// Returns what the records that are found make.
fn expected(tx: &Tx<'_>, found: &Entries) -> store::Result<Entries> {
    let mut expected = Entries::new();
    add::<AccessKeyRecord>(tx, Table::AccessKeys, found, &mut expected)?;
    add::<AccessKeyLastUsedRecord>(tx, Table::AccessKeysLastUsed, found, &mut expected)?;
    add::<access::UserRecord>(tx, Table::IamUsers, found, &mut expected)?;
    add::<RoleRecord>(tx, Table::IamRoles, found, &mut expected)?;
    add::<PolicyRecord>(tx, Table::IamPolicies, found, &mut expected)?;
    add::<AccessGenerationRecord>(tx, Table::AccessGeneration, found, &mut expected)?;
    add::<AccountRecord>(tx, Table::Accounts, found, &mut expected)?;
    add::<AuditEventRecord>(tx, Table::AuditEvents, found, &mut expected)?;
    add::<DomainRecord>(tx, Table::Domains, found, &mut expected)?;
    add::<InvocationRecord>(tx, Table::Invocations, found, &mut expected)?;
    add::<InviteRecord>(tx, Table::Invites, found, &mut expected)?;
    add::<LeaseRecord>(tx, Table::Leases, found, &mut expected)?;
    add::<MailRecord>(tx, Table::Outbox, found, &mut expected)?;
    add::<UnshippedRecord>(tx, Table::UnshippedAuditEvents, found, &mut expected)?;
    add::<UserRecord>(tx, Table::Users, found, &mut expected)?;
    Ok(expected)
}

fn add<R: Record>(
    tx: &Tx<'_>,
    table: Table,
    found: &Entries,
    expected: &mut Entries,
) -> store::Result<()> {
    let records: Page<R> = tx.page(&Key::of(table), None, ENTRIES_MAX)?;
    for record in records.items {
        let key = record.key().into_bytes();
        let value = found.get(&key).cloned().unwrap_or_default();
        let mut put = |entry: Key, value: &[u8]| {
            let twice = expected.insert(entry.into_bytes(), value.to_vec());
            assert!(twice.is_none(), "two records make the same entry");
        };
        record.index_keys().into_iter().for_each(|entry| put(entry, &value));
        record.unique_keys().into_iter().for_each(|entry| put(entry, &key));
        record.mark_keys().into_iter().for_each(|entry| put(entry, &[]));
        put(record.key(), &value);
    }
    Ok(())
}

fn shown(key: &[u8]) -> String {
    format!("table {}: {}", key[0], String::from_utf8_lossy(&key[1..]).escape_debug())
}
