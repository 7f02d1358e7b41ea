//! Manage > Audit log: who did what, and when.

mod actions;
mod export;

pub(super) use export::csv;

use super::cursor::{Cursor, CursorPage, LIMIT};
use super::format::{Moment, moment};
use super::frame::{Frame, Section};
use super::respond::page_as;
use super::session::Administrator;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::http::query::{SearchForm, SearchQuery};
use actions::{AuditSubject, GROUPS, Group};
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use shared::store::audit::{self, Entry, Filter};
use time::macros::format_description;
use time::{Date, OffsetDateTime};
use url::form_urlencoded::Serializer;
use uuid::Uuid;

const PATH: &str = "/console/audit";

/// Filters and position in the list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditQuery {
    who: Option<String>,
    what: Option<String>,
    from: Option<String>,
    to: Option<String>,
    before: Option<Uuid>,
    after: Option<Uuid>,
    page: Option<u32>,
}

/// Validation errors of the two dates.
#[derive(Debug, Default, Eq, PartialEq)]
struct Faults {
    from: Option<&'static str>,
    to: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "console/audit.html")]
struct AuditPage {
    frame: Frame,
    list: CursorPage<Row>,
    names: Vec<String>,
    groups: &'static [Group],
    who: String,
    what: String,
    from: String,
    to: String,
    faults: Faults,
    is_narrow: bool,
    sheet: String,
}

/// An entry of the audit log.
struct Row {
    at: Moment,
    who: String,
    /// Address of the client, if there was one.
    from: Option<String>,
    what: String,
    about: Option<AuditSubject>,
    detail: String,
}

impl Row {
    fn of(entry: Entry) -> Self {
        Self {
            at: moment(entry.at),
            what: actions::label_of(&entry.action),
            about: AuditSubject::of(entry.subject.as_deref(), &entry.details),
            detail: actions::detail(&entry.details),
            from: entry.client_address,
            who: entry.who,
        }
    }
}

impl SearchForm for AuditQuery {
    const MAY_BE_EMPTY: &'static [&'static str] = &["who", "what", "from", "to"];
}

impl AuditQuery {
    /// The filters as query parameters.
    fn pairs(&self) -> [(&'static str, &str); 4] {
        [
            ("who", self.who.as_deref().unwrap_or_default()),
            ("what", self.what.as_deref().unwrap_or_default()),
            ("from", self.from.as_deref().unwrap_or_default()),
            ("to", self.to.as_deref().unwrap_or_default()),
        ]
    }

    /// The filter for the store.
    fn filter(&self) -> Result<Filter, Faults> {
        let mut faults = Faults::default();
        let from = day(self.from.as_deref()).unwrap_or_else(|fault| {
            faults.from = Some(fault);
            None
        });
        let to = day(self.to.as_deref()).unwrap_or_else(|fault| {
            faults.to = Some(fault);
            None
        });
        if from.zip(to).is_some_and(|(from, to)| from > to) {
            faults.to = Some("The last day must not be before the first");
        }
        if faults != Faults::default() {
            return Err(faults);
        }
        let midnight = |day: Date| OffsetDateTime::new_utc(day, time::Time::MIDNIGHT);
        Ok(Filter {
            who: self.who.clone(),
            actor: None,
            actions: actions::words_of(self.what.as_deref().unwrap_or_default()),
            from: from.map(midnight),
            until: to.and_then(Date::next_day).map(midnight),
        })
    }

    fn cursor(&self) -> Cursor {
        Cursor {
            before: self.before,
            after: self.after,
            page: self.page,
        }
    }
}

/// Parses a date as the browser's date field submits it.
fn day(text: Option<&str>) -> Result<Option<Date>, &'static str> {
    let Some(text) = text else { return Ok(None) };
    Date::parse(text, format_description!("[year]-[month]-[day]"))
        .ok()
        // Both Postgres and the time crate support these years.
        .filter(|day| (1970..=9998).contains(&day.year()))
        .map(Some)
        .ok_or("Write the day as 2026-11-23")
}

/// Shows a page of the log.
pub(super) async fn show(
    State(api): State<AppState>,
    reader: Administrator,
    SearchQuery(query): SearchQuery<AuditQuery>,
) -> Result<Response, Problem> {
    let (found, faults) = match query.filter() {
        Ok(filter) => {
            let found = audit::list(&api.db, &filter, query.before, query.after, LIMIT).await?;
            (found, Faults::default())
        }
        Err(faults) => (Vec::new(), faults),
    };
    let pairs = query.pairs();
    let list = CursorPage::of(found, query.cursor(), |entry| entry.id, PATH, &pairs);
    let has_faults = faults != Faults::default();
    let frame = reader.frame(&api, Section::Manage, list.title("Audit log")).await;
    let mut names = audit::actor_names(&api.db).await?;
    if let Some(who) = query.who.as_ref().filter(|who| !names.contains(who)) {
        names.push(who.clone());
    }
    let sheet = Serializer::new(String::new())
        .extend_pairs(pairs.iter().filter(|(_, value)| !value.is_empty()))
        .finish();
    let [who, what, from, to] = pairs.map(|(_, value)| value.to_owned());
    let status = if has_faults {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::OK
    };
    page_as(
        status,
        &AuditPage {
            frame: if has_faults { frame.with_faults() } else { frame },
            list: list.map(Row::of),
            names,
            groups: &GROUPS,
            is_narrow: !sheet.is_empty(),
            sheet: format!("{PATH}.csv?{sheet}"),
            who,
            what,
            from,
            to,
            faults,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn between(from: &str, to: &str) -> Result<Filter, Faults> {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        AuditQuery {
            from: some(from),
            to: some(to),
            ..AuditQuery::default()
        }
        .filter()
    }

    #[test]
    fn the_last_day_is_meant_to_its_end() {
        let filter = between("2026-11-23", "2026-11-23").unwrap();
        assert_eq!(filter.from, Some(datetime!(2026-11-23 0:00 UTC)));
        assert_eq!(filter.until, Some(datetime!(2026-11-24 0:00 UTC)));
        assert_eq!(between("", ""), Ok(Filter::default()));
    }

    #[test]
    fn an_invalid_day_is_reported_at_its_field() {
        for day in ["23.11.2026", "2026-02-30", "0001-01-01", "99999-01-01", "x"] {
            let faults = between(day, "").unwrap_err();
            assert!(faults.from.is_some() && faults.to.is_none(), "{day}");
        }
        assert!(between("2026-11-24", "2026-11-23").unwrap_err().to.is_some());
    }
}
