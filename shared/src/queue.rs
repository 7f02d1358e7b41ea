//! Publishing to and consuming from RabbitMQ.
//!
//! RabbitMQ holds nothing that is not in Postgres: everything in it can be published again. That keeps the rules
//! simple. Any error on a connection ends the connection, and its owner opens a new one after a pause, because
//! lapin's recovery can hang after a restart of the broker. Every wait has a timeout, because a broker with a
//! memory or disk alarm blocks a publisher for ever. Publishers and consumers have separate connections, because
//! that alarm would delay acknowledgements as well. A queue without a leader does not answer although the broker
//! does, so each lane and each heartbeat has its own channel, and opening one never waits for another.

mod address;
mod channel;
mod error;
mod heartbeat;
mod park;
mod publish;
mod receive;
mod session;
mod status;
mod topology;

pub use address::check_address;
pub use error::QueueError;
pub use heartbeat::{HEARTBEAT_INTERVAL, HeartbeatInbox, HeartbeatPublisher, Heartbeats, RouteCheck};
pub use park::park;
pub use publish::{Outgoing, Published, Publisher};
pub use receive::{Acknowledger, Inbox, Jobs, Received};
pub use session::{Brokers, Session, SessionEvent};
pub use status::{BrokerStatus, Missing};
pub use topology::{HEARTBEAT, PARKED, QueueDepth, queue_of};

use std::time::Duration;

/// Timeout for every reply of the broker.
///
/// A confirm takes milliseconds, or seconds on a busy disk. A broker that takes longer is treated as gone. The
/// cost of a wrong guess is that some jobs are published twice.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// How long a job stays in a queue before the broker drops it.
///
/// The dispatcher publishes a job again if no worker claims it for slightly longer than this. So the queues never
/// hold more than one copy of a job, however long all workers are down.
pub const JOB_LIFETIME: Duration = Duration::from_mins(5);
