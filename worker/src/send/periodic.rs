//! Periodic work of a mailer: gives back mails that wait too long, resolves doubts about the relay, and
//! probes a relay that is in trouble or throttles.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::outbox::{Outbox, stopping};
use super::phase::Phase;
use super::shipment::Shipment;
use super::verdict::Answer;

/// How often it runs.
const INTERVAL: Duration = Duration::from_millis(100);

/// The same while the rate is limited, so that no mail waits much longer than for its token.
const LIMITED_INTERVAL: Duration = Duration::from_millis(20);

/// Maintains an outbox until its mailer is dropped.
pub(super) async fn maintain<S: Shipment>(outbox: Weak<Outbox<S>>, lifecycle: shared::lifecycle::Lifecycle) {
    let mut interval = INTERVAL;
    loop {
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            () = lifecycle.stopping().cancelled() => break,
        }
        let Some(outbox) = outbox.upgrade() else { return };
        interval = once(&outbox);
    }
    // The process may be gone before the answer to a body that begins now.
    if let Some(outbox) = outbox.upgrade() {
        outbox.release_waiting(None, &stopping());
        outbox.release_held(true);
    }
}

/// Runs once and returns when to run again.
fn once<S: Shipment>(outbox: &Arc<Outbox<S>>) -> Duration {
    let now = Instant::now();
    let late = Answer::not_begun(Phase::Connect, "no connection was free in time");
    outbox.release_waiting(Some(outbox.settings.queue_limit), &late);
    outbox.release_held(false);
    let mut state = outbox.state();
    let is_exhausted = state.connections.total() >= state.flow.limit();
    if state.flow.end_doubt(is_exhausted, now) {
        outbox.circuit_opened(state, None);
        return INTERVAL;
    }
    // A connection that still hangs from before must not keep the relay from being probed.
    if state.connections.opening == 0 && state.flow.begin_probe(now) {
        outbox.open_connection(&mut state);
    }
    // The longer the first mail hangs, the more mails may be tried beside it.
    if !state.flow.has_answered() {
        state.admissions.wake();
    }
    outbox
        .terms
        .metrics
        .show_set_aside(state.answers.domains_set_aside(now));
    if !state.flow.pace.is_limited() {
        return INTERVAL;
    }
    state.admissions.wake();
    outbox.balance(&mut state);
    LIMITED_INTERVAL
}
