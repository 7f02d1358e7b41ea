//! Consumes a lane's jobs and feeds them into the pipeline.
//!
//! A queued job can still be stopped, counted and given to another worker; a claimed one cannot. So a job is
//! claimed only when its mail can be sent at once ([`crate::send::Mailer::admit`]). A few more are buffered
//! unclaimed, so that a fast relay never waits for the broker. If these find no room for a while because
//! mails hang at the relay, they are given back through Postgres, where an idle worker may get them, and
//! consuming stops until there is room. The same happens before the session is closed. Returning them to the
//! broker would count as another delivery, and RabbitMQ 4 drops a job after twenty.
//!
//! While the relay limits the rate, a lane receives only a few seconds' work ([`prefetch`]). Each worker learns
//! its own rate, so otherwise a worker with a low rate could hold all queued jobs while the others are idle.

use crate::acks::Acks;
use crate::pipeline::Pipeline;
use crate::work::Work;
use futures_util::FutureExt as _;
use shared::batch::Lane;
use shared::failpoint::{Point, reach};
use shared::lifecycle::Lifecycle;
use shared::queue::{Inbox, Jobs, QueueError, Received};
use shared::store::{Db, dispatch};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Seconds of work that a lane may receive while the rate is limited. Half a second's is at the relay, up to one
/// second's waits for its acknowledgement, and the rest is unclaimed.
const LIMITED_AHEAD: f64 = 3.0;

/// Minimum of that: one mail at the relay, one that waits for a token, and their successors.
const MIN_LIMITED: f64 = 4.0;

/// Prefetch of a lane: enough for a fast relay while groups are claimed and recorded, and for the broker to
/// deliver in few large writes. The dispatcher leaves jobs for other workers by publishing at most one
/// second's work ahead, but never fewer than some hundred jobs. At a limited rate of this many mails per second
/// those take minutes, so the worker receives a few seconds' work.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the limits of a lane"
)]
fn prefetch(lane: Lane, rate: Option<f64>) -> u16 {
    let most = match lane {
        Lane::Interactive => 256,
        Lane::Bulk => 2_048,
    };
    rate.map_or(most, |rate| {
        (rate * LIMITED_AHEAD).ceil().clamp(MIN_LIMITED, f64::from(most)) as u16
    })
}

/// Whether a consumer with this prefetch is worth replacing by one with another: the prefetch of a consumer is
/// fixed, and replacing it costs a few round trips.
///
/// A learnt rate moves by some per cent every two seconds and never falls by more than half at once. A factor of
/// two in either direction leaves the consumer alone while the rate swings around the relay's limit.
const fn is_far_from(opened: u16, wanted: u16) -> bool {
    opened > wanted.saturating_mul(2) || wanted > opened.saturating_mul(2)
}

/// Maximum number of jobs per claim.
const MAX_GROUP: usize = 256;

/// How long a job waits for enough jobs, and enough room, to make a group worth its statement.
const LINGER: Duration = Duration::from_millis(25);

/// Jobs that find no room for this long are released.
const STUCK_AFTER: Duration = Duration::from_secs(2);

/// Timeout for giving jobs back before the session is closed. Any left then are redelivered by the broker.
const RETURN_TIMEOUT: Duration = Duration::from_secs(3);

/// The consumer of one lane in a session.
pub(crate) struct LaneConsumer<P> {
    pub(crate) lane: Lane,
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) db: Db,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) acks: Acks,
    /// Cancelled when the session is to be closed: processing is blocked, or the process stops.
    pub(crate) leave: CancellationToken,
    /// Sets aside a message that is not a job.
    pub(crate) park: P,
}

/// Jobs that are received but not claimed.
struct Unclaimed {
    jobs: VecDeque<Work>,
    /// When one of them was last claimed, or when the first arrived.
    moved_at: Instant,
    /// Until when they wait for more jobs.
    lingers_until: Instant,
}

