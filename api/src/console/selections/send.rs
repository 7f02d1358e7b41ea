//! The moment of sending.

use super::check::{self, Choice};
use super::own::{self, Own};
use crate::blocked::unblock_those;
use crate::console::fields::Fields;
use crate::console::respond::{page_as, redirect};
use crate::console::session::Administrator;
use crate::idempotent::{IdempotencyKey, Once};
use crate::intake::accept_batch;
use crate::problem::Problem;
use crate::query::Path;
use crate::state::Api;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use shared::store::intake::{NewBatch, Selection};
use shared::system_email::SystemEmailKind;
use shared::trace::TraceContext;
use std::time::Duration;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};
use uuid::Uuid;

/// Sends, once, whatever happens to the click.
pub(in crate::console) async fn send(
    State(api): State<Api>,
    administrator: Administrator,
    Extension(trace): Extension<TraceContext>,
    Path(id): Path<Uuid>,
    fields: Fields,
) -> Result<Response, Problem> {
    let (selection, kind) = match own::find(&api, &administrator, id).await? {
        Own::Open(selection, kind) => (selection, kind),
        Own::Sent(response) => return Ok(response),
    };
    let choice = Choice {
        signed_in: Some(fields.is_set("signed_in")),
        recent: Some(fields.is_set("recent")),
    };
    let mut faults = Vec::new();
    if fields.is_set("must_understand") && !fields.is_set("understood") {
        faults.push((
            "understood",
            "Say that you understand, or leave out the people who have signed in".to_owned(),
        ));
    }
    let start_at = match start(fields.trimmed("start_at")) {
        Ok(start_at) => start_at,
        Err(fault) => {
            faults.push(("start_at", fault.to_owned()));
            None
        }
    };
    if !faults.is_empty() {
        let mut page = check::of(&api, &administrator, &selection, kind, choice).await?;
        page.frame = page.frame.with_faults();
        page.faults = faults;
        fields.trimmed("start_at").clone_into(&mut page.start_at);
        return page_as(StatusCode::UNPROCESSABLE_ENTITY, &page);
    }
    own::write_down(&api, &selection).await?;
    if fields.is_set("unblock") {
        unblock_those(&api, &administrator.actor, check::addresses_of(id)).await?;
    }
    let caller = administrator.caller();
    // The token alone decides what is the same: a second click is the first one's, also when an
    // option was changed between them.
    let once = Once::new(
        &caller,
        "console send",
        IdempotencyKey::of(&format!("selection {id}")),
        Vec::new(),
    );
    let new = NewBatch {
        kind,
        selection: Selection {
            chosen: Some(id),
            ..Selection::default()
        },
        hold: if start_at.is_some() { Duration::ZERO } else { api.hold },
        start_at,
        include_signed_in: choice.signed_in.unwrap_or_default(),
        include_recent: choice.recent.unwrap_or_default(),
        stale_after: (kind == SystemEmailKind::PasswordReset).then_some(api.password_stale),
        created_by: caller.actor.clone(),
        trace,
    };
    let accepted = accept_batch(&api, once, new).await?;
    Ok(redirect(&format!("/console/batches/{}", accepted.batch)))
}

/// The moment that was filled in, in UTC; none when the field was left empty.
fn start(text: &str) -> Result<Option<OffsetDateTime>, &'static str> {
    if text.is_empty() {
        return Ok(None);
    }
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]");
    let read = PrimitiveDateTime::parse(text, format).map_err(|_| "Enter a date and a time, or leave both empty")?;
    if (1970..2100).contains(&read.year()) {
        Ok(Some(read.assume_utc()))
    } else {
        Err("Start before the year 2100")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_start_is_read_as_the_field_sends_it() {
        assert_eq!(start(""), Ok(None));
        assert_eq!(start("2026-12-01T09:30"), Ok(Some(datetime!(2026-12-01 09:30 UTC))));
        assert!(start("tomorrow").is_err() && start("9999-01-01T00:00").is_err());
    }
}
