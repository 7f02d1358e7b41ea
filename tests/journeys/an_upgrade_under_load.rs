//! Two releases run at once, as in an upgrade without downtime, and then back again.
//!
//! The programs of the previous release are built from git by `tests/upgrade`, which `make upgrade` runs; without them
//! the test does nothing.

use crate::json;
use harness::world::PATIENCE;
use harness::{Setup, World};
use serde_json::Value;
use std::path::PathBuf;

/// Enough that the batch lasts for all phases, at this many mails a second.
const PEOPLE: usize = 4_000;
const RATE: &str = "200";

/// The output of `migrate` while a worker of the previous release is sending.
const REFUSED: &str = "workers of the release before are sending; stop all workers, then migrate";

/// Password mails per phase.
const PASSWORDS: usize = 20;

async fn more(world: &World, mails: usize) {
    let wanted = world.relay.accepted_count() + mails;
    world.relay.wait_for(wanted, PATIENCE).await.unwrap();
}

/// Mails passwords to some users through the API that the world points to, and returns the batch.
async fn passwords(world: &World, phase: usize) -> uuid::Uuid {
    let first = phase * PASSWORDS + 1;
    let emails: Vec<String> = (first..first + PASSWORDS)
        .map(|n| format!("person{n}@example.org"))
        .collect();
    world.reset_passwords(json!({ "emails": emails })).await
}

/// How many mails each worker sent, in the order in which they started.
async fn mails_by_worker(world: &World) -> Vec<i64> {
    let accepted = world
        .rows("attempts")
        .with("verdict", "accepted")
        .ordered_by("started_at");
    let workers: Vec<String> = accepted.column("worker").await;
    let mut mails: Vec<(String, i64)> = Vec::new();
    for worker in workers {
        match mails.iter_mut().find(|(known, _)| *known == worker) {
            Some((_, count)) => *count += 1,
            None => mails.push((worker, 1)),
        }
    }
    mails.into_iter().map(|(_, count)| count).collect()
}

/// Asserts that no attempt is unsure and that no program of either release logged an error, except this one.
async fn assert_no_alerts(world: &World, but_for: Option<&str>) {
    let unsure = world.rows("deliveries").with("unsure", true).count().await;
    assert_eq!(unsure, 0);
    let logs = world.logs();
    let errors: Vec<&str> = logs
        .lines()
        .filter(|line| line.contains("\"level\":\"ERROR\""))
        .filter(|line| !but_for.is_some_and(|expected| line.contains(expected)))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[tokio::test]
#[ignore = "needs the programs of another revision; `make upgrade FROM=…` builds them and runs this"]
async fn two_releases_send_one_batch() {
    let old = PathBuf::from(std::env::var_os("OLD_PROGRAMS").unwrap());
    let setup = Setup {
        programs: Some(old.clone()),
        ..Setup::default().api_setting("BECKON_MAIL_RATE", RATE)
    };
    World::run_with(setup, async |world| {
        let import = world.people(PEOPLE).await;
        let batch = world.invite(json!({ "import": import })).await;
        more(world, 100).await;

        // The schema and an API of this release join; the rest is from the previous release.
        world.turn_to_programs(None);
        let new_api = world.another_api(&[]).await.unwrap();
        more(world, 200).await;
        let mut batches = vec![passwords(world, 0).await];
        // A worker of this release joins the old one; the old dispatcher feeds both.
        world.start_worker().await.unwrap();
        more(world, 300).await;
        world.turn_to(&new_api.base, &new_api.probes);
        batches.push(passwords(world, 1).await);
        // The dispatcher of this release feeds both workers.
        let mut codes = vec![world.stop_api().await];
        more(world, 300).await;
        batches.push(passwords(world, 2).await);
        let both = mails_by_worker(world).await;
        // And back: programs of the previous release start on the schema of this one.
        world.turn_to_programs(Some(&old));
        codes.push(world.stop_worker(1).await);
        world.start_worker().await.unwrap();
        let again = world.another_api(&[("BECKON_MIGRATE", "false")]).await.unwrap();
        codes.push(new_api.stop().await);
        world.turn_to(&again.base, &again.probes);
        more(world, 300).await;
        batches.push(passwords(world, 3).await);
        let meanwhile = world.batch(batch).await;
        let finished = world.finished(batch).await;
        let mut resets: Vec<Value> = Vec::new();
        for batch in batches {
            resets.push(world.finished(batch).await);
        }

        eprintln!(
            "mails by worker: old, new, old again: {:?}",
            mails_by_worker(world).await
        );
        assert_eq!(codes, [0; 3], "a process left something unfinished");
        assert!(
            meanwhile["finished_at"].is_null(),
            "the batch ended before the last step"
        );
        assert_eq!(both.len(), 2, "{both:?}");
        assert!(both.iter().all(|mails| *mails > 100), "{both:?}");
        assert_eq!(finished["counts"]["sent"], PEOPLE, "{finished}");
        for reset in &resets {
            assert_eq!(reset["counts"]["sent"], PASSWORDS, "{reset}");
        }
        assert_eq!(world.relay.accepted_count(), PEOPLE + 4 * PASSWORDS);
        assert_no_alerts(world, None).await;
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs the programs of another revision; `make upgrade FROM=…` builds them and runs this"]
async fn a_release_that_requires_a_stop_sends_the_rest() {
    let old = PathBuf::from(std::env::var_os("OLD_PROGRAMS").unwrap());
    let setup = Setup {
        programs: Some(old),
        ..Setup::default().api_setting("BECKON_MAIL_RATE", RATE)
    };
    World::run_with(setup, async |world| {
        let import = world.people(PEOPLE).await;
        let batch = world.invite(json!({ "import": import })).await;
        more(world, 500).await;

        world.turn_to_programs(None);
        let settings = world.settings().to_vec();
        let (refused, output) = world.run_program("beckon-api", &["migrate"], &settings).await.unwrap();
        let old_worker = world.stop_worker(0).await;
        let (migrated, answer) = world.run_program("beckon-api", &["migrate"], &settings).await.unwrap();
        let new_api = world.another_api(&[]).await.unwrap();
        world.turn_to(&new_api.base, &new_api.probes);
        world.stop_api().await;
        world.start_worker().await.unwrap();
        let passwords = passwords(world, 0).await;
        let finished = [world.finished(batch).await, world.finished(passwords).await];

        assert!(refused != 0 && output.contains(REFUSED), "{refused}: {output}");
        assert_eq!((old_worker, migrated), (0, 0), "{answer}");
        assert_eq!(finished[0]["counts"]["sent"], PEOPLE, "{finished:?}");
        assert_eq!(finished[1]["counts"]["sent"], PASSWORDS, "{finished:?}");
        assert_eq!(world.relay.accepted_count(), PEOPLE + PASSWORDS);
        assert_no_alerts(world, Some(REFUSED)).await;
        world.assert_promises_kept().await;
    })
    .await;
}
