//! When access keys were last used: noted in memory as requests come, and stored from time to time, so
//! that no request costs a write.

use super::{AccessKeyRecord, Caller};
use crate::clock::Timestamp;
use crate::store::{Key, Record, Result, Table, Tx};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// When an access key was last used, as it is stored; nothing is, of a key that was never used.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AccessKeyLastUsedRecord {
    /// The public half of the key.
    pub access_key_id: String,
    /// When it signed.
    pub last_used_date: Timestamp,
    /// The service that it signed for, by the name that stands in signatures.
    pub service_name: String,
    /// The region that it signed for.
    pub region: String,
}

impl AccessKeyLastUsedRecord {
    /// Returns when a key was last used, if it was.
    pub fn find(tx: &Tx<'_>, access_key_id: &str) -> Result<Option<Self>> {
        tx.get(&Self::key_of(access_key_id))
    }

    /// Stores when keys were last used. Those that were deleted since then are left out. What callers
    /// may do is not changed by it, and neither is what was found of them.
    pub fn store_all(tx: &mut Tx<'_>, uses: &[Self]) -> Result<()> {
        for new in uses {
            let exists = AccessKeyRecord::find(tx, &new.access_key_id)?.is_some();
            match Self::find(tx, &new.access_key_id)? {
                _ if !exists => {}
                None => tx.insert(new)?,
                Some(old) => tx.update(&old, new)?,
            }
        }
        Ok(())
    }

    fn key_of(access_key_id: &str) -> Key {
        Key::of(Table::AccessKeysLastUsed).string(access_key_id)
    }
}

impl Record for AccessKeyLastUsedRecord {
    const VERSION: u32 = 1;

    fn key(&self) -> Key {
        Self::key_of(&self.access_key_id)
    }

    fn index_keys(&self) -> Vec<Key> {
        Vec::new()
    }
}

/// The uses of access keys that are not stored yet: the last of each key.
#[derive(Debug, Default)]
pub struct KeyUses(Mutex<HashMap<String, AccessKeyLastUsedRecord>>);

impl KeyUses {
    /// A use is some 200 bytes. Where more keys than this are used before any is stored, the uses of
    /// the others go unnoticed.
    const MAX: usize = 10_000;

    /// Notes that a caller's signature was verified. Temporary keys are not kept, and neither is the
    /// deployment's root among the stored keys: of those two, nothing is noted.
    pub fn note(&self, caller: &Caller, service: &str, region: &str, now: Timestamp) {
        if caller.session_issued.is_some() || caller.is_deployment_root() {
            return;
        }
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = uses.len() >= Self::MAX;
        match uses.get_mut(&caller.access_key_id) {
            Some(last) if last.service_name == service && last.region == region => {
                last.last_used_date = now;
            }
            None if is_full => {}
            _ => {
                let last = AccessKeyLastUsedRecord {
                    access_key_id: caller.access_key_id.clone(),
                    last_used_date: now,
                    service_name: service.to_owned(),
                    region: region.to_owned(),
                };
                uses.insert(caller.access_key_id.clone(), last);
            }
        }
    }

    /// Takes all of them out.
    pub fn take(&self) -> Vec<AccessKeyLastUsedRecord> {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *uses).into_values().collect()
    }

    /// Takes back some that could not be stored, unless the key was used again.
    pub fn put_back(&self, taken: Vec<AccessKeyLastUsedRecord>) {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for last in taken {
            if uses.len() < Self::MAX {
                uses.entry(last.access_key_id.clone()).or_insert(last);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Principal;

    fn caller(access_key_id: &str) -> Caller {
        Caller::root("111122223333".to_owned(), access_key_id.to_owned())
    }

    fn at(millisecond: i64) -> Timestamp {
        Timestamp::from_millisecond(millisecond).unwrap()
    }

    fn taken(uses: &KeyUses) -> Vec<(String, i64, String, String)> {
        let mut taken: Vec<_> = uses
            .take()
            .into_iter()
            .map(|it| {
                (it.access_key_id, it.last_used_date.as_millisecond(), it.service_name, it.region)
            })
            .collect();
        taken.sort();
        taken
    }

    fn shown(of: &[(&str, i64, &str, &str)]) -> Vec<(String, i64, String, String)> {
        of.iter().map(|(a, b, c, d)| ((*a).into(), *b, (*c).into(), (*d).into())).collect()
    }

    #[test]
    fn the_last_use_of_each_stored_key_is_noted_until_it_is_taken() {
        let uses = KeyUses::default();
        uses.note(&caller("A"), "chime", "us-east-1", at(1));
        uses.note(&caller("B"), "chime", "us-east-1", at(2));
        uses.note(&caller("A"), "chime", "us-east-1", at(3));
        uses.note(&caller("B"), "sts", "eu-west-1", at(4));
        let session = Caller { session_issued: Some(at(0)), ..caller("ASIA") };
        uses.note(&session, "chime", "us-east-1", at(5));
        let root = Caller { principal: Principal::DeploymentRoot, ..caller("R") };
        uses.note(&root, "chime", "us-east-1", at(6));
        let expected = shown(&[("A", 3, "chime", "us-east-1"), ("B", 4, "sts", "eu-west-1")]);
        assert_eq!(taken(&uses), expected);
        assert_eq!(taken(&uses), []);
    }

    #[test]
    fn what_is_put_back_gives_way_to_what_came_later() {
        let uses = KeyUses::default();
        uses.note(&caller("A"), "chime", "r", at(1));
        uses.note(&caller("B"), "chime", "r", at(1));
        let first = uses.take();
        uses.note(&caller("A"), "sts", "r", at(2));
        uses.put_back(first);
        assert_eq!(taken(&uses), shown(&[("A", 2, "sts", "r"), ("B", 1, "chime", "r")]));
    }

    #[test]
    fn there_is_an_end_to_how_many_are_noted() {
        let uses = KeyUses::default();
        (0..KeyUses::MAX).for_each(|key| uses.note(&caller(&key.to_string()), "s", "r", at(1)));
        uses.note(&caller("one more"), "s", "r", at(1));
        uses.note(&caller("0"), "s", "r", at(2));
        let taken = uses.take();
        assert_eq!(taken.len(), KeyUses::MAX);
        assert!(taken.iter().any(|it| it.access_key_id == "0" && it.last_used_date == at(2)));
    }
}
