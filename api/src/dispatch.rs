//! Publishing what is due: the one door through which every job goes to the broker.
//!
//! Hold, schedule, retry, rate, fairness, pause and stop are conditions on rows in Postgres, and
//! this is the one place that reads them. Among all API processes one dispatches at a time; the
//! others stand by and take over when its connection to Postgres ends.
//!
//! A round takes what is due, the interactive lane first, in turns between batches, no more than
//! the window and the rate allow; publishes it; waits for the broker's confirms; and marks as
//! queued exactly what was confirmed. Publishing comes before marking, so a job may reach a worker
//! whose delivery is not marked yet: the claim takes it all the same, and the mark then moves
//! nothing. Dying between the two costs a second copy of some jobs, which the claim drops.
//!
//! The broker is disposable. A new connection to it proves nothing about old jobs, so everything
//! that lay in a queue is due again; copies are dropped by the claim. What lies in a queue too
//! long without a claim is published again as well.

mod brake;
mod rate;
mod round;
mod sweep;
mod window;

use crate::metrics::ApiMetrics;
use brake::Brakes;
use round::{Rounds, Ways};
use shared::batch::Lane;
use shared::lifecycle::Lifecycle;
use shared::queue::{BrokerStatus, Brokers, QueueError, Session, SessionEvent};
use shared::reconnect::Delays;
use shared::store::dispatch::{self as rows, Turn};
use shared::store::{Db, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tracing::{info, warn};

/// How often to look without being called: retries and scheduled batches fall due silently.
const POLL: Duration = Duration::from_millis(500);

/// While a window is full, how soon to look whether it has room again. A window holds a second of
/// work, so a tenth of that leaves no worker idle.
const FULL_POLL: Duration = Duration::from_millis(100);

/// How soon to publish again after the broker refused jobs.
const REFUSED_POLL: Duration = Duration::from_secs(1);

/// How often to sweep, to start held batches, and to see whether one has to pause itself.
const SWEEP: Duration = Duration::from_secs(1);

/// How long a standby waits before it asks for the turn again.
const STANDBY: Duration = Duration::from_secs(2);

/// Why the dispatcher has to start again.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("{0}")]
    Queue(#[from] QueueError),
    #[error("{}: {}", .0, .0.cause())]
    Store(#[from] StoreError),
}

/// Publishes what is due.
pub struct Dispatcher {
    /// Where deliveries are.
    pub db: Db,
    /// Where jobs go.
    pub brokers: Brokers,
    /// Mails a second over all workers; none is no limit.
    pub rate: Option<f64>,
    /// How many unknown addresses of a hundred make a batch pause itself; none is any number.
    pub brake_bounces: Option<i64>,
    /// Whether this process is connected to `RabbitMQ`.
    pub broker: BrokerStatus,
    /// What is counted.
    pub metrics: Arc<ApiMetrics>,
    /// When to stop.
    pub lifecycle: Lifecycle,
}

impl Dispatcher {
    /// Dispatches whenever it is this process's turn, until the process stops.
    ///
    /// # Errors
    ///
    /// A queue exists that is not ours in form: a person must decide, and going on would only
    /// repeat the question.
    pub async fn run(self) -> Result<(), QueueError> {
        let wake = Arc::new(Notify::new());
        let ears = tokio::spawn(listen(self.db.clone(), Arc::clone(&wake)));
        let mut delays = Delays::for_a_near_server();
        let ended = loop {
            if self.lifecycle.is_stopping() {
                break Ok(());
            }
            let turn = tokio::select! {
                turn = self.one_turn(&wake, &mut delays) => turn,
                () = self.lifecycle.ending().cancelled() => break Ok(()),
            };
            match turn {
                Ok(()) => {}
                Err(Trouble::Queue(fault @ QueueError::DeclaredOtherwise { .. })) => {
                    break Err(fault);
                }
                Err(trouble) => {
                    self.metrics.amqp_connected.set(0);
                    let delay = delays.next_delay();
                    self.note(&trouble, delay).await;
                    self.metrics.amqp_reconnects.inc();
                    self.lifecycle.pause(delay).await;
                }
            }
        };
        ears.abort();
        self.metrics.dispatching.set(0);
        ended
    }

    async fn one_turn(&self, wake: &Notify, delays: &mut Delays) -> Result<(), Trouble> {
        // A standby connects too: when its turn comes, it knows that the broker is there.
        let mut session = self.brokers.connect("beckon-api: dispatcher").await?;
        session.declare().await?;
        let ways = Ways {
            jobs: [
                (Lane::Interactive, session.publisher().await?),
                (Lane::Bulk, session.publisher().await?),
            ],
            beats: session.heart().await?,
        };
        self.metrics.amqp_connected.set(1);
        self.broker.connected();
        // The broker says so again if it still takes no messages.
        self.metrics.amqp_blocked.set(0);
        let Some(turn) = rows::take_turn(&self.db).await? else {
            self.metrics.dispatching.set(0);
            self.lifecycle.pause(STANDBY).await;
            session.close().await;
            return Ok(());
        };
        let again = rows::requeue_all(&self.db).await?;
        // What fell due too long ago is ended before anything is published.
        sweep::once(&self.db, &self.metrics).await?;
        info!(published_again = again, "Dispatching from this process");
        self.metrics.dispatching.set(1);
        delays.reset();
        let ended = Box::pin(self.rounds(session, ways, turn, wake)).await;
        self.metrics.dispatching.set(0);
        for lane in Lane::ALL {
            self.metrics.queued(lane, 0);
        }
        ended
    }

    async fn rounds(&self, mut session: Session, ways: Ways, mut turn: Turn, wake: &Notify) -> Result<(), Trouble> {
        let mut rounds = Rounds::new(self.db.clone(), ways, self.rate, Arc::clone(&self.metrics));
        let mut brakes = Brakes::new(self.db.clone(), self.brake_bounces, Arc::clone(&self.metrics));
        let mut sweeps = tokio::time::interval(SWEEP);
        sweeps.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let ended = loop {
            let pace = match self.round(&mut rounds, &mut session).await {
                Ok(round::Pace::More) => Duration::ZERO,
                Ok(round::Pace::Full) => FULL_POLL,
                Ok(round::Pace::Limited(wait)) => wait,
                Ok(round::Pace::Refused) => REFUSED_POLL,
                Ok(round::Pace::Idle) => POLL,
                Err(trouble) => break Err(trouble),
            };
            tokio::select! {
                biased;
                () = self.lifecycle.stopping().cancelled() => break Ok(()),
                _ = sweeps.tick() => {
                    // The turn is lost with its connection; publishing on would be a second opinion.
                    if let Err(fault) = turn.confirm().await { break Err(fault.into()) }
                    // First, because the sweep takes back what was queued of a batch that is paused.
                    if let Err(fault) = brakes.look().await { break Err(fault.into()) }
                    if let Err(fault) = sweep::once(&self.db, &self.metrics).await { break Err(fault.into()) }
                }
                event = session.next_event() => if let Err(fault) = self.hear(event) { break Err(fault.into()) },
                () = wake.notified() => {}
                () = tokio::time::sleep(pace) => {}
            }
        };
        turn.pass_on().await;
        // A broker in trouble may never hear it, and what is due does not wait for that.
        self.lifecycle.spawn(session.close());
        ended
    }
}

impl Dispatcher {
    /// Logs why dispatching stopped or could not start.
    async fn note(&self, trouble: &Trouble, delay: Duration) {
        let cause = match trouble {
            Trouble::Queue(fault) => {
                self.broker.failed(fault);
                fault.to_string()
            }
            Trouble::Store(fault) => fault.explained(&self.db).await.to_string(),
        };
        let what = if self.broker.has_connected() {
            "Dispatching was interrupted; trying again"
        } else {
            "Could not start dispatching; trying again"
        };
        warn!(error = cause, retry_seconds = delay.as_secs_f32(), "{what}");
    }

    /// One round, during which the broker is heard too: it says that it takes no messages just
    /// when confirms stop coming.
    async fn round(&self, rounds: &mut Rounds, session: &mut Session) -> Result<round::Pace, Trouble> {
        let round = rounds.one();
        tokio::pin!(round);
        loop {
            tokio::select! {
                done = &mut round => return done,
                event = session.next_event() => self.hear(event)?,
            }
        }
    }

    fn hear(&self, event: Option<SessionEvent>) -> Result<(), QueueError> {
        let lost = |why| QueueError::Unreachable {
            host: "the connected broker".to_owned(),
            why,
        };
        match event {
            Some(SessionEvent::Lost(why)) => return Err(lost(why)),
            None => return Err(lost("its events ended".to_owned())),
            Some(SessionEvent::Blocked(reason)) => {
                self.metrics.amqp_blocked.set(1);
                warn!(
                    reason,
                    "RabbitMQ takes no messages for now; deliveries wait in Postgres"
                );
            }
            Some(SessionEvent::Unblocked) => {
                self.metrics.amqp_blocked.set(0);
                info!("RabbitMQ takes messages again");
            }
        }
        Ok(())
    }
}

/// Turns Postgres's notifications into wake-ups. Without them work is found by polling.
async fn listen(db: Db, wake: Arc<Notify>) {
    let mut delays = Delays::for_a_near_server();
    let mut is_deaf = false;
    loop {
        let fault = match rows::listen(&db).await {
            Ok(mut listener) => {
                delays.reset();
                wake.notify_one();
                if std::mem::take(&mut is_deaf) {
                    info!("Listening to Postgres again");
                }
                loop {
                    match rows::heard(&mut listener).await {
                        Ok(()) => wake.notify_one(),
                        Err(fault) => break fault,
                    }
                }
            }
            Err(fault) => fault,
        };
        if !std::mem::replace(&mut is_deaf, true) {
            warn!(error = %fault.cause(), "Postgres sends no notifications; polling until it does again");
        }
        tokio::time::sleep(delays.next_delay()).await;
    }
}
