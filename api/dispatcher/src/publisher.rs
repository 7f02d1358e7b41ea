//! Publishes one lane's due deliveries, round by round.
//!
//! A round takes what is due, in turns between callers and batches, no more than the window and the
//! rate allow; publishes it; waits for the broker's confirms; and notes how far it came. Publishing
//! comes before noting, so a job may reach a worker before it is noted: the claim takes it all the
//! same. Dying between the two costs a second copy of some jobs, which the claim drops.

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
use shared::store::dispatcher_lease::Turn;
use shared::store::{Db, StoreError};
use shared::trace::{TraceContext, now};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};
use uuid::Uuid;

/// Jobs published in one round at most. A window of confirms of a thousand is as fast as the broker
/// gets.
const ROUND_MOST: i64 = 2_000;

/// Callers whose turns are remembered.
const CALLERS_MOST: usize = 10_000;

/// A job unclaimed for this long has surely left the queue: the broker has dropped it.
pub(super) const QUEUE_LEASE: Duration = JOB_LIFETIME.saturating_add(Duration::from_mins(1));

/// How often to look without being woken: retries and scheduled batches fall due silently.
const POLL: Duration = Duration::from_millis(500);

/// How soon to publish again after the broker refused jobs.
const REFUSED_POLL: Duration = Duration::from_secs(1);

/// What to do after a round.
enum Pace {
    /// There may be more.
    More,
    /// The window is full.
    Full,
    /// The rate allows the next one after this long.
    Limited(Duration),
    /// The broker refused some; it is asked again after a while.
    Refused,
    /// Nothing is due.
    Idle,
}

/// Why a round was not completed.
enum Fault {
    /// The session is over.
    Queue(QueueError),
    /// Postgres; the round is tried again.
    Store(StoreError),
}

impl From<QueueError> for Fault {
    fn from(fault: QueueError) -> Self {
        Self::Queue(fault)
    }
}

impl From<StoreError> for Fault {
    fn from(fault: StoreError) -> Self {
        Self::Store(fault)
    }
}

/// What the publishers of both lanes have in common.
pub(super) struct Parts {
    pub(super) db: Db,
    pub(super) turn: Turn,
    pub(super) bucket: Arc<TokenBucket>,
    pub(super) rounds: Arc<Rounds>,
    pub(super) metrics: Arc<DispatcherMetrics>,
}

/// The publisher of one lane. Its channel is its own: confirms that stay away in one lane would
/// hold up those of the other.
pub(super) struct Publisher {
    lane: Lane,
    channel: queue::Publisher,
    window: Window,
    /// The batch of each caller whose mail went last. They take turns from there on.
    served: HashMap<String, Uuid>,
    /// The caller whose mail went last.
    last: String,
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
            parts,
        }
    }

    /// Publishes until the session is over or `stop` is cancelled, which is heeded between rounds.
    pub(super) async fn run(mut self, wake: &Notify, stop: &CancellationToken) -> Result<(), QueueError> {
        let mut delays = Delays::for_a_near_server();
        while !stop.is_cancelled() {
            let pace = match self.one_round().await {
                Ok(pace) => {
                    delays.reset();
                    if !matches!(pace, Pace::Refused) {
                        self.parts.rounds.completed(self.lane);
                    }
                    match pace {
                        Pace::More => continue,
                        Pace::Full => self.window.next_look(),
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
                        "Could not read what is due; trying again"
                    );
                    delay
                }
            };
            tokio::select! {
                () = wake.notified() => {}
                () = tokio::time::sleep(pace) => {}
                () = stop.cancelled() => {}
            }
        }
        Ok(())
    }

    async fn one_round(&mut self) -> Result<Pace, Fault> {
        let lane = self.lane;
        let (db, bucket) = (self.parts.db.clone(), Arc::clone(&self.parts.bucket));
        let queued = rows::queued(&db, lane).await?;
        self.parts.metrics.queued(lane, queued);
        bucket.look(lane, queued, Instant::now());
        let room = self.window.room(queued, Instant::now()).min(ROUND_MOST);
        if room == 0 {
            return Ok(Pace::Full);
        }
        // Also read where the rate allows none, because a lane that wants none leaves it to the other.
        let allowed = bucket.allow(lane, room);
        let DueRound { due, idle } = rows::due(&db, lane, allowed.max(1), &self.last_served()).await?;
        let (late, due): (Vec<Due>, Vec<Due>) = due.into_iter().partition(|due| due.is_late);
        self.end_late(&late).await?;
        bucket.wants(lane, !due.is_empty());
        if due.is_empty() {
            self.note(&[], &Published::default(), idle).await?;
            return Ok(if late.is_empty() { Pace::Idle } else { Pace::More });
        }
        if allowed == 0 {
            return Ok(Pace::Limited(bucket.wait()));
        }
        reach(Point::DueRead);
        bucket.take(lane, due.len());
        let published = self.publish(&due).await?;
        reach(Point::JobsConfirmed);
        bucket.give_back(lane, due.len() - published.confirmed.len());
        self.remember(&due, &published);
        self.note(&due, &published, idle).await?;
        reach(Point::JobsMarked);
        let is_full = i64::try_from(due.len()).is_ok_and(|count| count >= room) && room < ROUND_MOST;
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
        // Callers that are forgotten begin with their first batch again.
        if self.served.len() > CALLERS_MOST {
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
        let ended = rows::end_late(&self.parts.db, self.parts.turn, late).await?;
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
                spans::tell_round(lane, due, &round, &published, began);
                Ok(published)
            }
            Err(fault) => {
                let lost = metrics.publishes.with_label_values(&["lost"]);
                lost.inc_by(round.len() as u64);
                Err(fault.about_queue(queue_of(lane)))
            }
        }
    }

    /// Notes how far the batches came, and of which of them nothing is due.
    async fn note(&self, due: &[Due], published: &Published, idle: Vec<Uuid>) -> Result<(), StoreError> {
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
            "Published what was due"
        );
        let round = Round {
            published,
            refused,
            batches: batches.into_iter().collect(),
        };
        rows::mark_published(&self.parts.db, self.parts.turn, &round, QUEUE_LEASE).await
    }

    fn after(&self, published: &Published, is_full: bool) -> Result<Pace, Fault> {
        let lane = self.lane;
        if !published.returned.is_empty() {
            // The queue is gone; a new session declares it again.
            return Err(QueueError::Missing { queue: queue_of(lane) }.into());
        }
        if !published.refused.is_empty() {
            warn!(
                lane = lane.as_str(),
                refused = published.refused.len(),
                queue = queue_of(lane),
                "RabbitMQ did not take jobs, and they stay due: a policy limits the queue, or most of its members are \
                 away (see rabbitmq-queues quorum_status)"
            );
            return Ok(Pace::Refused);
        }
        Ok(if is_full { Pace::Full } else { Pace::More })
    }
}
