//! Account: the administrator's own password and sessions.

use super::format::{Moment, moment, some};
use super::frame::{Frame, Section};
use super::respond::{page, redirect_with_flash};
use super::session::Administrator;
use crate::app::problem::Problem;
use crate::app::sessions::end_other_sessions;
use crate::app::state::AppState;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use shared::store::sessions;

/// Maximum number of sessions listed. Administrators normally have fewer.
const MAX_SESSIONS: i64 = 20;

#[derive(Template)]
#[template(path = "console/account.html")]
struct AccountPage {
    frame: Frame,
    email: String,
    places: Vec<SignedIn>,
    /// "2 other sessions"; empty where there are none.
    others: String,
}

/// A session of this administrator.
struct SignedIn {
    is_this: bool,
    began: Moment,
    seen: Moment,
}

pub(super) async fn show(State(api): State<AppState>, administrator: Administrator) -> Result<Response, Problem> {
    let found = sessions::of(&api.db, administrator.id, administrator.digest(), MAX_SESSIONS).await?;
    let others = i64::try_from(found.iter().filter(|place| !place.is_this).count()).unwrap_or(MAX_SESSIONS);
    let others = match others {
        0 => String::new(),
        others => some(others, "other session", "other sessions"),
    };
    let places = found.into_iter().map(|place| SignedIn {
        is_this: place.is_this,
        began: moment(place.created_at),
        seen: moment(place.seen_at),
    });
    page(&AccountPage {
        frame: administrator.frame(&api, Section::Account, "Your account").await,
        email: administrator.email.clone(),
        places: places.collect(),
        others,
    })
}

/// Ends all other sessions of this administrator.
pub(super) async fn end_others(State(api): State<AppState>, administrator: Administrator) -> Result<Response, Problem> {
    let ended = end_other_sessions(&api, &administrator.session()).await?;
    let ended = i64::try_from(ended).unwrap_or(i64::MAX);
    let message = match ended {
        0 => "You had no other sessions.".to_owned(),
        ended => format!(
            "{} ended. You are now signed in only here.",
            some(ended, "other session has", "other sessions have")
        ),
    };
    Ok(redirect_with_flash("/console/account", &message))
}
