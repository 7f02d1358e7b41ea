//! Two mails of a kind owed to one user, whatever the cause, are recorded like any others.

use crate::json;
use crate::manual_dispatch::{claim, due, owe_another, record, world_that_owes};
use harness::World;
use shared::delivery::DeliveryState;
use shared::store::settle::{Ending, Outcome};
use uuid::Uuid;

#[tokio::test]
async fn both_are_settled_in_one_group() {
    let world = world_that_owes(&[json!({ "emails": ["ada@example.org"] })]).await;
    World::run_in(world, async |world| {
        owe_another(world).await;
        let token = Uuid::new_v4();
        let claimed = claim(world, &due(world, 10).await, token).await;

        let outcomes: Vec<_> = claimed
            .iter()
            .map(|claim| Outcome {
                delivery: claim.delivery,
                attempt: claim.attempt,
                token,
                began_at: claim.claimed_at,
                ending: Ending::Sent {
                    password_lifetime: None,
                },
                phase: "data",
                code: Some(250),
                enhanced_code: None,
                reply: "taken".to_owned(),
                unknown: None,
            })
            .collect();
        let settled = record(world, &outcomes, false).await;

        assert_eq!(settled.len(), 2, "{settled:?}");
        assert!(
            settled.iter().all(|one| one.state == DeliveryState::Sent),
            "{settled:?}"
        );
        let got = world.rows("last_sent").count().await;
        assert_eq!(got, 1);
    })
    .await;
}
