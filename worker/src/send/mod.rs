//! Handing a mail to the relay, and knowing what became of it.
//!
//! The one question this module answers is whether the relay has taken responsibility for a mail:
//! yes, no, not now, or nobody can know. SMTP makes the question harder than it looks, and the
//! usual client makes it harder still. lettre's pool, given a time-out, keeps a connection whose
//! reply is still to come, and then reports the first mail's reply as the second mail's: a refused
//! mail was seen recorded as sent. Without the pool lettre waits for ever, accepts a 354 as final
//! success, and closes the connection at each refusal. So lettre writes and reads single commands
//! here, and this module keeps the rest:
//!
//! - `wire` is the line under lettre: it hands over one reply at a time and counts what has left.
//! - `line` reaches the relay and makes the line private; `connection` says who we are on it, and
//!   `transfer` takes one mail over it, a deadline on each step. Whatever is interrupted or odd ends the connection.
//! - `verdict` is the decision table: phase, code and enhanced code to what it means for the mail.
//! - `slots` gives connections to mails and `width` bounds them, fewer for bulk mail; [`Mailer`] is
//!   what the pipeline holds.
//! - `breaker` holds mails back while the relay is in trouble, so that an outage or a wrong
//!   password spends nobody's attempt.
//!
//! Three rules hold everywhere. Only a 2xx to the final dot means sent. Once the dot may have left,
//! silence means unsure, never failed. No secret and no mail goes over a line that is not as private
//! as `SMTP_URL` demands.

mod breaker;
mod connection;
mod envelope;
mod idle;
mod line;
mod mailer;
mod metrics;
mod offers;
mod phase;
mod relay;
mod reply;
mod settings;
mod slots;
mod tls;
mod told;
mod transfer;
mod trouble;
mod upkeep;
mod verdict;
mod width;
mod wire;

#[cfg(test)]
mod tests;

pub use breaker::RelayState;
pub use envelope::Envelope;
pub use mailer::{Mailer, MailerError, check};
pub use phase::Phase;
pub use relay::{RelayUrl, RelayUrlError, Security};
pub use reply::{Lost, Reply};
pub use settings::{Deadlines, Settings};
pub use tls::TrustError;
pub use transfer::MayStartBody;
pub use trouble::TroubleClass;
pub use verdict::{Answer, Verdict};
pub use width::for_bulk;
