//! Activity: all batches, newest first, and a search for the emails of a user.

pub(super) mod file;

use super::batch::batch_word;
use super::batch::live::{mails, reason};
use super::batch::people::Row;
use super::cursor::{LIMIT, PageRows};
use super::format::{Moment, author, counted, moment};
use super::frame::{Frame, Section};
use super::respond::page;
use super::session::Administrator;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::status_labels::{Status, status};
use crate::http::query::{SearchForm, SearchQuery};
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use shared::batch::BatchState;
use shared::delivery::DeliveryState;
use shared::store::activity::{self, ActivityFilter, Sending};
use shared::store::cursor::PageCursor;
use shared::store::deliveries::Delivery;
use shared::store::ledger;
use shared::system_email::SystemEmailKind;
use url::form_urlencoded::Serializer;
use uuid::Uuid;

/// Search, filters and position in the list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ActivityQuery {
    /// Part of an address or a name. If set, the page lists matching emails instead of batches.
    pub(super) q: Option<String>,
    /// `invite` or `password_reset`.
    kind: Option<SystemEmailKind>,
    state: Option<BatchState>,
    after: Option<Uuid>,
    before: Option<Uuid>,
    page: Option<u32>,
}

impl SearchForm for ActivityQuery {
    const MAY_BE_EMPTY: &'static [&'static str] = &["q", "kind", "state"];
}

impl ActivityQuery {
    /// The search text, or `None` if it is blank.
    fn search(&self) -> Option<&str> {
        self.q.as_deref().map(str::trim).filter(|text| !text.is_empty())
    }

    /// The filter for the store.
    pub(super) const fn filter(&self) -> ActivityFilter {
        ActivityFilter {
            kind: self.kind,
            state: self.state,
        }
    }

    fn query(&self, more: &[(&str, &str)]) -> String {
        let mut query = Serializer::new(String::new());
        if let Some(q) = self.search() {
            query.append_pair("q", q);
        }
        if let Some(kind) = self.kind {
            query.append_pair("kind", kind.as_str());
        }
        if let Some(state) = self.state {
            query.append_pair("state", state.as_str());
        }
        query.extend_pairs(more);
        query.finish()
    }
}

#[derive(Template)]
#[template(path = "console/activity.html")]
struct ActivityPage {
    frame: Frame,
    q: String,
    /// Filter options: value, label, and whether the option is selected.
    kinds: Vec<(&'static str, &'static str, bool)>,
    states: Vec<(&'static str, &'static str, bool)>,
    batches: Vec<Line>,
    mails: Vec<MailLine>,
    is_narrow: bool,
    query: String,
    previous: String,
    next: String,
    number: u32,
}

/// A batch in the list.
struct Line {
    address: String,
    what: String,
    /// The recipient, if the batch has only one.
    whom: String,
    at: Moment,
    by: String,
    tone: &'static str,
    word: String,
    sums: String,
}

/// An email in the search results.
struct MailLine {
    what: &'static str,
    row: Row,
}

pub(super) async fn show(
    State(api): State<AppState>,
    administrator: Administrator,
    SearchQuery(list_query): SearchQuery<ActivityQuery>,
) -> Result<Response, Problem> {
    let number = list_query.page.unwrap_or(1).max(1);
    let title = if number > 1 {
        format!("Activity, page {number}")
    } else {
        "Activity".to_owned()
    };
    let mut page_now = ActivityPage {
        frame: administrator.frame(&api, Section::Activity, title).await,
        q: list_query.q.clone().unwrap_or_default(),
        kinds: kinds(&list_query),
        states: states(&list_query),
        batches: Vec::new(),
        mails: Vec::new(),
        is_narrow: list_query.search().is_some() || list_query.kind.is_some() || list_query.state.is_some(),
        query: list_query.query(&[]),
        previous: String::new(),
        next: String::new(),
        number,
    };
    let step = |name: &str, id: Uuid, number: u32| {
        let query = list_query.query(&[(name, &id.to_string()), ("page", &number.to_string())]);
        format!("/console/activity?{query}")
    };
    if let Some(search) = list_query.search() {
        let found = ledger::to_people(&api.db, search, list_query.after, LIMIT).await?;
        let found = PageRows::of(found, PageCursor::<Uuid>::Start);
        (_, page_now.next) = found.links(number, |name, mail, number| step(name, mail.id, number));
        page_now.mails = found.rows.iter().map(mail_line).collect();
        return page(&page_now);
    }
    let cursor = PageCursor::of(list_query.after, list_query.before);
    let found = activity::list(&api.db, list_query.filter(), cursor, LIMIT).await?;
    let found = PageRows::of(found, cursor);
    (page_now.previous, page_now.next) = found.links(number, |name, batch, number| step(name, batch.id, number));
    page_now.batches = found.rows.iter().map(line).collect();
    page(&page_now)
}

