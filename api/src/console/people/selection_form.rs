//! Reads the ticked users and the clicked button of a list.

use super::view::View;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::console::fields::Fields;
use shared::store::selections::{self, Selection};
use shared::store::users;
use shared::store::users_in_bulk;
use shared::system_email::SystemEmailKind;
use std::collections::HashSet;
use uuid::Uuid;

/// Maximum number of users ticked or unticked one by one. A filter can select more.
const MAX_ONE_BY_ONE: usize = 5_000;

/// What the clicked button does after the ticks are saved.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::console) enum ButtonAction {
    /// Show the users who match the form's search and filters.
    Search,
    /// Show the next page.
    Next,
    /// Show the previous page.
    Previous,
    /// Select all matching users.
    All,
    /// Clear the selection.
    Clear,
    /// Go to the preview.
    Preview(Option<SystemEmailKind>),
    /// Go to the check page.
    Check,
    /// Save the filter under a name.
    Save,
}

impl ButtonAction {
    fn of(word: &str) -> Self {
        match word {
            "next" => Self::Next,
            "previous" => Self::Previous,
            "all" => Self::All,
            "nobody" => Self::Clear,
            "check" => Self::Check,
            "save" => Self::Save,
            "preview" => Self::Preview(None),
            kind => kind.parse().map_or(Self::Search, |kind| Self::Preview(Some(kind))),
        }
    }
}

/// Saves the ticks and returns the action of the button. A form without ticks does not create a selection.
///
/// # Errors
///
/// 422 if too many users were ticked one by one.
pub(in crate::console) async fn take(
    api: &AppState,
    administrator: Uuid,
    mut selection: Option<Selection>,
    view: &View,
    fields: &Fields,
) -> Result<(Option<Selection>, ButtonAction), Problem> {
    let pressed = ButtonAction::of(fields.text("do"));
    let ticked: HashSet<Uuid> = ids(fields, "user");
    let shown: Vec<Uuid> = ids(fields, "shown");
    if selection.is_none() && (!ticked.is_empty() || pressed == ButtonAction::All) {
        let id = selections::create(&api.db, administrator, None).await?;
        selection = selections::find(&api.db, administrator, id).await?;
    }
    let Some(mut selection) = selection else {
        return Ok((None, pressed));
    };
    let before = selection.clone();
    match pressed {
        ButtonAction::All => {
            let filter = view.user_filter().ok_or_else(contradiction)?;
            let counted = users_in_bulk::count(&api.db, &filter).await?;
            selection.matching = i32::try_from(counted).unwrap_or(i32::MAX);
            selection.filter = Some(filter);
            selection.dropped.clear();
            selection.picked.clear();
        }
        ButtonAction::Clear => {
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
    if selection.picked.len().max(selection.dropped.len()) > MAX_ONE_BY_ONE {
        return Err(Problem::invalid(
            "too_many_ticks",
            "You can tick up to 5,000 users one by one. To select more, use a search or filter and “Select all”.",
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

/// Which users on the page match the selection's filter.
async fn matching(api: &AppState, selection: &Selection, shown: &[Uuid]) -> Result<HashSet<Uuid>, Problem> {
    let Some(filter) = &selection.filter else {
        return Ok(HashSet::new());
    };
    let found = users::matching_ids(&api.db, filter, shown).await?;
    Ok(found.into_iter().collect())
}

fn contradiction() -> Problem {
    Problem::invalid(
        "filters_contradict",
        "These filters contradict each other, so no users match. Change one of them.",
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
            excluded_filters: Vec::new(),
            excluded_lists: Vec::new(),
            wording: None,
        }
    }

    #[test]
    fn ticks_of_one_page_leave_those_of_others_alone() {
        let [a, b, c, d] = [1, 2, 3, 4].map(Uuid::from_u128);
        let mut choice = selection();
        choice.picked = vec![a, b];

        merge(&mut choice, &[b, c], &HashSet::from([c]), &HashSet::new());
        assert_eq!(choice.picked, [a, c]);

        // All matching users are selected. b and c are on this page, and c is unticked.
        choice.matching = 10;
        merge(&mut choice, &[b, c, d], &HashSet::from([b, d]), &HashSet::from([b, c]));
        assert_eq!(
            (choice.dropped.as_slice(), choice.picked.as_slice()),
            (&[c][..], &[a, c, d][..])
        );
        assert_eq!(choice.count(), 12);
    }
}
