//! Publishes one lane's due deliveries, round by round.
//!
//! A round reads due deliveries fairly from callers and batches, no more than the window and the rate
//! allow. It publishes them, waits for the broker's confirms and moves the batches' cursors. Publishing comes
//! first, so a worker may receive a job before the cursor has moved past it; the claim accepts it anyway. A
//! crash between the two publishes some jobs twice, and the claim drops the duplicates.

use crate::fault::Fault;
use crate::heartbeat::Rounds;
use crate::metrics::DispatcherMetrics;
use crate::spans;
use crate::token_bucket::TokenBucket;
use crate::window::Window;
use shared::batch::Lane;
use shared::failpoint::{Point, reach};
use shared::job::Job;
use shared::queue::{self, JOB_LIFETIME, Outgoing, Published, QueueError, queue_of};
use shared::reconnect::Delays;
use shared::store::dispatch::{self as rows, Due, DueRound, LastServed, Round};
use shared::store::dispatcher_lease::DispatcherLease;
use shared::store::{Db, StoreError};
use shared::trace::{TraceContext, now};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use uuid::Uuid;

/// Maximum number of jobs per round. The broker is at full speed with a thousand unconfirmed jobs.
const MAX_ROUND: i64 = 2_000;

/// Maximum number of callers whose last batch is remembered.
const MAX_CALLERS: usize = 10_000;

/// A job unclaimed for this long is no longer in the queue: the broker has dropped it.
pub(super) const QUEUE_LEASE: Duration = JOB_LIFETIME.saturating_add(Duration::from_mins(1));

/// How often to poll. Retries and scheduled batches become due without a notification.
const POLL: Duration = Duration::from_millis(500);

/// Delay before the next round after the broker refused jobs.
const REFUSED_POLL: Duration = Duration::from_secs(1);

/// After this time without a single accepted job, the publisher continues on a new channel. A queue that is full refuses
/// for longer, and then the new channel changes nothing.
const REOPEN_INTERVAL: Duration = Duration::from_secs(5);

/// Decides when to replace a channel on which the broker refuses every job.
#[derive(Default)]
struct RefusedRounds {
    /// The first refused round since the last accepted job or the last new channel.
    since: Option<Instant>,
}

impl RefusedRounds {
    /// Records a round. Returns whether to replace the channel.
    fn record(&mut self, published: &Published, now: Instant) -> bool {
        if !published.confirmed.is_empty() || published.refused.is_empty() {
            self.since = None;
            return false;
        }
        let since = *self.since.get_or_insert(now);
        let is_due = now.duration_since(since) >= REOPEN_INTERVAL;
        if is_due {
            self.since = None;
        }
        is_due
    }
}

/// What to do after a round.
enum Pace {
    /// More deliveries may be due.
    More,
    /// The window is full.
    Full,
    /// The rate limit allows the next delivery after this time.
    Limited(Duration),
    /// The broker refused some jobs. They are retried after a pause.
    Refused,
    /// No delivery is due.
    Idle,
}

/// Shared state of both publishers.
pub(super) struct Parts {
    pub(super) db: Db,
    pub(super) lease: DispatcherLease,
    pub(super) bucket: Arc<TokenBucket>,
    pub(super) rounds: Arc<Rounds>,
    pub(super) metrics: Arc<DispatcherMetrics>,
}

/// The publisher of one lane.
///
/// Each publisher has its own channel, so late confirms in one lane do not hold up the other.
pub(super) struct Publisher {
    lane: Lane,
    channel: queue::Publisher,
    window: Window,
    /// The last batch served for each caller. The next round continues after it.
    served: HashMap<String, Uuid>,
    /// The last caller served.
    last: String,
    refused_rounds: RefusedRounds,
    parts: Parts,
}

impl Publisher {
    pub(super) fn new(lane: Lane, channel: queue::Publisher, rate: Option<f64>, parts: Parts) -> Self {
        Self {
            lane,
            channel,
            window: Window::new(rate),
            served: HashMap::new(),
            last: String::new(),
            refused_rounds: RefusedRounds::default(),
            parts,
        }
    }

