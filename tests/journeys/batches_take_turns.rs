//! Where there is room for fewer mails than there are batches, no batch is passed over.

use crate::by_hand::{due, world_that_owes};
use crate::json;
use std::collections::BTreeSet;
use uuid::Uuid;

#[tokio::test]
async fn three_batches_take_turns_at_one_mail_a_round() {
    let batches = ["ada", "grace", "edsger"]
        .map(|name| json!({ "emails": [format!("{name}1@example.org"), format!("{name}2@example.org")] }));
    let world = world_that_owes(&batches).await;

    let mut last = Uuid::nil();
    let mut served = Vec::new();
    for _ in 0..6 {
        let next = due(&world, 1, last).await;
        last = next[0].batch;
        served.push(last);
    }

    let different: BTreeSet<&Uuid> = served.iter().collect();
    assert_eq!(different.len(), 3, "{served:?}");
    assert_eq!(served[..3], served[3..], "{served:?}");
    world.end().await;
}
