//! Server-sent events: the counts of a batch as they change, until it has finished.

use crate::json;
use harness::world::PATIENCE;
use harness::{Setup, World};
use serde_json::Value;
use shared::delivery::DeliveryState;
use shared::store::{batches, counts};

/// A client subscribed to a batch.
struct Listener {
    answer: reqwest::Response,
    received: String,
}

impl Listener {
    async fn to(world: &World, batch: uuid::Uuid) -> Self {
        let request = reqwest::Client::new()
            .get(format!("{}/v1/batches/{batch}/events", world.base()))
            .bearer_auth(world.key());
        let answer = request.send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self {
            answer,
            received: String::new(),
        }
    }

    /// The next event's batch; `None` when the stream has ended.
    async fn next(&mut self) -> Option<Value> {
        // Keep-alive comments arrive between events, so a timeout per chunk would never fire.
        tokio::time::timeout(PATIENCE, self.listen()).await.unwrap()
    }

    async fn listen(&mut self) -> Option<Value> {
        loop {
            if let Some((event, rest)) = self.received.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.received = rest;
                let content = event.lines().find_map(|line| line.strip_prefix("data:"));
                let Some(content) = content else { continue };
                assert!(event.contains("event: batch"), "{event}");
                return Some(serde_json::from_str(content).unwrap());
            }
            let chunk = self.answer.chunk().await.unwrap()?;
            self.received.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// Reads events until one matches; the ones before it are added to `passed`.
    async fn until(&mut self, passed: &mut Vec<Value>, holds: impl Fn(&Value) -> bool) {
        loop {
            let event = self.next().await.unwrap();
            passed.push(event);
            if passed.last().is_some_and(&holds) {
                return;
            }
        }
    }
}

fn sum(event: &Value) -> i64 {
    let counts = event["counts"].as_object().unwrap().iter();
    counts
        .filter(|(name, _)| !matches!(name.as_str(), "selected" | "unsure"))
        .map(|(_, count)| count.as_i64().unwrap())
        .sum()
}

#[tokio::test]
async fn a_viewer_gets_changed_counts_until_the_last_mail_has_ended() {
    World::run(async |world| {
        let mut people: Vec<String> = (1..=30).map(|n| format!("person{n}@example.org")).collect();
        people.push("451-then-ok@example.org".to_owned());
        world
            .import(&format!("email\n{}\n", people.join("\n")))
            .await
            .expect(201);
        let batch = world.invite(json!({ "emails": people, "hold_seconds": 1 })).await;

        let mut events = Vec::new();
        let mut listener = Listener::to(world, batch).await;
        // One mail is held back, so the batch cannot finish before an event shows it running.
        listener
            .until(&mut events, |event| {
                event["counts"]["sent"] == 30 && event["counts"]["retrying"] == 1
            })
            .await;
        world.let_pauses_pass().await;
        listener
            .until(&mut events, |event| !event["finished_at"].is_null())
            .await;
        let after_the_end = listener.next().await;

        let last = events.last().unwrap();
        assert_eq!(last, &world.batch(batch).await, "the last event is the batch");
        assert_eq!(
            (&last["state"], &last["counts"]["sent"]),
            (&json!("finished"), &json!(31))
        );
        assert_eq!(after_the_end, None, "the stream ends with its batch");
        assert!(events.iter().all(|event| sum(event) == 31), "{events:?}");
        assert!(
            events.windows(2).all(|pair| pair[0] != pair[1]),
            "only changes are sent: {events:?}"
        );
        let sent: Vec<i64> = events
            .iter()
            .map(|event| event["counts"]["sent"].as_i64().unwrap())
            .collect();
        assert!(sent.is_sorted(), "{sent:?}");
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn a_viewer_is_notified_of_a_pause_and_a_stop() {
    World::run_with(Setup::default().workers(0), async |world| {
        let import = world.people(3).await;
        let batch = world.invite(json!({ "import": import, "hold_seconds": 600 })).await;
        let mut listener = Listener::to(world, batch).await;

        let held = listener.next().await.unwrap();
        let path = format!("/v1/batches/{batch}");
        world.post(&format!("{path}/pause"), json!({})).await.expect(200);
        let paused = listener.next().await.unwrap();
        world.post(&format!("{path}/stop"), json!({})).await.expect(200);
        let mut rest = Vec::new();
        listener.until(&mut rest, |event| !event["finished_at"].is_null()).await;
        let after_the_end = listener.next().await;

        assert_eq!(
            (&held["state"], &held["counts"]["waiting"]),
            (&json!("held"), &json!(3))
        );
        assert_eq!(paused["state"], "paused", "{paused}");
        assert_eq!(paused["reason"], "Paused by key tests", "{paused}");
        let last = rest.last().unwrap();
        assert_eq!(
            (&last["state"], &last["counts"]["cancelled"]),
            (&json!("stopped"), &json!(3))
        );
        assert_eq!(after_the_end, None);
    })
    .await;
}

#[tokio::test]
async fn a_late_viewer_gets_the_final_counts_at_once() {
    World::run(async |world| {
        let import = world.people(2).await;
        let batch = world.invite(json!({ "import": import })).await;
        let finished = world.finished(batch).await;

        let mut listener = Listener::to(world, batch).await;

        assert_eq!(listener.next().await, Some(finished));
        assert_eq!(listener.next().await, None);
    })
    .await;
}

/// The content of a stream until it ends.
async fn until_it_ends(mut answer: reqwest::Response) -> String {
    let mut received = String::new();
    while let Some(chunk) = answer.chunk().await.unwrap() {
        received.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    received
}

#[tokio::test]
async fn a_stream_ends_soon_after_its_key_or_session() {
    World::run_with(Setup::default().workers(0), async |world| {
        let import = world.people(3).await;
        let batch = world.invite(json!({ "import": import, "hold_seconds": 600 })).await;
        let cookie = world.console_cookie().await;
        let client = reqwest::Client::new();
        let of_key = client.get(format!("{}/v1/batches/{batch}/events", world.base()));
        let of_key = of_key.bearer_auth(world.key()).send().await.unwrap();
        let live = format!("{}/console/batches/{batch}/live?at=held", world.base());
        let of_session = client.get(&live).header("Cookie", &cookie).send().await.unwrap();
        assert_eq!(
            (of_key.status(), of_session.status()),
            (200.try_into().unwrap(), 200.try_into().unwrap())
        );

        world.rows("api_keys").set(json!({ "revoked_at": "now" })).await;
        world.let_sessions_end().await;
        let ended = futures_util::future::join(until_it_ends(of_key), until_it_ends(of_session));
        let (of_key, of_session) = tokio::time::timeout(std::time::Duration::from_secs(30), ended)
            .await
            .unwrap();
        let again = client.get(&live).header("Cookie", &cookie);
        let again = again.header("Sec-Fetch-Mode", "cors").send().await.unwrap();

        assert!(of_key.contains("event: batch"), "{of_key}");
        assert!(of_session.contains("event: live"), "{of_session}");
        assert_eq!(again.status().as_u16(), 401);
    })
    .await;
}

/// The value of an API metric.
async fn figure(world: &World, name: &str) -> i64 {
    let page = world.probe("/metrics").await.text;
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap().parse().unwrap()
}

#[tokio::test]
async fn two_hundred_viewers_cost_as_many_counts_as_one() {
    // They come through a proxy, because one client address may hold only 128 connections.
    let behind_proxy = Setup::default().api_setting("BECKON_TRUSTED_PROXIES", "127.0.0.1/32");
    World::run_with(behind_proxy.workers(0), async |world| {
        let import = world.people(30).await;
        let batch = world.invite(json!({ "import": import, "hold_seconds": 600 })).await;

        let began = std::time::Instant::now();
        let mut listeners = Vec::new();
        for _ in 0..200 {
            listeners.push(Listener::to(world, batch).await);
        }
        let mut first = Vec::new();
        for listener in &mut listeners {
            first.push(listener.next().await.unwrap());
        }
        world
            .eventually("some counts", async || {
                (figure(world, "beckon_batch_counts_total").await >= 3).then_some(())
            })
            .await;
        let counts = figure(world, "beckon_batch_counts_total").await;
        let seconds = i64::try_from(began.elapsed().as_secs()).unwrap();

        assert!(
            first.iter().all(|event| *event == first[0]),
            "all receive the same events"
        );
        assert!(counts <= seconds + 1, "{counts} counts in {seconds} seconds");
        assert_eq!(figure(world, "beckon_watched_batches").await, 1);
        drop(listeners);
        world
            .eventually("the last one to leave ends it", async || {
                (figure(world, "beckon_watched_batches").await == 0).then_some(())
            })
            .await;
        // A client that subscribes after that still gets an answer.
        let mut late = Listener::to(world, batch).await;
        assert_eq!(late.next().await.as_ref(), first.first());
    })
    .await;
}

#[tokio::test]
async fn a_batch_that_finishes_while_it_is_read_has_its_counts() {
    World::run(async |world| {
        let import = world.people(3).await;
        let batch = world.invite(json!({ "import": import, "hold_seconds": 2 })).await;
        let read_before = batches::find(&world.db, batch).await.unwrap().unwrap();

        world.finished(batch).await;
        let counted = counts::of_batch(&world.db, &read_before).await.unwrap();

        assert_eq!(read_before.finished_at, None);
        assert_eq!(counted.of(DeliveryState::Sent), 3, "{counted:?}");
    })
    .await;
}
