//! `AMQP_URL` contains several addresses: after a connection ends for any reason, the next one is tried.

use crate::{assert_each_got_one, figure, json};
use harness::faults::FaultProxy;
use harness::program::Program;
use harness::world::PATIENCE;
use harness::{Setup, World};
use std::time::{Duration, Instant};

const PEOPLE: usize = 300;

/// The world's settings with these addresses.
fn with_brokers(world: &World, urls: &str) -> Vec<(String, String)> {
    let mut settings = world.settings().to_vec();
    for (name, value) in [
        ("BECKON_LISTEN", world.spare_address().unwrap().to_string()),
        ("BECKON_PROBES_LISTEN", world.spare_address().unwrap().to_string()),
        ("SMTP_URL", format!("smtp://{}?tls=none", world.relay.address())),
        ("AMQP_URL", urls.to_owned()),
    ] {
        settings.push((name.to_owned(), value));
    }
    settings
}

#[tokio::test]
async fn after_silence_the_next_address_is_used() {
    let setup = Setup::default().workers(0).api_setting("BECKON_MAIL_RATE", "50");
    World::run_with(setup, async |world| {
        let import = world.people(PEOPLE).await;
        let (first, by_first) = world.detour("AMQP_URL").await;
        let (second, by_second) = world.detour("AMQP_URL").await;
        let urls = format!("{by_first},{by_second}");
        world.start_api_with(&[("AMQP_URL", &urls)]).await.unwrap();
        world.start_worker_with(&[("AMQP_URL", &urls)]).await.unwrap();
        let batch = world.invite(json!({ "import": import })).await;
        world.relay.wait_for(20, PATIENCE).await.unwrap();
        assert_eq!(second.connections(), 0, "the first address was well");

        first.stall();
        let began = Instant::now();
        // Mails in progress at that moment are sent within a second.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let before = world.relay.accepted_count();
        world.relay.wait_for(before + 1, PATIENCE).await.unwrap();
        let waited = figure("a broker falls silent, until the next mail", began);
        let finished = world.finished(batch).await;

        assert!(waited < Duration::from_secs(30), "{waited:?}");
        assert_each_got_one(world, &finished, PEOPLE);
        let logs = world.logs();
        let host = first.address().to_string();
        assert!(
            logs.lines()
                .any(|line| line.contains("RabbitMQ") && line.contains(&host)),
            "the log names no {host}"
        );
        world.assert_promises_kept().await;
        first.restore().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn the_log_has_the_reason_for_every_address() {
    World::run_with(Setup::default().workers(0), async |world| {
        let silent = FaultProxy::in_front_of(world.amqp_url()).await.unwrap();
        silent.stall();
        let by_silent = silent.url(world.amqp_url()).unwrap();
        let closed = world.spare_address().unwrap();
        let by_closed = format!("amqp://guest:geheim@{closed}/%2f");
        let wrong = world.amqp_url().replace("guest:guest", "guest:geheim");
        let urls = format!("{by_silent},{by_closed},{wrong}");

        for program in ["beckon-api", "beckon-worker"] {
            let settings = with_brokers(world, &urls);
            let running = Program::start(program, world.folder(), program, &[], &settings)
                .await
                .unwrap();
            let reasons = world.eventually("all reasons in the log", async || {
                let log = running.log();
                let reasons = log
                    .lines()
                    .find(|line| line.contains("could not connect to any RabbitMQ node"));
                reasons.map(str::to_owned)
            });
            let reasons = reasons.await;

            assert!(
                reasons.contains(&format!("{}: no answer within 5 s", silent.address())),
                "{reasons}"
            );
            assert!(
                reasons.contains(&format!("{closed}: IO error: Connection refused")),
                "{reasons}"
            );
            assert!(
                reasons.contains("ACCESS_REFUSED") && !reasons.contains("geheim"),
                "{reasons}"
            );
        }
    })
    .await;
}
