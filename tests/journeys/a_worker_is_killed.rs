//! A worker dies without a word while it holds mails.

use crate::json;
use harness::{Setup, World};

#[tokio::test]
async fn nothing_is_lost_and_second_mails_are_recorded_as_unsure() {
    let setup = Setup::default().workers(2).worker_setting("BECKON_LEASE", "2s");
    let mut world = World::with(setup).await;
    world
        .relay
        .set_default(harness::relay::Behaviour::SlowDot(std::time::Duration::from_millis(
            100,
        )));
    let import = world.people(600).await;

    let batch = world.reset_passwords(json!({ "import": import })).await;
    for accepted in [20, 60] {
        world.relay.wait_for(accepted, harness::world::PATIENCE).await.unwrap();
        world.kill_worker(0).await;
        world.start_worker().await.unwrap();
    }
    let finished = world.finished(batch).await;

    assert_eq!(finished["counts"]["sent"], 600, "{finished}");
    world.assert_promises_kept().await;
    let doubled = world.relay.all_mails().unwrap().len() - 600;
    assert!(
        i64::try_from(doubled).unwrap() <= finished["counts"]["unsure"].as_i64().unwrap(),
        "{finished}"
    );
    for mail in world.relay.all_mails().unwrap().iter().take(5) {
        world.sign_in(&mail.recipient, mail.password().unwrap()).await;
    }
    world.end().await;
}

#[tokio::test]
async fn the_api_dies_after_accepting_and_everything_is_sent_when_it_is_back() {
    let mut world = World::with(Setup::default().api_setting("BECKON_MAIL_RATE", "200")).await;
    let import = world.people(500).await;

    let batch = world.invite(json!({ "import": import })).await;
    world.relay.wait_for(50, harness::world::PATIENCE).await.unwrap();
    world.kill_api().await;
    world.start_api().await.unwrap();
    let finished = world.finished(batch).await;

    assert_eq!(finished["counts"]["sent"], 500, "{finished}");
    assert_eq!(finished["counts"]["unsure"], 0, "{finished}");
    assert_eq!(world.relay.accepted_count(), 500);
    world.assert_promises_kept().await;
    world.end().await;
}
