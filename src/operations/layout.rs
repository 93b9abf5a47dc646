//! What this release writes beside records and older ones did not: a store that they left gets it at
//! the first start, before it answers.

use super::accounts::AccountRecord;
use crate::store::{Key, Page, Position, Result, Table, Tx};

/// How many records one transaction writes anew.
const RECORDS_MAX: usize = 500;

/// Writes a part of what layout 2 has more than layout 1, the index of deleted accounts; answers
/// where the next part begins.
pub fn write_some(tx: &mut Tx<'_>, after: Option<&Position>) -> Result<Option<Position>> {
    let page: Page<AccountRecord> = tx.page(&Key::of(Table::Accounts), after, RECORDS_MAX)?;
    for account in &page.items {
        tx.update(account, account)?;
    }
    Ok(page.next)
}
