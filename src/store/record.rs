//! Records: what is stored of a thing, with its version and its indexes.

use super::{Error, Key, Result};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The tables and indexes of the store. The numbers are stored: none is changed or used again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Table {
    /// The one record about the deployment itself.
    Deployment = 1,
    /// Access keys, by access key id.
    AccessKeys = 2,
    /// Index: the access keys of an AWS account.
    AccessKeysByAwsAccount = 3,
    /// Accounts, by AWS account and account id.
    Accounts = 4,
    /// Index: the accounts of an AWS account that are not deleted, by name.
    AccountsByName = 5,
    /// Users, by AWS account, account and user id.
    Users = 6,
    /// Index: the users of an account, by type and user id.
    UsersByType = 7,
    /// Unique: the user of an AWS account who has an e-mail address, compared without case.
    UsersByEmail = 8,
    /// Unique: the user of the deployment who has a personal PIN.
    UsersByPersonalPin = 9,
    /// Mark: the users of an account who are not suspended, by generation.
    UnsuspendedUsers = 10,
    /// Mark: the users of an account who have a licence.
    UsersByLicense = 11,
    /// Invites, by invite id.
    Invites = 12,
    /// Index: deleted accounts of all AWS accounts, by the time of their deletion.
    DeletedAccounts = 13,
    /// Index: the deleted accounts of an AWS account, by the time of their deletion.
    DeletedAccountsByAwsAccount = 14,
    /// Domains that an account claims, by AWS account, account and name.
    Domains = 15,
    /// Unique: the account of the deployment to which a domain belongs.
    VerifiedDomains = 16,
    /// Index: domains whose ownership is not shown yet, by name.
    PendingDomains = 17,
    /// Mail that is to be sent, by invite id.
    Outbox = 18,
    /// Index: mail that is to be sent, by the time at which it is to be tried.
    OutboxByDueTime = 19,
    /// Mark: the domains that belong to an account.
    DomainsOfAccount = 20,
    /// Events of the audit, by AWS account, time and event id.
    AuditEvents = 21,
    /// Users of AWS accounts, by AWS account and name.
    IamUsers = 22,
    /// Roles, by AWS account and name.
    IamRoles = 23,
    /// Managed policies, by AWS account and name.
    IamPolicies = 24,
    /// Mark: to whom a managed policy is attached.
    PolicyAttachments = 25,
    /// Index: the access keys of a user, or of the root of an AWS account.
    AccessKeysByUser = 26,
    /// The one record that tells whether what callers may do has changed.
    AccessGeneration = 27,
    /// When access keys were last used, by access key id.
    AccessKeysLastUsed = 28,
    /// Which server does what one server at a time does, by the duty's name.
    Leases = 29,
    /// Which events of the audit are to be shipped, by time and event id.
    UnshippedAuditEvents = 30,
    /// The one record that tells how far a copy came, as long as it is not complete.
    Copy = 31,
    /// What calls were answered lately, by the time of the answer.
    Invocations = 32,
    /// Unique: the answer to a call, by the call's id.
    InvocationsById = 33,
}

/// A thing that is stored under a key of its own.
///
/// An index entry carries the whole record, so that a page costs one scan and no look-ups.
pub trait Record: Serialize + DeserializeOwned {
    /// The version that this program writes. Raise it when an older program could not read the
    /// new form, and teach [`Record::upgrade`] the step, and the view of the record, if it has one,
    /// the new form (`postgres::views`).
    const VERSION: u32;

    /// Returns the key under which the record is found.
    fn key(&self) -> Key;

    /// Returns the keys under which indexes list the record.
    fn index_keys(&self) -> Vec<Key>;

    /// Returns the keys that no other record may have at the same time.
    fn unique_keys(&self) -> Vec<Key> {
        Vec::new()
    }

    /// Returns the keys whose presence alone tells something, so that whether any record is so can
    /// be asked without reading one.
    fn mark_keys(&self) -> Vec<Key> {
        Vec::new()
    }

