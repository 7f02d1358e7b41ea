//! The filters of a batch's list of people, as the address contains them.

use crate::app::problem::Problem;
use crate::http::query::SearchForm;
use serde::Deserialize;
use shared::address::EmailAddress;
use shared::delivery::DeliveryState;
use shared::delivery::DeliveryState::{
    Cancelled, Expired, Failed, Queued, Retrying, Sending, Sent, Suppressed, Waiting,
};
use shared::store::cursor::PageCursor;
use shared::store::deliveries::Delivery;
use shared::store::ledger::DeliveryFilter;
use time::OffsetDateTime;
use url::form_urlencoded::Serializer;
use uuid::Uuid;

/// A group of a batch's deliveries, by what became of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::console) enum DeliveryGroup {
    /// Those whose email has a problem, newest first. This is what most readers look for.
    Trouble,
    /// All recipients, in the order they were selected.
    Everyone,
    /// Those whose first attempt has not begun.
    Waiting,
    /// Those whose email is being handed to the relay.
    Sending,
    /// Those whose email is being retried.
    Trying,
    /// Those whose email the relay accepted.
    Sent,
    /// Those whose email the relay refused, or whose retries ended.
    Failed,
    /// Those whose email was not sent because their address is blocked.
    Blocked,
    /// Those whose email was stopped.
    Stopped,
    /// Those who may have received the email twice.
    Twice,
}

impl DeliveryGroup {
    pub(in crate::console) const ALL: [Self; 10] = [
        Self::Trouble,
        Self::Everyone,
        Self::Waiting,
        Self::Sending,
        Self::Trying,
        Self::Sent,
        Self::Failed,
        Self::Blocked,
        Self::Stopped,
        Self::Twice,
    ];

    /// The value in the address.
    pub(in crate::console) const fn as_str(self) -> &'static str {
        match self {
            Self::Trouble => "trouble",
            Self::Everyone => "everybody",
            Self::Waiting => "waiting",
            Self::Sending => "sending",
            Self::Trying => "trying",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Blocked => "blocked",
            Self::Stopped => "stopped",
            Self::Twice => "twice",
        }
    }

    /// The heading of the list.
    pub(in crate::console) const fn heading(self) -> &'static str {
        match self {
            Self::Trouble => "Problems, newest first",
            Self::Everyone => "Everyone in this batch",
            Self::Waiting => "Waiting, last in line first",
            Self::Sending => "Being sent",
            Self::Trying => "Trying again",
            Self::Sent => "Sent",
            Self::Failed => "Failed, newest first",
            Self::Blocked => "Not sent: blocked address",
            Self::Stopped => "Stopped",
            Self::Twice => "Possibly twice",
        }
    }

    /// The states of its deliveries; empty for all states.
    pub(in crate::console) const fn states(self) -> &'static [DeliveryState] {
        match self {
            Self::Trouble => &[Retrying, Failed, Suppressed, Expired],
            Self::Everyone | Self::Twice => &[],
            Self::Waiting => &[Waiting, Queued],
            Self::Sending => &[Sending],
            Self::Trying => &[Retrying],
            Self::Sent => &[Sent],
            Self::Failed => &[Failed, Expired],
            Self::Blocked => &[Suppressed],
            Self::Stopped => &[Cancelled],
        }
    }

    /// Whether the list is in reverse order. Deliveries are sent in the order of selection, so those still waiting, or
    /// still waiting when the batch was stopped, are found fastest from the end.
    pub(in crate::console) const fn is_last_first(self) -> bool {
        matches!(self, Self::Waiting | Self::Stopped)
    }

    /// Whether the list is ordered by problem, newest first.
    pub(in crate::console) const fn is_of_trouble(self) -> bool {
        matches!(self, Self::Trouble | Self::Trying | Self::Failed | Self::Blocked)
    }
}

/// The query of a batch's page.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::console) struct ListQuery {
    /// Which part. By default the problems if there are any, otherwise all recipients.
    pub(in crate::console) show: Option<String>,
    /// Only these reasons, separated by commas.
    pub(in crate::console) why: Option<String>,
    /// Part of an address or name.
    pub(in crate::console) q: Option<String>,
    /// Cursor: the page after this delivery.
    pub(in crate::console) after: Option<String>,
    /// Cursor: the page before this delivery.
    pub(in crate::console) before: Option<String>,
    /// Page number, for the title.
    pub(in crate::console) page: Option<u32>,
    /// For the live part: the state of the batch when the page was rendered.
    pub(in crate::console) at: Option<String>,
}

impl SearchForm for ListQuery {
    const MAY_BE_EMPTY: &'static [&'static str] = &["q"];
}