fn kinds(list_query: &ActivityQuery) -> Vec<(&'static str, &'static str, bool)> {
    let named = SystemEmailKind::ALL.map(|kind| (kind.as_str(), kind.name(), list_query.kind == Some(kind)));
    [("", "All emails", list_query.kind.is_none())]
        .into_iter()
        .chain(named)
        .collect()
}

fn states(list_query: &ActivityQuery) -> Vec<(&'static str, &'static str, bool)> {
    let named = BatchState::ALL.map(|state| (state.as_str(), state_words(state).1, list_query.state == Some(state)));
    [("", "Any status", list_query.state.is_none())]
        .into_iter()
        .chain(named)
        .collect()
}

/// Tone and word of a batch's state.
pub(super) const fn state_words(state: BatchState) -> (&'static str, &'static str) {
    match state {
        BatchState::Held => ("neutral", "Waiting to start"),
        BatchState::Running => ("neutral", "Sending"),
        BatchState::Paused => ("amber", "Paused"),
        BatchState::Stopped => ("grey", "Stopped"),
        BatchState::Finished => ("green", "Finished"),
    }
}

fn line(sending: &Sending) -> Line {
    let (tone, word, sums) = status_columns(sending);
    let name = sending.name.as_deref().unwrap_or_default().trim();
    let email = sending.email.clone().unwrap_or_default();
    let is_one = sending.delivery.is_some();
    let address = sending.delivery.map_or_else(
        || format!("/console/batches/{}", sending.id),
        |delivery| format!("/console/deliveries/{delivery}"),
    );
    let what = if is_one {
        batch_word(sending.kind).to_owned()
    } else {
        mails(sending.kind, i64::from(sending.accepted))
    };
    let whom = match (is_one, name) {
        (false, _) => String::new(),
        (true, "") => email,
        (true, name) => format!("{name}, {email}"),
    };
    Line {
        address,
        what,
        whom,
        at: moment(sending.created_at),
        by: author(&sending.created_by),
        tone,
        word,
        sums,
    }
}

/// Tone, word and note for a batch: the delivery's status for a single email, otherwise the batch's state.
fn status_columns(sending: &Sending) -> (&'static str, String, String) {
    if let Some(state) = sending.delivery_state {
        let Status { word, tone, .. } = status(state, sending.reason.as_deref(), sending.state);
        return (tone.as_str(), word.to_owned(), String::new());
    }
    let (tone, word) = state_words(sending.state);
    let counts = sending.delivery_counts();
    let of = |states: &[DeliveryState]| -> i64 {
        let those = counts.iter().filter(|deliveries| states.contains(&deliveries.state));
        those.map(|deliveries| deliveries.count).sum()
    };
    let failed = of(&[DeliveryState::Failed, DeliveryState::Expired]);
    let blocked = of(&[DeliveryState::Suppressed]);
    let parts = [
        ("sent", of(&[DeliveryState::Sent])),
        ("failed", failed),
        ("not sent (blocked address)", blocked),
        ("stopped", of(&[DeliveryState::Cancelled])),
    ];
    let figures: Vec<String> = parts
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(word, count)| format!("{} {word}", counted(count)))
        .collect();
    let (tone, word) = match (sending.state, failed, blocked) {
        (BatchState::Finished, 1.., _) => ("red", "Finished with failures"),
        (BatchState::Finished, 0, 1..) => ("amber", "Finished, not all sent"),
        _ => (tone, word),
    };
    let sums = match (sending.accepted, sending.finished_at) {
        (0, _) => "everyone was left out".to_owned(),
        (_, None) if sending.state == BatchState::Paused => sending.why.as_deref().map(reason).unwrap_or_default(),
        (_, None) => String::new(),
        _ => figures.join(", "),
    };
    (tone, word.to_owned(), sums)
}

fn mail_line(delivery: &Delivery) -> MailLine {
    MailLine {
        what: batch_word(delivery.kind),
        row: Row::of(delivery),
    }
}
