//! Taking jobs from the broker: permit first, then a job.
//!
//! A job is taken only when it can be worked on at once: the relay is not in trouble, and the
//! gate has room. What lies in the broker's queue can still be stopped, counted and given to
//! another worker; what we hold cannot.
//!
//! Any trouble ends the session with the broker, and a new one is built after a pause. Jobs in
//! progress go on meanwhile; their acknowledgement comes to nothing, the broker gives the job to
//! somebody again, and the claim drops it.

use crate::acks::Acks;
use crate::gate::Gate;
use crate::pipeline::{Pipeline, Work};
use shared::batch::Lane;
use shared::job::JobFault;
use shared::lifecycle::Lifecycle;
use shared::queue::{Brokers, Inbox, QueueError, Received, Session, SessionEvent, park};
use shared::reconnect::Delays;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tracing::{error, info, warn};

/// Jobs of a lane a worker may have unacknowledged. Enough to keep a fast relay busy while a
/// group of outcomes is written; few enough that another worker finds some in the queue.
const PREFETCH: u16 = 512;

/// A session that lasted this long was a good one; the next trouble starts with short delays.
const LASTED: Duration = Duration::from_secs(30);

/// What consuming needs.
#[derive(Clone)]
pub struct Consumer {
    /// Where jobs come from.
    pub brokers: Brokers,
    /// What is done with them.
    pub pipeline: Arc<Pipeline>,
    /// How many at a time, in the bulk lane,
    pub bulk: Arc<Gate>,
    /// and in the interactive one: its own, so that it never waits behind the other.
    pub interactive: Arc<Gate>,
    /// When to stop.
    pub lifecycle: Lifecycle,
    /// What the broker's pages call us.
    pub name: String,
}

impl Consumer {
    /// Takes jobs until the process stops.
    pub async fn run(self) {
        let mut delays = Delays::for_a_near_server();
        let connected = &self.pipeline.metrics.amqp_connected;
        while !self.lifecycle.is_stopping() {
            let began = Instant::now();
            match self.one_session().await {
                Ok(()) => break,
                Err(fault) => {
                    connected.set(0);
                    if began.elapsed() > LASTED {
                        delays.reset();
                    }
                    let delay = delays.next_delay();
                    warn!(error = %fault, retry_seconds = delay.as_secs_f32(), "Lost RabbitMQ; connecting again");
                    tokio::select! {
                        () = tokio::time::sleep(delay) => {}
                        () = self.lifecycle.stopping().cancelled() => break,
                    }
                    self.pipeline.metrics.amqp_reconnects.inc();
                }
            }
        }
        connected.set(0);
    }

    async fn one_session(&self) -> Result<(), QueueError> {
        let mut session = self.brokers.connect(&self.name).await?;
        let interactive = session.inbox(Lane::Interactive, PREFETCH).await?;
        let bulk = session.inbox(Lane::Bulk, PREFETCH).await?;
        self.pipeline.metrics.amqp_connected.set(1);
        info!("Connected to RabbitMQ; taking jobs");
        let ended = tokio::select! {
            ended = self.take_from(interactive, Lane::Interactive, &self.interactive) => ended,
            ended = self.take_from(bulk, Lane::Bulk, &self.bulk) => ended,
            ended = watch(&mut session) => ended,
        };
        if ended.is_ok() {
            // Jobs in progress still need the channel for their acknowledgements.
            self.lifecycle.clone().spawn(keep_until_idle(session, self.clone()));
        }
        ended
    }

    async fn take_from(&self, mut inbox: Inbox, lane: Lane, gate: &Arc<Gate>) -> Result<(), QueueError> {
        let acks = Acks::start(&self.lifecycle, inbox.acknowledger());
        loop {
            // A job dropped here, because the process stops, is unacknowledged and goes to somebody else.
            let next = async {
                let permit = gate.pass().await;
                let received = inbox.next().await?;
                self.pipeline.mailer.ready().await;
                Ok::<_, QueueError>(permit.map(|permit| (permit, received)))
            };
            let next = tokio::select! {
                next = next => next?,
                () = self.lifecycle.stopping().cancelled() => return Ok(()),
            };
            let Some((permit, received)) = next else { return Ok(()) };
            self.pipeline.metrics.count_received(lane, received.redelivered);
            match received.job {
                Ok(job) => {
                    let work = Work {
                        job,
                        tag: received.tag,
                        lane,
                        trace: received.trace,
                        acks: acks.clone(),
                        permit,
                    };
                    self.lifecycle.spawn(Arc::clone(&self.pipeline).run(work));
                }
                Err(ref fault) => {
                    let fault = fault.clone();
                    self.park(received, fault, inbox.queue(), &acks);
                }
            }
        }
    }

    /// Sets a message aside that is no job. It never goes back to the queue it came from for
    /// ever: it is parked, or stays with us until it can be.
    fn park(&self, received: Received, fault: JobFault, queue: &'static str, acks: &Acks) {
        let (this, acks) = (self.clone(), acks.clone());
        self.lifecycle.spawn(async move {
            match park(&this.brokers, queue, &received.body, &fault).await {
                Ok(()) => {
                    this.pipeline.metrics.count_parked(&fault);
                    warn!(queue, reason = %fault, "Parked a message that is no job of ours");
                    acks.done(received.tag);
                }
                Err(trouble) => {
                    error!(queue, reason = %fault, error = %trouble, "Could not park a message; it stays in its queue");
                    tokio::time::sleep(Duration::from_secs(5)).await;
                    acks.give_back(received.tag);
                }
            }
        });
    }
}

async fn watch(session: &mut Session) -> Result<(), QueueError> {
    loop {
        match session.next_event().await {
            Some(SessionEvent::Lost(why)) => {
                return Err(QueueError::Unreachable {
                    host: "the connected broker".to_owned(),
                    why,
                });
            }
            Some(SessionEvent::Blocked(reason)) => warn!(reason, "RabbitMQ takes no messages for now"),
            Some(SessionEvent::Unblocked) => info!("RabbitMQ takes messages again"),
            None => std::future::pending().await,
        }
    }
}

async fn keep_until_idle(session: Session, consumer: Consumer) {
    let leases = Arc::clone(&consumer.pipeline.leases);
    drop(consumer);
    while leases.count() > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The last acknowledgements are on their way.
    tokio::time::sleep(Duration::from_millis(100)).await;
    session.close().await;
}
