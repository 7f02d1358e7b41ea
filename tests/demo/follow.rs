//! Follows a batch until its last delivery has ended.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use harness::World;
use harness::relay::Behaviour;
use uuid::Uuid;

use crate::api::{Api, Batch};
use crate::fault::{Fault, Result};
use crate::system;
use crate::voice::{Voice, counted};

/// Polling interval.
const PULSE: Duration = Duration::from_millis(100);

/// Without any change for this long, something is wrong. Retries come after two seconds.
const STANDSTILL: Duration = Duration::from_mins(1);

/// The window over which the rate is measured.
const RATE_OVER: Duration = Duration::from_secs(3);

/// Final states of a delivery.
pub(crate) const ENDED: [&str; 5] = ["sent", "failed", "suppressed", "cancelled", "expired"];

/// How fast deliveries end.
#[derive(Default)]
struct Pace {
    total: u64,
    looks: Vec<(Instant, u64)>,
}

/// Shows progress until the batch is finished, and returns it and how long it took.
///
/// `broken` are addresses for which the relay breaks the connection, once for each.
pub(crate) async fn to_the_end(
    world: &World,
    api: &Api,
    batch: Uuid,
    broken: &[String],
    voice: &mut Voice,
) -> Result<(Batch, Duration)> {
    let started = Instant::now();
    let mut last_change = (Instant::now(), None);
    let mut pace = Pace::default();
    loop {
        let now = api.batch(batch).await?;
        if now.finished_at.is_some() {
            return Ok((now, started.elapsed()));
        }
        mend_lines(world, broken);
        system::check_programs(world)?;
        voice.progress(&pace.line(&now))?;
        if last_change.1.as_ref() != Some(&now.counts) {
            last_change = (Instant::now(), Some(now.counts));
        } else if last_change.0.elapsed() > STANDSTILL {
            let reason = now.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
            return Err(Fault::new(
                format!("the batch is {}{reason} and nothing has moved for a minute", now.state),
                "please report it with the end of the logs below",
            )
            .seen(system::log_tails(world)));
        }
        tokio::time::sleep(PULSE).await;
    }
}

/// A connection that broke once works from then on.
fn mend_lines(world: &World, broken: &[String]) {
    if broken.is_empty() {
        return;
    }
    let log = world.relay.log();
    let reached = log.iter().filter(|transaction| transaction.kept);
    for transaction in reached.filter(|transaction| broken.contains(&transaction.recipient)) {
        world.relay.set(&transaction.recipient, Behaviour::Accept);
    }
}

impl Pace {
    /// "640 of 1,000: 628 sent, 12 failed, 4 to retry, 310 a second, 2 s left": short enough for one line of a
    /// terminal, because only one line can be rewritten.
    fn line(&mut self, batch: &Batch) -> String {
        self.total = batch.of("selected") - batch.of("left_out");
        let ended = batch.sum(&ENDED);
        self.looks.push((Instant::now(), ended));
        let mut line = format!(
            "{} of {}: {} sent, {} failed, {} to retry",
            counted(ended),
            counted(self.total),
            counted(batch.of("sent")),
            counted(batch.of("failed")),
            counted(batch.of("retrying")),
        );
        if batch.of("retrying") == self.total - ended && ended < self.total {
            line.push_str(" in a moment");
        } else if let Some(rate) = self.rate() {
            let left = self.total.saturating_sub(ended).div_ceil(rate);
            let _ = write!(line, ", {} a second, {} s left", counted(rate), counted(left));
        }
        line
    }

    /// Deliveries per second; `None` before the first.
    fn rate(&self) -> Option<u64> {
        let now = Instant::now();
        let first = self.looks.iter().find(|(at, _)| now - *at < RATE_OVER)?;
        let last = self.looks.last()?;
        let milliseconds = u64::try_from((last.0 - first.0).as_millis()).ok()?;
        let rate = (last.1 - first.1) * 1_000 / milliseconds.max(1);
        (rate > 0).then_some(rate)
    }
}
