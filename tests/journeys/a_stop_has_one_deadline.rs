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
        let mut lock = world.db.begin().await.unwrap();
        sqlx::query("select from batches where id = $1 for update")
            .bind(batch)
            .execute(&mut *lock)
            .await
            .unwrap();
        let path = format!("/v1/batches/{batch}/pause");
        let api = world.api.take().unwrap();

        let stopping = async {
            world
                .eventually("the request to wait for the lock", async || {
                    let waiting: i64 = sqlx::query_scalar(
                        "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
                    )
                    .fetch_one(&world.db)
                    .await
                    .unwrap();
                    (waiting > 0).then_some(())
                })
                .await;
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
        lock.rollback().await.unwrap();
    })
    .await;
}
