//! Sessions with the broker.
//!
//! A session consumes the jobs of both lanes (`crate::lane`). If the relay or Postgres has been failing for a
//! while, unclaimed jobs are given back and the session is closed.
//!
//! Any error ends the session, and a new one is opened after a pause. Jobs in progress continue. They can no
//! longer be acknowledged, so the broker redelivers them, and the claim drops them.

use crate::acks::Acks;
use crate::lane::LaneConsumer;
use crate::pipeline::Pipeline;
use crate::session::{Open, Opening, watch};
use shared::batch::Lane;
use shared::lifecycle::Lifecycle;
use shared::metrics::set_heartbeat;
use shared::queue::{BrokerStatus, Brokers, HeartbeatInbox, Inbox, QueueError, Received, RouteCheck, park};
use shared::reconnect::Delays;
use shared::store::{Db, workers};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// A session that lasted this long is healthy: the next backoff starts from its shortest delay.
const LASTED: Duration = Duration::from_secs(30);

/// How long the relay or Postgres must fail before unclaimed jobs are returned. Too short for a user to notice,
/// and longer than reopening a connection takes.
const TROUBLE_LASTS: Duration = Duration::from_secs(1);

/// How long both lanes have to give back unclaimed jobs.
const RETURN_TIMEOUT: Duration = Duration::from_secs(5);

/// How often to check that the broker still routes messages.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// How long a session continues without heartbeats before it is reopened for their sake. Jobs do not need them.
const WITHOUT_HEARTBEATS: Duration = Duration::from_mins(5);

/// Consumes jobs from the broker.
#[derive(Clone)]
pub struct Consumer {
    /// The brokers to connect to.
    pub brokers: Brokers,
    /// Processes the jobs.
    pub pipeline: Arc<Pipeline>,
    /// Where heartbeats are recorded.
    pub db: Db,
    /// Allows one parked message at a time, because each opens a connection.
    pub parking: Arc<Mutex<()>>,
    /// Whether the broker is connected.
    pub broker: BrokerStatus,
    /// Signals when to stop.
    pub lifecycle: Lifecycle,
    /// Connection name shown by the broker.
    pub name: String,
}

/// Why a session ended.
enum Ended {
    /// The process is stopping.
    Stopping,
    /// Processing is blocked. Other workers may take the jobs meanwhile.
    InTrouble,
    /// The broker or the connection to it failed.
    Lost(QueueError),
}

impl Consumer {
    /// Consumes jobs until the process stops.
    pub async fn run(self) {
        let mut delays = Delays::for_a_near_server();
        let metrics = &self.pipeline.metrics;
        while !self.lifecycle.is_stopping() {
            let began = Instant::now();
            let ended = Box::pin(self.one_session()).await;
            metrics.amqp_connected.set(0);
            match ended {
                Ended::Stopping => break,
                Ended::InTrouble => {
                    self.broker.released();
                    info!("Returned jobs to their queues; consuming again when this worker can process them");
                    tokio::select! {
                        () = self.pipeline.ready() => {}
                        () = self.lifecycle.stopping().cancelled() => break,
                    }
                }
                Ended::Lost(fault) => {
                    let what = if self.broker.has_connected() {
                        "Lost the connection to RabbitMQ; reconnecting"
                    } else {
                        "Could not consume jobs from RabbitMQ; retrying"
                    };
                    self.broker.failed(&fault);
                    if began.elapsed() > LASTED {
                        delays.reset();
                    }
                    let delay = delays.next_delay();
                    let node = self.brokers.last_host();
                    warn!(error = %fault, node, retry_seconds = delay.as_secs_f32(), "{what}");
                    metrics.amqp_reconnects.inc();
                    self.lifecycle.pause(delay).await;
                }
            }
        }
    }

    async fn one_session(&self) -> Ended {
        let session = match self.brokers.connect(&self.name).await {
            Ok(session) => session,
            Err(fault) => return Ended::Lost(fault),
        };
        let mut open = Open {
            session,
            acknowledging: Vec::new(),
        };
        let ended = Box::pin(self.take_jobs(&mut open)).await.unwrap_or_else(Ended::Lost);
        match ended {
            // Jobs in progress still need the channel for their acknowledgements.
            Ended::Stopping => drop(self.lifecycle.spawn(open.close_when_idle())),
            // The broker counts the jobs as ours until the session is closed.
            Ended::InTrouble => open.session.close().await,
            Ended::Lost(_) => drop(self.lifecycle.spawn(open.session.close())),
        }
        ended
    }

