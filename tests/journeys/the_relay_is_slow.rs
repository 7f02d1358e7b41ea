//! The relay may take longer over a mail than a lease lasts.

use crate::json;
use harness::{Setup, World};

#[tokio::test]
async fn a_mail_that_takes_longer_than_a_lease_is_sent_once() {
    let setup = Setup::default().workers(2).worker_setting("BECKON_LEASE", "3s");
    World::run_with(setup, async |world| {
        world.person("slow-dot-8s@example.org").await;

        let batch = world.invite(json!({ "emails": ["slow-dot-8s@example.org"] })).await;
        let finished = world.finished(batch).await;

        assert_eq!(finished["counts"]["sent"], 1, "{finished}");
        assert_eq!(finished["counts"]["unsure"], 0, "{finished}");
        assert_eq!(world.relay.accepted_count(), 1);
        world.assert_promises_kept().await;
    })
    .await;
}
