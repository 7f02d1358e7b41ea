//! Users > Blocked addresses: addresses that receive no email, the reason, and how to unblock them.

use super::csv_response::{self, GROUP};
use super::cursor::{Cursor, CursorPage, LIMIT};
use super::fields::Fields;
use super::format::{Moment, moment, some};
use super::frame::{Frame, Section};
use super::respond::{page, redirect_with_flash, redirect_with_note};
use super::session::Administrator;
use crate::app::blocked::unblock_addresses;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::http::query::{Query, SearchForm, SearchQuery};
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use shared::address::EmailAddress;
use shared::store::blocked::{self, Blocked, BlockedFilter};
use std::io;
use time::format_description::well_known::Rfc3339;
use url::form_urlencoded::Serializer;
use uuid::Uuid;

const PATH: &str = "/console/blocked-addresses";

/// Filters and position in the list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BlockedQuery {
    /// Part of an address or a name.
    q: Option<String>,
    /// Only people of this selection.
    selection: Option<Uuid>,
    before: Option<Uuid>,
    after: Option<Uuid>,
    page: Option<u32>,
}

#[derive(Template)]
#[template(path = "console/blocked.html")]
struct ListPage {
    frame: Frame,
    list: CursorPage<BlockedRow>,
    q: String,
    selection: String,
    /// Number of matching addresses.
    matching: i64,
    /// Query string of the CSV file's address.
    query: String,
}

/// A blocked address in a list or on a user's page.
pub(super) struct BlockedRow {
    pub(super) email: String,
    /// The user with this address.
    pub(super) user: Option<Uuid>,
    pub(super) name: String,
    pub(super) since: Moment,
    /// The relay's reply, preceded by its code.
    pub(super) reply: String,
    /// The failed email, as long as its details are kept.
    pub(super) delivery: Option<Uuid>,
}

impl BlockedRow {
    pub(super) fn of(blocked: Blocked) -> Self {
        Self {
            reply: reply_of(&blocked),
            delivery: blocked.has_delivery.then_some(blocked.delivery),
            name: blocked.name.as_deref().unwrap_or_default().trim().to_owned(),
            email: blocked.email,
            user: blocked.user,
            since: moment(blocked.blocked_at),
        }
    }
}

impl ListPage {
    fn is_narrow(&self) -> bool {
        !self.q.is_empty() || !self.selection.is_empty()
    }

    fn matching_shown(&self) -> String {
        some(self.matching, "address", "addresses")
    }
}

impl SearchForm for BlockedQuery {
    const MAY_BE_EMPTY: &'static [&'static str] = &["q"];
}

impl BlockedQuery {
    fn search(&self) -> Option<&str> {
        self.q.as_deref().map(str::trim).filter(|text| !text.is_empty())
    }

    fn filter(&self) -> BlockedFilter {
        BlockedFilter {
            search: self.search().map(str::to_owned),
            selection: self.selection,
            ..BlockedFilter::default()
        }
    }

    /// The filters as query parameters.
    fn pairs(&self) -> [(&'static str, String); 2] {
        [
            ("q", self.search().unwrap_or_default().to_owned()),
            ("selection", self.selection.map(|id| id.to_string()).unwrap_or_default()),
        ]
    }

    fn address(&self) -> String {
        let query = self.query();
        if query.is_empty() {
            PATH.to_owned()
        } else {
            format!("{PATH}?{query}")
        }
    }

    fn query(&self) -> String {
        let pairs = self.pairs();
        Serializer::new(String::new())
            .extend_pairs(pairs.iter().filter(|(_, value)| !value.is_empty()))
            .finish()
    }
}

/// The relay's reply, preceded by its code: the enhanced code if there is one.
fn reply_of(blocked: &Blocked) -> String {
    let code = blocked.code.map(|code| code.to_string());
    let words = blocked.reply.clone();
    [code, words].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Shows a page of the list.
pub(super) async fn show(
    State(api): State<AppState>,
    reader: Administrator,
    SearchQuery(list_query): SearchQuery<BlockedQuery>,
) -> Result<Response, Problem> {
    let filter = list_query.filter();
    let found = blocked::list(&api.db, &filter, list_query.before, list_query.after, LIMIT).await?;
    let matching = blocked::count(&api.db, &filter).await?;
    let cursor = Cursor {
        before: list_query.before,
        after: list_query.after,
        page: list_query.page,
    };
    let [q, selection] = list_query.pairs();
    let filters = [(q.0, q.1.as_str()), (selection.0, selection.1.as_str())];
    let list = CursorPage::of(found, cursor, |blocked| blocked.id, PATH, &filters);
    let frame = reader
        .frame(&api, Section::Users, list.title("Blocked addresses"))
        .await;
    page(&ListPage {
        frame,
        list: list.map(BlockedRow::of),
        query: list_query.query(),
        q: q.1,
        selection: selection.1,
        matching,
    })
}

/// Unblocks one address, or all that match the filters.
pub(super) async fn unblock(
    State(api): State<AppState>,
    administrator: Administrator,
    fields: Fields,
) -> Result<Response, Problem> {
    let text = |name: &str| Some(fields.trimmed(name).to_owned()).filter(|text| !text.is_empty());
    let list_query = BlockedQuery {
        q: text("q"),
        selection: fields.id("selection")?,
        ..BlockedQuery::default()
    };
    let one = EmailAddress::parse(fields.text("address")).ok();
    let filter = match &one {
        Some(address) => BlockedFilter {
            email_key: Some(address.key()),
            ..BlockedFilter::default()
        },
        None if fields.is_set("all") => list_query.filter(),
        None => return Ok(redirect_with_note(&list_query.address(), "Nothing was unblocked.")),
    };
    let unblocked = unblock_addresses(&api, &administrator.actor, filter).await?;
    Ok(match one {
        Some(address) => redirect_with_flash(
            &list_query.address(),
            &format!("{} is unblocked. You can send email to it again.", address.as_typed()),
        ),
        None => redirect_with_flash(
            PATH,
            &format!(
                "{} unblocked. You can send email to {} again.",
                some(unblocked, "address is", "addresses are"),
                if unblocked == 1 { "it" } else { "them" }
            ),
        ),
    })
}

/// Exports all matching addresses as CSV.
pub(super) async fn csv(
    State(api): State<AppState>,
    Query(list_query): Query<BlockedQuery>,
) -> Result<Response, Problem> {
    let header = [
        "Email address",
        "Name",
        "Blocked since (UTC)",
        "Mail server’s reply",
        "Reference",
    ];
    let filter = list_query.filter();
    let read = move |before: Option<Uuid>| {
        let (api, filter) = (api.clone(), filter.clone());
        async move {
            let found = blocked::list(&api.db, &filter, before, None, GROUP).await;
            let found = found.map_err(io::Error::other)?;
            let next = found.last().map(|last| Some(last.id));
            Ok((found.iter().map(line).collect(), next))
        }
    };
    let header = header.map(str::to_owned).to_vec();
    Ok(csv_response::csv("blocked-addresses", header, None, read))
}

fn line(blocked: &Blocked) -> Vec<String> {
    let since = blocked.blocked_at.replace_nanosecond(0).unwrap_or(blocked.blocked_at);
    vec![
        blocked.email.clone(),
        blocked.name.as_deref().unwrap_or_default().trim().to_owned(),
        since
            .to_offset(time::UtcOffset::UTC)
            .format(&Rfc3339)
            .unwrap_or_default(),
        reply_of(blocked),
        blocked.delivery.to_string(),
    ]
}
