//! One count of a batch for everybody who watches it.
//!
//! A count costs as much as the batch is long, and an administrator's page, a second tab and ten
//! colleagues all want to know the same. So the first who watches a batch starts one task that
//! counts it again and again; the others read what it found, and the last one to leave ends it. The
//! pause between two counts grows with what a count costs, so watching stays a small part of what
//! Postgres does, however long the batch.

use crate::batches::{self, BatchView};
use crate::problem::Problem;
use crate::state::Api;
use shared::store::batches::{Batch, LeftOutCounts};
use shared::store::tally::{self, Tally};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use tokio::sync::watch::{Receiver, Sender};
use uuid::Uuid;

/// Between two counts, at least.
const PACE: Duration = Duration::from_secs(1);

/// The pause is this many times as long as a count takes.
const PAUSE_FACTOR: u32 = 20;

/// A batch as it was counted.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What a caller of the API is told.
    pub view: BatchView,
    /// The sums it was made of.
    pub tally: Tally,
    /// Postgres's clock then.
    pub at: OffsetDateTime,
}

impl Seen {
    /// Counts a batch.
    ///
    /// # Errors
    ///
    /// When Postgres is away.
    pub async fn of(api: &Api, batch: Batch, left_out: LeftOutCounts) -> Result<Self, Problem> {
        let (at, tally) = (batch.read_at, tally::of_batch(&api.db, &batch).await?);
        let view = batches::view_of(batch, &tally, left_out);
        Ok(Self { view, tally, at })
    }

    /// Whether this is what was found before, but for how fast it goes.
    fn is_same(&self, before: &Self) -> bool {
        self.view == before.view && self.tally.alike == before.tally.alike && self.tally.domains == before.tally.domains
    }
}

/// What the latest count of a watched batch found; nothing before the first.
type Found = Option<Arc<Seen>>;

/// The batches that are being watched.
#[derive(Debug, Default)]
pub struct Watches(Mutex<HashMap<Uuid, Sender<Found>>>);

impl Watches {
    /// Watches a batch, which exists.
    pub fn listen(&self, api: &Api, id: Uuid) -> Listener {
        let mut open = self.open();
        match open.entry(id) {
            Entry::Occupied(watched) => Listener::to(watched.get().subscribe()),
            Entry::Vacant(place) => {
                let sender = Sender::new(None);
                let listener = Listener::to(sender.subscribe());
                place.insert(sender.clone());
                api.metrics.watched_batches.inc();
                let task = Watch {
                    api: api.clone(),
                    id,
                    sender,
                };
                tokio::spawn(task.run());
                listener
            }
        }
    }

    /// What the latest count of this batch found, if somebody watches it.
    pub fn latest(&self, id: Uuid) -> Option<Arc<Seen>> {
        self.open().get(&id)?.borrow().clone()
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Uuid, Sender<Found>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who watches a batch. Dropping it is leaving.
#[derive(Debug)]
pub struct Listener(Receiver<Found>);

impl Listener {
    fn to(mut receiver: Receiver<Found>) -> Self {
        // Whoever comes later hears at once what was found last.
        receiver.mark_changed();
        Self(receiver)
    }

    /// Waits for something other than what was heard before; nothing more comes after the end of
    /// the batch.
    pub async fn next(&mut self) -> Option<Arc<Seen>> {
        loop {
            self.0.changed().await.ok()?;
            if let Some(seen) = self.0.borrow_and_update().clone() {
                return Some(seen);
            }
        }
    }
}

/// The one task that counts a batch.
struct Watch {
    api: Api,
    id: Uuid,
    sender: Sender<Found>,
}

impl Watch {
    async fn run(self) {
        // Who was left out is known once and for all.
        let mut left_out = None;
        loop {
            let began = Instant::now();
            // An error: Postgres is away for a moment, most likely; the next look tells.
            if let Ok(true) = self.look(&mut left_out).await {
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

    /// Counts once, and says whether the batch has finished.
    async fn look(&self, left_out: &mut Option<LeftOutCounts>) -> Result<bool, Problem> {
        let batch = batches::get(&self.api, self.id).await?;
        if left_out.is_none() {
            *left_out = Some(shared::store::batches::left_out(&self.api.db, self.id).await?);
        }
        let seen = Seen::of(&self.api, batch, left_out.clone().unwrap_or_default()).await?;
        self.api.metrics.batch_counts.inc();
        let is_over = seen.view.finished_at.is_some();
        self.sender.send_if_modified(|found| {
            let is_news = found.as_ref().is_none_or(|before| !seen.is_same(before));
            *found = Some(Arc::new(seen));
            is_news
        });
        Ok(is_over)
    }

    /// Whether nobody listens any more; then nobody finds this watch any more either.
    fn is_left(&self) -> bool {
        let mut open = self.api.watches.open();
        // Looked at under the lock: somebody may have come since.
        let is_left = self.sender.receiver_count() == 0;
        if is_left {
            open.remove(&self.id);
        }
        is_left
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut open = self.api.watches.open();
        // Not somebody else's, begun since this one was left.
        if open
            .get(&self.id)
            .is_some_and(|sender| sender.same_channel(&self.sender))
        {
            open.remove(&self.id);
        }
        self.api.metrics.watched_batches.dec();
    }
}
