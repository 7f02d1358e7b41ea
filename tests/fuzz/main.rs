//! Everything that reads what others wrote, fed with rubbish.
//!
//! A target takes bytes and asserts what holds for any bytes; [`engine`] makes them out of the
//! target's seeds (`seeds/<target>/`, whole inputs that came from real programs or broke something
//! once) by cutting, doubling, mixing and a list of words that mean something there. A few seconds
//! each in `make test`; `FUZZ_SECONDS=600 cargo test --workspace --test fuzz` goes on for longer.
//! An input that breaks a target is written to `target/fuzz/`; as a seed it is tried first from then
//! on. The bytes are not guided by coverage: that takes a compiler other than ours.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what does not hold ends the test"
)]

mod csv_import;
mod engine;
mod job_decoding;
mod mail_composition;
mod smtp_reply;
mod spreadsheets;
mod template_filling;
