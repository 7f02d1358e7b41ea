//! Servers that fail over, freeze, lag or half-answer.
//!
//! Those that start three RabbitMQ nodes or wait for minutes are `#[ignore]`d: `make nightly` runs them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a scenario that fails ends at the failed step"
)]

mod a_commit_is_refused;
mod a_dispatcher_stops_answering;
mod a_dump_is_restored;
mod a_limit_of_deliveries;
mod a_pooler_follows_the_primary;
mod an_outage_longer_than_a_lease;
mod another_broker_answers;
mod postgres_clock_is_set;
mod postgres_is_pooled;
mod postgres_moves;
mod sending_is_held;
mod three_brokers;
mod two_primaries;

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

/// The response of `/readyz` at this base URL.
async fn readiness(probes: &str) -> (u16, String) {
    let answer = reqwest::get(format!("{probes}/readyz")).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Waits until `/readyz` at this base URL answers 503 and names all of this.
async fn not_ready(world: &World, probes: &str, named: &[&str]) {
    world
        .eventually(&format!("{probes} not to be ready and to name {named:?}"), async || {
            let (status, body) = readiness(probes).await;
            (status == 503 && named.iter().all(|name| body.contains(name))).then_some(())
        })
        .await;
}

/// Prints a figure for the record.
fn figure(what: &str, began: Instant) -> Duration {
    let took = began.elapsed();
    println!("figure: {what}: {:.1} s", took.as_secs_f64());
    took
}
