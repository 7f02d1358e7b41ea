//! Consumes a lane's jobs and feeds them into the pipeline.
//!
//! A queued job can still be stopped, counted and given to another worker; a claimed one cannot. So a job is
//! claimed only when its mail can be sent at once ([`crate::send::Mailer::admit`]). A few more are buffered
//! unclaimed, so that a fast relay never waits for the broker. If these find no room for a while because
//! mails hang at the relay, they are given back through Postgres, where an idle worker may get them, and
//! consuming stops until there is room. The same happens before the session is closed. Returning them to the
//! broker would count as another delivery, and RabbitMQ 4 drops a job after twenty.
//!
//! A lane receives only a few seconds' work ([`crate::prefetch`]), so that no worker holds all queued jobs while the
//! others are idle.

use crate::acks::Acks;
use crate::pipeline::Pipeline;
use crate::prefetch::{Prefetch, is_far_from};
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
        let mut measured = Prefetch::new(self.lane);
        loop {
            let prefetch = self.prefetch(&measured);
            let jobs = tokio::select! {
                jobs = inbox.open(prefetch) => jobs?,
                () = self.leave.cancelled() => return Ok(()),
            };
            if let Some(opened) = opened.take() {
                opened();
            }
            let Some(emptied) = self.consume(jobs, prefetch, &mut measured, &room).await? else {
                return Ok(());
            };
            inbox = emptied;
            tokio::select! {
                () = self.wait_for_room(&room) => {}
                () = self.leave.cancelled() => return Ok(()),
            }
        }
    }

    fn prefetch(&self, measured: &Prefetch) -> u16 {
        measured.jobs(self.pipeline.mailer.rate_limit())
    }

    /// Claims jobs as they arrive, until they are stuck or the rate calls for another prefetch. The
    /// returned inbox no longer receives; `None` means that the session is to be closed.
    async fn consume(
        &self,
        mut jobs: Jobs,
        prefetch: u16,
        measured: &mut Prefetch,
        room: &Notify,
    ) -> Result<Option<Inbox>, QueueError> {
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
            let claimed = self.claim_some(&mut unclaimed, is_urgent);
            is_urgent = false;
            measured.observe(claimed, unclaimed.jobs.len(), prefetch, Instant::now());
            if unclaimed.is_stuck() || is_far_from(prefetch, self.prefetch(measured)) {
                measured.given_back();
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

    /// Claims as many jobs as have room, in groups. Returns their number.
    fn claim_some(&self, unclaimed: &mut Unclaimed, is_urgent: bool) -> usize {
        let received = unclaimed.jobs.len();
        while !unclaimed.jobs.is_empty() {
            let most = unclaimed.jobs.len().min(MAX_GROUP);
            let permits = self.pipeline.mailer.admit(self.lane, most, is_urgent);
            if permits.is_empty() {
                break;
            }
            unclaimed.moved_at = Instant::now();
            unclaimed.lingers_until = unclaimed.moved_at + LINGER;
            let group: Vec<Work> = unclaimed.jobs.drain(..permits.len()).collect();
            let pipeline = Arc::clone(&self.pipeline);
            self.lifecycle.spawn(async move { pipeline.run(group, permits).await });
        }
        received - unclaimed.jobs.len()
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
