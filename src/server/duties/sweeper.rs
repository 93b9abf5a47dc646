//! The sweeper: it removes for good what was deleted and can be restored no longer, the events of the
//! audit that are older than they are kept, and what calls were answered that nobody makes again.

use super::{Duty, Stop};
use crate::clock::{Clock, Timestamp};
use crate::operations::accounts::life;
use crate::operations::audit::retention;
use crate::operations::invocations::{self, InvocationRecord};
use crate::store::{self, Position, Store, Tx};
use std::sync::Arc;

/// How often it looks. Nobody sees an account any more from its last instant on, so that it is only
/// the space that waits.
const INTERVAL_MILLISECONDS: i64 = 10 * 60 * 1000;
const MILLISECONDS_A_DAY: i64 = 24 * 60 * 60 * 1000;

/// Removes deleted accounts after their 90 days, and events after as many as the settings say.
#[derive(Debug)]
pub(in super::super) struct Sweeper {
    /// Where the accounts are.
    pub(in super::super) store: Arc<Store>,
    /// What time it is.
    pub(in super::super) clock: Clock,
    /// For how many days events are kept; 0 keeps them for ever.
    pub(in super::super) audit_retention_days: u32,
}

impl Sweeper {
    /// Removes some at a time until there are no more.
    async fn remove(
        &self,
        stop: &Stop,
        some: impl Fn(&mut Tx<'_>) -> store::Result<bool> + Copy + Send + 'static,
    ) -> store::Result<()> {
        while stop.goes_on().await {
            if !self.store.write(move |mut tx: Tx<'_>| some(&mut tx)).await? {
                break;
            }
        }
        Ok(())
    }

    async fn remove_events(&self, stop: &Stop) -> store::Result<()> {
        let kept = i64::from(self.audit_retention_days) * MILLISECONDS_A_DAY;
        let before = self.clock.now().plus(-kept);
        let mut after: Option<Position> = None;
        while self.audit_retention_days > 0 && stop.goes_on().await {
            let remove =
                move |mut tx: Tx<'_>| retention::remove_some(&mut tx, before, after.as_ref());
            after = self.store.write(remove).await?;
            if after.is_none() {
                break;
            }
        }
        Ok(())
    }
}

impl Duty for Sweeper {
    const NAME: &'static str = "removing deleted accounts and old events";
    const LABEL: &'static str = "sweeper";

    async fn round(&mut self, stop: &Stop) -> store::Result<Option<Timestamp>> {
        let now = self.clock.now();
        self.remove(stop, move |tx| life::purge(tx, now)).await?;
        let before = now.plus(-invocations::KEPT_MILLISECONDS);
        self.remove(stop, move |tx| InvocationRecord::remove_some(tx, before)).await?;
        self.remove_events(stop).await?;
        if stop.goes_on().await {
            self.store.sweep()?;
        }
        Ok(Some(now.plus(INTERVAL_MILLISECONDS)))
    }
}