impl<P: Fn(Received, &'static str)> LaneConsumer<P> {
    /// Consumes jobs until the session ends or is to be closed; in the latter case unclaimed jobs are given
    /// back first. `opened` is called once the queue has answered. Jobs dropped because the session ends are
    /// unacknowledged and go to another worker.
    pub(crate) async fn run(self, mut inbox: Inbox, opened: impl FnOnce()) -> Result<(), QueueError> {
        let room = self.pipeline.mailer.capacity_notify(self.lane);
        let mut opened = Some(opened);
        loop {
            let prefetch = self.prefetch();
            let jobs = tokio::select! {
                jobs = inbox.open(prefetch) => jobs?,
                () = self.leave.cancelled() => return Ok(()),
            };
            if let Some(opened) = opened.take() {
                opened();
            }
            let Some(emptied) = self.consume(jobs, prefetch, &room).await? else {
                return Ok(());
            };
            inbox = emptied;
            tokio::select! {
                () = self.wait_for_room(&room) => {}
                () = self.leave.cancelled() => return Ok(()),
            }
        }
    }

    fn prefetch(&self) -> u16 {
        prefetch(self.lane, self.pipeline.mailer.rate_limit())
    }

    /// Claims jobs as they arrive, until they are stuck or the rate limit calls for another prefetch. The
    /// returned inbox no longer receives; `None` means that the session is to be closed.
    async fn consume(&self, mut jobs: Jobs, prefetch: u16, room: &Notify) -> Result<Option<Inbox>, QueueError> {
        let mut unclaimed = Unclaimed {
            jobs: VecDeque::new(),
            moved_at: Instant::now(),
            lingers_until: Instant::now(),
        };
        let mut is_urgent = false;
        loop {
            tokio::select! {
                () = self.pipeline.ready() => {}
                () = self.leave.cancelled() => {}
            }
            if self.leave.is_cancelled() {
                self.return_unclaimed(jobs, unclaimed).await;
                return Ok(None);
            }
            self.claim_some(&mut unclaimed, is_urgent);
            is_urgent = false;
            if unclaimed.is_stuck() || is_far_from(prefetch, self.prefetch()) {
                return self.release_unclaimed(jobs, unclaimed).await.map(Some);
            }
            tokio::select! {
                received = jobs.next() => {
                    self.take(received?, jobs.queue(), &mut unclaimed);
                    while let Some(received) = jobs.next().now_or_never() {
                        self.take(received?, jobs.queue(), &mut unclaimed);
                    }
                }
                () = room.notified() => {}
                () = tokio::time::sleep_until(unclaimed.lingers_until), if !unclaimed.jobs.is_empty() => {
                    is_urgent = true;
                    unclaimed.lingers_until = Instant::now() + LINGER;
                }
                () = self.leave.cancelled() => {}
            }
        }
    }

    /// Gives back unclaimed jobs before the session is closed.
    async fn return_unclaimed(&self, jobs: Jobs, unclaimed: Unclaimed) {
        let count = unclaimed.jobs.len();
        let leaving = async {
            self.release_unclaimed(jobs, unclaimed).await?;
            self.acks.flushed().await;
            Ok::<_, QueueError>(())
        };
        let why = match tokio::time::timeout(RETURN_TIMEOUT, leaving).await {
            Ok(Ok(())) => return,
            Ok(Err(fault)) => fault.to_string(),
            Err(_) => format!("not within {} s", RETURN_TIMEOUT.as_secs()),
        };
        // Unacknowledged, they go to another worker with the session.
        warn!(
            lane = self.lane.as_str(),
            count,
            error = why,
            "Could not return jobs; RabbitMQ redelivers them"
        );
    }

    fn take(&self, received: Received, queue: &'static str, unclaimed: &mut Unclaimed) {
        reach(Point::JobReceived);
        self.pipeline.metrics.count_received(self.lane, received.redelivered);
        match received.job {
            Ok(job) => {
                if unclaimed.jobs.is_empty() {
                    unclaimed.moved_at = Instant::now();
                    unclaimed.lingers_until = unclaimed.moved_at + LINGER;
                }
                unclaimed.jobs.push_back(Work {
                    job,
                    tag: received.tag,
                    lane: self.lane,
                    trace: received.trace,
                    acks: self.acks.clone(),
                    in_progress: self.pipeline.metrics.in_progress(self.lane),
                });
            }
            Err(_) => (self.park)(received, queue),
        }
    }

    /// Claims as many jobs as have room, in groups.
    fn claim_some(&self, unclaimed: &mut Unclaimed, is_urgent: bool) {
        while !unclaimed.jobs.is_empty() {
            let most = unclaimed.jobs.len().min(MAX_GROUP);
            let permits = self.pipeline.mailer.admit(self.lane, most, is_urgent);
            if permits.is_empty() {
                return;
            }
            unclaimed.moved_at = Instant::now();
            unclaimed.lingers_until = unclaimed.moved_at + LINGER;
            let group: Vec<Work> = unclaimed.jobs.drain(..permits.len()).collect();
            let pipeline = Arc::clone(&self.pipeline);
            self.lifecycle.spawn(async move { pipeline.run(group, permits).await });
        }
    }

    /// Stops receiving and makes the unclaimed jobs due again for any worker.
    async fn release_unclaimed(&self, jobs: Jobs, unclaimed: Unclaimed) -> Result<Inbox, QueueError> {
        let (inbox, received) = jobs.cancel().await?;
        let mut unclaimed = unclaimed;
        for received in received {
            self.take(received, inbox.queue(), &mut unclaimed);
        }
        let given_back: Vec<_> = unclaimed.jobs.iter().map(|work| work.job).collect();
        if given_back.is_empty() {
            return Ok(inbox);
        }
        match dispatch::make_due_again(&self.db, &given_back).await {
            Ok(()) => {
                unclaimed.jobs.iter().for_each(|work| work.acks.ack(work.tag));
                info!(
                    lane = self.lane.as_str(),
                    count = given_back.len(),
                    "Gave back deliveries that were not begun; they are due again for any worker"
                );
            }
            // They stay unacknowledged and go to another worker when the session ends.
            Err(fault) => warn!(error = %fault, cause = %fault.cause(), "Could not give deliveries back"),
        }
        Ok(inbox)
    }

    async fn wait_for_room(&self, room: &Notify) {
        while self.pipeline.mailer.admit(self.lane, 1, true).is_empty() {
            room.notified().await;
        }
    }
}

