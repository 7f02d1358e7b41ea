//! A batch's page: undo during the hold, progress while it runs, and the outcome.
//!
//! The address stays the same for the life of the batch. Its figures come from one count shared by all viewers
//! (`watch.rs`). Its lists use keyset pagination, so a page costs the same for ten people and a hundred thousand.
//! After any action, even one taken on an outdated page, the next page shows the current state.

pub(super) mod actions;
pub(super) mod again;
mod counts;
mod delivery_group;
mod domains;
pub(super) mod left_out;
pub(super) mod live;
pub(super) mod people;
pub(super) mod report;
pub(super) mod revoke;
pub(super) mod stop;
pub(super) mod stream;
pub(super) mod wording;

use super::format::{Moment, author, moment};
use super::frame::{Frame, Section};
use super::respond::page;
use super::session::Administrator;
use crate::app::batch_view::ExcludedSource;
use crate::app::batches;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::watch::Seen;
use crate::http::query::{Path, SearchQuery};
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use delivery_group::ListQuery;
use live::{Live, mails};
use people::People;
pub(super) use people::name_of;
use shared::store::exclusion::ExclusionKind;
use shared::store::selections;
use shared::system_email::SystemEmailKind;
use std::sync::Arc;
use time::OffsetDateTime;
use uuid::Uuid;

#[derive(Template)]
#[template(path = "console/batch.html")]
struct BatchPage {
    frame: Frame,
    id: Uuid,
    live: Live,
    people: People,
    name: &'static str,
    version: i32,
    own_wording: bool,
    created_by: String,
    created_at: Moment,
    left_out: i64,
    /// The filters and lists that it left out, as text; empty if none.
    excluded: String,
    has_passwords: bool,
    /// Whether the batch has no deliveries.
    is_for_nobody: bool,
    /// When the details were deleted; only the totals are kept.
    dropped: Option<Moment>,
}

/// Shows a batch.
pub(super) async fn show(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
    SearchQuery(look): SearchQuery<ListQuery>,
) -> Result<Response, Problem> {
    let (seen, now) = seen(&api, id).await?;
    let people = people::read(&api, id, &look, &seen.tally).await?;
    let view = &seen.view;
    let owed = view.counts.selected - view.counts.left_out;
    let whom = match owed {
        0 => "no one".to_owned(),
        owed => super::format::some(owed, "person", "people"),
    };
    let mut title = format!("{} to {whom}", batch_word(view.kind));
    if people.number > 1 {
        title = format!("{title}, page {}", people.number);
    }
    let frame = administrator.frame(&api, Section::Activity, title).await;
    let selection = selections::of_batch(&api.db, administrator.id, id).await?;
    page(&BatchPage {
        live: Live::of(&seen, &look, selection, now),
        frame,
        id,
        people,
        name: view.kind.name(),
        version: view.version,
        own_wording: view.own_wording,
        created_by: author(&view.created_by),
        created_at: moment(view.created_at),
        left_out: view.counts.left_out,
        excluded: excluded_words(&view.excluded),
        has_passwords: view.kind == SystemEmailKind::PasswordReset && view.counts.sent > 0,
        is_for_nobody: owed == 0,
        dropped: view.details_dropped_at.map(moment),
    })
}

/// A batch as it is now, and Postgres's clock. If the batch is being watched and its state has not changed, the
/// shared count is used, which may be a second old.
async fn seen(api: &AppState, id: Uuid) -> Result<(Arc<Seen>, OffsetDateTime), Problem> {
    let batch = batches::get(api, id).await?;
    let now = batch.read_at;
    if let Some(seen) = api.watches.latest(id)
        && seen.view.state == batch.state
        && seen.view.start_at == batch.start_at
        && seen.view.finished_at == batch.finished_at
    {
        return Ok((seen, now));
    }
    let left_out = shared::store::batches::left_out(&api.db, id).await?;
    Ok((Arc::new(Seen::of(&api.db, batch, left_out).await?), now))
}

/// The filters and lists that a batch left out, as text.
fn excluded_words(excluded: &[ExcludedSource]) -> String {
    let word = |source: &ExcludedSource| {
        let kind = match source.kind {
            ExclusionKind::SavedFilter => "filter",
            ExclusionKind::DoNotMailList => "do-not-mail list",
        };
        format!("{kind} ‘{}’", source.name)
    };
    excluded.iter().map(word).collect::<Vec<_>>().join(", ")
}

/// Name of the batch's email, to start a sentence with.
pub(super) fn batch_word(kind: SystemEmailKind) -> &'static str {
    match kind {
        SystemEmailKind::Invite => "Invite email",
        SystemEmailKind::PasswordReset => "Password email",
    }
}

/// The address of a batch's page.
fn address(id: Uuid) -> String {
    format!("/console/batches/{id}")
}
