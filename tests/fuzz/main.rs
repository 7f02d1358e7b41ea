//! Fuzzing of everything that reads external input.
//!
//! A target takes bytes and asserts what holds for any bytes. [`engine`] generates them from the target's seeds
//! (`seeds/<target>/`, whole inputs from real programs or from past failures) by cutting, doubling, mixing and
//! inserting words that are significant to the target. Each target runs for a few seconds in `make test`;
//! `FUZZ_SECONDS=600 cargo test --workspace --test fuzz` runs longer. An input that breaks a target is written to
//! `target/fuzz/`; added as a seed, it is tried first from then on. Inputs are not guided by coverage, which our
//! compiler does not support.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what does not hold ends the test"
)]

mod csv_import;
mod engine;
mod job_decoding;
mod json_import;
mod mail_composition;
mod pasted_people;
mod smtp_reply;
mod spreadsheets;
mod template_filling;
