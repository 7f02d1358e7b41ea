//! Limits the number of claimed mails.
//!
//! A claimed mail can no longer be stopped or given to another worker, so a worker claims little more than it
//! is sending: one mail per connection, plus a tenth of a second's work so that no connection waits for a
//! claim. With a relay that takes ten mails per second that is one mail ahead; with one that takes seven
//! thousand it is seven hundred. Nothing is claimed until a connection is open.

use std::sync::Arc;
use std::time::{Duration, Instant};

use shared::batch::Lane;
use tokio::sync::Notify;

use super::{Outbox, State, for_bulk};
use crate::send::permit::Permit;
use crate::send::shipment::Shipment;

/// How far ahead to claim. A group of claims takes some milliseconds; this also covers a slow commit.
const AHEAD: Duration = Duration::from_millis(100);

/// Limit for fast relays: this many mails take a few megabytes of memory.
const MAX_AHEAD: usize = 1024;

/// Minimum number of mails per claim under load. The statement costs little more than for one mail.
const WORTH: usize = 128;

/// Number of mails in flight, by lane.
#[derive(Default)]
pub(in crate::send) struct Admissions {
    interactive: LaneAdmissions,
    bulk: LaneAdmissions,
}

#[derive(Default)]
struct LaneAdmissions {
    in_flight: usize,
    /// Mails that have left since the rate was last updated.
    left: usize,
    /// Mails per [`AHEAD`], smoothed.
    rate: f64,
    looked_at: Option<Instant>,
    /// The room that a waiting claim needs.
    wanted: Option<usize>,
    room: Arc<Notify>,
}

/// How many more mails may be claimed, and how many make a claim worthwhile.
struct ClaimCapacity {
    free: usize,
    worth: usize,
}

impl ClaimCapacity {
    /// Room for a claim of any size.
    const fn of_any_size(free: usize) -> Self {
        Self { free, worth: 1 }
    }

    /// Returns how many of `most` jobs to claim, at least one, or else the room to wait for if room is what
    /// is missing.
    fn claim(&self, most: usize, is_urgent: bool) -> Result<usize, Option<usize>> {
        let needed = if is_urgent { 1 } else { self.worth };
        match self.free {
            free if free < needed => Err(Some(needed)),
            _ if most < needed => Err(None),
            free => Ok(free.min(most)),
        }
    }
}

impl Admissions {
    fn of(&mut self, lane: Lane) -> &mut LaneAdmissions {
        match lane {
            Lane::Interactive => &mut self.interactive,
            Lane::Bulk => &mut self.bulk,
        }
    }

    const fn in_flight(&self) -> usize {
        self.interactive.in_flight + self.bulk.in_flight
    }

    /// Wakes both lanes.
    pub(in crate::send) fn wake(&mut self) {
        for lane in [&mut self.interactive, &mut self.bulk] {
            if lane.wanted.take().is_some() {
                lane.room.notify_one();
            }
        }
    }
}

impl LaneAdmissions {
    /// Mails to claim ahead of the connections at the current rate.
    ///
    /// None if hardly any mail leaves: a mail claimed behind hanging connections would only be given back.
    fn ahead(&mut self, now: Instant) -> usize {
        let elapsed = self.looked_at.map_or(AHEAD, |at| now.duration_since(at));
        if elapsed >= AHEAD {
            let left = f64::from(u32::try_from(std::mem::take(&mut self.left)).unwrap_or(u32::MAX));
            // An exponential average with a half-life of `AHEAD`.
            let weight = 0.5_f64.powf(elapsed.as_secs_f64() / AHEAD.as_secs_f64());
            let rate = left * AHEAD.as_secs_f64() / elapsed.as_secs_f64();
            self.rate = self.rate * weight + rate * (1.0 - weight);
            self.looked_at = Some(now);
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "bounded to 0..=MAX_AHEAD"
        )]
        let ahead = self.rate.clamp(0.0, MAX_AHEAD as f64).round() as usize;
        ahead
    }
}

impl<S: Shipment> State<S> {
    fn room(&mut self, lane: Lane, now: Instant) -> ClaimCapacity {
        if self.connections.open == 0 || !self.flow.may_connect() {
            return ClaimCapacity::of_any_size(0);
        }
        if let Some(mails) = self.flow.trial(self.admissions.in_flight(), now) {
            return ClaimCapacity::of_any_size(mails.saturating_sub(self.admissions.in_flight()));
        }
        let connections = match lane {
            Lane::Interactive => self.flow.limit(),
            Lane::Bulk => for_bulk(self.flow.limit()),
        };
        let admissions = self.admissions.of(lane);
        let ahead = admissions.ahead(now);
        let most = connections + ahead;
        if let Some(in_flight) = self.flow.pace.max_in_flight(now) {
            return ClaimCapacity::of_any_size(in_flight.min(most).saturating_sub(admissions.in_flight));
        }
        let free = most.saturating_sub(admissions.in_flight);
        match lane {
            Lane::Interactive => ClaimCapacity::of_any_size(free),
            Lane::Bulk => ClaimCapacity {
                free,
                worth: (ahead / 2).clamp(1, WORTH),
            },
        }
    }
}

impl<S: Shipment> Outbox<S> {
    /// Returns permits for up to `most` more mails.
    ///
    /// Returns none if there is no room, or, unless `is_urgent`, less than makes a claim worthwhile.
    pub(in crate::send) fn admit(self: &Arc<Self>, lane: Lane, most: usize, is_urgent: bool) -> Vec<Permit> {
        let now = Instant::now();
        let mut state = self.state();
        if self.lifecycle.is_stopping() {
            return Vec::new();
        }
        let room = state.room(lane, now);
        let count = match room.claim(most, is_urgent) {
            Ok(count) => count,
            Err(wanted) => {
                self.wait_for_room(&mut state, lane, wanted);
                return Vec::new();
            }
        };
        state.admissions.of(lane).in_flight += count;
        let outbox = Arc::clone(self);
        let release: Arc<dyn Fn() + Send + Sync> = Arc::new(move || outbox.release_permit(lane));
        let permit = || Permit {
            release: Arc::clone(&release),
        };
        (0..count).map(|_| permit()).collect()
    }

    /// Records that a mail of this lane has left, and wakes a claim for which there is room now.
    fn release_permit(&self, lane: Lane) {
        let mut state = self.state();
        let admissions = state.admissions.of(lane);
        admissions.in_flight = admissions.in_flight.saturating_sub(1);
        admissions.left += 1;
        let Some(wanted) = admissions.wanted else { return };
        if state.room(lane, Instant::now()).free >= wanted {
            let admissions = state.admissions.of(lane);
            admissions.wanted = None;
            admissions.room.notify_one();
        }
    }

    fn wait_for_room(self: &Arc<Self>, state: &mut State<S>, lane: Lane, wanted: Option<usize>) {
        state.admissions.of(lane).wanted = wanted;
        let connections = &state.connections;
        let has_none = connections.open + connections.opening == 0;
        if has_none && state.flow.may_connect() {
            self.open_connection(state);
        }
    }

    /// Notified when a claim that found no room may find some.
    pub(in crate::send) fn capacity_notify(&self, lane: Lane) -> Arc<Notify> {
        Arc::clone(&self.state().admissions.of(lane).room)
    }
}
