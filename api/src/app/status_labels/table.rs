//! The table of status words. The first matching row applies.

use super::{NextStep, Status, Tone};
use DeliveryState::{Cancelled, Expired, Failed, Queued, Retrying, Sending, Sent, Suppressed, Waiting};
use NextStep::{AskMailTeam, CorrectAddress, EditEmail, Nothing, SendAgain, Unblock};
use Tone::{Amber, Green, Grey, Neutral, Red};
use shared::batch::BatchState;
use shared::delivery::DeliveryState;

/// A status and the conditions under which it applies.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub(super) states: &'static [DeliveryState],
    /// Empty for any reason.
    pub(super) reasons: &'static [&'static str],
    /// Empty for a batch in any state.
    pub(super) batch: &'static [BatchState],
    pub(super) status: Status,
}

const fn row(
    states: &'static [DeliveryState],
    reasons: &'static [&'static str],
    word: &'static str,
    (tone, next): (Tone, NextStep),
    help: &'static str,
) -> Row {
    Row {
        states,
        reasons,
        batch: &[],
        status: Status { word, help, tone, next },
    }
}

const fn while_batch_is(batch: &'static [BatchState], row: Row) -> Row {
    Row { batch, ..row }
}

/// Fallback for a state without a row, which does not occur.
pub(super) const UNNAMED: Status = Status {
    word: "Unknown",
    help: "The status of this email is unknown.",
    tone: Grey,
    next: Nothing,
};

/// Temporary failures that end a delivery if they last too long.
const PASSING: &[&str] = &[
    "connect",
    "tls",
    "auth",
    "timeout",
    "line_broken",
    "protocol",
    "sender_refused",
    "relaying_denied",
    "quota",
    "unsure",
    "worker_vanished",
    "too_many_attempts",
    "gave_up",
];

const IN_WAITING: &[DeliveryState] = &[Waiting, Queued];
const OVER: &[DeliveryState] = &[Failed, Expired];

