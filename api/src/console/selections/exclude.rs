//! Saved filters and do-not-mail lists that a batch leaves out, as chosen on the check page.

use crate::app::exclusion::known;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::user_filter::words;
use crate::console::fields::Fields;
use crate::console::format::some;
use shared::store::exclusion::{ExcludedFilter, ExcludedUsers, Exclusion};
use shared::store::selections::Selection;
use shared::store::{do_not_mail, saved_filters, selections};
use uuid::Uuid;

/// The form's field for saved filters.
const FILTERS: &str = "exclude_filter";

/// The form's field for do-not-mail lists.
const LISTS: &str = "exclude_list";

/// A filter or list that can be left out.
pub(super) struct ExclusionOption {
    /// The field of its checkbox.
    pub(super) field: &'static str,
    pub(super) id: Uuid,
    pub(super) name: String,
    /// The conditions of a filter, or the number of addresses on a list.
    pub(super) hint: String,
    pub(super) is_chosen: bool,
    /// Whether every batch leaves it out, so that there is no choice.
    pub(super) always: bool,
}

/// The filters and lists that can be left out, and those that are.
pub(super) struct Choices {
    pub(super) lists: Vec<ExclusionOption>,
    pub(super) filters: Vec<ExclusionOption>,
    /// Those that are left out.
    pub(super) exclusion: Exclusion,
}

impl Choices {
    /// Number of filters and lists that are left out.
    pub(super) fn chosen(&self) -> usize {
        let all = self.lists.iter().chain(&self.filters);
        all.filter(|one| one.is_chosen || one.always).count()
    }
}

/// Reads the filters and lists that the batch of a selection can leave out. Deleted ones are not among them.
pub(super) async fn choices(api: &AppState, selection: &Selection) -> Result<Choices, Problem> {
    let lists = do_not_mail::list(&api.db)
        .await?
        .into_iter()
        .map(|list| ExclusionOption {
            field: LISTS,
            is_chosen: selection.excluded_lists.contains(&list.id),
            id: list.id,
            name: list.name,
            hint: some(list.addresses, "address", "addresses"),
            always: list.always,
        });
    let lists: Vec<ExclusionOption> = lists.collect();
    let mut exclusion = Exclusion {
        lists: lists.iter().filter(|list| list.is_chosen).map(|list| list.id).collect(),
        ..Exclusion::default()
    };
    let mut filters = Vec::new();
    for saved in saved_filters::list(&api.db).await? {
        // One of a later release cannot be applied.
        let Some(filter) = saved.filter else { continue };
        let is_chosen = selection.excluded_filters.contains(&saved.id);
        filters.push(ExclusionOption {
            field: FILTERS,
            id: saved.id,
            name: saved.name.clone(),
            hint: words(&filter, None).join("; "),
            is_chosen,
            always: false,
        });
        if is_chosen {
            exclusion.filters.push(ExcludedFilter {
                id: saved.id,
                name: saved.name,
                filter,
            });
        }
    }
    Ok(Choices {
        lists,
        filters,
        exclusion,
    })
}

/// The users whom the batch of a selection leaves out.
pub(super) async fn users(api: &AppState, selection: &Selection) -> Result<ExcludedUsers, Problem> {
    let exclusion = known(api, &selection.excluded_filters, &selection.excluded_lists).await?;
    Ok(exclusion.users(&api.db).await?)
}

/// Stores the filters and lists chosen in a form. Returns whether they differ from those that the page showed.
pub(super) async fn store(api: &AppState, selection: &mut Selection, fields: &Fields) -> Result<bool, Problem> {
    let filters = ids(fields, FILTERS)?;
    let lists = ids(fields, LISTS)?;
    let is_same = |new: &[Uuid], old: &[Uuid]| {
        let among = |some: &[Uuid], all: &[Uuid]| some.iter().all(|id| all.contains(id));
        among(new, old) && among(old, new)
    };
    if is_same(&filters, &selection.excluded_filters) && is_same(&lists, &selection.excluded_lists) {
        return Ok(false);
    }
    selections::exclude(&api.db, selection.id, &filters, &lists).await?;
    selection.excluded_filters = filters;
    selection.excluded_lists = lists;
    Ok(true)
}

fn ids(fields: &Fields, name: &str) -> Result<Vec<Uuid>, Problem> {
    let ids = fields.all(name).map(|text| {
        text.parse::<Uuid>().map_err(|_| {
            let detail = "The form contains an invalid id of a filter or list, so nothing was done. Reload the page.";
            Problem::invalid("form_invalid", detail)
        })
    });
    ids.collect()
}
