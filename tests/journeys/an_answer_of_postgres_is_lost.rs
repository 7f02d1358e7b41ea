//! Postgres has committed but its answer is lost, so the request is repeated.

use crate::json;
use crate::manual_dispatch::{claim, due, settle, world_that_owes};
use harness::World;
use shared::delivery::DeliveryState;
use shared::store::settle::Ending;
use uuid::Uuid;

#[tokio::test]
async fn a_repeated_claim_is_the_same_claim() {
    let world = world_that_owes(&[json!({ "emails": ["ada@example.org", "grace@example.org"] })]).await;
    World::run_in(world, async |world| {
        let found = due(world, 10).await;
        let token = Uuid::new_v4();

        let first = claim(world, &found, token).await;
        let again = claim(world, &found, token).await;
        let another = claim(world, &found, Uuid::new_v4()).await;

        assert_eq!(first.len(), 2);
        let claims = |claims: &[shared::store::claims::Claim]| {
            let mut claims: Vec<_> = claims.iter().map(|claim| (claim.delivery, claim.attempt)).collect();
            claims.sort();
            claims
        };
        assert_eq!(claims(&first), claims(&again));
        assert!(first.iter().all(|claim| claim.attempt == 1));
        assert!(another.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_repeated_outcome_is_the_one_already_recorded() {
    let world = world_that_owes(&[json!({ "emails": ["ada@example.org"] })]).await;
    World::run_in(world, async |world| {
        let found = due(world, 10).await;
        let token = Uuid::new_v4();
        let claimed = claim(world, &found, token).await;
        let sent = || Ending::Sent {
            password_lifetime: None,
        };

        let first = settle(world, &claimed[0], token, sent(), false).await;
        let again = settle(world, &claimed[0], token, sent(), true).await;
        let by_a_stranger = settle(world, &claimed[0], Uuid::new_v4(), sent(), false).await;

        assert_eq!(first[0].state, DeliveryState::Sent);
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].state, DeliveryState::Sent);
        assert!(by_a_stranger.is_empty());
    })
    .await;
}
