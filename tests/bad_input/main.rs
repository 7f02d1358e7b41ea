//! Caller mistakes, and the exact sentences that answer them.
//!
//! Every answer is a problem (RFC 9457) with a type for programs and a sentence that a person can act on. No mistake
//! causes a 500, and none is stored in part.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what is not as expected ends the test"
)]

mod addresses;
mod api_request;
mod bodies;
mod empty_requests;
mod exclusions;
mod files;
mod forms;
mod guessing;
mod keys;
mod lists;
mod lockouts;
mod mappings;
mod passwords;
mod people;
mod read_only;
mod repeats;
mod rows;
mod sizes;
mod sockets;
mod spreadsheets;
mod starting;
mod system_emails;
mod texts;
mod uploads;

/// Re-exported for all tests.
pub(crate) use serde_json::json;