impl Unclaimed {
    fn is_stuck(&self) -> bool {
        !self.jobs.is_empty() && self.moved_at.elapsed() > STUCK_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limited_lane_receives_a_few_seconds_of_work() {
        for (rate, bulk, interactive) in [
            (None, 2_048, 256),
            (Some(0.05), 4, 4),
            (Some(1.0), 4, 4),
            (Some(14.0), 42, 42),
            (Some(100.0), 300, 256),
            (Some(4_999.0), 2_048, 256),
        ] {
            assert_eq!(prefetch(Lane::Bulk, rate), bulk, "{rate:?}");
            assert_eq!(prefetch(Lane::Interactive, rate), interactive, "{rate:?}");
        }
    }

    #[test]
    fn a_consumer_is_replaced_when_the_limit_comes_and_goes_and_not_while_the_rate_swings() {
        let bulk = |rate| prefetch(Lane::Bulk, rate);
        let limited = bulk(Some(14.0));

        assert!(is_far_from(bulk(None), limited) && is_far_from(limited, bulk(None)));
        for rate in [7.0, 9.1, 12.0, 14.0, 17.4, 25.0, 28.0] {
            assert!(!is_far_from(limited, bulk(Some(rate))), "{rate}");
        }
        assert!(is_far_from(limited, bulk(Some(6.5))) && is_far_from(limited, bulk(Some(29.0))));
    }
}
