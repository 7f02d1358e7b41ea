//! A delivery past its age limit is not attempted again, whatever delayed it.

use crate::json;
use crate::manual_dispatch::{claim, due, settle, turn, world_that_owes};
use harness::World;
use shared::delivery::DeliveryState;
use shared::store::dispatch;
use shared::store::settle::Ending;
use std::time::Duration;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

fn later() -> Ending {
    Ending::Retry {
        reason: "greylisted",
        after: Duration::ZERO,
        is_unsure: false,
        max_attempts: 20,
    }
}

/// Sets until when the mails are attempted.
async fn give_up_in(world: &World, left: time::Duration) {
    let give_up_at = (world.now().await + left).format(&Rfc3339).unwrap();
    world.rows("deliveries").set(json!({ "give_up_at": give_up_at })).await;
}

#[tokio::test]
async fn a_mail_given_back_for_too_long_expires() {
    let world = world_that_owes(&[json!({ "emails": ["ada@example.org"] })]).await;
    World::run_in(world, async |world| {
        let token = Uuid::new_v4();
        let claimed = claim(world, &due(world, 10).await, token).await;
        let given_back = || Ending::GivenBack { after: Duration::ZERO };
        let early = settle(world, &claimed[0], token, given_back(), false).await;
        give_up_in(world, time::Duration::seconds(2)).await;

        let claimed = claim(world, &due(world, 10).await, token).await;
        let longer = Ending::GivenBack {
            after: Duration::from_mins(1),
        };
        let late = settle(world, &claimed[0], token, longer, false).await;

        assert_eq!(early[0].state, DeliveryState::Waiting);
        assert_eq!(late[0].state, DeliveryState::Expired);
    })
    .await;
}

#[tokio::test]
async fn a_mail_that_expired_during_an_outage_of_the_relay_is_not_sent_afterwards() {
    let world = world_that_owes(&[json!({ "emails": ["ada@example.org"] })]).await;
    World::run_in(world, async |world| {
        let token = Uuid::new_v4();
        let claimed = claim(world, &due(world, 10).await, token).await;
        let first = settle(world, &claimed[0], token, later(), false).await;
        assert_eq!(first[0].state, DeliveryState::Retrying);
        give_up_in(world, time::Duration::seconds(-1)).await;

        let found = due(world, 10).await;
        assert!(found.iter().all(|due| due.is_late), "{found:?}");
        let ended = dispatch::end_late(&world.db, turn(world).await, &found).await.unwrap();

        assert_eq!(ended, 1);
        let reason: Option<String> = world.rows("deliveries").with("state", "expired").only("reason").await;
        assert_eq!(
            reason.as_deref(),
            Some("greylisted"),
            "the last trouble stays on record"
        );
    })
    .await;
}