    async fn take_jobs(&self, open: &mut Open) -> Result<Ended, QueueError> {
        let interactive = open.session.inbox(Lane::Interactive).await?;
        let bulk = open.session.inbox(Lane::Bulk).await?;
        let (heartbeats, route_check) = (open.session.heartbeat_inbox().await?, open.session.route_check().await?);
        let (interactive_acks, mut interactive_reports) = Acks::start(&self.lifecycle, interactive.acknowledger());
        let (bulk_acks, mut bulk_reports) = Acks::start(&self.lifecycle, bulk.acknowledger());
        // Acknowledging continues until both lanes have left, in either order.
        let until_both_left = (interactive_acks.clone(), bulk_acks.clone());
        let opening = Opening::of(2);
        let leave = self.lifecycle.stopping().child_token();
        let taking = async {
            tokio::try_join!(
                self.take_from(interactive, Lane::Interactive, &opening, interactive_acks, &leave),
                self.take_from(bulk, Lane::Bulk, &opening, bulk_acks, &leave),
            )
        };
        let left = || {
            if self.lifecycle.is_stopping() {
                Ended::Stopping
            } else {
                Ended::InTrouble
            }
        };
        let ended = tokio::select! {
            taken = taking => taken.map(|_| left()),
            reported = interactive_reports.ended() => reported.map(|()| left()),
            reported = bulk_reports.ended() => reported.map(|()| left()),
            lost = watch(&mut open.session) => Err(lost),
            lost = self.take_heartbeats(heartbeats, route_check) => lost.map(|()| left()),
            () = self.cancel_when_blocked(&leave) => Ok(Ended::InTrouble),
        };
        drop(until_both_left);
        open.acknowledging.extend([interactive_reports, bulk_reports]);
        ended
    }

    /// Records that a lane's queue has answered. With the last one, the broker counts as connected.
    fn record_answer(&self, opening: &Opening) {
        if opening.record_answer() {
            self.pipeline.metrics.amqp_connected.set(1);
            self.broker.connected();
            info!("Connected to RabbitMQ; consuming jobs");
        }
    }

    /// Cancels `leave` once processing has been blocked for [`TROUBLE_LASTS`]. Resolves if leaving takes too
    /// long.
    async fn cancel_when_blocked(&self, leave: &CancellationToken) {
        loop {
            self.pipeline.in_trouble().await;
            let ready = tokio::time::timeout(TROUBLE_LASTS, self.pipeline.ready());
            if ready.await.is_err() {
                break;
            }
        }
        leave.cancel();
        tokio::time::sleep(RETURN_TIMEOUT).await;
    }

    /// Records heartbeats, which take the same path as the jobs, and checks that the path is still open.
    async fn take_heartbeats(&self, inbox: HeartbeatInbox, route_check: RouteCheck) -> Result<(), QueueError> {
        let mut heartbeats = match inbox.open().await {
            Ok(heartbeats) => heartbeats,
            Err(fault @ QueueError::Unanswered { .. }) => {
                warn!(error = %fault, "Consuming jobs without heartbeats");
                tokio::time::sleep(WITHOUT_HEARTBEATS).await;
                return Err(fault);
            }
            Err(fault) => return Err(fault),
        };
        let taking = async {
            loop {
                heartbeats.next().await?;
                self.record_heartbeat().await;
            }
        };
        let checking = async {
            loop {
                tokio::time::sleep(CHECK_INTERVAL).await;
                if route_check.check().await? {
                    self.record_heartbeat().await;
                }
            }
        };
        tokio::select! {
            ended = taking => ended,
            ended = checking => ended,
        }
    }

    async fn record_heartbeat(&self) {
        set_heartbeat(&self.pipeline.metrics.heartbeats, "consumed");
        if let Err(fault) = workers::record_heartbeat(&self.db).await {
            let fault = fault.explained(&self.db).await;
            warn!(error = %fault, "Could not record a heartbeat");
        }
    }

    async fn take_from(
        &self,
        inbox: Inbox,
        lane: Lane,
        opening: &Opening,
        acks: Acks,
        leave: &CancellationToken,
    ) -> Result<(), QueueError> {
        let lane = LaneConsumer {
            lane,
            pipeline: Arc::clone(&self.pipeline),
            db: self.db.clone(),
            lifecycle: self.lifecycle.clone(),
            acks: acks.clone(),
            leave: leave.clone(),
            park: |received, queue| self.park(received, queue, &acks),
        };
        lane.run(inbox, || self.record_answer(opening)).await
    }

    /// Parks a message that is not a job, which would otherwise be redelivered endlessly. If that fails, the
    /// message returns to its queue after 5 s, to be parked by the worker that receives it next.
    fn park(&self, received: Received, queue: &'static str, acks: &Acks) {
        let Err(fault) = received.job else { return };
        let (this, acks) = (self.clone(), acks.clone());
        self.lifecycle.spawn(async move {
            let _guard = this.parking.lock().await;
            match park(&this.brokers, queue, &received.body, &fault).await {
                Ok(()) => {
                    this.pipeline.metrics.count_parked(&fault);
                    warn!(queue, reason = %fault, "Parked a message that is not a valid job");
                    acks.ack(received.tag);
                }
                Err(trouble) => {
                    error!(queue, reason = %fault, error = %trouble, "Could not park a message; it stays in its queue");
                    tokio::time::sleep(Duration::from_secs(5)).await;
                    acks.requeue(received.tag);
                }
            }
        });
    }
}
