//! What happens beside mails: unused connections are closed, a doubt about the relay is settled, a
//! relay in trouble is probed.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use shared::batch::Lane;

use super::breaker::{Doubt, Pause};
use super::connection::Connection;
use super::slots::Slots;
use super::verdict::Answer;

/// Looks for unused connections until the mailer is gone.
pub(super) fn close_the_unused(slots: &Arc<Slots>) {
    // Often enough that a connection outlives its limit by little.
    let round = (slots.settings.idle_limit / 8).clamp(Duration::from_millis(10), Duration::from_secs(5));
    let mailer = Arc::downgrade(slots);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(round).await;
            let Some(slots) = mailer.upgrade() else { return };
            close_the_stale(&slots).await;
        }
    });
}

/// One after the other, so that a single slot is enough. Where none is free, mails are about to use
/// the idle connections or to end them.
async fn close_the_stale(slots: &Slots) {
    let Some(_slot) = slots.width.try_slot() else { return };
    let mut answers = true;
    while let Some(connection) = slots.idle.stale_one() {
        // Where one goodbye was waited for in vain, the others end without.
        answers = answers && connection.quit().await;
    }
}

/// Asks after a while whether a failed connect was the relay's trouble. By itself, because all
/// mails may be waiting for connections that hang.
pub(super) fn end_doubt(slots: &Arc<Slots>, doubt: Doubt, answer: Answer) {
    let length = slots.settings.doubt_after(&answer);
    let mailer = Arc::downgrade(slots);
    tokio::spawn(async move {
        tokio::time::sleep(length).await;
        let Some(slots) = mailer.upgrade() else { return };
        if let Some(pause) = slots.breaker.doubt_ended(doubt, &answer, slots.width.is_exhausted()) {
            slots.closed(pause);
        }
    });
}

/// Probes the relay, one connection at a time, until it lets one in. Runs by itself, so that the
/// relay is found well even while nobody has a mail for it.
pub(super) fn probe_until_well(slots: &Arc<Slots>, first: Pause) {
    let mailer = Arc::downgrade(slots);
    tokio::spawn(async move {
        let mut next = Some(first);
        while let Some(pause) = next {
            tokio::time::sleep(pause.length).await;
            next = probe(&mailer, &pause).await;
        }
    });
}

/// One probe. The pause until the next one, unless there is no need for one.
async fn probe(mailer: &Weak<Slots>, pause: &Pause) -> Option<Pause> {
    let slots = mailer.upgrade()?;
    slots.width.make_room_for_a_probe();
    let _slot = slots.width.slot(Lane::Interactive).await?;
    if !slots.breaker.is_still_closed(pause) {
        return None;
    }
    // A mail that was refused with all others left its connection, and the slot is for one.
    drop(slots.idle.take_all());
    let ends = Instant::now() + slots.settings.deadlines.attempt;
    match Connection::open(&slots.terms, ends).await {
        Ok(connection) => {
            if let Some(unwanted) = slots.idle.park(connection) {
                unwanted.quit().await;
            }
            slots.breaker.let_one_try(pause);
            None
        }
        Err(answer) => slots.breaker.next_pause(pause, &answer),
    }
}
