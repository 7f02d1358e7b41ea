//! Status words for emails: one table for pages, CSV files and the API description.
//!
//! Administrators read "Address does not exist", not `failed/address_unknown`. A word claims only what is known: `sent`
//! means that the relay accepted the email, not that a person read it. Each word has a tone, an icon (colour alone is
//! not accessible to everyone), and the next step if there is one.

mod table;

use shared::batch::{BatchState, PauseCause};
use shared::delivery::DeliveryState;
use table::{LEFT_OUT, ROWS, UNNAMED};

/// How serious a status is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tone {
    /// In progress.
    Neutral,
    /// In progress, with a problem.
    Amber,
    /// Done.
    Green,
    /// Needs action.
    Red,
    /// Not sent, on request or for a good reason.
    Grey,
}

impl Tone {
    /// The name of its CSS class.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Neutral => "neutral",
            Self::Amber => "amber",
            Self::Green => "green",
            Self::Red => "red",
            Self::Grey => "grey",
        }
    }

    /// The icon that conveys the tone without colour.
    pub const fn icon(self) -> &'static str {
        match self {
            Self::Neutral => "clock",
            Self::Amber => "again",
            Self::Green => "tick",
            Self::Red => "cross",
            Self::Grey => "dash",
        }
    }
}

/// What the administrator can do next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NextStep {
    /// Nothing, or wait.
    Nothing,
    /// The address is wrong: correct it, then send again.
    CorrectAddress,
    /// The address is blocked: unblock it, then send again.
    Unblock,
    /// Sending again may help.
    SendAgain,
    /// The mail team must look into it.
    AskMailTeam,
    /// The system email must be changed first.
    EditEmail,
}

impl NextStep {
    /// The step in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::CorrectAddress => "Correct the address, then send again.",
            Self::Unblock => "Unblock the address, then send again.",
            Self::SendAgain => "Send again.",
            Self::AskMailTeam => "Show the mail server’s reply to your mail team, then send again.",
            Self::EditEmail => "Shorten the email, then send again.",
        }
    }
}

/// The status of an email in words.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Status {
    /// One to a few words.
    pub word: &'static str,
    /// One or two sentences of explanation.
    pub help: &'static str,
    /// How serious it is.
    pub tone: Tone,
    /// What the administrator can do next.
    pub next: NextStep,
}

/// The status of a delivery in this state, for this reason, in a batch in that state.
pub fn status(state: DeliveryState, reason: Option<&str>, batch: BatchState) -> Status {
    let fitting = ROWS.iter().find(|row| {
        row.states.contains(&state)
            && (row.batch.is_empty() || row.batch.contains(&batch))
            && (row.reasons.is_empty() || reason.is_some_and(|reason| row.reasons.contains(&reason)))
    });
    fitting.map_or(UNNAMED, |row| row.status)
}

/// Whether the table has a row for this reason in this state.
pub fn has_words(state: DeliveryState, reason: &str) -> bool {
    ROWS.iter()
        .any(|row| row.states.contains(&state) && row.reasons.contains(&reason))
}

/// Reasons for which an email fails or expires.
pub fn failure_reasons() -> Vec<&'static str> {
    let over = ROWS
        .iter()
        .filter(|row| row.states.contains(&DeliveryState::Failed) || row.states.contains(&DeliveryState::Expired));
    over.flat_map(|row| row.reasons.iter().copied()).collect()
}

/// Whether an email fails or expires for this reason.
pub fn is_reason(reason: &str) -> bool {
    failure_reasons().contains(&reason)
}

/// All status words without duplicates, in the order of the table.
pub fn words() -> Vec<&'static str> {
    let mut words = Vec::new();
    for row in ROWS {
        if !words.contains(&row.status.word) {
            words.push(row.status.word);
        }
    }
    words
}

/// What to do before resuming a batch that paused itself.
pub const fn before_resuming(brake: PauseCause) -> &'static str {
    match brake {
        PauseCause::Bounces => {
            "Mail providers reject senders who write to many addresses that do not exist. The addresses found so far are \
             blocked. Check where your list comes from before you resume."
        }
        PauseCause::Policy => "Show the mail server’s reply to your mail team before you resume.",
        PauseCause::Relay => "The team that runs Beckon needs to fix this with the mail server before you resume.",
    }
}

/// Why a selected person was left out, in words.
pub fn left_out(reason: &str) -> &'static str {
    let known = LEFT_OUT.iter().find(|(name, _)| *name == reason);
    known.map_or("Left out", |(_, words)| *words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::store::left_out::LeftOutReason;

    #[test]
    fn every_state_has_words_whatever_the_reason() {
        for state in DeliveryState::ALL {
            for batch in BatchState::ALL {
                for reason in [None, Some("an unknown reason")] {
                    assert_ne!(
                        status(state, reason, batch),
                        UNNAMED,
                        "{state:?} {reason:?} of a batch that is {batch:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn only_a_mail_on_its_way_is_told_by_its_batch() {
        for state in DeliveryState::ALL.into_iter().filter(|state| state.has_ended()) {
            let words = BatchState::ALL.map(|batch| status(state, None, batch));
            assert!(words.windows(2).all(|pair| pair[0] == pair[1]), "{state:?}");
        }
        assert_eq!(
            status(DeliveryState::Waiting, None, BatchState::Held).word,
            "Waiting to start"
        );
        assert_eq!(
            status(DeliveryState::Retrying, Some("throttled"), BatchState::Paused).word,
            "Paused"
        );
    }

    #[test]
    fn everything_red_says_what_to_do() {
        for row in ROWS {
            let Status { word, help, tone, next } = row.status;
            assert_eq!(
                tone == Tone::Red,
                next != NextStep::Nothing && tone != Tone::Grey,
                "{word}"
            );
            assert!(help.ends_with('.') && !word.ends_with('.'), "{word}: {help}");
        }
    }

    #[test]
    fn everybody_left_out_learns_why() {
        for reason in LeftOutReason::ALL {
            assert_ne!(left_out(reason.as_str()), "Left out", "{reason:?}");
        }
    }
}
