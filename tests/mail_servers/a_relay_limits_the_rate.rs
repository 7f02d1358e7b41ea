//! Postfix and Exim limit the recipients per time window and say so at `RCPT`.
//!
//! The default numbers are a fraction of a measurement made by hand; `FULL_SCALE=1` runs all of it.

use crate::{assert_arrived, figure, json, most_attempts, send_to, tries_per_mail, world};
use harness::World;
use harness::mail_servers::{Exim, Postfix};
use std::time::{Duration, Instant};

/// Recipients per window.
const MOST: usize = 60;

/// Users, and the window in seconds.
fn scale() -> (usize, u64) {
    match std::env::var_os("FULL_SCALE") {
        Some(_) => (400, 20),
        None => (160, 4),
    }
}

/// Sends a batch, and one mail in the middle of it. Returns how long that one took.
async fn send_under_the_limit(world: &World, server: &str) -> Duration {
    let (people, window) = scale();
    let import = world.people(people).await;
    world.person("ada@example.net").await;
    let began = Instant::now();
    let batch = world.invite(json!({ "import": import })).await;
    world.relay.wait_for(MOST + 20, Duration::from_mins(2)).await.unwrap();
    let asked = Instant::now();
    let single = world.invite(json!({ "emails": ["ada@example.net"] })).await;
    world.finished(single).await;
    let waited = figure(
        &format!("{server} limits to {MOST} in {window} s, a single mail"),
        asked,
    );
    let finished = world.finished(batch).await;
    figure(
        &format!("{server} limits to {MOST} in {window} s, {people} people"),
        began,
    );
    assert_eq!(finished["counts"]["sent"], people, "{finished}");
    waited
}

#[tokio::test]
#[ignore = "make mail-servers: needs root and Debian's mail servers"]
async fn postfix_defers_few_recipients_above_its_rate() {
    let (people, window) = scale();
    let mut world = world().await;
    let limits = [
        format!("anvil_rate_time_unit = {window}s"),
        // Otherwise no limit applies to our own networks.
        "smtpd_client_event_limit_exceptions =".to_owned(),
        format!("smtpd_client_recipient_rate_limit = {MOST}"),
    ];
    let limits: Vec<&str> = limits.iter().map(String::as_str).collect();
    let postfix = Postfix::start(world.relay.address(), &limits, &[&[]]).await.unwrap();
    send_to(&mut world, &postfix.url(0)).await;

    let waited = send_under_the_limit(&world, "Postfix").await;
    let tries = tries_per_mail(
        postfix.logged("Recipient delivery request rate limit exceeded"),
        people + 1,
    );

    println!("figure: Postfix, tries a mail: {tries:.2}");
    assert!(
        waited < Duration::from_secs(window + 3),
        "a single mail took {waited:?}"
    );
    assert!(tries < 1.2, "{tries} tries a mail");
    assert_eq!(most_attempts(&world).await, 1, "a rate spent an attempt");
    assert_arrived(world, people + 1).await;
}

#[tokio::test]
#[ignore = "make mail-servers: needs root and Debian's mail servers"]
async fn exim_defers_few_recipients_above_its_rate() {
    let (people, window) = scale();
    let mut world = world().await;
    let rate = format!("{MOST} / {window}s");
    let exim = Exim::start(world.relay.address(), Some(&rate)).await.unwrap();
    send_to(&mut world, &exim.url()).await;

    let waited = send_under_the_limit(&world, "Exim").await;
    let tries = tries_per_mail(exim.deferred(), people + 1);

    println!("figure: Exim, tries a mail: {tries:.2}");
    assert!(
        waited < Duration::from_secs(window + 3),
        "a single mail took {waited:?}"
    );
    assert!(tries < 1.2, "{tries} tries a mail");
    assert_eq!(most_attempts(&world).await, 1, "a rate spent an attempt");
    assert_arrived(world, people + 1).await;
}
