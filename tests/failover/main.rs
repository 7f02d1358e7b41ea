//! Servers that fail over, freeze, lag or half-answer.
//!
//! Those that start three RabbitMQ nodes or wait for minutes are `#[ignore]`d: `make nightly` runs them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a scenario that fails ends at the failed step"
)]

mod a_dispatcher_stops_answering;
mod a_limit_of_deliveries;
mod an_outage_longer_than_a_lease;
mod another_broker_answers;
mod postgres_is_pooled;
mod postgres_moves;
mod sending_is_held;
mod three_brokers;

use harness::World;
use serde_json::Value;
use std::time::{Duration, Instant};

/// A JSON object.
macro_rules! json {
    ($($json:tt)+) => { serde_json::json!($($json)+) };
}
pub(crate) use json;

/// Asserts the ledger of a test whose servers lost nothing: each user got one mail.
fn assert_each_got_one(world: &World, finished: &Value, people: usize) {
    assert_eq!(finished["counts"]["sent"], people, "{finished}");
    assert_eq!(finished["counts"]["unsure"], 0, "{finished}");
    assert_eq!(world.relay.accepted_count(), people, "a user got two mails");
}

/// Prints a figure for the record.
fn figure(what: &str, began: Instant) -> Duration {
    let took = began.elapsed();
    println!("figure: {what}: {:.1} s", took.as_secs_f64());
    took
}
