//! Sending, in three steps: choose people, preview the mail, check the sums. Then it is sent.
//!
//! The choice is a row of its own from the first tick on (`store/selections.rs`), so each step has
//! an address, going back loses nothing, and the row's id is the one-time token of what is sent:
//! a double click, a reload, the back button and a second tab all find the batch that the first
//! click made.

mod check;
mod choose;
mod estimate;
mod missing;
pub(super) mod own;
mod preview;
mod schedule;
mod send;
mod start;
mod sums;

pub(super) use check::show as check;
pub(super) use choose::{press, show as choose};
pub(super) use missing::{leave_out as leave_out_lacking, show as lacking};
pub(super) use preview::{html, show as preview, test};
pub(super) use send::send;
pub(super) use start::begin;
