//! Hands mails to the relay and determines their outcome.
//!
//! The one question is whether the relay has taken responsibility for a mail: yes, no, not now, or unknown.
//! Three rules always hold. Only a 2xx to the final dot means sent. Once the dot may have left, silence means
//! unsure, never failed. No secret and no mail crosses a connection less private than `SMTP_URL` demands.
//! - [`Mailer`] is the pipeline's interface; `outbox` holds the waiting mails, `outbox::admission` limits
//!   how many may be claimed, `flow_control` controls the number of connections and whether mail is sent.
//! - `outbox::sender` is one connection's task: `connect` reaches the relay, `connection` opens the SMTP session
//!   (`dialogue`), `auth` logs in, `transaction` sends one mail after the other, and `pipelining` decides whether
//!   their envelopes and bodies overlap.
//! - `stream` and `reply_codec` read and write bytes; `reply_table` is the table of replies: what a reply is about
//!   and what follows. `refusals` distinguishes a refusal of one recipient from an account-wide one,
//!   `answers` and `evidence` act on it, `set_aside` keeps the domains and batches that are not offered for a
//!   while, `pace` the rate that the relay accepts.
//!
//! lettre provides addresses and authentication responses. The dialogue is our own, because lettre's pool
//! keeps a connection whose reply timed out and takes the late reply for the next mail's, its connections can
//! wait forever, and it accepts a 354 as final success.

mod answers;
mod auth;
mod capabilities;
mod connect;
mod connection;
mod dialogue;
mod envelope;
mod evidence;
mod flow_control;
mod login;
mod mailer;
mod metrics;
mod outbox;
mod pace;
mod periodic;
mod permit;
mod phase;
mod pipelining;
mod redaction;
mod refusals;
mod relay;
mod reply;
mod reply_codec;
mod reply_table;
mod set_aside;
mod settings;
mod shipment;
mod stream;
mod tls;
mod transaction;
mod trouble;
mod verdict;

#[cfg(test)]
mod tests;

pub use envelope::Envelope;
pub use evidence::AccountRefusal;
pub use mailer::{Mailer, MailerError, RelayState, check};
pub use permit::Permit;
pub use phase::Phase;
pub use relay::{RelayUrl, RelayUrlError, Security};
pub use reply::{Reply, ReplyError};
pub use reply_table::Scope;
pub use settings::{Deadlines, Settings};
pub use shipment::Shipment;
pub use tls::TrustError;
pub use trouble::TroubleClass;
pub use verdict::{Answer, Verdict};
