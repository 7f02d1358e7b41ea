//! The history of an email as a list of events, newest first.
//!
//! Replies of the relay are shown verbatim, as plain text because they are untrusted. A mail team asks for them.

use crate::console::batch::live::reason;
use crate::console::format::{Moment, author, exact, lasting, moment};
use shared::batch::BatchState;
use shared::delivery::DeliveryState;
use shared::store::attempts::Attempt;
use shared::store::batches::Batch;
use shared::store::deliveries::Delivery;
use time::OffsetDateTime;

/// Shorter holds are not shown as events.
const HOLD_LEAST_SECONDS: i64 = 1;

/// An event.
#[derive(Clone, Debug)]
pub(super) struct Event {
    /// Tone of its marker.
    pub(super) tone: &'static str,
    /// What happened.
    pub(super) what: String,
    pub(super) at: Moment,
    /// Whether the time is shown to the second.
    pub(super) is_exact: bool,
    /// The relay's reply.
    pub(super) reply: Option<String>,
    /// How far the SMTP conversation came, how long it took, and which worker handled it.
    pub(super) facts: Vec<String>,
}

impl Event {
    fn new(tone: &'static str, what: impl Into<String>, at: OffsetDateTime) -> Self {
        Self {
            tone,
            what: what.into(),
            at: moment(at),
            is_exact: false,
            reply: None,
            facts: Vec::new(),
        }
    }
}

/// The history of an email.
pub(super) fn of(delivery: &Delivery, batch: &Batch, attempts: &[Attempt]) -> Vec<Event> {
    let mut events = vec![Event::new(
        "",
        format!("Requested by {}", author(&batch.created_by)),
        batch.created_at,
    )];
    events.extend(start(delivery, batch));
    events.extend(attempts.iter().map(|attempt| of_attempt(attempt, delivery)));
    events.extend(end(delivery, batch));
    if let Some(due) = delivery.due_at.filter(|_| delivery.state == DeliveryState::Retrying) {
        let what = match batch.state {
            BatchState::Paused => "Next attempt, when its batch is resumed",
            _ => "Next attempt",
        };
        events.push(Event::new("", what, due));
    }
    events.reverse();
    events
}

/// The start of its batch, if it was held.
fn start(delivery: &Delivery, batch: &Batch) -> Option<Event> {
    let held = (batch.start_at - batch.created_at).whole_seconds();
    let has_ended_before = delivery.state.has_ended() && delivery.moved_at < batch.start_at;
    if held < HOLD_LEAST_SECONDS || has_ended_before {
        return None;
    }
    let what = if batch.start_at > batch.read_at {
        "Starts unless it is undone".to_owned()
    } else {
        format!("Started after a hold of {}", lasting(held))
    };
    Some(Event::new("", what, batch.start_at))
}

/// What ended it, other than an attempt.
fn end(delivery: &Delivery, batch: &Batch) -> Option<Event> {
    let what = match (delivery.state, delivery.reason.as_deref()) {
        (DeliveryState::Cancelled, Some("stopped")) => match &batch.reason {
            Some(stored) => reason(stored),
            None => "Its batch was stopped".to_owned(),
        },
        (DeliveryState::Cancelled, Some("superseded")) => "The person chose their own password".to_owned(),
        (DeliveryState::Cancelled, Some("revoked")) => "The person’s mailed passwords were revoked".to_owned(),
        (DeliveryState::Cancelled, Some("user_locked")) => "The person was locked".to_owned(),
        (DeliveryState::Cancelled, Some("address_changed")) => "The person’s address was changed".to_owned(),
        (DeliveryState::Cancelled, Some("user_deleted")) => "The person was deleted".to_owned(),
        (DeliveryState::Cancelled, _) => "Stopped".to_owned(),
        (DeliveryState::Suppressed, _) => "Not sent: the address is blocked".to_owned(),
        (DeliveryState::Expired, Some("stale")) => "Not sent in time".to_owned(),
        (DeliveryState::Expired, _) | (DeliveryState::Failed, Some("too_many_attempts")) => "Gave up".to_owned(),
        _ => return None,
    };
    let tone = match delivery.state {
        DeliveryState::Cancelled | DeliveryState::Suppressed => "grey",
        _ => "red",
    };
    Some(Event::new(tone, what, delivery.moved_at))
}

fn of_attempt(attempt: &Attempt, delivery: &Delivery) -> Event {
    let (tone, verdict) = match attempt.verdict.as_deref() {
        Some("accepted") => ("green", "accepted by the mail server"),
        Some("try_later") => ("amber", "deferred"),
        Some("refused") => ("red", "rejected permanently"),
        Some("unsure") => ("amber", "not confirmed, may have arrived"),
        _ => ("", "in progress"),
    };
    let mut facts = Vec::new();
    if let Some(email) = attempt.email.as_ref().filter(|_| attempt.email != delivery.email) {
        facts.push(format!("to {email}"));
    }
    if let Some(phase) = &attempt.phase {
        facts.push(stage(phase).to_owned());
    }
    if let Some(end) = attempt.ended_at {
        let took = (end - attempt.started_at).whole_milliseconds().max(0);
        facts.push(format!("took {}.{:03} s", took / 1_000, took % 1_000));
    }
    facts.push(format!("worker {}", attempt.worker));
    Event {
        at: exact(attempt.ended_at.unwrap_or(attempt.started_at)),
        is_exact: true,
        reply: words(attempt),
        facts,
        ..Event::new(tone, format!("Attempt {}: {verdict}", attempt.n), attempt.started_at)
    }
}

/// The relay's reply verbatim, with its code in front as in SMTP.
fn words(attempt: &Attempt) -> Option<String> {
    let reply = attempt.reply.clone().unwrap_or_default();
    let line = match attempt.code {
        Some(code) => format!("{code} {reply}"),
        None => reply,
    };
    Some(line.trim().to_owned()).filter(|line| !line.is_empty())
}

/// The phase that the SMTP conversation reached, in words.
fn stage(phase: &str) -> &str {
    match phase {
        "connect" => "while connecting",
        "greeting" => "while waiting for the greeting",
        "ehlo" => "during EHLO",
        "starttls" => "while setting up encryption (STARTTLS)",
        "auth" => "while signing in (AUTH)",
        "mail" => "after the sender address (MAIL FROM)",
        "rcpt" => "after the recipient address (RCPT TO)",
        "data" => "before sending the content (DATA)",
        "body" => "while sending the content",
        "dot" => "after sending the content",
        "compose" => "before connecting",
        _ => "at an unknown point",
    }
}
