//! What happens between mails: unused connections are closed, a relay in trouble is probed.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use shared::batch::Lane;

use super::breaker::{Doubt, Pause};
use super::connection::Connection;
use super::slots::Inner;
use super::verdict::Answer;

/// Looks for unused connections until the mailer is gone.
pub(super) fn close_the_unused(inner: &Arc<Inner>) {
    // Often enough that a connection outlives its limit by little.
    let round = (inner.settings.idle_limit / 8).clamp(Duration::from_millis(10), Duration::from_secs(5));
    let mailer = Arc::downgrade(inner);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(round).await;
            let Some(inner) = mailer.upgrade() else { return };
            close_the_stale(&inner).await;
        }
    });
}

/// One after the other, so that a single slot is enough. Where none is free, mails are about to use
/// the idle connections or to end them.
async fn close_the_stale(inner: &Inner) {
    let Some(_slot) = inner.width.try_slot() else { return };
    let mut answers = true;
    while let Some(connection) = inner.idle.stale_one() {
        // Where one goodbye was waited for in vain, the others end without.
        answers = answers && connection.quit().await;
    }
}

/// Asks after a while whether a failed connect was the relay's trouble. By itself, because all
/// mails may be waiting for connections that hang.
pub(super) fn end_doubt(inner: &Arc<Inner>, doubt: Doubt, answer: Answer) {
    let length = inner.settings.doubt_after(&answer);
    let mailer = Arc::downgrade(inner);
    tokio::spawn(async move {
        tokio::time::sleep(length).await;
        let Some(inner) = mailer.upgrade() else { return };
        if let Some(pause) = inner.breaker.doubt_ended(doubt, &answer, inner.width.is_exhausted()) {
            inner.closed(pause);
        }
    });
}

/// Probes the relay, one connection at a time, until it lets one in. Runs by itself, so that the
/// relay is found well even while nobody has a mail for it.
pub(super) fn probe_until_well(inner: &Arc<Inner>, first: Pause) {
    let mailer = Arc::downgrade(inner);
    tokio::spawn(async move {
        let mut next = Some(first);
        while let Some(pause) = next {
            tokio::time::sleep(pause.length).await;
            next = probe(&mailer, &pause).await;
        }
    });
}

/// One probe. The pause until the next one, unless there is no need for one.
async fn probe(mailer: &Weak<Inner>, pause: &Pause) -> Option<Pause> {
    let inner = mailer.upgrade()?;
    inner.width.make_room_for_a_probe();
    let _slot = inner.width.slot(Lane::Interactive).await?;
    if !inner.breaker.is_still_closed(pause) {
        return None;
    }
    // A mail that was refused with all others left its connection, and the slot is for one.
    drop(inner.idle.take_all());
    let ends = Instant::now() + inner.settings.deadlines.attempt;
    match Connection::open(&inner.terms, ends).await {
        Ok(connection) => {
            if let Some(unwanted) = inner.idle.park(connection) {
                unwanted.quit().await;
            }
            inner.breaker.let_one_try(pause);
            None
        }
        Err(answer) => inner.breaker.next_pause(pause, &answer),
    }
}
