//! How many connections may be open, and how many of them bulk mail may have.
//!
//! As many as set, or as many as the relay takes. Bulk mail first needs the right to compete at
//! all, of which there are fewer than slots: however many bulk mails are stuck at a slow relay,
//! the slots kept free are there for mails that somebody waits for. Among those that compete,
//! the order of asking decides.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prometheus::IntGauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use shared::batch::Lane;

/// After this time without another refusal, one more connection is tried; after as long again two
/// more, then four. A relay that was away for a moment has all of twenty after half a minute.
const WIDEN_AFTER: Duration = Duration::from_secs(5);

/// A relay that refuses what was tried is tried half as often, down to this: each time costs a
/// connect, and no mail anything.
const WIDEN_AFTER_AT_MOST: Duration = Duration::from_secs(80);

/// One in ten connections, at least one, is kept free of bulk mail.
const KEPT_DIVISOR: usize = 10;

/// How many of so many connections bulk mail may have. Of a single one there is nothing to keep.
pub const fn for_bulk(connections: usize) -> usize {
    let kept = connections / KEPT_DIVISOR;
    let kept = if kept == 0 { 1 } else { kept };
    match connections.saturating_sub(kept) {
        0 => 1,
        some => some,
    }
}

/// Slots for connections, some of which may be put away.
pub(super) struct Width {
    slots: Arc<Semaphore>,
    /// The right to compete for a slot, for bulk mail.
    bulk: Arc<Semaphore>,
    most: usize,
    away: Mutex<Away>,
    allowed: IntGauge,
}

struct Away {
    count: usize,
    /// Rights of bulk mail that ended while they were in use: taken from whoever asks next.
    bulk_owed: usize,
    changed_at: Instant,
    /// How many come back next.
    step: usize,
    /// How long after the last change they do.
    pause: Duration,
    /// Whether some came back since the relay last refused one.
    has_widened: bool,
}

/// The right to have one connection.
pub(super) struct Slot {
    permit: OwnedSemaphorePermit,
    bulk: Option<OwnedSemaphorePermit>,
    width: Arc<Width>,
}

impl Width {
    pub(super) fn new(most: usize, allowed: IntGauge) -> Arc<Self> {
        allowed.set(i64::try_from(most).unwrap_or(i64::MAX));
        Arc::new(Self {
            slots: Arc::new(Semaphore::new(most)),
            bulk: Arc::new(Semaphore::new(for_bulk(most))),
            most,
            away: Mutex::new(Away {
                count: 0,
                bulk_owed: 0,
                changed_at: Instant::now(),
                step: 1,
                pause: WIDEN_AFTER,
                has_widened: false,
            }),
            allowed,
        })
    }

    /// A slot, if one is free at this moment, for what is no mail.
    pub(super) fn try_slot(self: &Arc<Self>) -> Option<Slot> {
        let permit = Arc::clone(&self.slots).try_acquire_owned().ok()?;
        Some(Slot {
            permit,
            bulk: None,
            width: Arc::clone(self),
        })
    }

    /// A slot, when one is free. `None` never comes to pass, for the slots are never closed.
    pub(super) async fn slot(self: &Arc<Self>, lane: Lane) -> Option<Slot> {
        let bulk = match lane {
            Lane::Interactive => None,
            Lane::Bulk => Some(self.right_of_bulk().await?),
        };
        let permit = Arc::clone(&self.slots).acquire_owned().await.ok()?;
        Some(Slot {
            permit,
            bulk,
            width: Arc::clone(self),
        })
    }

    async fn right_of_bulk(&self) -> Option<OwnedSemaphorePermit> {
        loop {
            let right = Arc::clone(&self.bulk).acquire_owned().await.ok()?;
            let mut away = self.away();
            if away.bulk_owed == 0 {
                return Some(right);
            }
            away.bulk_owed -= 1;
            right.forget();
        }
    }

    fn away(&self) -> MutexGuard<'_, Away> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how many slots are away; what bulk mail may have follows.
    fn set_away(&self, away: &mut Away, count: usize) {
        let before = for_bulk(self.most - away.count);
        let now = for_bulk(self.most - count);
        if now < before {
            away.bulk_owed += before - now - self.bulk.forget_permits(before - now);
        } else {
            let settled = away.bulk_owed.min(now - before);
            away.bulk_owed -= settled;
            self.bulk.add_permits(now - before - settled);
        }
        away.count = count;
        self.allowed.set(i64::try_from(self.most - count).unwrap_or(i64::MAX));
    }

    fn bring_back(&self, away: &mut Away, slots: usize) {
        self.slots.add_permits(slots);
        self.set_away(away, away.count - slots);
    }

    /// A mail got its answer: once in a while, more connections are tried.
    pub(super) fn widen(&self, now: Instant) {
        let mut away = self.away();
        if away.count == 0 || now.duration_since(away.changed_at) < away.pause {
            return;
        }
        let some = away.step.min(away.count);
        away.step *= 2;
        away.has_widened = true;
        away.changed_at = now;
        self.bring_back(&mut away, some);
    }

    /// After an outage what was learnt before it counts no more.
    pub(super) fn restore(&self) {
        let mut away = self.away();
        let all = away.count;
        (away.step, away.pause, away.has_widened) = (1, WIDEN_AFTER, false);
        self.bring_back(&mut away, all);
    }

    /// Lets a probe find a slot, where all are in use or away.
    pub(super) fn make_room_for_a_probe(&self) {
        let mut away = self.away();
        if away.count > 0 && self.is_exhausted() {
            self.bring_back(&mut away, 1);
        }
    }

    /// Whether no slot is free at this moment.
    pub(super) fn is_exhausted(&self) -> bool {
        self.slots.available_permits() == 0
    }
}

impl Away {
    /// The relay refused a connection at `now`.
    fn refused(&mut self, now: Instant) {
        if now.duration_since(self.changed_at) > 2 * WIDEN_AFTER_AT_MOST {
            self.pause = WIDEN_AFTER;
        } else if self.has_widened {
            self.pause = (self.pause * 2).min(WIDEN_AFTER_AT_MOST);
        }
        (self.step, self.has_widened, self.changed_at) = (1, false, now);
    }
}

impl Slot {
    /// The relay takes no further connection: this slot is not given out again for a while. The
    /// last one stays.
    pub(super) fn put_away(self, now: Instant) {
        let Self { permit, bulk, width } = self;
        drop(bulk);
        let mut away = width.away();
        away.refused(now);
        if away.count + 1 < width.most {
            permit.forget();
            let more = away.count + 1;
            width.set_away(&mut away, more);
        }
    }
}

#[cfg(test)]
mod tests;