impl ListQuery {
    /// The requested part.
    ///
    /// # Errors
    ///
    /// 404 if there is no such part.
    pub(in crate::console) fn part(&self) -> Result<Option<DeliveryGroup>, Problem> {
        let Some(word) = &self.show else { return Ok(None) };
        let part = DeliveryGroup::ALL.into_iter().find(|part| part.as_str() == word);
        part.map(Some).ok_or_else(|| Problem::not_found("part of a batch"))
    }

    /// The search text, or `None` if it is blank.
    pub(in crate::console) fn search(&self) -> Option<&str> {
        self.q.as_deref().map(str::trim).filter(|text| !text.is_empty())
    }

    /// The requested reasons.
    pub(in crate::console) fn reasons(&self) -> Vec<String> {
        let why = self.why.as_deref().unwrap_or_default();
        why.split(',')
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// The filter for the store.
    pub(in crate::console) fn filter(&self, part: DeliveryGroup) -> DeliveryFilter {
        // A complete address belongs to one user, whom an index finds.
        let email_key = self
            .search()
            .and_then(|text| EmailAddress::parse(text).ok())
            .map(|address| address.key());
        DeliveryFilter {
            states: part.states().to_vec(),
            reasons: self.reasons(),
            only_unsure: part == DeliveryGroup::Twice,
            search: self.search().filter(|_| email_key.is_none()).map(str::to_owned),
            email_key,
        }
    }

    /// The cursor of the page.
    ///
    /// # Errors
    ///
    /// 400 for a cursor that this list did not produce.
    pub(in crate::console) fn cursor(&self) -> Result<PageCursor<(OffsetDateTime, Uuid)>, Problem> {
        match (&self.after, &self.before) {
            (Some(place), _) => Ok(PageCursor::After(read_place(place)?)),
            (None, Some(place)) => Ok(PageCursor::Before(read_place(place)?)),
            (None, None) => Ok(PageCursor::Start),
        }
    }

    /// The page number.
    pub(in crate::console) fn number(&self) -> u32 {
        self.page.unwrap_or(1).max(1)
    }

    /// Query string of the first page of the same list, with additional parameters.
    pub(in crate::console) fn query(&self, more: &[(&str, &str)]) -> String {
        let mut query = Serializer::new(String::new());
        for (name, value) in [("show", &self.show), ("why", &self.why), ("q", &self.q)] {
            if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
                query.append_pair(name, value);
            }
        }
        query.extend_pairs(more);
        query.finish()
    }
}

/// The cursor of a delivery, valid in all lists.
pub(in crate::console) fn place_of(row: &Delivery) -> String {
    let at = row.trouble_at.unwrap_or(row.moved_at);
    format!("{}.{}", at.unix_timestamp_nanos() / 1_000, row.id.simple())
}

fn read_place(text: &str) -> Result<(OffsetDateTime, Uuid), Problem> {
    let wrong = || {
        Problem::malformed(
            "place_invalid",
            "The address of this page is incomplete. Go to the first page of the list.",
        )
    };
    let (micros, id) = text.split_once('.').ok_or_else(wrong)?;
    let nanos = micros.parse::<i64>().map_err(|_| wrong())?;
    let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(nanos) * 1_000).map_err(|_| wrong())?;
    Ok((moment, id.parse().map_err(|_| wrong())?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::problem::ProblemKind;

    #[test]
    fn every_state_is_in_one_part_besides_everybody_and_trouble() {
        for state in DeliveryState::ALL {
            let in_part = |part: &DeliveryGroup| *part != DeliveryGroup::Trouble && part.states().contains(&state);
            assert_eq!(
                DeliveryGroup::ALL.iter().filter(|part| in_part(part)).count(),
                1,
                "{state:?}"
            );
        }
    }

    #[test]
    fn a_whole_address_is_looked_up_and_a_part_of_one_is_searched_for() {
        let look = |q: &str| ListQuery {
            q: Some(q.to_owned()),
            ..ListQuery::default()
        };
        let whole = look(" Ana@Example.org ").filter(DeliveryGroup::Everyone);
        assert_eq!(
            (whole.email_key.as_deref(), whole.search),
            (Some("ana@example.org"), None)
        );
        let part = look("ana@").filter(DeliveryGroup::Everyone);
        assert_eq!((part.email_key, part.search.as_deref()), (None, Some("ana@")));
    }

    #[test]
    fn a_place_comes_back_as_it_went() {
        let (moment, id) = (
            time::macros::datetime!(2026-11-03 15:04:05.123456 UTC),
            Uuid::from_u128(7),
        );
        let text = format!("{}.{}", moment.unix_timestamp_nanos() / 1_000, id.simple());
        assert_eq!(read_place(&text).unwrap(), (moment, id));
        for wrong in [
            "",
            "1",
            "x.y",
            "99999999999999999999.0",
            "9223372036854775807.00000000000070008000000000000000",
        ] {
            assert_eq!(read_place(wrong).unwrap_err().kind, ProblemKind::Malformed, "{wrong}");
        }
    }
}
