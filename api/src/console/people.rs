//! Lists to select people from: the page of all users, and the first step of sending.
//!
//! Both are one form. Whichever button submits it (search, next page, select all), the ticks on the current page are
//! saved first, so a selection survives paging and searching with and without JavaScript. The response is a redirect,
//! so every list has an address that can be shared.

mod conditions;
mod list;
mod preset;
mod selection_form;
mod typed;
mod view;

pub(super) use list::{PeopleList, access, list, list_as_typed};
pub(super) use preset::Preset;
pub(super) use selection_form::{ButtonAction, take};
pub(super) use typed::TypedConditions;
pub(super) use view::View;
