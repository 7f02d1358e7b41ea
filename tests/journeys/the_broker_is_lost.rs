//! The broker carries work and holds no truth: restarted or wiped, every mail still goes out.

use crate::json;
use harness::stack::Stop;
use harness::{Setup, World};

/// Enough that the broker goes away in the middle.
const PEOPLE: i64 = 1_500;

async fn through(lose: impl AsyncFnOnce(&World)) {
    let setup = Setup::default()
        .own_stack()
        .workers(2)
        .api_setting("BECKON_MAIL_RATE", "250");
    let world = World::with(setup).await;
    let import = world.people(usize::try_from(PEOPLE).unwrap()).await;

    let batch = world.invite(json!({ "import": import })).await;
    world.relay.wait_for(200, harness::world::PATIENCE).await.unwrap();
    lose(&world).await;
    let finished = world.finished(batch).await;

    assert_eq!(finished["counts"]["sent"], PEOPLE, "{finished}");
    world.assert_promises_kept().await;
}

#[tokio::test]
async fn a_restart_loses_nothing() {
    through(async |world| world.stack().restart_broker(Stop::Graceful).await.unwrap()).await;
}

#[tokio::test]
async fn a_crash_loses_nothing() {
    through(async |world| world.stack().restart_broker(Stop::Kill).await.unwrap()).await;
}

#[tokio::test]
async fn wiped_in_the_middle_of_a_batch_it_loses_nothing() {
    through(async |world| world.stack().wipe_broker().await.unwrap()).await;
}
