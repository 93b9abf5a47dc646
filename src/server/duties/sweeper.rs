//! The sweeper: it removes for good what was deleted and can be restored no longer.

use super::{Duty, Stop};
use crate::clock::{Clock, Timestamp};
use crate::operations::accounts::life;
use crate::store::{self, Store};
use std::sync::Arc;

/// How often it looks. Nobody sees an account any more from its last instant on, so that it is only
/// the space that waits.
const INTERVAL_MILLISECONDS: i64 = 60 * 60 * 1000;

/// Removes deleted accounts after their 90 days.
#[derive(Debug)]
pub(in super::super) struct Sweeper {
    /// Where the accounts are.
    pub(in super::super) store: Arc<Store>,
    /// What time it is.
    pub(in super::super) clock: Clock,
}

impl Duty for Sweeper {
    const NAME: &'static str = "removing deleted accounts";
    const LABEL: &'static str = "sweeper";

    async fn round(&mut self, stop: &Stop) -> store::Result<Option<Timestamp>> {
        let now = self.clock.now();
        while !stop.is_asked() {
            let more = self.store.write(move |mut tx| life::purge(&mut tx, now)).await?;
            if !more {
                break;
            }
        }
        Ok(Some(now.plus(INTERVAL_MILLISECONDS)))
    }
}
