//! The dispatcher publishes first and marks afterwards; a worker may finish before the mark.

use crate::json;
use crate::manual_dispatch::{claim, due, mark, settle, turn, world_that_owes};
use harness::World;
use shared::store::dispatcher_lease::DispatcherLease;
use shared::store::settle::Ending;
use std::time::Duration;
use uuid::Uuid;

#[tokio::test]
async fn a_mail_claimed_and_given_back_before_its_mark_is_published_again() {
    let world = world_that_owes(&[json!({ "emails": ["ada@example.org"] })]).await;
    World::run_in(world, async |world| {
        let found = due(world, 10).await;
        let token = Uuid::new_v4();
        let claimed = claim(world, &found, token).await;
        let given_back = Ending::GivenBack { after: Duration::ZERO };
        settle(world, &claimed[0], token, given_back, false).await;
        let turn = turn(world).await;
        mark(world, turn, &found[0]).await;

        // Its job is used up, so marking the delivery as queued would leave it to the sweep.
        let again = due(world, 10).await;
        assert_eq!(again.len(), 1);
        let over = DispatcherLease { epoch: turn.epoch - 1 };
        mark(world, over, &again[0]).await;
        assert_eq!(
            due(world, 10).await.len(),
            1,
            "a dispatcher whose turn is over marks nothing"
        );
        mark(world, turn, &again[0]).await;
        assert!(due(world, 10).await.is_empty());
    })
    .await;
}