    /// Publishes until the session ends or `stop` is cancelled. `stop` is checked between rounds.
    pub(super) async fn run(mut self, wake: &Notify, stop: &CancellationToken) -> Result<(), QueueError> {
        let mut delays = Delays::for_a_near_server();
        while !stop.is_cancelled() {
            let mut is_refused = false;
            let pace = match self.one_round().await {
                Ok(pace) => {
                    delays.reset();
                    is_refused = matches!(pace, Pace::Refused);
                    if !is_refused {
                        self.parts.rounds.completed(self.lane);
                    }
                    match pace {
                        Pace::More => continue,
                        Pace::Full => self.window.poll_interval(),
                        Pace::Limited(wait) => wait,
                        Pace::Refused => REFUSED_POLL,
                        Pace::Idle => POLL,
                    }
                }
                Err(Fault::Queue(fault)) => return Err(fault),
                Err(Fault::Store(fault)) => {
                    let delay = delays.next_delay();
                    warn!(
                        lane = self.lane.as_str(),
                        error = %fault,
                        cause = %fault.cause(),
                        retry_seconds = delay.as_secs_f32(),
                        "Could not read due deliveries; retrying"
                    );
                    delay
                }
            };
            tokio::select! {
                // More work does not make a queue that refuses accept it.
                () = wake.notified(), if !is_refused => {}
                () = tokio::time::sleep(pace) => {}
                () = stop.cancelled() => {}
            }
        }
        Ok(())
    }

    async fn one_round(&mut self) -> Result<Pace, Fault> {
        let lane = self.lane;
        let (db, bucket) = (self.parts.db.clone(), Arc::clone(&self.parts.bucket));
        let queued = rows::queued(&db, self.parts.lease, lane).await?;
        self.parts.metrics.queued(lane, queued);
        bucket.refill(lane, queued, Instant::now());
        let available = self.window.available(queued, Instant::now()).min(MAX_ROUND);
        if available == 0 {
            return Ok(Pace::Full);
        }
        // Read even if the rate allows none: a lane without due deliveries leaves its share to the other.
        let allowed = bucket.allow(lane, available);
        let DueRound { due, idle } = rows::due(&db, lane, allowed.max(1), &self.last_served()).await?;
        let (late, due): (Vec<Due>, Vec<Due>) = due.into_iter().partition(|due| due.is_late);
        self.end_late(&late).await?;
        bucket.set_due(lane, !due.is_empty());
        if due.is_empty() {
            self.record_progress(&[], &Published::default(), idle).await?;
            return Ok(if late.is_empty() { Pace::Idle } else { Pace::More });
        }
        if allowed == 0 {
            return Ok(Pace::Limited(bucket.wait()));
        }
        reach(Point::DueRead);
        bucket.take(lane, due.len());
        let published = self.publish(&due).await?;
        reach(Point::JobsConfirmed);
        bucket.refund(lane, due.len() - published.confirmed.len());
        self.remember(&due, &published);
        self.record_progress(&due, &published, idle).await?;
        reach(Point::JobsMarked);
        let is_full = i64::try_from(due.len()).is_ok_and(|count| count >= available) && available < MAX_ROUND;
        if self.refused_rounds.record(&published, Instant::now()) {
            self.channel.reopen().await?;
            info!(
                lane = lane.as_str(),
                "RabbitMQ refused all jobs; publishing on a new channel"
            );
        }
        self.after(&published, is_full)
    }

    fn last_served(&self) -> LastServed {
        let (callers, batches) = self
            .served
            .iter()
            .map(|(caller, batch)| (caller.clone(), *batch))
            .unzip();
        LastServed {
            callers,
            batches,
            last: self.last.clone(),
        }
    }

    fn remember(&mut self, due: &[Due], published: &Published) {
        self.window.add(published.confirmed.len());
        // Callers that are forgotten start again with their first batch.
        if self.served.len() > MAX_CALLERS {
            self.served.clear();
        }
        for due in due {
            self.served.insert(due.caller.clone(), due.batch);
            self.last.clone_from(&due.caller);
        }
    }

