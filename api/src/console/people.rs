//! Lists of people to choose from: the page of all users, and the first step of sending.
//!
//! Both are one form. Whatever button is pressed (search, next page, select all), what was ticked
//! on this page is kept first; so a choice survives paging and searching, with and without a
//! script. The answer to the form is a redirect, so every list has an address that can be shared.

mod conditions;
mod list;
mod preset;
mod ticks;
mod view;

pub(super) use list::{PeopleList, access, list};
pub(super) use preset::Preset;
pub(super) use ticks::{Pressed, take};
pub(super) use view::View;
