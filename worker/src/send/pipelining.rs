//! Whether the next mail's envelope may be sent behind a body, before the reply to it.
//!
//! RFC 2920, 3.1 allows it, and still some servers that offer PIPELINING break on it: Dovecot's submission
//! service (2.3) passes the mail on and then crashes, because the next recipient has arrived. No reply follows,
//! so the mail is unsure and is sent twice. Therefore one connection tries it first, and if replies are lost, it
//! is given up until the process ends.

/// Number of replies in a row that show that the relay supports it.
const MIN_ANSWERED: u32 = 5;

/// Number of lost replies, without such a row in between, after which it is given up. One may be a network
/// failure.
const MAX_LOST: u32 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// One connection tries it.
    Trial { connection: Option<u64>, answered: u32 },
    /// All connections use it.
    Proven,
    /// It is given up.
    Off,
}

/// What is known about the relay.
pub(super) struct Ahead {
    stage: Stage,
    lost: u32,
}

impl Default for Ahead {
    fn default() -> Self {
        Self {
            stage: Stage::Trial {
                connection: None,
                answered: 0,
            },
            lost: 0,
        }
    }
}

impl Ahead {
    /// Whether this connection may send an envelope ahead.
    pub(super) fn may(&mut self, number: u64) -> bool {
        match &mut self.stage {
            Stage::Proven => true,
            Stage::Off => false,
            Stage::Trial { connection, .. } => *connection.get_or_insert(number) == number,
        }
    }

    /// Records whether a body with an envelope behind it was answered.
    pub(super) fn ended(&mut self, is_answered: bool) {
        if is_answered {
            self.answered();
        } else {
            self.lost();
        }
    }

    fn answered(&mut self) {
        if let Stage::Trial { answered, .. } = &mut self.stage {
            *answered += 1;
            if *answered >= MIN_ANSWERED {
                *self = Self {
                    stage: Stage::Proven,
                    lost: 0,
                };
            }
        }
    }

    fn lost(&mut self) {
        self.lost += 1;
        if self.lost < MAX_LOST {
            self.stage = Self::default().stage;
        } else if self.stage != Stage::Off {
            self.stage = Stage::Off;
            tracing::warn!(
                "The relay closes connections when the next email's envelope follows a body; envelopes wait for its reply from now on"
            );
        }
    }

    /// Records that a connection takes no further mail.
    pub(super) fn closed(&mut self, number: u64) {
        if let Stage::Trial { connection, .. } = &mut self.stage
            && *connection == Some(number)
        {
            *connection = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_connection_tries_it_and_all_use_it_once_it_works() {
        let mut ahead = Ahead::default();
        assert!(ahead.may(1) && !ahead.may(2) && ahead.may(1));
        ahead.closed(2);
        assert!(!ahead.may(2));
        ahead.closed(1);
        assert!(ahead.may(2) && !ahead.may(1));
        (0..MIN_ANSWERED).for_each(|_| ahead.answered());
        assert!(ahead.may(1) && ahead.may(2) && ahead.may(3));
    }

    #[test]
    fn it_is_given_up_after_two_lost_replies() {
        let mut ahead = Ahead::default();
        assert!(ahead.may(1));
        ahead.lost();
        assert!(ahead.may(2) && !ahead.may(1));
        ahead.lost();
        (0..100).for_each(|_| ahead.answered());
        assert!(!ahead.may(1) && !ahead.may(3));
    }

    #[test]
    fn a_network_failure_after_it_worked_starts_another_trial() {
        let mut ahead = Ahead::default();
        for number in 0..10 {
            assert!(ahead.may(number) && !ahead.may(number + 1));
            (0..MIN_ANSWERED).for_each(|_| ahead.answered());
            assert!(ahead.may(number + 1));
            ahead.lost();
        }
    }
}