    async fn end_late(&self, late: &[Due]) -> Result<(), StoreError> {
        if late.is_empty() {
            return Ok(());
        }
        let ended = rows::end_late(&self.parts.db, self.parts.lease, late).await?;
        self.parts.metrics.sweeps.with_label_values(&["given_up"]).inc_by(ended);
        Ok(())
    }

    async fn publish(&mut self, due: &[Due]) -> Result<Published, QueueError> {
        let (lane, metrics) = (self.lane, &self.parts.metrics);
        let round: Vec<Outgoing> = due
            .iter()
            .map(|due| Outgoing {
                job: due.job(),
                lane,
                trace: TraceContext::of_intake(&due.trace_id, due.batch)
                    .child()
                    .for_job(lane, due.job()),
            })
            .collect();
        let (timer, began) = (metrics.publish_duration.start_timer(), now());
        let published = self.channel.publish(&round).await;
        timer.observe_duration();
        match published {
            Ok(published) => {
                metrics.count_published(&published);
                spans::emit_round(lane, due, &round, &published, began);
                Ok(published)
            }
            Err(fault) => {
                let lost = metrics.publishes.with_label_values(&["lost"]);
                lost.inc_by(round.len() as u64);
                Err(fault.about_queue(queue_of(lane)))
            }
        }
    }

    /// Moves the batches' cursors and marks the batches that have nothing due.
    async fn record_progress(&self, due: &[Due], published: &Published, idle: Vec<Uuid>) -> Result<(), StoreError> {
        let taken: HashSet<Job> = published.confirmed.iter().copied().collect();
        let (published, refused): (Vec<&Due>, Vec<&Due>) = due.iter().partition(|due| taken.contains(&due.job()));
        let mut batches: HashSet<Uuid> = due.iter().map(|due| due.batch).collect();
        batches.extend(idle);
        if batches.is_empty() {
            return Ok(());
        }
        debug!(
            lane = self.lane.as_str(),
            due = due.len(),
            published = published.len(),
            batches = batches.len(),
            "Published due deliveries"
        );
        let round = Round {
            published,
            refused,
            batches: batches.into_iter().collect(),
        };
        rows::mark_published(&self.parts.db, self.parts.lease, &round, QUEUE_LEASE).await
    }

    fn after(&self, published: &Published, is_full: bool) -> Result<Pace, Fault> {
        let lane = self.lane;
        if !published.returned.is_empty() {
            // The queue is gone. A new session declares it again.
            return Err(QueueError::Missing { queue: queue_of(lane) }.into());
        }
        if !published.refused.is_empty() {
            warn!(
                lane = lane.as_str(),
                refused = published.refused.len(),
                queue = queue_of(lane),
                "RabbitMQ did not accept jobs, and they stay due: a policy limits the queue, or most of its members \
                 are down (see rabbitmq-queues quorum_status)"
            );
            return Ok(Pace::Refused);
        }
        Ok(if is_full { Pace::Full } else { Pace::More })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_that_refuses_every_job_is_replaced_once_per_interval() {
        let mut rounds = RefusedRounds::default();
        let job = Job {
            delivery: Uuid::nil(),
            attempt: 1,
        };
        let refused = Published {
            refused: vec![job],
            ..Published::default()
        };
        let partly = Published {
            confirmed: vec![job],
            refused: vec![job],
            ..Published::default()
        };
        let began = Instant::now();
        let mut at =
            |published: &Published, seconds: u64| rounds.record(published, began + Duration::from_secs(seconds));

        assert_eq!(
            [0, 1, 4, 5, 6, 10, 11].map(|seconds| at(&refused, seconds)),
            [false, false, false, true, false, false, true]
        );
        assert!(!at(&partly, 16), "some jobs are accepted");
        assert!(!at(&refused, 17), "the interval begins again");
        assert!(!at(&Published::default(), 30), "nothing was due");
    }
}