    /// Turns what version `from` wrote into what version `from + 1` wrote.
    fn upgrade(from: u32, _record: Value) -> Result<Value> {
        Err(Error::Corrupt(format!("no release of Campanile wrote version {from} of this record")))
    }
}

#[derive(Deserialize, Serialize)]
struct Stored<R> {
    /// First, so that a reader meets the version before what it governs.
    version: u32,
    record: R,
}

/// Writes a record as it is stored: JSON with its version.
pub(super) fn encode<R: Record>(record: &R) -> Vec<u8> {
    // Most records are some hundred bytes, and need not be moved while they are written.
    let mut bytes = Vec::with_capacity(512);
    serde_json::to_writer(&mut bytes, &Stored { version: R::VERSION, record })
        .expect("records hold only what JSON can express");
    bytes
}

/// Reads a record, of this version or an older one.
pub(super) fn decode<R: Record>(bytes: &[u8]) -> Result<R> {
    // Checked for UTF-8 as a whole, once: in a slice, serde_json checks every string by itself.
    let text = std::str::from_utf8(bytes).map_err(|error| Error::Corrupt(error.to_string()))?;
    match serde_json::from_str::<Stored<R>>(text) {
        Ok(stored) if stored.version == R::VERSION => Ok(stored.record),
        _ => decode_other_version(text),
    }
}

fn decode_other_version<R: Record>(text: &str) -> Result<R> {
    let corrupt = |error: serde_json::Error| Error::Corrupt(error.to_string());
    let version = serde_json::from_str::<Stored<IgnoredAny>>(text).map_err(corrupt)?.version;
    if version > R::VERSION {
        return Err(Error::Corrupt(format!(
            "a newer Campanile wrote version {version} of a record; this one reads up to {}",
            R::VERSION
        )));
    }
    let mut record = serde_json::from_str::<Stored<Value>>(text).map_err(corrupt)?.record;
    for from in version..R::VERSION {
        record = R::upgrade(from, record)?;
    }
    serde_json::from_value(record).map_err(corrupt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct Person {
        full_name: String,
    }

    impl Record for Person {
        const VERSION: u32 = 3;

        fn key(&self) -> Key {
            Key::of(Table::Deployment)
        }

        fn index_keys(&self) -> Vec<Key> {
            Vec::new()
        }

        fn upgrade(from: u32, mut record: Value) -> Result<Value> {
            match from {
                1 => Ok(json!({"first": record, "last": "Doe"})),
                2 => {
                    let full_name = format!(
                        "{} {}",
                        record["first"].as_str().unwrap(),
                        record["last"].as_str().unwrap()
                    );
                    record = json!({ "full_name": full_name });
                    Ok(record)
                }
                _ => Err(Error::Corrupt("unknown".to_owned())),
            }
        }
    }

    #[test]
    fn every_older_version_is_read() {
        let doe = Person { full_name: "Jane Doe".to_owned() };
        assert_eq!(decode::<Person>(&encode(&doe)).unwrap(), doe);
        for old in [
            json!({"version": 1, "record": "Jane"}),
            json!({"version": 2, "record": {"first": "Jane", "last": "Doe"}}),
        ] {
            assert_eq!(decode::<Person>(old.to_string().as_bytes()).unwrap(), doe);
        }
    }

    #[test]
    fn a_newer_version_is_refused_by_name() {
        let newer = json!({"version": 4, "record": {"full_name": "Jane Doe"}}).to_string();
        let error = decode::<Person>(newer.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("a newer Campanile wrote version 4"), "{error}");
        assert!(decode::<Person>(b"{}").is_err());
        assert!(decode::<Person>(b"\x00").is_err());
        assert!(decode::<Person>(b"{\"version\":3,\"record\":{\"full_name\":\"\xff\"}}").is_err());
    }
}
