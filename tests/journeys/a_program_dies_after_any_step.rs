//! `kill -9` at the end of every step of a mail's path, one step at a time, while mails go out.

use crate::json;
use harness::{Setup, World};
use shared::failpoint::Point;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Is invited again after having chosen a password.
const REGULAR: &str = "regular@example.org";
const OWN_PASSWORD: &str = "a lantern in the orchard";

/// The steps of one part of the path.
fn steps(part: char) -> Vec<&'static str> {
    let all = Point::ALL.iter().map(|(_, step)| *step);
    let steps: Vec<_> = all.filter(|step| step.starts_with(part)).collect();
    assert!(!steps.is_empty(), "{part}");
    steps
}

/// The setting that stops a program after this step, and the file that signals it.
fn death(world: &World, step: &str, times: usize) -> (String, PathBuf) {
    let sign = world.folder().join(format!("died-after-{step}"));
    (format!("{step}:{times}:{}", sign.display()), sign)
}

async fn has_come_to(world: &World, sign: &Path) {
    let wish = format!("a process to reach {}", sign.display());
    world.eventually(&wish, async || sign.exists().then_some(())).await;
}

#[tokio::test]
async fn a_worker_dies_after_each_of_its_steps() {
    World::run_with(Setup::default().worker_setting("BECKON_LEASE", "2s"), async |world| {
        chooses_a_password(world).await;
        world.kill_worker(0).await;
        world.people(300).await;
        let recipients = json!({ "everyone": true, "include_signed_in": true, "include_recent": true });
        let batch = world.reset_passwords(recipients).await;

        for step in steps('W') {
            let (setting, sign) = death(world, step, 2);
            world.start_worker_that_stops(&setting).await.unwrap();
            has_come_to(world, &sign).await;
            world.kill_worker(0).await;
            world.sign_in(REGULAR, OWN_PASSWORD).await;
        }
        world.start_worker().await.unwrap();
        let finished = world.finished(batch).await;

        assert_eq!(finished["counts"]["sent"], 301, "{finished}");
        assert!(finished["counts"]["unsure"].as_i64() >= Some(13), "{finished}");
        world.assert_promises_kept().await;
        world.assert_mailed_passwords_work(|_| true, 30).await;
        world.sign_in(REGULAR, OWN_PASSWORD).await;
    })
    .await;
}

/// Signs in with a mailed password and chooses one that no mail may replace.
async fn chooses_a_password(world: &World) {
    world.person(REGULAR).await;
    let first = world.reset_passwords(json!({ "emails": [REGULAR] })).await;
    world.finished(first).await;
    let mail = world.relay.mails_to(REGULAR).unwrap().remove(0);
    let mailed = mail.password().unwrap();
    world.sign_in(REGULAR, mailed).await;
    let choice = json!({ "email": REGULAR, "password": mailed, "new_password": OWN_PASSWORD });
    world.post("/v1/credentials/choose", choice).await.expect(200);
}

#[tokio::test]
async fn the_api_dies_after_each_step_of_a_request() {
    World::run(async |world| {
        for (n, step) in steps('A').into_iter().enumerate() {
            let person = format!("person{n}@example.org");
            world.person(&person).await;
            let (setting, sign) = death(world, step, 1);
            world.kill_api().await;
            world.start_api_with(&[("BECKON_FAILPOINT", &setting)]).await.unwrap();
            let recipients = json!({ "emails": [person] });
            let ask = || {
                world.ask(
                    reqwest::Method::POST,
                    "/v1/invites",
                    Some(recipients.clone()),
                    Some(step),
                )
            };

            tokio::select! {
                answer = ask() => panic!("{step}: answered with {}", answer.text),
                () = has_come_to(world, &sign) => {}
            }
            world.kill_api().await;
            let written = batches(world).await.len();
            world.start_api().await.unwrap();
            let ask = || {
                world.ask(
                    reqwest::Method::POST,
                    "/v1/invites",
                    Some(recipients.clone()),
                    Some(step),
                )
            };
            let again = ask().await.expect(202);
            let once_more = ask().await.expect(202);

            // The fifth step is the commit.
            assert_eq!(written, if n < 4 { n } else { n + 1 }, "{step}");
            assert_eq!(batches(world).await.len(), n + 1, "{step}");
            assert_eq!(again, once_more, "{step}");
            assert_eq!(again["accepted"], 1, "{step}: {again}");
            let batch = again["batch"].as_str().unwrap().parse().unwrap();
            world.finished(batch).await;
        }
        assert_eq!(world.relay.accepted_count(), 6);
        world.assert_promises_kept().await;
    })
    .await;
}

async fn batches(world: &World) -> Vec<Uuid> {
    world.rows("batches").column("id").await
}

#[tokio::test]
async fn the_dispatcher_dies_after_each_of_its_steps() {
    World::run(async |world| {
        for step in steps('R') {
            let people = format!("email,first_name\n{step}-a@example.org,Ada\n{step}-b@example.org,Grace\n");
            let import = world.import(&people).await.expect(201)["id"].clone();
            let (setting, sign) = death(world, step, 1);
            world.kill_api().await;
            world.start_api_with(&[("BECKON_FAILPOINT", &setting)]).await.unwrap();

            let batch = world.invite(json!({ "import": import })).await;
            has_come_to(world, &sign).await;
            world.kill_api().await;
            world.start_api().await.unwrap();
            let finished = world.finished(batch).await;

            assert_eq!(finished["counts"]["sent"], 2, "{step}: {finished}");
            assert_eq!(finished["counts"]["unsure"], 0, "{step}: {finished}");
        }
        assert_eq!(world.relay.accepted_count(), 8);
        world.assert_promises_kept().await;
    })
    .await;
}
