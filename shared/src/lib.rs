//! What Beckon's API and its workers agree on.
//!
//! Beckon invites people into a platform in bulk and gives them their first password. Two kinds
//! of process do that and never call each other: the API takes requests in and decides when each
//! mail is due; workers send it and record what became of it. They meet in two places, and both
//! are described here.
//!
//! **Postgres is the truth** ([`store`]). A [`batch`] is one decision to send one
//! [`system_email`] to a set of users; it owes each of them one [`delivery`]. A delivery is
//! written before any message about it, every change of its state is one guarded statement, and
//! a late or double process moves nothing. So anything but Postgres may be lost at any moment.
//!
//! **RabbitMQ carries work** ([`queue`]). A [`job`] points at a delivery and says which attempt
//! it asks for. It holds no address, no name, no content and no secret.
//!
//! One mail's way, in the words used for files, spans, logs and metrics: *import* brings people
//! in, *intake* accepts a batch, *dispatch* publishes what is due, a worker *claims* a delivery,
//! *composes* its [`letter`], *sends* it and *settles* the outcome; only then is the job
//! acknowledged.

pub mod address;
pub mod batch;
mod certificates;
pub mod config;
pub mod connections;
pub mod delivery;
pub mod failpoint;
pub mod healthcheck;
pub mod instance;
pub mod job;
pub mod letter;
pub mod lifecycle;
pub mod memory;
pub mod metrics;
pub mod name;
pub mod password;
pub mod probes;

pub mod queue;
pub mod reconnect;
pub mod release;
pub mod store;
pub mod system_email;
pub mod telemetry;
pub mod trace;
pub mod trouble;
pub mod user_filter;
mod web_page;
