//! What was ticked, and which button was pressed.

use super::view::View;
use crate::console::fields::Fields;
use crate::problem::Problem;
use crate::state::Api;
use axum::http::StatusCode;
use shared::store::selections::{self, Selection};
use shared::store::users;
use shared::store::users_in_bulk;
use shared::system_email::SystemEmailKind;
use std::collections::HashSet;
use uuid::Uuid;

/// Ticked or taken out one by one; more are chosen by a filter.
const ONE_BY_ONE_MOST: usize = 5_000;

/// What the pressed button asks for, once the ticks are kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::console) enum Pressed {
    /// The people who match what the form says now.
    Search,
    /// The next page.
    Next,
    /// The page before.
    Previous,
    /// Everybody who matches.
    All,
    /// Nobody.
    Nobody,
    /// On to the mail, as it would look.
    Preview(Option<SystemEmailKind>),
    /// On to the sums.
    Check,
    /// Keep the filter under a name.
    Save,
}

impl Pressed {
    fn of(word: &str) -> Self {
        match word {
            "next" => Self::Next,
            "previous" => Self::Previous,
            "all" => Self::All,
            "nobody" => Self::Nobody,
            "check" => Self::Check,
            "save" => Self::Save,
            "preview" => Self::Preview(None),
            kind => kind.parse().map_or(Self::Search, |kind| Self::Preview(Some(kind))),
        }
    }
}

/// Keeps what was ticked and tells what is asked for. Nothing is begun for a form without a tick.
///
/// # Errors
///
/// 422 when too many were ticked one by one.
pub(in crate::console) async fn take(
    api: &Api,
    administrator: Uuid,
    mut selection: Option<Selection>,
    view: &View,
    fields: &Fields,
) -> Result<(Option<Selection>, Pressed), Problem> {
    let pressed = Pressed::of(fields.text("do"));
    let ticked: HashSet<Uuid> = ids(fields, "user");
    let shown: Vec<Uuid> = ids(fields, "shown");
    if selection.is_none() && (!ticked.is_empty() || pressed == Pressed::All) {
        let id = selections::create(&api.db, administrator, None).await?;
        selection = selections::find(&api.db, administrator, id).await?;
    }
    let Some(mut selection) = selection else {
        return Ok((None, pressed));
    };
    let before = selection.clone();
    match pressed {
        Pressed::All => {
            let filter = view.who().ok_or_else(contradiction)?;
            let counted = users_in_bulk::count(&api.db, &filter).await?;
            selection.matching = i32::try_from(counted).unwrap_or(i32::MAX);
            selection.filter = Some(filter);
            selection.dropped.clear();
            selection.picked.clear();
        }
        Pressed::Nobody => {
            selection.matching = 0;
            selection.filter = None;
            selection.dropped.clear();
            selection.picked.clear();
        }
        _ => {
            let matching = matching(api, &selection, &shown).await?;
            merge(&mut selection, &shown, &ticked, &matching);
        }
    }
    if selection.picked.len().max(selection.dropped.len()) > ONE_BY_ONE_MOST {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "too_many_ticks",
            "5,000 people can be ticked one by one. Choose more with a search or a filter and “Select all”.",
        ));
    }
    let is_changed = (&before.filter, &before.dropped, &before.picked, before.matching)
        != (
            &selection.filter,
            &selection.dropped,
            &selection.picked,
            selection.matching,
        );
    if is_changed {
        selection.chosen = None;
        selections::change(&api.db, &selection).await?;
    }
    Ok((Some(selection), pressed))
}

/// Which of the people on the page the choice's filter matches.
async fn matching(api: &Api, selection: &Selection, shown: &[Uuid]) -> Result<HashSet<Uuid>, Problem> {
    let Some(filter) = &selection.filter else {
        return Ok(HashSet::new());
    };
    let found = users::those_matching(&api.db, filter, shown).await?;
    Ok(found.into_iter().collect())
}

fn contradiction() -> Problem {
    Problem::unprocessable(
        "filters_contradict",
        "These filters contradict each other, so nobody matches. Change one of them.",
    )
}

fn merge(selection: &mut Selection, shown: &[Uuid], ticked: &HashSet<Uuid>, matching: &HashSet<Uuid>) {
    for id in shown {
        let (ids, is_in) = if matching.contains(id) {
            (&mut selection.dropped, !ticked.contains(id))
        } else {
            (&mut selection.picked, ticked.contains(id))
        };
        match (is_in, ids.iter().position(|known| known == id)) {
            (true, None) => ids.push(*id),
            (false, Some(at)) => {
                ids.swap_remove(at);
            }
            _ => {}
        }
    }
}

fn ids<C: FromIterator<Uuid>>(fields: &Fields, name: &str) -> C {
    fields.all(name).filter_map(|text| text.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection() -> Selection {
        Selection {
            id: Uuid::nil(),
            kind: None,
            filter: None,
            matching: 0,
            dropped: Vec::new(),
            picked: Vec::new(),
            chosen: None,
            batch: None,
        }
    }

    #[test]
    fn ticks_of_one_page_leave_those_of_others_alone() {
        let [a, b, c, d] = [1, 2, 3, 4].map(Uuid::from_u128);
        let mut choice = selection();
        choice.picked = vec![a, b];

        merge(&mut choice, &[b, c], &HashSet::from([c]), &HashSet::new());
        assert_eq!(choice.picked, [a, c]);

        // Of everybody who matches, b and c are on this page, and c is taken out.
        choice.matching = 10;
        merge(&mut choice, &[b, c, d], &HashSet::from([b, d]), &HashSet::from([b, c]));
        assert_eq!(
            (choice.dropped.as_slice(), choice.picked.as_slice()),
            (&[c][..], &[a, c, d][..])
        );
        assert_eq!(choice.count(), 12);
    }
}
