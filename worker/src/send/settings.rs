//! Settings of a mailer: connections, deadlines and its name.

use std::time::Duration;

use super::phase::Phase;
use super::verdict::Answer;

/// Deadlines of each step of the conversation.
///
/// RFC 5321 4.5.3.2 asks for minutes everywhere, because it covers unknown servers on the other side of
/// the world. A submission relay is our own or paid for, so all deadlines but the last are shorter. The last
/// is the ten minutes that the RFC asks for: otherwise a relay that has the mail and is slow to answer would
/// get it twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Resolving the relay's name and connecting to one of its addresses.
    pub connect: Duration,
    /// From the open connection to the greeting.
    pub greeting: Duration,
    /// Each EHLO.
    pub ehlo: Duration,
    /// STARTTLS and the handshake after it, or the handshake alone on port 465.
    pub starttls: Duration,
    /// AUTH with all its challenges.
    pub auth: Duration,
    /// The reply to MAIL, and to the RSET that may come before it.
    pub mail: Duration,
    /// The reply to RCPT.
    pub rcpt: Duration,
    /// The reply to DATA.
    pub data: Duration,
    /// The longest pause in which the relay takes no further byte of the body.
    pub body: Duration,
    /// From the final dot to its reply.
    pub dot: Duration,
    /// The whole attempt. Well below the 30 minutes after which the broker takes back an unacknowledged job.
    /// A mail is held back if its body would begin too late for the full `dot` deadline.
    pub attempt: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            greeting: Duration::from_secs(30),
            ehlo: Duration::from_secs(30),
            starttls: Duration::from_secs(30),
            auth: Duration::from_secs(30),
            mail: Duration::from_mins(1),
            rcpt: Duration::from_mins(1),
            data: Duration::from_mins(1),
            body: Duration::from_mins(1),
            dot: Duration::from_mins(10),
            attempt: Duration::from_mins(12),
        }
    }
}

impl Deadlines {
    pub(super) fn of(&self, phase: Phase) -> Duration {
        match phase {
            Phase::Connect => self.connect,
            Phase::Greeting => self.greeting,
            Phase::Ehlo => self.ehlo,
            Phase::StartTls => self.starttls,
            Phase::Auth => self.auth,
            Phase::Mail => self.mail,
            Phase::Rcpt => self.rcpt,
            Phase::Data => self.data,
            Phase::Body => self.body,
            Phase::Dot => self.dot,
        }
    }
}

/// Settings of a [`Mailer`](super::Mailer).
#[derive(Debug, Clone)]
pub struct Settings {
    /// Maximum number of connections to the relay (`BECKON_SMTP_CONNECTIONS`), at least one.
    pub connections: usize,
    /// Deadlines of each step.
    pub deadlines: Deadlines,
    /// A mail that waits longer than this for a connection is given back, so that another worker gets it.
    pub queue_limit: Duration,
    /// An idle connection is closed after this time, before the relay closes it.
    pub idle_limit: Duration,
    /// No mail starts on a connection older than this, so that a changed address or password of the relay is
    /// noticed. Postfix uses the same limit.
    pub age_limit: Duration,
    /// The name in EHLO. The worker uses the domain of `BECKON_MAIL_FROM`: unlike a container's host name, it
    /// is public and a relay can look it up.
    pub hello_name: String,
    /// How long open connections have for a good answer before the relay counts as down, when further
    /// connects fail without a reply. If the relay replies with a reason it is up, and they have ten times as
    /// long.
    pub doubt: Duration,
    /// How long a refusal of unclear scope is held until answers to other mails show its scope.
    pub hold_limit: Duration,
    /// The same if no other mail is in progress that could show it.
    pub hold_alone: Duration,
    /// First pause before a failing relay is probed.
    pub first_probe: Duration,
    /// The pauses double up to this one. A relay that has recovered gets no mail until it is probed, and a probe
    /// costs it one connection per worker.
    pub longest_probe: Duration,
    /// The same while the relay refuses us with a 5xx reply, or refuses our login, sender or account: an operator has
    /// to change something, and some relays extend a block with every attempt.
    pub longest_refused_probe: Duration,
    /// The same while the account's quota is used up.
    pub longest_quota_probe: Duration,
}

/// How much longer a doubt lasts if the relay replied. It is more likely short of connections than down, and
/// may take its time.
const DOUBT_FACTOR: u32 = 10;

impl Settings {
    pub(super) fn doubt_after(&self, answer: &Answer) -> Duration {
        match answer.code {
            None => self.doubt,
            Some(_) => self.doubt * DOUBT_FACTOR,
        }
    }

    /// Default settings for this number of connections under this name.
    pub fn for_connections(connections: usize, hello_name: impl Into<String>) -> Self {
        Self {
            connections,
            deadlines: Deadlines::default(),
            queue_limit: Duration::from_secs(2),
            idle_limit: Duration::from_mins(1),
            age_limit: Duration::from_mins(5),
            hello_name: hello_name.into(),
            doubt: Duration::from_secs(2),
            hold_limit: Duration::from_secs(15),
            hold_alone: Duration::from_secs(1),
            first_probe: Duration::from_secs(1),
            longest_probe: Duration::from_secs(5),
            longest_refused_probe: Duration::from_mins(1),
            longest_quota_probe: Duration::from_mins(10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timeout_after_the_dot_is_shorter_than_the_brokers_consumer_timeout() {
        let deadlines = Deadlines::default();

        assert_eq!(deadlines.dot, Duration::from_mins(10));
        assert!(deadlines.dot < deadlines.attempt && deadlines.attempt < Duration::from_mins(20));
    }
}