#[rustfmt::skip] // rustfmt would spread the rows over many lines.
pub(super) const ROWS: &[Row] = &[
    while_batch_is(&[BatchState::Held], row(IN_WAITING, &[], "Waiting to start", (Neutral, Nothing),
        "It will be sent when its batch starts. You can undo the batch until then.")),
    while_batch_is(&[BatchState::Paused], row(&[Waiting, Queued, Retrying], &[], "Paused", (Neutral, Nothing),
        "It will be sent when its batch is resumed.")),
    row(IN_WAITING, &[], "Waiting", (Neutral, Nothing),
        "It is waiting to be sent."),
    row(&[Sending], &[], "Sending", (Neutral, Nothing),
        "It is being handed to the mail server."),
    row(&[Retrying], &["throttled"], "Trying again", (Amber, Nothing),
        "The mail server asked us to wait."),
    row(&[Retrying], &["mailbox_full"], "Trying again", (Amber, Nothing),
        "The inbox is full."),
    row(&[Retrying], &["timeout"], "Trying again", (Amber, Nothing),
        "The mail server did not answer in time."),
    row(&[Retrying], &["line_broken", "connect"], "Trying again", (Amber, Nothing),
        "The connection to the mail server failed."),
    row(&[Retrying], &["tls"], "Trying again", (Amber, Nothing),
        "A secure connection to the mail server was not possible."),
    row(&[Retrying], &["auth", "sender_refused", "relaying_denied"], "Trying again", (Amber, Nothing),
        "The mail server did not accept our account or sender address."),
    row(&[Retrying], &["quota"], "Trying again", (Amber, Nothing),
        "The mail server accepts no more email from our account for now."),
    row(&[Retrying], &["protocol"], "Trying again", (Amber, Nothing),
        "The mail server sent an invalid reply."),
    row(&[Retrying], &["unsure"], "Trying again", (Amber, Nothing),
        "The connection broke before the mail server confirmed the email, so it may have arrived. We will try again."),
    row(&[Retrying], &["worker_vanished"], "Trying again", (Amber, Nothing),
        "The worker stopped while sending it, so it may have arrived. We will try again."),
    row(&[Retrying], &[], "Trying again", (Amber, Nothing),
        "It could not be sent yet."),
    row(&[Sent], &[], "Sent", (Green, Nothing),
        "Your mail server accepted it. We cannot see if it was read or filed as spam."),
    row(OVER, &["address_unknown"], "Address does not exist", (Red, CorrectAddress),
        "The mail server reports that this address does not exist."),
    row(OVER, &["address_unsupported"], "Address not supported", (Red, CorrectAddress),
        "Your mail server cannot send to this kind of address."),
    row(OVER, &["mailbox_full"], "Inbox full", (Red, SendAgain),
        "The inbox is full and accepts no more email."),
    row(OVER, &["policy"], "Refused as spam or by policy", (Red, AskMailTeam),
        "A rule of the mail server forbids this email."),
    row(OVER, &["content_too_large"], "Email too large", (Red, EditEmail),
        "The email is larger than the mail server allows."),
    row(OVER, &["refused"], "Refused", (Red, CorrectAddress),
        "The mail server rejected it permanently. Its reply may explain why; often the address is wrong."),
    row(OVER, &["unbuildable"], "Our fault", (Red, SendAgain),
        "We could not create this email."),
    row(OVER, &["stale"], "Not sent in time", (Red, SendAgain),
        "It waited too long, so we did not send it."),
    row(OVER, &["throttled"], "Gave up", (Red, SendAgain),
        "The mail server kept asking us to wait."),
    row(OVER, PASSING, "Gave up", (Red, SendAgain),
        "We stopped trying after repeated failures."),
    row(&[Expired], &[], "Gave up", (Red, SendAgain),
        "We stopped trying after repeated failures."),
    row(&[Failed], &[], "Failed", (Red, SendAgain),
        "It could not be sent."),
    row(&[Suppressed], &["address_blocked"], "Not sent: blocked address", (Grey, Unblock),
        "An earlier email failed because the mail server reported that this address does not exist."),
    row(&[Suppressed], &[], "Not sent: blocked address", (Grey, Unblock),
        "An earlier email to this address failed permanently."),
    row(&[Cancelled], &["stopped"], "Stopped", (Grey, SendAgain),
        "Its batch was stopped before it was sent."),
    row(&[Cancelled], &["withdrawn"], "Stopped", (Grey, SendAgain),
        "It was stopped before it was sent."),
    row(&[Cancelled], &["superseded"], "Not needed", (Grey, Nothing),
        "The person chose their own password before it was sent."),
    row(&[Cancelled], &["revoked"], "Revoked", (Grey, SendAgain),
        "The person’s mailed passwords were revoked before it was sent."),
    row(&[Cancelled], &["user_locked"], "Person locked", (Grey, Nothing),
        "The person was locked before it was sent."),
    row(&[Cancelled], &["address_changed"], "Address changed", (Grey, SendAgain),
        "The person’s address was changed before it was sent."),
    row(&[Cancelled], &["user_deleted"], "Person deleted", (Grey, Nothing),
        "The person was deleted before it was sent."),
    row(&[Cancelled], &[], "Stopped", (Grey, SendAgain),
        "It was stopped before it was sent."),
];

/// Labels for the reasons why selected people are left out.
pub(super) const LEFT_OUT: &[(&str, &str)] = &[
    ("unknown_user", "Not one of your users"),
    ("duplicate", "Selected twice"),
    ("address_blocked", "Has a blocked address"),
    ("do_not_mail", "Is on a do-not-mail list"),
    ("excluded_by_filter", "Matches an excluded filter"),
    ("user_locked", "Is locked"),
    ("already_waiting", "Already queued in another batch"),
    ("too_many_passwords", "Has five mailed passwords that still work"),
    ("signed_in", "Has already signed in"),
    ("mailed_recently", "Got this email in the last 24 hours"),
];
