//! Real mail servers as relays: Postfix, Exim, OpenSMTPD, Dovecot and postgrey, with Beckon's shipped defaults.
//!
//! They need root and Debian's packages, so all are `#[ignore]`d: `make mail-servers` runs them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a scenario that fails ends at the failed step"
)]

mod a_relay_limits_the_rate;
mod an_account_is_refused;
mod emails_pass_other_programs;
mod logins_and_tls;
mod refused_addresses;
mod servers_defer_and_stop;

use harness::{Setup, World};
use serde_json::Value;
use std::time::{Duration, Instant};

/// A JSON object.
macro_rules! json {
    ($($json:tt)+) => { serde_json::json!($($json)+) };
}
pub(crate) use json;

/// A world without workers. Its relay receives what the mail servers pass on.
async fn world() -> World {
    World::with(Setup::default().workers(0)).await
}

/// Replaces all workers with one that sends to this relay.
async fn send_to(world: &mut World, url: &str) {
    while !world.workers.is_empty() {
        world.stop_worker(0).await;
    }
    world.start_worker_with(&[("SMTP_URL", url)]).await.unwrap();
}

/// Imports users with these addresses.
async fn import_of(world: &World, people: impl Iterator<Item = String>) -> Value {
    let rows = std::iter::once("email".to_owned()).chain(people).collect::<Vec<_>>();
    world.import(&rows.join("\n")).await.expect(201)["id"].clone()
}

/// Imports users at this domain.
async fn people_at(world: &World, domain: &str, count: usize) -> Value {
    let people = (1..=count).map(|n| format!("person{n}@{domain}"));
    import_of(world, people).await
}

/// The most attempts of any delivery.
async fn most_attempts(world: &World) -> i64 {
    let most = sqlx::query_scalar("select coalesce(max(attempt), 0)::bigint from deliveries");
    most.fetch_one(&world.db).await.unwrap()
}

/// Makes mails that wait due immediately.
async fn make_due(world: &World) {
    let due = sqlx::query("update deliveries set retry_at = now() where state in ('waiting', 'retrying')");
    due.execute(&world.db).await.unwrap();
}

/// Asserts that the relay behind the mail servers has all mails, and ends the world.
async fn assert_arrived(world: World, mails: usize) {
    world.relay.wait_for(mails, harness::world::PATIENCE).await.unwrap();
    world.assert_promises_kept().await;
    assert_eq!(world.relay.accepted_count(), mails, "a user got two mails");
    world.end().await;
}

/// Requests to the relay per accepted mail.
fn tries_per_mail(refused: usize, accepted: usize) -> f64 {
    let [refused, accepted] = [refused, accepted].map(|n| f64::from(u32::try_from(n).unwrap()));
    (refused + accepted) / accepted
}

/// Prints a figure for the record.
fn figure(what: &str, began: Instant) -> Duration {
    let took = began.elapsed();
    println!("figure: {what}: {:.1} s", took.as_secs_f64());
    took
}
