//! Commits of which was answered that nobody knows what became of them: somebody goes on asking, so that
//! none of them happens long after.

use super::commit::put_fence;
use super::session::Session;
use super::settings::Settings;
use crate::metrics::Commits;
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;
use uuid::Uuid;

/// How many there can be; of further ones nobody finds out.
const UNSETTLED_MAX: usize = 10_000;
const REST: Duration = Duration::from_secs(1);

/// The markers of such commits. While there are any, a thread asks for them.
#[derive(Debug, Default)]
pub(super) struct Unsettled(Mutex<BTreeSet<Uuid>>);

impl Unsettled {
    /// Takes in a marker, and begins to ask if nobody does.
    pub(super) fn add(self: &Arc<Self>, marker: Uuid, settings: &Settings, commits: &Commits) {
        let mut markers = self.markers();
        if markers.len() >= UNSETTLED_MAX {
            tracing::error!("nobody finds out what becomes of commit {marker}: there are too many");
            return;
        }
        let is_asked = !markers.is_empty();
        markers.insert(marker);
        drop(markers);
        if !is_asked {
            let (unsettled, settings) = (Arc::downgrade(self), settings.clone());
            let commits = commits.clone();
            thread::spawn(move || settle(&unsettled, &settings, &commits));
        }
    }

    /// Returns the marker behind one, so that each has its turn though one is not answered.
    fn next(&self, last: Uuid) -> Option<Uuid> {
        let markers = self.markers();
        let next = markers.range((Bound::Excluded(last), Bound::Unbounded)).next();
        next.or_else(|| markers.first()).copied()
    }

    fn markers(&self) -> MutexGuard<'_, BTreeSet<Uuid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks until nothing is left to ask, or the engine is gone.
fn settle(unsettled: &Weak<Unsettled>, settings: &Settings, commits: &Commits) {
    let (mut session, mut last) = (None, Uuid::nil());
    while let Some(unsettled) = unsettled.upgrade() {
        let Some(marker) = unsettled.next(last) else { return };
        last = marker;
        let open = || Session::open(settings, commits.connection());
        let opened = session.take().map_or_else(open, Ok);
        let settled = opened.and_then(|mut opened| {
            let was_first = put_fence(&mut opened, marker, settings.timeouts.commit)?;
            session = Some(opened);
            Ok(was_first)
        });
        let Ok(was_first) = settled else {
            drop(unsettled);
            thread::sleep(REST);
            continue;
        };
        let became = if was_first { "has not happened" } else { "has happened" };
        tracing::warn!("commit {marker}, of which nothing was known, {became}");
        let mut markers = unsettled.markers();
        markers.remove(&marker);
        // Whoever adds one from here on finds none, and begins to ask anew.
        if markers.is_empty() {
            return;
        }
    }
}
