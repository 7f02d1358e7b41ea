//! The queues, and how to speak to them.
//!
//! RabbitMQ carries work and holds no truth: everything in it can be published again from
//! Postgres. That makes the rules here simple. Any trouble on a connection ends the connection,
//! and its owner builds everything anew after a pause: lapin's own recovery can stay dead after a
//! broker's restart. Every wait has an end, because a broker with a memory or disk alarm lets a
//! publisher wait for ever. Publishing and consuming never share a connection, because that alarm
//! would hold up acknowledgements too. A queue that has no leader answers nothing while the broker
//! does, so the lanes and the beats share no channel, and none is opened only after another.

mod address;
mod heartbeat;
mod publish;
mod receive;
mod session;
mod status;
mod topology;

pub use address::check_address;
pub use heartbeat::{BEAT, BeatInbox, Beats, HEARTBEAT, Heart, Pulse};
pub use publish::{Outgoing, Published, Publisher, park};
pub use receive::{Acknowledger, Inbox, Jobs, Received};
pub use session::{Brokers, QueueError, Session, SessionEvent};
pub use status::{BrokerStatus, Missing};
pub use topology::{PARKED, QueueDepth, queue_of};

use std::time::Duration;

/// How long any answer of the broker may take.
///
/// A confirm takes milliseconds, and seconds on a disk that is busy; a broker silent for longer
/// is treated as gone, which costs at most some jobs published twice.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// How long a job may lie in a queue before the broker drops it.
///
/// The dispatcher publishes a job again when nobody claimed it for a little longer than this, so
/// the queues never hold more than one round of copies, however long the workers are away.
pub const JOB_LIFETIME: Duration = Duration::from_mins(5);
