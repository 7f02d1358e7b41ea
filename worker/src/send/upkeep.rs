//! What has to happen without a mail's doing: mails that wait too long are given back, a doubt
//! about the relay ends, a relay in trouble is tried again.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::outbox::{Outbox, stopping};
use super::phase::Phase;
use super::transaction::Shipment;
use super::verdict::Answer;

/// How often to look.
const PACE: Duration = Duration::from_millis(100);

/// Looks after an outbox until its mailer is gone.
pub(super) async fn look_after<S: Shipment>(outbox: Weak<Outbox<S>>, lifecycle: shared::lifecycle::Lifecycle) {
    let mut pace = tokio::time::interval(PACE);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = pace.tick() => {}
            () = lifecycle.stopping().cancelled() => break,
        }
        let Some(outbox) = outbox.upgrade() else { return };
        once(&outbox);
    }
    // Nobody may be left to read the answer to a body that begins now.
    if let Some(outbox) = outbox.upgrade() {
        outbox.give_back_waiting(None, &stopping());
    }
}

fn once<S: Shipment>(outbox: &Arc<Outbox<S>>) {
    let now = Instant::now();
    let late = Answer::not_begun(Phase::Connect, "no connection was free in time");
    outbox.give_back_waiting(Some(outbox.settings.queue_limit), &late);
    let mut state = outbox.state();
    let is_exhausted = state.connections.total() >= state.flow.limit();
    if state.flow.end_doubt(is_exhausted, now) {
        return outbox.circuit_opened(state, None);
    }
    // A connection that still hangs from before must not keep the relay from being tried.
    if state.connections.opening == 0 && state.flow.begin_probe(now) {
        outbox.open_connection(&mut state);
    }
    // The longer the first mail hangs, the more may be tried beside it.
    if !state.flow.has_answered() {
        state.admissions.wake();
    }
}
