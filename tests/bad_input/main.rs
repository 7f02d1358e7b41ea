//! What callers get wrong, and the very words they are answered with.
//!
//! Every answer is a problem (RFC 9457) whose type programs can tell apart and whose sentence a
//! person can act on; nothing wrong is ever a 500, and nothing of it stays.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what is not as expected ends the test"
)]

mod addresses;
mod asking;
mod bodies;
mod files;
mod forms;
mod guessing;
mod kept_out;
mod keys;
mod letters;
mod lists;
mod mappings;
mod nearly_nothing;
mod passwords;
mod people;
mod read_only;
mod repeats;
mod rows;
mod sizes;
mod sockets;
mod spreadsheets;
mod starting;
mod texts;
mod uploads;

/// The tests' way to write JSON.
pub(crate) use serde_json::json;
