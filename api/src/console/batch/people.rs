//! A batch's list of people, one page at a time.

use super::delivery_group::{DeliveryGroup, ListQuery, place_of};
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::status_labels::{NextStep, Status, status};
use crate::console::cursor::{LIMIT, PageRows};
use crate::console::format::{Moment, moment};
use shared::store::StoreResult;
use shared::store::counts::StateCounts;
use shared::store::cursor::PageCursor;
use shared::store::deliveries::Delivery;
use shared::store::ledger;
use time::OffsetDateTime;
use uuid::Uuid;

/// A page of the list.
pub(in crate::console) struct People {
    pub(in crate::console) heading: String,
    pub(in crate::console) rows: Vec<Row>,
    /// Whether a part, a search or a reason filters the list.
    pub(in crate::console) is_narrow: bool,
    pub(in crate::console) q: String,
    /// The other query parameters, for the search form.
    pub(in crate::console) show: String,
    pub(in crate::console) why: String,
    pub(in crate::console) previous: String,
    pub(in crate::console) next: String,
    pub(in crate::console) number: u32,
}

/// A delivery and its recipient.
pub(in crate::console) struct Row {
    pub(in crate::console) id: Uuid,
    pub(in crate::console) user: Option<Uuid>,
    pub(in crate::console) name: String,
    pub(in crate::console) email: String,
    /// The person's current address, if it differs from the one this email was for.
    pub(in crate::console) corrected_to: Option<String>,
    pub(in crate::console) status: Status,
    /// When the delivery entered this state.
    pub(in crate::console) since: Moment,
    /// Time of the next attempt.
    pub(in crate::console) due: Option<Moment>,
    pub(in crate::console) attempts: i32,
    pub(in crate::console) is_twice: bool,
    /// When the address was blocked that stopped this email; `None` once it is unblocked.
    pub(in crate::console) blocked: Option<Moment>,
}

impl Row {
    /// Builds a row from a delivery.
    pub(in crate::console) fn of(delivery: &Delivery) -> Self {
        let name = name_of(delivery);
        let email = delivery.email.clone().unwrap_or_default();
        let is_retrying = delivery.state == shared::delivery::DeliveryState::Retrying;
        Self {
            id: delivery.id,
            user: delivery.user,
            email: if name == email { String::new() } else { email },
            name,
            corrected_to: delivery.corrected_to.clone(),
            status: status(delivery.state, delivery.reason.as_deref(), delivery.batch_state),
            since: moment(delivery.moved_at),
            due: delivery.due_at.filter(|_| is_retrying).map(moment),
            attempts: delivery.attempts,
            is_twice: delivery.unsure,
            blocked: delivery.blocked_at.map(moment),
        }
    }

    /// Whether the address must be corrected.
    pub(in crate::console) fn has_wrong_address(&self) -> bool {
        self.status.next == NextStep::CorrectAddress && self.user.is_some() && self.corrected_to.is_none()
    }

    /// Whether a block on the address stopped this email, and the person still has that address.
    pub(in crate::console) fn has_blocked_address(&self) -> bool {
        self.status.next == NextStep::Unblock && self.corrected_to.is_none()
    }

    /// The corrected address, if the email has a problem.
    pub(in crate::console) fn correction(&self) -> Option<&str> {
        self.corrected_to
            .as_deref()
            .filter(|_| self.status.next != NextStep::Nothing || self.due.is_some())
    }
}

/// Name of the recipient, or the address if there is no name, as long as the user exists.
pub(in crate::console) fn name_of(delivery: &Delivery) -> String {
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    let name = format!("{} {}", part(&delivery.first_name), part(&delivery.last_name));
    match (name.trim(), &delivery.email) {
        ("", Some(email)) => email.clone(),
        ("", None) => "Deleted user".to_owned(),
        (name, _) => name.to_owned(),
    }
}

/// Reads a page. If the totals show that the part is empty, Postgres is not queried.
pub(in crate::console) async fn read(
    api: &AppState,
    id: Uuid,
    look: &ListQuery,
    tally: &StateCounts,
) -> Result<People, Problem> {
    let of = |part: DeliveryGroup| -> i64 { part.states().iter().map(|state| tally.of(*state)).sum() };
    let asked = look.part()?;
    let part = match asked {
        Some(part) => part,
        None if of(DeliveryGroup::Trouble) > 0 && look.search().is_none() => DeliveryGroup::Trouble,
        None => DeliveryGroup::Everyone,
    };
    let is_nobody = match part {
        DeliveryGroup::Everyone => false,
        DeliveryGroup::Twice => tally.unsure() == 0,
        _ => of(part) == 0,
    };
    let cursor = look.cursor()?;
    let found = if is_nobody {
        Vec::new()
    } else {
        page(api, id, look, part, cursor).await?
    };
    let found = PageRows::of(found, cursor);
    let number = look.number();
    let (previous, next) = found.links(number, |name, row, number| {
        let query = look.query(&[(name, &place_of(row)), ("page", &number.to_string())]);
        format!("/console/batches/{id}?{query}#people")
    });
    Ok(People {
        heading: heading(part, look),
        previous,
        next,
        rows: found.rows.iter().map(Row::of).collect(),
        is_narrow: asked.is_some() || look.search().is_some() || !look.reasons().is_empty(),
        q: look.q.clone().unwrap_or_default(),
        show: look.show.clone().unwrap_or_default(),
        why: look.why.clone().unwrap_or_default(),
        number,
    })
}

/// The rows of a page in the order read, and the first of the next one.
async fn page(
    api: &AppState,
    id: Uuid,
    look: &ListQuery,
    part: DeliveryGroup,
    cursor: PageCursor<(OffsetDateTime, Uuid)>,
) -> StoreResult<Vec<Delivery>> {
    let filter = look.filter(part);
    if part.is_of_trouble() {
        ledger::trouble(&api.db, id, &filter, cursor, LIMIT).await
    } else {
        ledger::list(&api.db, id, &filter, by_id(part, cursor), LIMIT).await
    }
}

/// The cursor for a list ordered by id. It is reversed for a part that is listed from its end.
fn by_id(part: DeliveryGroup, cursor: PageCursor<(OffsetDateTime, Uuid)>) -> PageCursor<Uuid> {
    match (cursor, part.is_last_first()) {
        (PageCursor::Start, false) => PageCursor::Start,
        (PageCursor::Start, true) => PageCursor::Before(Uuid::max()),
        (PageCursor::After((_, id)), false) | (PageCursor::Before((_, id)), true) => PageCursor::After(id),
        (PageCursor::Before((_, id)), false) | (PageCursor::After((_, id)), true) => PageCursor::Before(id),
    }
}

/// The heading of the list: its reasons in words if it is filtered by reason.
fn heading(part: DeliveryGroup, look: &ListQuery) -> String {
    let reasons = look.reasons();
    let words = part.states().iter().flat_map(|state| {
        let named = reasons
            .iter()
            .filter(|reason| crate::app::status_labels::has_words(*state, reason));
        named.map(|reason| status(*state, Some(reason), shared::batch::BatchState::Running).word)
    });
    let mut words: Vec<&str> = words.collect();
    words.sort_unstable();
    words.dedup();
    if words.is_empty() {
        part.heading().to_owned()
    } else {
        words.join(", ")
    }
}
