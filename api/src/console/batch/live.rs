//! The part of a batch's page that updates itself: state, figures, problems and available actions.
//!
//! It is rendered from one count that all viewers share (`watch.rs`): with the page, and again whenever the count
//! changes.

use super::counts::{Figure, Group, LedgerCounts, pace, troubles};
use super::delivery_group::ListQuery;
use super::domains::{Domain, domains};
use crate::app::status_labels::before_resuming;
use crate::app::watch::Seen;
use crate::console::format::{Moment, author, clock, counted, lasting, moment, some};
use askama::Template;
use shared::batch::{BatchState, PauseCause};
use shared::system_email::SystemEmailKind;
use std::borrow::Borrow;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// A start within this many hours is shown as a time of day with a countdown.
const SOON_HOURS: i64 = 12;

/// The live part alone, as the event stream sends it.
#[derive(Template)]
#[template(path = "console/batch_live.html")]
pub(super) struct LivePart {
    pub(super) live: Live,
    /// The part of the page's frame that its forms need.
    pub(super) frame: FormFrame,
}

/// The part of a page's frame that forms need.
pub(super) struct FormFrame {
    /// The CSRF token.
    pub(super) csrf_token: String,
}

/// Data for the template.
pub(in crate::console) struct Live {
    pub(super) id: Uuid,
    pub(super) state: BatchState,
    /// Whether its last delivery has ended.
    pub(super) is_over: bool,
    /// Whether its details were deleted and only totals remain.
    pub(super) is_dropped: bool,
    pub(super) kind: SystemEmailKind,
    pub(super) sums: LedgerCounts,
    pub(super) figures: Vec<Figure>,
    /// Query value of the part that the list below shows.
    pub(super) shown: String,
    /// Query string of the event stream's address.
    pub(super) query: String,
    pub(super) bar: Vec<Stripe>,
    pub(super) pace: Option<String>,
    pub(super) troubles: Vec<Group>,
    /// Recipient domains with retries.
    pub(super) domains: Vec<Domain>,
    /// Who or what paused or stopped the batch.
    pub(super) reason: Option<String>,
    /// While the batch is paused: how long until emails not yet tried expire, if they do.
    pub(super) time_left: Option<String>,
    /// If the batch paused itself: what to do before it is resumed.
    pub(super) before_resuming: Option<&'static str>,
    pub(super) starts: StartTime,
    pub(super) finished: Option<(Moment, String)>,
    /// The selection it was sent from, if the reader made that selection.
    pub(super) selection: Option<Uuid>,
}

/// Start time of a batch.
pub(super) struct StartTime {
    pub(super) at: Moment,
    pub(super) is_soon: bool,
    /// Start and server time to the millisecond, for the countdown.
    pub(super) until: String,
    pub(super) now: String,
}

/// A segment of the progress bar, in thousandths of its width.
pub(super) struct Stripe {
    pub(super) tone: &'static str,
    pub(super) from: i64,
    pub(super) width: i64,
}

impl Live {
    /// Builds the data from a count, for a reader with these list filters.
    pub(in crate::console) fn of(seen: &Seen, look: &ListQuery, selection: Option<Uuid>, now: OffsetDateTime) -> Self {
        let view = &seen.view;
        let sums = LedgerCounts::of(seen);
        // The figures of a stopped batch are final once nothing is left to send. The dispatcher sets the finish time
        // within a second.
        let is_stopped = view.state == BatchState::Stopped && sums.rest() + sums.sending == 0;
        let is_over = is_stopped || view.finished_at.is_some();
        let span = |end: OffsetDateTime| lasting((end - view.start_at).whole_seconds().max(1));
        Self {
            id: view.id,
            state: view.state,
            is_over,
            is_dropped: view.details_dropped_at.is_some(),
            kind: view.kind,
            figures: sums.figures(view.state, is_over),
            shown: look.show.clone().unwrap_or_default(),
            query: look.query(&[("at", view.state.as_str())]),
            bar: stripes(&sums),
            pace: pace(&sums, &seen.tally, seen.slowdowns.rate_limit)
                .filter(|_| view.state == BatchState::Running && !is_over),
            troubles: troubles(&seen.tally, view.state),
            domains: domains(&seen.slowdowns, view.state, now),
            reason: view.reason.as_deref().map(reason),
            time_left: view
                .expires_after_resume_seconds
                .filter(|_| sums.waiting > 0)
                .map(lasting),
            before_resuming: view
                .brake
                .as_deref()
                .and_then(PauseCause::from_name)
                .map(before_resuming),
            starts: StartTime::at(view.start_at, now),
            finished: view.finished_at.map(|end| (moment(end), span(end))),
            selection,
            sums,
        }
    }

