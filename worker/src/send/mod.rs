//! Handing a mail to the relay, and knowing what became of it.
//!
//! The one question this module answers is whether the relay has taken responsibility for a mail:
//! yes, no, not now, or it cannot be known. Three rules hold everywhere. Only a 2xx to the final dot
//! means sent. Once the dot may have left, silence means unsure, never failed. No secret and no mail
//! goes over a connection that is not as private as `SMTP_URL` demands.
//!
//! - [`Mailer`] is what the pipeline holds; `outbox` has the mails that wait, `admission` says how many
//!   may be claimed, `flow` controls how many connections there are and whether any mail is sent.
//! - `sender` is one connection's task: `connect` reaches the relay, `connection` opens the SMTP
//!   session, `auth` logs in, `transaction` sends one mail after the other.
//! - `stream` and `reply_codec` read and write bytes; `scope` is the table of replies: whom a reply is about
//!   and what follows. `refusals` tells a refusal of one recipient from one of everybody, `answers` and `evidence` act on it,
//!   `set_aside` has the domains and batches that are not offered for a while, `pace` the rate the relay takes.
//!
//! lettre provides addresses and the responses of authentication. The dialogue is this module's own,
//! because lettre's pool, given a time-out, keeps a connection whose reply is still to come and takes
//! it for the next mail's, its connections wait forever, and it accepts a 354 as final success.

mod admission;
mod answers;
mod auth;
mod capabilities;
mod connect;
mod connection;
mod envelope;
mod evidence;
mod flow;
mod mailer;
mod metrics;
mod outbox;
mod pace;
mod phase;
mod refusals;
mod relay;
mod reply;
mod reply_codec;
mod scope;
mod sender;
mod set_aside;
mod settings;
mod slot;
mod stream;
mod tls;
mod told;
mod transaction;
mod trouble;
mod upkeep;
mod verdict;

#[cfg(test)]
mod tests;

pub use admission::Permit;
pub use envelope::Envelope;
pub use evidence::AccountRefusal;
pub use mailer::{Mailer, MailerError, RelayState, check};
pub use phase::Phase;
pub use relay::{RelayUrl, RelayUrlError, Security};
pub use reply::{Lost, Reply};
pub use scope::Scope;
pub use settings::{Deadlines, Settings};
pub use tls::TrustError;
pub use transaction::Shipment;
pub use trouble::TroubleClass;
pub use verdict::{Answer, Verdict};
