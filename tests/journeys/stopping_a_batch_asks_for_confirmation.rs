//! Stopping a batch at the console asks for confirmation and pauses the batch meanwhile.

use crate::console_session::ConsoleSession;
use crate::json;
use harness::{Setup, World};
use serde_json::Value;
use uuid::Uuid;

struct Scene {
    world: World,
    batch: Uuid,
    priya: ConsoleSession,
    ben: ConsoleSession,
}

impl Scene {
    /// A running batch with nothing sent yet, and two administrators.
    async fn start() -> Self {
        let world = World::with(Setup::default().workers(0)).await;
        let import = world.people(30).await;
        let ben = world.another_administrator("Ben Ito", "ben@lerna.example").await;
        Self {
            batch: world.invite(json!({ "import": import })).await,
            priya: ConsoleSession::of(&world, world.administrator().await).await,
            ben: ConsoleSession::of(&world, &ben).await,
            world,
        }
    }

    fn page(&self, rest: &str) -> String {
        format!("/console/batches/{}{rest}", self.batch)
    }

    async fn priya(&mut self, press: &str) {
        let page = self.page(press);
        assert_eq!(self.priya.post(&page, &[]).await.status, 303, "{page}");
    }

    async fn ben(&mut self, press: &str) {
        let page = self.page(press);
        assert_eq!(self.ben.post(&page, &[]).await.status, 303, "{page}");
    }

    async fn question(&self, whose: &ConsoleSession) -> String {
        whose.get(&self.page("/stop")).await.text
    }

    async fn call(&self, wish: &str) -> Value {
        let path = format!("/v1/batches/{}/{wish}", self.batch);
        self.world.post(&path, json!({})).await.expect(200)
    }

    async fn stands(&self, state: &str, waiting: i64) {
        let now = self.world.batch(self.batch).await;
        let counts = &now["counts"];
        let left = counts["waiting"].as_i64().unwrap() + counts["queued"].as_i64().unwrap();
        assert_eq!((now["state"].as_str(), left), (Some(state), waiting), "{now}");
    }
}

#[tokio::test]
async fn cancelling_the_stop_resumes_only_a_pause_by_the_question() {
    let mut scene = Scene::start().await;

    // Her question pauses it, and a second click has no further effect.
    scene.priya("/stop/ask").await;
    scene.priya("/stop/ask").await;
    scene.stands("paused", 30).await;
    let hers = scene.question(&scene.priya).await;
    assert!(
        hers.contains("Sending is paused while you decide") && hers.contains("Carry on sending"),
        "{hers}"
    );
    assert!(hers.contains("Stop 30 invite emails"), "{hers}");
    let his = scene.question(&scene.ben).await;
    assert!(
        his.contains("Paused by Priya Nair to decide whether to stop it.") && his.contains("keep it paused"),
        "{his}"
    );
    scene.ben("/stop/carry-on").await;
    scene.stands("paused", 30).await;
    scene.priya("/stop/carry-on").await;
    scene.stands("running", 30).await;

    // Another caller pauses it while she decides.
    for by_program in [false, true] {
        scene.priya("/stop/ask").await;
        if by_program {
            scene.call("pause").await;
        } else {
            scene.ben("/pause").await;
        }
        scene.priya("/stop/carry-on").await;
        scene.stands("paused", 30).await;
        let now = scene.world.batch(scene.batch).await;
        let by = if by_program {
            "Paused by key"
        } else {
            "Paused by Ben Ito"
        };
        assert!(now["reason"].as_str().unwrap().starts_with(by), "{now}");
        scene.call("resume").await;
    }

    // It was paused before she asked.
    scene.call("pause").await;
    scene.priya("/stop/ask").await;
    let question = scene.question(&scene.priya).await;
    assert!(
        question.contains("keep it paused") && !question.contains("Carry on"),
        "{question}"
    );
    scene.priya("/stop/carry-on").await;
    scene.stands("paused", 30).await;
    scene.world.end().await;
}

#[tokio::test]
async fn an_outdated_confirmation_stops_nothing() {
    let mut scene = Scene::start().await;

    // Resumed meanwhile: it is paused again and she must confirm again.
    scene.priya("/stop/ask").await;
    scene.ben("/resume").await;
    scene.priya("/stop").await;
    scene.stands("paused", 30).await;
    assert!(scene.question(&scene.priya).await.contains("Carry on sending"));

    // The confirmation page of a running batch redirects to the batch.
    scene.priya("/stop/carry-on").await;
    assert_eq!(scene.priya.get(&scene.page("/stop")).await.status, 303);
    scene.stands("running", 30).await;

    // Stopped meanwhile: neither answer changes that.
    scene.priya("/stop/ask").await;
    scene.ben("/stop").await;
    scene.stands("stopped", 0).await;
    for answer in ["/stop/carry-on", "/stop", "/stop/ask"] {
        scene.priya(answer).await;
        scene.stands("stopped", 0).await;
    }
    let acts = scene.world.audited("batch_stopped").await.into_iter();
    let acts: Vec<String> = acts
        .filter(|act| act.subject.starts_with("batch"))
        .map(|act| act.who)
        .collect();
    assert_eq!(acts, ["Ben Ito"]);

    // A held batch goes back to its hold; a finished batch is not paused.
    let held = scene
        .world
        .invite(json!({ "emails": ["person1@example.org"], "hold_seconds": 600, "include_recent": true }))
        .await;
    scene.batch = held;
    scene.priya("/stop/ask").await;
    scene.stands("paused", 1).await;
    scene.priya("/stop/carry-on").await;
    scene.stands("held", 1).await;
    let delivery = scene.world.deliveries(held).await.remove(0);
    let stop = format!("/console/deliveries/{}/stop", delivery["id"].as_str().unwrap());
    scene.priya.post(&stop, &[]).await;
    scene.priya("/stop/ask").await;
    scene.stands("held", 0).await;
    scene.world.end().await;
}
