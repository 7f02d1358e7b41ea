//! Contracts that others rely on, checked by reading the sources, the schema and the programs themselves.
//!
//! One contract per file. Most need no server and take milliseconds.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what is not as expected ends the test"
)]

mod alerts;
mod answers;
mod budgets;
mod circles;
mod clocks;
mod dashboards;
mod deploy;
mod failpoints;
mod features;
mod headers;
mod imports;
mod jobs;
mod letters;
mod lines;
mod links;
mod metrics;
mod pages;
mod personal_columns;
mod readme;
mod release;
mod routes;
mod secrets;
mod settings;
mod shell;
mod sources;
mod states;
mod status_labels;
mod upgrade;
