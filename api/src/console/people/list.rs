//! A page of the list of users, as a table with checkboxes.

use super::conditions::{self, Conditions};
use super::preset::{FilterSelect, presets, selects};
use super::typed::TypedConditions;
use super::view::View;
use crate::app::problem::{Problem, ProblemKind};
use crate::app::state::AppState;
use crate::app::status_labels::status;
use crate::app::user_filter::require_known_fields;
use crate::console::format::{Moment, counted, moment};
use shared::delivery::DeliveryState;
use shared::store::StoreResult;
use shared::store::imports;
use shared::store::selections::Selection;
use shared::store::users::{self, PageEdge, User, UserOrder};
use shared::store::users_in_bulk;
use shared::user_filter::{Access, UserFilter};
use std::collections::HashSet;
use std::time::Duration;
use uuid::Uuid;

/// Rows per page.
const ROWS: usize = 50;

/// How long a page waits for the number of matching users.
const COUNT: Duration = Duration::from_millis(150);

/// A page of users.
#[expect(clippy::struct_excessive_bools, reason = "each is an independent fact")]
pub(in crate::console) struct PeopleList {
    /// Search, filters and position.
    pub(in crate::console) view: View,
    /// Address that the form is submitted to.
    pub(in crate::console) action: String,
    /// The users.
    pub(in crate::console) rows: Vec<PersonRow>,
    /// The fields shown as columns.
    pub(in crate::console) columns: Vec<String>,
    /// Number of matching users, if it was counted in time.
    pub(in crate::console) matching: Option<String>,
    /// What the form offers beside its selects.
    pub(in crate::console) conditions: Conditions,
    /// Number of selected users on all pages.
    pub(in crate::console) chosen: i64,
    /// Whether the filters contradict each other.
    pub(in crate::console) is_contradiction: bool,
    /// The faulty condition and its error. No users are shown then.
    pub(in crate::console) fault: Option<(usize, String)>,
    /// Whether all matching users are selected.
    pub(in crate::console) is_all: bool,
    /// Whether there is a previous page.
    pub(in crate::console) has_previous: bool,
    /// Whether there is a next page.
    pub(in crate::console) has_next: bool,
}

/// A user in the list.
pub(in crate::console) struct PersonRow {
    pub(in crate::console) id: Uuid,
    pub(in crate::console) name: String,
    pub(in crate::console) email: String,
    pub(in crate::console) added: Moment,
    pub(in crate::console) invite: Invite,
    pub(in crate::console) access: (&'static str, &'static str),
    pub(in crate::console) is_ticked: bool,
    /// Whether to show that their address is blocked.
    pub(in crate::console) is_blocked: bool,
    /// Their values of the fields shown as columns: field and value.
    pub(in crate::console) values: Vec<(String, String)>,
}

/// The status of a user's invite.
pub(in crate::console) struct Invite {
    pub(in crate::console) tone: &'static str,
    pub(in crate::console) word: &'static str,
    /// The address it was sent to, if that is not the current one.
    pub(in crate::console) former_email: Option<String>,
    pub(in crate::console) delivery: Option<Uuid>,
    pub(in crate::console) sent: Option<Moment>,
}

impl PeopleList {
    /// The presets, with the selected one.
    pub(in crate::console) fn presets(&self) -> Vec<(&'static str, &'static str, bool)> {
        presets(self.view.preset)
    }

    /// The individual filters.
    pub(in crate::console) fn selects(&self) -> [FilterSelect; 8] {
        selects(&self.view.filter)
    }

    /// Number of individual filters in use.
    pub(in crate::console) fn selects_in_use(&self) -> usize {
        let is_in_use = |select: &&FilterSelect| select.options.first().is_some_and(|(.., is_any)| !is_any);
        self.selects().iter().filter(is_in_use).count() + self.conditions.in_use()
    }

    /// Whether a search or filter is in use.
    pub(in crate::console) fn is_narrow(&self) -> bool {
        self.view.is_narrow()
    }

    /// Number of selected users, as text.
    pub(in crate::console) fn chosen_shown(&self) -> String {
        counted(self.chosen)
    }

    /// Address of the list without search and filters.
    pub(in crate::console) fn without_filters(&self) -> String {
        let view = View {
            sort: self.view.sort,
            columns: self.view.columns.clone(),
            ..View::of(UserFilter::default(), self.view.selection)
        };
        view.address(&self.action)
    }

    /// The orders: value, label, and whether it is the current one.
    pub(in crate::console) fn orders(&self) -> [(&'static str, &'static str, bool); 3] {
        let is_now = |order| self.view.sort == order;
        [
            ("", "Newest first", is_now(None)),
            ("last_name", "Last name", is_now(Some(UserOrder::LastName))),
            ("invited", "Latest invite first", is_now(Some(UserOrder::Invited))),
        ]
    }

    /// Cursors of the first and last user on the page.
    pub(in crate::console) fn edges(&self) -> (String, String) {
        let id = |row: Option<&PersonRow>| row.map(|row| row.id.to_string()).unwrap_or_default();
        (id(self.rows.first()), id(self.rows.last()))
    }
}

