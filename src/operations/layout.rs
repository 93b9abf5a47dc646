//! What this release writes otherwise than older ones: a store that they left gets it at the first
//! start, before it answers.

use super::accounts::AccountRecord;
use crate::access::{AccessKeyRecord, Seal};
use crate::store::{Key, Page, Position, Result, Table, Tx};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// How many records one transaction writes anew.
const RECORDS_MAX: usize = 500;

/// Writes a part of what layout 2 has more than layout 1, the index of deleted accounts; answers
/// where the next part begins.
pub fn index_deleted_accounts(
    tx: &mut Tx<'_>,
    after: Option<&Position>,
) -> Result<Option<Position>> {
    let page: Page<AccountRecord> = tx.page(&Key::of(Table::Accounts), after, RECORDS_MAX)?;
    for account in &page.items {
        tx.update(account, account)?;
    }
    Ok(page.next)
}

/// Seals a part of the secrets that layout 2 kept in clear, those of access keys; answers where the
/// next part begins. The same seed writes the same again.
pub fn seal_access_keys(
    tx: &mut Tx<'_>,
    after: Option<&Position>,
    seal: &Seal,
    seed: [u8; 32],
) -> Result<Option<Position>> {
    let mut random = StdRng::from_seed(seed);
    let page: Page<AccessKeyRecord> = tx.page(&Key::of(Table::AccessKeys), after, RECORDS_MAX)?;
    for access_key in &page.items {
        let sealed = access_key.clone().sealed(seal, random.random());
        tx.update(access_key, &sealed)?;
    }
    Ok(page.next)
}
