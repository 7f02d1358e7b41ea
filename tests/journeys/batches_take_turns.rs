//! With more batches than sending capacity, every batch still makes progress.

use crate::json;
use crate::manual_dispatch::world_that_owes;
use harness::World;
use shared::batch::Lane;
use shared::store::dispatch::{self, LastServed};
use std::collections::BTreeSet;
use uuid::Uuid;

#[tokio::test]
async fn three_batches_take_turns_with_one_mail_per_round() {
    let batches = ["ada", "grace", "edsger"]
        .map(|name| json!({ "emails": [format!("{name}1@example.org"), format!("{name}2@example.org")] }));
    World::run_in(world_that_owes(&batches).await, async |world| {
        let mut last = LastServed::default();
        let mut served = Vec::new();
        for _ in 0..6 {
            let next = dispatch::due(&world.db, Lane::Interactive, 1, &last)
                .await
                .unwrap()
                .due
                .remove(0);
            served.push(next.batch);
            last = LastServed {
                callers: vec![next.caller.clone()],
                batches: vec![next.batch],
                last: next.caller,
            };
        }

        let different: BTreeSet<&Uuid> = served.iter().collect();
        assert_eq!(different.len(), 3, "{served:?}");
        assert_eq!(served[..3], served[3..], "{served:?}");
    })
    .await;
}
