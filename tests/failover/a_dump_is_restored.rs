//! A dump is restored into another cluster, and RabbitMQ still has jobs: nothing is sent before the dispatcher has
//! noticed, even if both clusters are on the same timeline.

use crate::json;
use harness::replicated::{Replicated, Which};
use harness::stack::Stack;
use harness::world::PATIENCE;
use harness::{Setup, World};
use std::process::Command;
use std::time::Duration;

/// Enough for the bulk lane.
const PEOPLE: usize = 60;

/// Restores a dump of the first database into the second, which is empty.
async fn copy(from: &str, to: &str) {
    let programs = Stack::postgres_programs().await.unwrap();
    let script = r#"pg_dump --format=custom "$0" | pg_restore --exit-on-error --no-owner --dbname="$1""#;
    let output = Command::new("sh")
        .args(["-euc", script, from, to])
        .env("PATH", format!("{}:/usr/bin:/bin", programs.display()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn nothing_is_sent_until_the_change_is_noticed() {
    let setup = Setup::default()
        .workers(0)
        .api_setting("BECKON_HOLD_AFTER_PROMOTION", "true");
    World::run_with(setup, async |world| {
        let import = world.people(PEOPLE).await;
        let batch = world.invite(json!({ "import": import })).await;
        world
            .eventually("all jobs in the queue", async || {
                (world.message_count("beckon.bulk").await as usize == PEOPLE).then_some(())
            })
            .await;
        world.kill_api().await;
        let elsewhere = Replicated::start().await.unwrap();
        elsewhere.ask(Which::First, "create database beckon").await.unwrap();
        let restored = elsewhere.url(Which::First, "beckon");
        copy(world.setting("DATABASE_URL"), &restored).await;
        world.turn_to_database(&restored).unwrap();

        world.start_worker().await.unwrap();
        world
            .eventually("the worker to have received all jobs", async || {
                (world.message_count("beckon.bulk").await == 0).then_some(())
            })
            .await;
        // Otherwise they would be claimed and sent by now.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let before = world.relay.accepted_count();
        world.start_api().await.unwrap();
        world
            .eventually("the change to be logged", async || {
                let logs = world.logs();
                logs.contains("Postgres was promoted or restored, and sending is on hold")
                    .then_some(())
            })
            .await;
        let settings = world.settings().to_vec();
        let (code, resumed) = world
            .run_program("beckon-api", &["resume-sending"], &settings)
            .await
            .unwrap();
        world.relay.wait_for(PEOPLE, PATIENCE).await.unwrap();
        let finished = world.finished(batch).await;

        assert_eq!(before, 0, "mails were sent before the change was noticed");
        assert_eq!(code, 0, "{resumed}");
        crate::assert_each_got_one(world, &finished, PEOPLE);
        world.assert_promises_kept().await;
    })
    .await;
}