/// Reads a page.
pub(in crate::console) async fn list(
    api: &AppState,
    view: View,
    selection: Option<&Selection>,
    action: &str,
) -> Result<PeopleList, Problem> {
    let Some(filter) = view.user_filter() else {
        let conditions = conditions::of(api, &view, None).await?;
        return Ok(contradiction(view, conditions, selection, action));
    };
    require_known_fields(api, &filter, ProblemKind::Malformed).await?;
    let limit = i64::try_from(ROWS + 1).unwrap_or(51);
    let is_backwards = view.after.is_some();
    let page = Box::pin(found(api, &view, &filter, limit));
    let import = async {
        match view.filter.import {
            Some(id) => imports::find(&api.db, id).await,
            None => Ok(None),
        }
    };
    let count = Box::pin(users_in_bulk::count_within(&api.db, &filter, COUNT));
    let (mut found, import, counted_rows) = tokio::try_join!(page, import, count)?;
    let conditions = conditions::of(api, &view, import.as_ref()).await?;
    let columns: Vec<String> = shown_columns(&view, &conditions);
    let has_more = found.len() > ROWS;
    found.truncate(ROWS);
    if is_backwards {
        found.reverse();
    }
    let shown: Vec<Uuid> = found.iter().map(|user| user.id).collect();
    let ticked = selected_among(api, selection, &shown).await?;
    let is_all =
        selection.is_some_and(|selection| selection.filter.as_ref() == Some(&filter) && selection.dropped.is_empty());
    Ok(PeopleList {
        rows: found
            .iter()
            .map(|user| row(user, ticked.contains(&user.id), &columns))
            .collect(),
        columns,
        conditions,
        matching: counted_rows.map(counted),
        chosen: selection.map_or(0, Selection::count),
        is_contradiction: false,
        fault: None,
        is_all,
        has_previous: if is_backwards { has_more } else { view.before.is_some() },
        has_next: if is_backwards { true } else { has_more },
        action: action.to_owned(),
        view,
    })
}

/// The list for a filter that cannot be applied. Shows no users, and the form as typed.
pub(in crate::console) async fn list_as_typed(
    api: &AppState,
    view: View,
    selection: Option<&Selection>,
    action: &str,
    typed: TypedConditions,
) -> Result<PeopleList, Problem> {
    let mut conditions = conditions::of(api, &view, None).await?;
    conditions.as_typed(&typed);
    Ok(PeopleList {
        is_contradiction: false,
        fault: Some((typed.faulty + 1, typed.fault)),
        ..contradiction(view, conditions, selection, action)
    })
}

/// The users of a page.
async fn found(api: &AppState, view: &View, filter: &UserFilter, limit: i64) -> StoreResult<Vec<User>> {
    let Some(order) = view.sort else {
        return users::page(&api.db, filter, view.before, view.after, limit).await;
    };
    let edge = match (view.after, view.before) {
        (Some(user), _) => Some(PageEdge::Before(user)),
        (None, Some(user)) => Some(PageEdge::After(user)),
        (None, None) => None,
    };
    users::sorted_page(&api.db, filter, order, edge, limit).await
}

/// The fields shown as columns. Fields that no longer exist are skipped.
fn shown_columns(view: &View, conditions: &Conditions) -> Vec<String> {
    let exists = |name: &&String| conditions.columns.iter().any(|(known, _)| known == *name);
    view.columns.iter().filter(exists).cloned().collect()
}

/// An empty page, for filters that no user can match.
fn contradiction(view: View, conditions: Conditions, selection: Option<&Selection>, action: &str) -> PeopleList {
    PeopleList {
        conditions,
        columns: Vec::new(),
        rows: Vec::new(),
        matching: None,
        chosen: selection.map_or(0, Selection::count),
        is_contradiction: true,
        fault: None,
        is_all: false,
        has_previous: false,
        has_next: false,
        action: action.to_owned(),
        view,
    }
}

/// Which of these users are selected.
async fn selected_among(
    api: &AppState,
    selection: Option<&Selection>,
    shown: &[Uuid],
) -> Result<HashSet<Uuid>, Problem> {
    let Some(selection) = selection else {
        return Ok(HashSet::new());
    };
    let mut ticked: HashSet<Uuid> = selection.picked.iter().copied().collect();
    if let Some(filter) = &selection.filter {
        let matching = users::matching_ids(&api.db, filter, shown).await?;
        ticked.extend(matching.into_iter().filter(|id| !selection.dropped.contains(id)));
    }
    Ok(ticked)
}

fn row(user: &User, is_ticked: bool, columns: &[String]) -> PersonRow {
    let value = |name: &String| user.fields.get(name).and_then(serde_json::Value::as_str);
    PersonRow {
        values: columns
            .iter()
            .map(|name| (name.clone(), value(name).unwrap_or_default().to_owned()))
            .collect(),
        id: user.id,
        name: user.called(),
        email: user.email.clone(),
        added: moment(user.created_at),
        invite: invite(user),
        access: access(user),
        is_ticked,
        // An invite that was not sent because of the block shows that itself.
        is_blocked: user.blocked_at.is_some() && user.invite_state != Some(DeliveryState::Suppressed),
    }
}

fn invite(user: &User) -> Invite {
    let shown = user.invite_state.zip(user.invite_batch_state).map(|(state, batch)| {
        let status = status(state, user.invite_reason.as_deref(), batch);
        (status.tone.as_str(), status.word)
    });
    let (tone, word) = shown.unwrap_or(("", "Not invited"));
    Invite {
        tone,
        word,
        former_email: user.invite_former_email.clone(),
        delivery: user.invite,
        sent: user.invite_sent_at.map(moment),
    }
}

/// Whether a user has signed in: tone and label.
pub(in crate::console) fn access(user: &User) -> (&'static str, &'static str) {
    match crate::app::users::access_state(user) {
        _ if user.locked_at.is_some() => ("red", "Locked"),
        Access::OwnPassword => ("green", "Signed in"),
        Access::SignedIn => ("green", "Signed in with a mailed password"),
        Access::PasswordExpired => ("amber", "Password expired"),
        Access::PasswordMailed => ("grey", "Password sent"),
        Access::None => ("", "Not yet"),
    }
}
