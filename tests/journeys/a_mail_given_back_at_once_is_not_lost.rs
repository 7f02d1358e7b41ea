//! The dispatcher publishes first and marks afterwards; a worker may be faster than the mark.

use crate::json;
use harness::{Setup, World};
use shared::batch::Lane;
use shared::store::settle::{Ending, Outcome};
use shared::store::{claims, dispatch, settle};
use std::time::Duration;
use uuid::Uuid;

const LEASE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_mail_claimed_and_given_back_before_its_mark_is_published_again() {
    let mut world = World::with(Setup::default().workers(0)).await;
    world.person("ada@example.org").await;
    world
        .invite(json!({ "emails": ["ada@example.org"], "hold_seconds": 60 }))
        .await;
    world.kill_api().await;
    sqlx::query("update batches set state = 'running'")
        .execute(&world.db)
        .await
        .unwrap();
    sqlx::query("update deliveries set due_at = now()")
        .execute(&world.db)
        .await
        .unwrap();

    let due = dispatch::due(&world.db, Lane::Interactive, 10).await.unwrap();
    let token = Uuid::new_v4();
    let claimed = claims::claim(&world.db, &[due[0].job()], token, LEASE, "a test")
        .await
        .unwrap();
    let given_back = Outcome {
        delivery: due[0].delivery,
        attempt: claimed.taken[0].attempt,
        token,
        ending: Ending::GivenBack { after: Duration::ZERO },
        phase: "connect",
        code: None,
        enhanced_code: None,
        reply: "the relay is in trouble".to_owned(),
    };
    settle::settle(&world.db, &[given_back]).await.unwrap();
    let marked = dispatch::mark_queued(&world.db, &[&due[0]], LEASE).await.unwrap();

    assert_eq!(
        marked, 0,
        "its job is spent, and marking it would leave it to the sweep"
    );
    let again = dispatch::due(&world.db, Lane::Interactive, 10).await.unwrap();
    assert_eq!(again.len(), 1);
    let marked = dispatch::mark_queued(&world.db, &[&again[0]], LEASE).await.unwrap();
    assert_eq!(marked, 1);
    world.end().await;
}
