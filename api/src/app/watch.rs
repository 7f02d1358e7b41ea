//! Shares one count of a batch among all its viewers.
//!
//! Counting takes longer the larger the batch is, and an administrator's page, a second tab and ten colleagues all need
//! the same figures. So the first viewer of a batch starts a task that counts it periodically, the others read its
//! results, and the task ends when the last viewer leaves. The pause between counts grows with the cost of a count, so
//! watching takes a small share of Postgres's time, however large the batch.

use crate::app::batch_view::BatchView;
use crate::metrics::ApiMetrics;
use shared::store::batches::{self, Batch, LeftOutCounts};
use shared::store::counts::{self, StateCounts};
use shared::store::slowdowns::{self, Slowdowns};
use shared::store::{Db, StoreResult};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use tokio::sync::watch::{Receiver, Sender};
use uuid::Uuid;

/// Minimum interval between counts.
const PACE: Duration = Duration::from_secs(1);

/// The pause is this many times as long as a count takes.
const PAUSE_FACTOR: u32 = 20;

/// A batch and its counts at one moment.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The batch as the API returns it.
    pub view: BatchView,
    /// The counts it is based on.
    pub tally: StateCounts,
    /// What slows it down.
    pub slowdowns: Slowdowns,
    /// Postgres's clock at that moment.
    pub at: OffsetDateTime,
}

impl Seen {
    /// Counts a batch.
    ///
    /// # Errors
    ///
    /// If Postgres is unavailable.
    pub async fn of(db: &Db, batch: Batch, left_out: LeftOutCounts) -> StoreResult<Self> {
        let (at, tally) = (batch.read_at, counts::of_batch(db, &batch).await?);
        let slowdowns = slowdowns::of_batch(db, &batch, &tally).await?;
        let view = BatchView::new(batch, &tally, left_out);
        Ok(Self {
            view,
            tally,
            slowdowns,
            at,
        })
    }

    /// Whether this equals an earlier count, apart from the rate.
    fn is_same(&self, before: &Self) -> bool {
        self.view == before.view
            && self.tally.counts == before.tally.counts
            && self.slowdowns.domains == before.slowdowns.domains
    }
}

/// Result of the latest count of a watched batch; `None` before the first.
type LatestCount = Option<Arc<Seen>>;

/// The batches that are being watched.
#[derive(Debug, Default)]
pub struct Watches(Mutex<HashMap<Uuid, Sender<LatestCount>>>);

impl Watches {
    /// Watches a batch, which must exist.
    pub fn listen(self: &Arc<Self>, db: &Db, metrics: &Arc<ApiMetrics>, id: Uuid) -> Listener {
        let mut open = self.open();
        match open.entry(id) {
            Entry::Occupied(watched) => Listener::to(watched.get().subscribe()),
            Entry::Vacant(place) => {
                let sender = Sender::new(None);
                let listener = Listener::to(sender.subscribe());
                place.insert(sender.clone());
                metrics.watched_batches.inc();
                let task = Watch {
                    watches: Arc::clone(self),
                    db: db.clone(),
                    metrics: Arc::clone(metrics),
                    id,
                    sender,
                };
                tokio::spawn(task.run());
                listener
            }
        }
    }

    /// Result of the latest count of this batch, if it is being watched.
    pub fn latest(&self, id: Uuid) -> Option<Arc<Seen>> {
        self.open().get(&id)?.borrow().clone()
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Uuid, Sender<LatestCount>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A viewer of a batch. Dropping it ends the viewing.
#[derive(Debug)]
pub struct Listener(Receiver<LatestCount>);

impl Listener {
    fn to(mut receiver: Receiver<LatestCount>) -> Self {
        // A later viewer immediately receives the latest result.
        receiver.mark_changed();
        Self(receiver)
    }

    /// Waits for the next change. Returns `None` after the end of the batch.
    pub async fn next(&mut self) -> Option<Arc<Seen>> {
        loop {
            self.0.changed().await.ok()?;
            if let Some(seen) = self.0.borrow_and_update().clone() {
                return Some(seen);
            }
        }
    }
}

/// The task that counts a batch.
struct Watch {
    watches: Arc<Watches>,
    db: Db,
    metrics: Arc<ApiMetrics>,
    id: Uuid,
    sender: Sender<LatestCount>,
}

impl Watch {
    async fn run(self) {
        // The people who are left out do not change after acceptance.
        let mut left_out = None;
        loop {
            let began = Instant::now();
            // An error most likely means that Postgres is briefly unavailable. The next count finds out.
            if let Ok(true) = self.recount(&mut left_out).await {
                return;
            }
            let pause = PACE.max(began.elapsed() * PAUSE_FACTOR);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.sender.closed() => {}
            }
            if self.is_left() {
                return;
            }
        }
    }

    /// Counts once, and returns whether the batch has finished.
    async fn recount(&self, left_out: &mut Option<LeftOutCounts>) -> StoreResult<bool> {
        let Some(batch) = batches::find(&self.db, self.id).await? else {
            return Ok(false);
        };
        if left_out.is_none() {
            *left_out = Some(batches::left_out(&self.db, self.id).await?);
        }
        let seen = Seen::of(&self.db, batch, left_out.clone().unwrap_or_default()).await?;
        self.metrics.batch_counts.inc();
        let is_over = seen.view.finished_at.is_some();
        self.sender.send_if_modified(|found| {
            let is_news = found.as_ref().is_none_or(|before| !seen.is_same(before));
            *found = Some(Arc::new(seen));
            is_news
        });
        Ok(is_over)
    }

    /// Whether no viewer is left. In that case the watch is also removed, so that no new viewer finds it.
    fn is_left(&self) -> bool {
        let mut open = self.watches.open();
        // Checked under the lock, because a viewer may have arrived since.
        let is_left = self.sender.receiver_count() == 0;
        if is_left {
            open.remove(&self.id);
        }
        is_left
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut open = self.watches.open();
        // Removes only this watch, not one that began after this one lost its last viewer.
        if open
            .get(&self.id)
            .is_some_and(|sender| sender.same_channel(&self.sender))
        {
            open.remove(&self.id);
        }
        self.metrics.watched_batches.dec();
    }
}
