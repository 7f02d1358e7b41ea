//! The clocks of our machines jump forward and back while mails are on their way. Due times, leases and expiry use
//! Postgres's clock.

use crate::json;
use harness::clock::Clock;
use harness::relay::{Behaviour, Step};
use harness::world::PATIENCE;
use harness::{Setup, World};
use std::time::Duration;

const ADA: &str = "ada@example.org";

#[tokio::test]
async fn leases_retries_and_passwords_keep_their_duration() {
    World::run_with(Setup::default().workers(0), async |world| {
        let import = world.people(30).await;
        world.person(ADA).await;
        let clock = Clock::in_folder(world.folder()).await.unwrap();
        let settings = clock.settings();
        let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        world.kill_api().await;
        let api = world.another_api(&settings).await.unwrap();
        world.turn_to(&api.base, &api.probes);
        world.start_worker_with(&settings).await.unwrap();
        // Longer than a lease, and through three jumps.
        let slow = Duration::from_secs(5);
        world.relay.set(
            ADA,
            Behaviour::Slow {
                at: Step::Dot,
                wait: slow,
            },
        );

        let passwords = world.reset_passwords(json!({ "emails": [ADA] })).await;
        let dot = world.relay.wait_until("a dot", PATIENCE, |counts| counts.dots == 1);
        dot.await.unwrap();
        clock.put("+1h").unwrap();
        let ahead = world.invite(json!({ "import": import, "hold_seconds": 1 })).await;
        let ahead = world.finished(ahead).await;
        clock.put("-1h").unwrap();
        let behind = world.invite(json!({ "import": import, "include_recent": true })).await;
        let behind = world.finished(behind).await;
        let slow = world.finished(passwords).await;
        let mail = world.relay.mails_to(ADA).unwrap().remove(0);
        let early = world.signs_in(ADA, mail.password().unwrap()).await;
        clock.put("+1h").unwrap();
        let late = world.signs_in(ADA, mail.password().unwrap()).await;
        world.relay.set(ADA, Behaviour::try_later());
        let retried = world
            .invite(json!({ "emails": [ADA], "include_signed_in": true }))
            .await;
        world.until(retried, "retrying", 1).await;

        for (finished, sent) in [(ahead, 30), (behind, 30), (slow, 1)] {
            assert_eq!(finished["counts"]["sent"], sent, "{finished}");
            assert_eq!(finished["counts"]["unsure"], 0, "{finished}");
        }
        assert!(early && late, "{early} {late}");
        let lifetime = world.password_lifetime(passwords).await;
        assert!((0.0..60.0).contains(&(lifetime - 72.0 * 3_600.0)), "{lifetime}");
        let pause = world.seconds_until_retry().await;
        assert!((200.0..=360.0).contains(&pause), "{pause}");
        let logged = world.workers[0].log();
        let hours: std::collections::BTreeSet<&str> = logged
            .lines()
            .filter_map(|line| line.split('T').nth(1)?.split(':').next())
            .collect();
        assert!(hours.len() >= 3, "the worker never saw another hour: {hours:?}");
        assert_eq!(world.relay.accepted_count(), 61);
        drop(api);
    })
    .await;
}
