//! Postfix knows its recipients, and slows clients down that ask for unknown ones.

use crate::{figure, import_of, json, world};
use harness::mail_servers::Postfix;
use std::time::{Duration, Instant};

/// Postfix delays its replies to a client with ten errors and disconnects it after twenty
/// (`smtpd_soft_error_limit`, `smtpd_hard_error_limit`).
#[tokio::test]
#[ignore = "make mail-servers: needs root and Debian's mail servers"]
async fn sixty_unknown_addresses_do_not_slow_down_the_others() {
    let mut world = world().await;
    let known = [
        "relay_domains = example.org",
        "relay_recipient_maps = regexp:{{/^person/ OK}}",
    ];
    let postfix = Postfix::start(world.relay.address(), &known, &[&[]]).await.unwrap();
    let settings = [
        ("SMTP_URL", postfix.url(0)),
        ("BECKON_SMTP_CONNECTIONS", "2".to_owned()),
    ];
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    world.start_worker_with(&settings).await.unwrap();
    let unknown = import_of(&world, (0..60).map(|n| format!("left{n}@example.org"))).await;
    let good = world.people(104).await;

    let began = Instant::now();
    let first = world.invite(json!({ "import": unknown })).await;
    let second = world.invite(json!({ "import": good })).await;
    let (first, second) = (world.finished(first).await, world.finished(second).await);
    let took = figure("60 unknown addresses at Postfix, 104 known ones behind", began);

    assert_eq!(
        (&first["counts"]["failed"], &second["counts"]["sent"]),
        (&json!(60), &json!(104)),
        "{first} {second}"
    );
    assert!(took < Duration::from_secs(15), "{took:?}");
    assert_eq!(postfix.logged("too many errors"), 0, "Postfix ended a connection");
    crate::assert_arrived(world, 104).await;
}
