//! The broker is disposable: whether it is restarted or wiped, every mail still goes out.

use crate::json;
use harness::stack::Stop;
use harness::{Setup, World};

/// Enough that the broker goes away in the middle.
const PEOPLE: i64 = 1_500;
/// For the broker that loses everything.
const MANY: i64 = 10_000;

/// The API's readiness: status and body.
async fn readiness(world: &World) -> (u16, String) {
    let answer = world.probe("/readyz").await;
    (answer.status, answer.text)
}

async fn through(people: i64, rate: &str, lose: impl AsyncFnOnce(&World)) {
    let setup = Setup::default()
        .own_stack()
        .workers(2)
        .api_setting("BECKON_MAIL_RATE", rate);
    World::run_with(setup, async |world| {
        let import = world.people(usize::try_from(people).unwrap()).await;

        let batch = world.invite(json!({ "import": import })).await;
        world.relay.wait_for(200, harness::world::PATIENCE).await.unwrap();
        lose(world).await;
        let finished = world.finished(batch).await;

        assert_eq!(finished["counts"]["sent"], people, "{finished}");
        assert_eq!(finished["counts"]["unsure"], 0, "{finished}");
        assert_eq!(i64::try_from(world.relay.accepted_count()), Ok(people));
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn a_restart_loses_nothing() {
    through(PEOPLE, "250", async |world| {
        world.stack().restart_broker(Stop::Graceful).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_crash_loses_nothing() {
    through(PEOPLE, "250", async |world| {
        world.stack().restart_broker(Stop::Kill).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_broker_wiped_during_a_batch_loses_nothing() {
    through(MANY, "1000", async |world| world.stack().wipe_broker().await.unwrap()).await;
}

#[tokio::test]
async fn while_it_is_down_the_api_accepts_requests() {
    World::run_with(Setup::default().own_stack(), async |world| {
        let import = world.people(10).await;

        world.stack().stop_broker(Stop::Graceful).await.unwrap();
        let (status, body) = world
            .eventually("the API to miss RabbitMQ", async || {
                let (status, body) = readiness(world).await;
                body.contains("impairments").then_some((status, body))
            })
            .await;
        let batch = world.invite(json!({ "import": import })).await;
        world.stack().start_broker().await.unwrap();
        let finished = world.finished(batch).await;

        assert_eq!(status, 200, "{body}");
        assert!(body.contains("RabbitMQ is not connected"), "{body}");
        assert_eq!(finished["counts"]["sent"], 10, "{finished}");
        let (status, body) = readiness(world).await;
        assert_eq!((status, body.as_str()), (200, r#"{"status":"ready"}"#));
        world.assert_promises_kept().await;
    })
    .await;
}
