//! Publishes due deliveries: the only path by which jobs reach the broker.
//!
//! Hold, schedule, retry, rate, fairness, pause and stop are conditions on rows in Postgres, and only the
//! dispatcher evaluates them. One API process at a time dispatches: the holder of the lease (`lease`). The
//! others are on standby: they stay connected to the broker and to Postgres and ask for the lease every few
//! seconds.
//!
//! The holder runs separate tasks, so that a locked row or a failing statement of one does not delay the
//! others: a publisher for each lane (`publisher`), the sweeper (`sweeper`), auto-pause (`auto_pause`),
//! housekeeping (`housekeeping`), the heartbeat (`heartbeat`) and a check for lost jobs (`lost_jobs`).
//!
//! The broker is disposable. A new connection proves nothing about old jobs, so all queued deliveries become
//! due again; the claim drops duplicates. A job that stays queued too long without a claim is published again
//! as well.

mod auto_pause;
mod database_clock;
mod fault;
mod heartbeat;
mod housekeeping;
mod lease;
mod lost_jobs;
mod metrics;
mod publisher;
mod spans;
mod sweeper;
mod token_bucket;
mod window;

pub use metrics::DispatcherMetrics;

use auto_pause::AutoPause;
use heartbeat::{Heartbeat, Rounds};
use lease::HeldLease;
use lost_jobs::LostJobs;
use publisher::Publisher;
use shared::batch::Lane;
use shared::lifecycle::Lifecycle;
use shared::queue::{BrokerStatus, Brokers, QueueError, Session, SessionEvent};
use shared::reconnect::Delays;
use shared::store::dispatch as rows;
use shared::store::{Db, StoreError, sweeps};
use std::sync::Arc;
use std::time::Duration;
use sweeper::Sweeper;
use token_bucket::TokenBucket;
use tokio::sync::Notify;
use tracing::{info, warn};

/// How often a process on standby asks for the lease: one statement on a connection that stays open. A frozen holder is
/// replaced within its lease of twelve seconds and this.
const STANDBY: Duration = Duration::from_secs(1);

