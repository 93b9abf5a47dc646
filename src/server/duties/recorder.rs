//! The recorder: it stores when access keys were last used, which requests only note.

use super::{Duty, Stop};
use crate::access::{AccessKeyLastUsedRecord, KeyUses};
use crate::clock::{Clock, Timestamp};
use crate::store::{self, Store, Tx};
use std::sync::Arc;

/// How often it looks, and so how far what is told of a key lags behind.
const INTERVAL_MILLISECONDS: i64 = 60 * 1000;
/// How many uses one transaction stores, so that no other write waits long for it.
const STORED_MAX: usize = 500;

/// Stores when access keys were last used: once a minute at the most for each, and at the end.
#[derive(Debug)]
pub(in super::super) struct Recorder {
    /// Where the keys are.
    pub(in super::super) store: Arc<Store>,
    /// What time it is.
    pub(in super::super) clock: Clock,
    /// What is to be stored.
    pub(in super::super) uses: Arc<KeyUses>,
}

impl Recorder {
    async fn record(&self) -> store::Result<()> {
        let mut left = self.uses.take();
        while !left.is_empty() {
            let some: Vec<_> = left.split_off(left.len().saturating_sub(STORED_MAX));
            let taken = some.clone();
            let store = move |mut tx: Tx<'_>| AccessKeyLastUsedRecord::store_all(&mut tx, &some);
            if let Err(error) = self.store.write(store).await {
                left.extend(taken);
                self.uses.put_back(left);
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Duty for Recorder {
    const NAME: &'static str = "storing when access keys were last used";
    const LABEL: &'static str = "recorder";
    // Each server has noted the requests that it answered itself.
    const IS_LEASED: bool = false;

    async fn round(&mut self, _: &Stop) -> store::Result<Option<Timestamp>> {
        self.record().await?;
        Ok(Some(self.clock.now().plus(INTERVAL_MILLISECONDS)))
    }

    async fn finish(&mut self) -> store::Result<()> {
        self.record().await
    }
}
