//! Code shared by Beckon's API and its workers.
//!
//! Beckon invites users to a platform in bulk and gives them their first password. Two kinds of process do
//! that and never call each other: the API accepts requests and decides when each mail is due; workers send
//! it and record its outcome. They communicate through Postgres and RabbitMQ.
//!
//! **Postgres is the source of truth** ([`store`]). A [`batch`] is one decision to send one [`system_email`]
//! to a set of users; it owes each of them one [`delivery`]. A delivery is written before any message about
//! it, every change of its state is one guarded statement, and a late or duplicate process changes nothing.
//! So anything but Postgres may be lost at any moment.
//!
//! **RabbitMQ carries work** ([`queue`]). A [`job`] points at a delivery and names the attempt it requests.
//! It contains no address, no name, no content and no secret.
//!
//! The path of a mail, in the words used for files, spans, logs and metrics: *import* adds users, *intake*
//! accepts a batch, *dispatch* publishes due deliveries, a worker *claims* a delivery, *composes* its
//! [`letter`], *sends* it and *settles* the outcome; only then is the job acknowledged.

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
pub mod language;
pub mod letter;
pub mod lifecycle;
pub mod memory;
pub mod metrics;
pub mod name;
mod named_enum;
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
