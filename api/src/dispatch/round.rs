//! One round: what is due, published and marked.

use super::Trouble;
use super::rate::Bucket;
use super::window::Window;
use crate::metrics::ApiMetrics;
use crate::spans;
use shared::batch::Lane;
use shared::failpoint::{Point, reach};
use shared::job::Job;
use shared::metrics::note_beat;
use shared::queue::{BEAT, Heart, JOB_LIFETIME, Outgoing, Published, Publisher, QueueError, queue_of};
use shared::store::Db;
use shared::store::dispatch::{self as rows, Due};
use shared::store::workers;
use shared::trace::{TraceContext, now};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::{debug, warn};
use uuid::Uuid;

/// Jobs published in one go. A window of confirms of a thousand is as fast as the broker gets.
const ROUND_MOST: i64 = 2_000;

/// A job unclaimed for this long has surely left the queue: the broker has dropped it.
const QUEUE_LEASE: Duration = JOB_LIFETIME.saturating_add(Duration::from_mins(1));

/// How often the dispatcher says that its rounds come to an end. Pages miss it after
/// [`shared::store::stall::SILENCE`].
const SAY: Duration = Duration::from_secs(5);

/// What to do after a round.
pub(super) enum Pace {
    /// There may be more.
    More,
    /// A window is full.
    Full,
    /// The rate allows the next one after this long.
    Limited(Duration),
    /// The broker refused some; it is asked again after a while.
    Refused,
    /// Nothing is due.
    Idle,
}

/// Rounds on one connection.
pub(super) struct Rounds {
    db: Db,
    heart: Heart,
    bucket: Bucket,
    lines: [Line; 2],
    said_at: Option<Instant>,
    beat_at: Option<Instant>,
    metrics: Arc<ApiMetrics>,
}

/// How what is published goes, each on a channel of its own.
pub(super) struct Ways {
    pub(super) jobs: [(Lane, Publisher); 2],
    pub(super) beats: Heart,
}

/// What is known of one lane.
struct Line {
    lane: Lane,
    /// Its own: confirms that stay away in one lane would hold up those of the other.
    publisher: Publisher,
    window: Window,
    /// Jobs that lie in its queue, as of the last round.
    queued: i64,
    /// The batch whose mail went last. Batches take turns from there on.
    last: Uuid,
}

impl Line {
    async fn publish(&mut self, due: &[Due], metrics: &ApiMetrics) -> Result<Published, QueueError> {
        let lane = self.lane;
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
        let published = self.publisher.publish(&round).await;
        timer.observe_duration();
        match published {
            Ok(published) => {
                metrics.count_published(&published);
                spans::tell_round(lane, due, &round, &published, began);
                Ok(published)
            }
            Err(fault) => {
                metrics
                    .publishes
                    .with_label_values(&["lost"])
                    .inc_by(round.len() as u64);
                Err(fault.about_queue(queue_of(lane)))
            }
        }
    }
}

impl Rounds {
    pub(super) fn new(db: Db, ways: Ways, rate: Option<f64>, metrics: Arc<ApiMetrics>) -> Self {
        let lines = ways.jobs.map(|(lane, publisher)| Line {
            lane,
            publisher,
            window: Window::new(rate),
            queued: 0,
            last: Uuid::nil(),
        });
        Self {
            db,
            heart: ways.beats,
            bucket: Bucket::new(rate, Instant::now()),
            lines,
            said_at: None,
            beat_at: None,
            metrics,
        }
    }

    /// Publishes and marks what may go now.
    pub(super) async fn one(&mut self) -> Result<Pace, Trouble> {
        let (mut pace, mut mute) = (Pace::Idle, None);
        self.bucket.earn(Instant::now());
        for at in 0..self.lines.len() {
            match self.one_lane(at).await {
                Ok(Pace::Idle) => {}
                Ok(more) => pace = more,
                // Its queue may have no leader. The other lane gets its round before the session is given up.
                Err(Trouble::Queue(fault @ QueueError::Mute { .. })) => mute = Some(fault),
                Err(trouble) => return Err(trouble),
            }
        }
        if let Some(fault) = mute {
            return Err(fault.into());
        }
        self.bucket.save(self.lines.iter().map(|line| line.queued).sum());
        if !matches!(pace, Pace::Refused) {
            self.say().await?;
            self.beat();
        }
        Ok(pace)
    }

    /// Sends a beat the way of the jobs now and then. Jobs do not wait for it: a beat that stays away is
    /// told, and harms nothing else.
    fn beat(&mut self) {
        if self.beat_at.is_some_and(|at| at.elapsed() <= BEAT) {
            return;
        }
        self.beat_at = Some(Instant::now());
        let (heart, metrics) = (self.heart.clone(), Arc::clone(&self.metrics));
        tokio::spawn(async move {
            match heart.beat().await {
                Ok(()) => note_beat(&metrics.beats, "published"),
                Err(fault) => warn!(error = %fault, "A beat was not confirmed"),
            }
        });
    }

    /// Says now and then that what is due goes out: a round that waits for the broker says nothing.
    async fn say(&mut self) -> Result<(), Trouble> {
        if self.said_at.is_none_or(|at| at.elapsed() > SAY) {
            workers::dispatched(&self.db).await?;
            self.said_at = Some(Instant::now());
        }
        Ok(())
    }

    async fn one_lane(&mut self, at: usize) -> Result<Pace, Trouble> {
        let Some(line) = self.lines.get_mut(at) else {
            return Ok(Pace::Idle);
        };
        let (lane, last) = (line.lane, line.last);
        let queued = rows::queued(&self.db, lane).await?;
        self.metrics.queued(lane, queued);
        line.queued = queued;
        let room = line.window.room(queued, Instant::now()).min(ROUND_MOST);
        if room == 0 {
            return Ok(Pace::Full);
        }
        let allowed = self.bucket.allow(room);
        if allowed == 0 {
            return Ok(Pace::Limited(self.bucket.wait()));
        }
        let due = rows::due(&self.db, lane, allowed, last).await?;
        if due.is_empty() {
            return Ok(Pace::Idle);
        }
        reach(Point::DueRead);
        let published = line.publish(&due, &self.metrics).await?;
        reach(Point::JobsConfirmed);
        let confirmed = published.confirmed.len();
        self.bucket.take(confirmed);
        line.window.add(confirmed);
        line.queued += i64::try_from(confirmed).unwrap_or(ROUND_MOST);
        line.last = due.last().map_or(last, |due| due.batch);
        let taken: HashSet<Job> = published.confirmed.iter().copied().collect();
        let taken: Vec<&Due> = due.iter().filter(|due| taken.contains(&due.job())).collect();
        let moved = rows::mark_queued(&self.db, &taken, QUEUE_LEASE).await?;
        reach(Point::JobsMarked);
        debug!(
            lane = lane.as_str(),
            due = due.len(),
            confirmed,
            moved,
            "Published what was due"
        );
        Self::after(lane, &published)
    }

    fn after(lane: Lane, published: &Published) -> Result<Pace, Trouble> {
        if !published.returned.is_empty() {
            // The queue is gone; a new session declares it again.
            return Err(QueueError::Missing { queue: queue_of(lane) }.into());
        }
        if !published.refused.is_empty() {
            warn!(
                lane = lane.as_str(),
                refused = published.refused.len(),
                "RabbitMQ refused jobs; they stay due"
            );
            return Ok(Pace::Refused);
        }
        Ok(Pace::More)
    }
}
