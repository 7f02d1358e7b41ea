//! Sending in three steps: select people, preview the email, check the totals and send.
//!
//! A selection is stored in Postgres from the first tick on (`store/selections.rs`). So each step has an address, going
//! back loses nothing, and the selection's id is the idempotency key for sending: a double click, a reload, the back
//! button and a second tab all lead to the batch that the first click created.

mod check;
mod choice;
mod choose;
mod counts;
mod estimate;
mod exclude;
mod languages;
pub(super) mod load_selection;
mod missing;
mod preview;
mod schedule;
mod send;
mod start;
mod wording;

pub(super) use check::show as check;
pub(super) use choose::{show as choose, submit};
pub(super) use missing::{leave_out as leave_out_lacking, show as lacking};
pub(super) use preview::{html, show as preview, test};
pub(super) use send::send;
pub(super) use start::begin;
pub(super) use wording::{show as wording, submit as set_wording};
