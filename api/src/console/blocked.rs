//! Users > Blocked addresses: addresses that receive no email, the reason, and how to unblock them.

use super::fields::Fields;
use super::frame::{Frame, Place};
use super::leaf::{LIMIT, Leaf, Turn};
use super::respond::{page, redirect_with_flash, redirect_with_note};
use super::session::Administrator;
use super::sheet::{self, GROUP};
use super::words::{Moment, moment, some};
use crate::blocked::unblock_those;
use crate::problem::Problem;
use crate::query::{Query, SearchForm, SearchQuery};
use crate::state::Api;
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
pub(super) struct Wish {
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
    leaf: Leaf<BlockedRow>,
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

impl SearchForm for Wish {
    const MAY_BE_EMPTY: &'static [&'static str] = &["q"];
}

impl Wish {
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
    State(api): State<Api>,
    reader: Administrator,
    SearchQuery(wish): SearchQuery<Wish>,
) -> Result<Response, Problem> {
    let filter = wish.filter();
    let found = blocked::list(&api.db, &filter, wish.before, wish.after, LIMIT).await?;
    let matching = blocked::count(&api.db, &filter).await?;
    let turn = Turn {
        before: wish.before,
        after: wish.after,
        page: wish.page,
    };
    let [q, selection] = wish.pairs();
    let filters = [(q.0, q.1.as_str()), (selection.0, selection.1.as_str())];
    let leaf = Leaf::of(found, turn, |blocked| blocked.id, PATH, &filters);
    let frame = reader.frame(&api, Place::Users, leaf.title("Blocked addresses")).await;
    page(&ListPage {
        frame,
        leaf: leaf.map(BlockedRow::of),
        query: wish.query(),
        q: q.1,
        selection: selection.1,
        matching,
    })
}

/// Unblocks one address, or all that match the filters.
pub(super) async fn unblock(
    State(api): State<Api>,
    administrator: Administrator,
    fields: Fields,
) -> Result<Response, Problem> {
    let text = |name: &str| Some(fields.trimmed(name).to_owned()).filter(|text| !text.is_empty());
    let wish = Wish {
        q: text("q"),
        selection: fields.id("selection")?,
        ..Wish::default()
    };
    let one = EmailAddress::parse(fields.text("address")).ok();
    let filter = match &one {
        Some(address) => BlockedFilter {
            email_key: Some(address.key()),
            ..BlockedFilter::default()
        },
        None if fields.is_set("all") => wish.filter(),
        None => return Ok(redirect_with_note(&wish.address(), "Nothing was unblocked.")),
    };
    let unblocked = unblock_those(&api, &administrator.actor, filter).await?;
    Ok(match one {
        Some(address) => redirect_with_flash(
            &wish.address(),
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
pub(super) async fn csv(State(api): State<Api>, Query(wish): Query<Wish>) -> Result<Response, Problem> {
    let header = [
        "Email address",
        "Name",
        "Blocked since (UTC)",
        "Mail server’s reply",
        "Reference",
    ];
    let filter = wish.filter();
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
    Ok(sheet::csv("blocked-addresses", header, None, read))
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
