//! Shutdown takes no longer than its grace period, however many parts of the process it waits for.

use crate::json;
use harness::world::PATIENCE;
use harness::{Setup, World};
use nix::sys::signal::Signal;
use reqwest::Method;
use std::time::{Duration, Instant};

const GRACE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn requests_and_their_work_share_the_deadline() {
    let grace = format!("{}s", GRACE.as_secs());
    let setup = Setup::default().workers(0).api_setting("BECKON_STOP_GRACE", &grace);
    World::run_with(setup, async |world| {
        world.person("ada@example.org").await;
        let held = json!({ "emails": ["ada@example.org"], "hold_seconds": 600 });
        let batch = world.invite(held).await;
        // Blocks the request and the work it has started.
        let lock = world.block_batch(batch).await;
        let path = format!("/v1/batches/{batch}/pause");
        let api = world.api.take().unwrap();

        let stopping = async {
            world.until_locks_are_awaited(1).await;
            let began = Instant::now();
            api.signal(Signal::SIGTERM);
            let code = api.ended(PATIENCE).await.unwrap();
            (code, began.elapsed())
        };
        let asking = reqwest::Client::new()
            .request(Method::POST, format!("{}{path}", world.base()))
            .bearer_auth(world.key())
            .json(&json!({}))
            .send();
        let (_, (code, lasted)) = tokio::join!(asking, stopping);

        assert!(lasted >= GRACE, "the request was not waited for: {lasted:?}");
        assert!(lasted + Duration::from_millis(500) < GRACE * 2, "{lasted:?}");
        assert_eq!(code, 1, "work was ended that had begun");
        lock.release().await;
    })
    .await;
}