    /// Whether it can still change.
    pub(in crate::console) const fn is_live(&self) -> bool {
        !self.is_over
    }

    /// A number of its emails: "1,204 invite emails".
    pub(super) fn mails(&self, count: impl Borrow<i64>) -> String {
        mails(self.kind, *count.borrow())
    }

    /// Formats a number.
    #[expect(clippy::unused_self, reason = "templates call methods")]
    pub(super) fn n(&self, count: impl Borrow<i64>) -> String {
        counted(*count.borrow())
    }

    /// Formats a number of people.
    #[expect(clippy::unused_self, reason = "templates call methods")]
    pub(super) fn people(&self, count: impl Borrow<i64>) -> String {
        some(*count.borrow(), "person", "people")
    }

    pub(super) fn is_held(&self) -> bool {
        self.state == BatchState::Held
    }

    pub(super) fn is_running(&self) -> bool {
        self.state == BatchState::Running
    }

    pub(super) fn is_paused(&self) -> bool {
        self.state == BatchState::Paused
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.state == BatchState::Stopped
    }

    /// Whether it was stopped before any email was sent.
    pub(super) fn is_undone(&self) -> bool {
        self.is_stopped() && self.is_over && self.sums.sent + self.sums.failed + self.sums.blocked == 0
    }

    /// Whether the list shows the part that belongs to this figure.
    pub(super) fn is_shown(&self, figure: &Figure) -> bool {
        !self.shown.is_empty() && figure.show() == self.shown
    }

    /// Progress in a short sentence, which screen readers announce.
    pub(super) fn announcement(&self) -> String {
        let LedgerCounts { sent, owed, failed, .. } = &self.sums;
        let failures = if *failed == 0 {
            String::new()
        } else {
            format!(", {} failed", counted(*failed))
        };
        match self.state {
            BatchState::Held => String::new(),
            BatchState::Running => format!("{} of {} sent{failures}", counted(*sent), counted(*owed)),
            BatchState::Paused => format!("Paused at {} of {} sent", counted(*sent), counted(*owed)),
            BatchState::Stopped => format!("Stopped. {} were sent", counted(*sent)),
            BatchState::Finished => format!("Finished. {} sent{failures}", counted(*sent)),
        }
    }
}

/// Who paused or stopped a batch: "Paused by Priya".
pub(in crate::console) fn reason(stored: &str) -> String {
    match stored.split_once(" by ") {
        Some((what, who)) => format!("{what} by {}", author(who)),
        None => stored.to_owned(),
    }
}

/// A number of emails of a kind.
pub(in crate::console) fn mails(kind: SystemEmailKind, count: i64) -> String {
    match kind {
        SystemEmailKind::Invite => some(count, "invite email", "invite emails"),
        SystemEmailKind::PasswordReset => some(count, "password email", "password emails"),
    }
}

impl StartTime {
    fn at(start: OffsetDateTime, now: OffsetDateTime) -> Self {
        let is_soon = (start - now).whole_hours() < SOON_HOURS;
        let exact = |at: OffsetDateTime| at.format(&Rfc3339).unwrap_or_default();
        Self {
            at: if is_soon { clock(start) } else { moment(start) },
            is_soon,
            until: exact(start),
            now: exact(now),
        }
    }
}

/// The segments of the progress bar. Every share above zero gets a visible width.
fn stripes(sums: &LedgerCounts) -> Vec<Stripe> {
    let mut from = 0;
    let parts = [
        ("green", sums.sent),
        ("deep", sums.sending),
        ("amber", sums.trying),
        ("red", sums.failed),
        ("grey", sums.blocked + sums.stopped),
    ];
    let mut stripes = Vec::new();
    for (tone, count) in parts.into_iter().filter(|(_, count)| *count > 0) {
        let width = (count * 1_000 / sums.owed.max(1)).max(4).min(1_000 - from);
        stripes.push(Stripe { tone, from, width });
        from += width;
    }
    stripes
}