/// Why dispatching ended early.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("{0}")]
    Queue(#[from] QueueError),
    #[error("{}: {}", .0, .0.cause())]
    Store(#[from] StoreError),
    /// Another process took over, or may have, because Postgres did not answer for the length of the lease.
    #[error("the lease has expired: it was not renewed in time")]
    LeaseLost,
}

/// Publishes due deliveries.
pub struct Dispatcher {
    /// Where deliveries are stored.
    pub db: Db,
    /// The brokers that jobs are published to.
    pub brokers: Brokers,
    /// Name of this process, which shows operators which process dispatches.
    pub name: String,
    /// Limit in mails per second over all workers; `None` for no limit.
    pub rate: Option<f64>,
    /// Percentage of unknown addresses at which a batch pauses itself; `None` for no limit.
    pub auto_pause_bounces: Option<i64>,
    /// Whether sending is held after a promotion of Postgres.
    pub holds_after_promotion: bool,
    /// Whether this process is connected to `RabbitMQ`.
    pub broker: BrokerStatus,
    /// The dispatcher's metrics.
    pub metrics: Arc<DispatcherMetrics>,
    /// Signals when to stop.
    pub lifecycle: Lifecycle,
}

/// Wakes the publishers. Each has its own `Notify`, so that neither consumes the other's wake-up.
#[derive(Default)]
struct PublisherWakers([Notify; 2]);

impl PublisherWakers {
    fn all(&self) {
        self.0.iter().for_each(Notify::notify_one);
    }
}

impl Dispatcher {
    /// Dispatches whenever this process holds the lease, until the process stops.
    ///
    /// # Errors
    ///
    /// A queue exists with different arguments. An operator has to decide what to do; retrying would not
    /// help.
    pub async fn run(self) -> Result<(), QueueError> {
        let wake = Arc::new(PublisherWakers::default());
        let listening = tokio::spawn(listen(self.db.clone(), Arc::clone(&wake)));
        let mut delays = Delays::for_a_near_server();
        let ended = loop {
            if self.lifecycle.is_stopping() {
                break Ok(());
            }
            let session = tokio::select! {
                session = self.one_session(&wake, &mut delays) => session,
                () = self.lifecycle.ending().cancelled() => break Ok(()),
            };
            self.metrics.dispatching.set(0);
            match session {
                Ok(()) => {}
                Err(Trouble::Queue(fault @ QueueError::DeclaredOtherwise { .. })) => break Err(fault),
                Err(trouble) => {
                    self.metrics.amqp_connected.set(0);
                    let delay = delays.next_delay();
                    self.log_trouble(&trouble, delay).await;
                    self.metrics.amqp_reconnects.inc();
                    self.lifecycle.pause(delay).await;
                }
            }
        };
        listening.abort();
        ended
    }

    /// Connects, waits for the lease and dispatches while this process holds it.
    ///
    /// The connections stay open during standby, so the broker is known to be reachable when the lease comes.
    async fn one_session(&self, wake: &Arc<PublisherWakers>, delays: &mut Delays) -> Result<(), Trouble> {
        let mut session = self.brokers.connect("beckon-api: dispatcher").await?;
        session.declare().await?;
        self.metrics.amqp_connected.set(1);
        self.broker.connected();
        // If the broker still blocks publishing, it reports that again.
        self.metrics.amqp_blocked.set(0);
        let ended = Box::pin(self.wait_and_dispatch(&mut session, wake, delays)).await;
        // A broker in trouble may never answer, and due deliveries do not wait for that.
        self.lifecycle.spawn(session.close());
        ended
    }

    async fn wait_and_dispatch(
        &self,
        session: &mut Session,
        wake: &Arc<PublisherWakers>,
        delays: &mut Delays,
    ) -> Result<(), Trouble> {
        while !self.lifecycle.is_stopping() {
            match HeldLease::take(&self.db, &self.name).await {
                Ok(Some(held)) => {
                    let ended = Box::pin(self.dispatch(session, &held, wake, delays)).await;
                    for lane in Lane::ALL {
                        self.metrics.queued(lane, 0);
                    }
                    self.metrics.dispatching.set(0);
                    self.metrics.held.set(0);
                    held.release().await;
                    match ended {
                        // Losing the lease does not affect the connection.
                        Err(Trouble::LeaseLost) => warn!("This process no longer dispatches; standing by"),
                        ended => return ended,
                    }
                }
                Ok(None) => {}
                Err(fault) => warn!(error = %fault, cause = %fault.cause(), "Could not request the dispatcher's lease"),
            }
            tokio::select! {
                event = session.next_event() => self.observe_event(session, event)?,
                () = self.lifecycle.pause(STANDBY) => {}
            }
        }
        Ok(())
    }

    async fn dispatch(
        &self,
        session: &mut Session,
        held: &HeldLease,
        wake: &Arc<PublisherWakers>,
        delays: &mut Delays,
    ) -> Result<(), Trouble> {
        let rounds = Arc::new(Rounds::default());
        let bucket = Arc::new(TokenBucket::new(self.rate));
        let interactive = self
            .publisher(session, Lane::Interactive, held, &bucket, &rounds)
            .await?;
        let bulk = self.publisher(session, Lane::Bulk, held, &bucket, &rounds).await?;
        let heartbeat = Heartbeat {
            db: self.db.clone(),
            publisher: session.heartbeat_publisher(),
            rounds,
            metrics: Arc::clone(&self.metrics),
        };
        let lost_jobs = LostJobs {
            db: self.db.clone(),
            lease: held.lease(),
            depth: session.depth().await?,
            metrics: Arc::clone(&self.metrics),
        };
        let mut sweeper = Sweeper::new(
            self.db.clone(),
            held,
            self.holds_after_promotion,
            Arc::clone(&self.metrics),
        );
        let published_again = sweeps::requeue_all(&self.db, held.lease()).await?;
        // Expires overdue deliveries before anything is published.
        sweeper.once().await;
        info!(
            epoch = held.lease().epoch,
            published_again, "Dispatching from this process"
        );
        self.metrics.dispatching.set(1);
        delays.reset();
        let auto_pause = AutoPause::new(self.db.clone(), self.auto_pause_bounces, Arc::clone(&self.metrics));
        tokio::select! {
            biased;
            () = held.lost() => Err(Trouble::LeaseLost),
            published = self.publish([interactive, bulk], wake) => Ok(published?),
            fault = self.watch(session) => Err(fault.into()),
            fault = lost_jobs.run() => Ok(fault?),
            () = sweeper.run() => Ok(()),
            () = auto_pause.run() => Ok(()),
            () = housekeeping::run(&self.db) => Ok(()),
            () = heartbeat.run() => Ok(()),
        }
    }

    /// Runs both publishers until the process stops or one of them fails. The other one then completes its
    /// round.
    async fn publish(&self, publishers: [Publisher; 2], wake: &PublisherWakers) -> Result<(), QueueError> {
        let stop = self.lifecycle.stopping().child_token();
        let run = async |publisher: Publisher, wake: &Notify| {
            let ended = publisher.run(wake, &stop).await;
            stop.cancel();
            ended
        };
        let [interactive, bulk] = publishers;
        let [wake_interactive, wake_bulk] = &wake.0;
        let (interactive, bulk) = tokio::join!(run(interactive, wake_interactive), run(bulk, wake_bulk));
        interactive.and(bulk)
    }

    async fn publisher(
        &self,
        session: &mut Session,
        lane: Lane,
        held: &HeldLease,
        bucket: &Arc<TokenBucket>,
        rounds: &Arc<Rounds>,
    ) -> Result<Publisher, QueueError> {
        let parts = publisher::Parts {
            db: self.db.clone(),
            lease: held.lease(),
            bucket: Arc::clone(bucket),
            rounds: Arc::clone(rounds),
            metrics: Arc::clone(&self.metrics),
        };
        Ok(Publisher::new(lane, session.publisher().await?, self.rate, parts))
    }

    /// Logs why dispatching stopped or could not start.
    async fn log_trouble(&self, trouble: &Trouble, delay: Duration) {
        let cause = match trouble {
            Trouble::Queue(fault) => {
                self.broker.failed(fault);
                fault.to_string()
            }
            Trouble::Store(fault) => fault.explained(&self.db).await.to_string(),
            Trouble::LeaseLost => trouble.to_string(),
        };
        let what = if self.broker.has_connected() {
            "Dispatching was interrupted; retrying"
        } else {
            "Could not start dispatching; retrying"
        };
        let node = self.brokers.last_host();
        warn!(error = cause, node, retry_seconds = delay.as_secs_f32(), "{what}");
    }

    /// Resolves with the error that ends the session.
    async fn watch(&self, session: &mut Session) -> QueueError {
        loop {
            let event = session.next_event().await;
            if let Err(fault) = self.observe_event(session, event) {
                return fault;
            }
        }
    }

    fn observe_event(&self, session: &Session, event: Option<SessionEvent>) -> Result<(), QueueError> {
        match event {
            Some(SessionEvent::Lost(why)) => return Err(session.lost(why)),
            None => return Err(session.lost("its events ended")),
            Some(SessionEvent::Blocked(reason)) => {
                self.metrics.amqp_blocked.set(1);
                warn!(
                    reason,
                    "RabbitMQ accepts no messages for now; deliveries wait in Postgres"
                );
            }
            Some(SessionEvent::Unblocked) => {
                self.metrics.amqp_blocked.set(0);
                info!("RabbitMQ accepts messages again");
            }
        }
        Ok(())
    }
}

/// Converts notifications from Postgres into wake-ups. Without them the publishers find work by polling.
async fn listen(db: Db, wake: Arc<PublisherWakers>) {
    let mut delays = Delays::for_a_near_server();
    let mut is_polling = false;
    loop {
        let fault = match rows::listen(&db).await {
            Ok(mut listener) => {
                delays.reset();
                if std::mem::take(&mut is_polling) {
                    info!("Listening to Postgres again");
                }
                wake.all();
                loop {
                    match rows::next_notification(&mut listener).await {
                        Ok(()) => wake.all(),
                        Err(fault) => break fault,
                    }
                }
            }
            Err(fault) => fault,
        };
        if !std::mem::replace(&mut is_polling, true) {
            warn!(error = %fault.cause(), "Postgres sends no notifications; polling until it does again");
        }
        tokio::time::sleep(delays.next_delay()).await;
    }
}
