//! A worker loses only its connection to Postgres, between the relay's answer and recording it.

use crate::json;
use harness::relay::Behaviour;
use harness::world::PATIENCE;
use harness::{Setup, World};
use std::time::Duration;

const ADA: &str = "ada@example.org";

#[tokio::test]
async fn another_worker_sends_the_mail_again_and_it_is_counted_as_unsure() {
    World::run_with(Setup::default().workers(0), async |world| {
        world.person(ADA).await;
        let (proxy, url) = world.detour("DATABASE_URL").await;
        let own = [("DATABASE_URL", url.as_str()), ("BECKON_LEASE", "2s")];
        world.start_worker_with(&own).await.unwrap();
        world.relay.set(ADA, Behaviour::SlowDot(Duration::from_secs(1)));

        let batch = world.reset_passwords(json!({ "emails": [ADA] })).await;
        let dot = world.relay.wait_until("a dot", PATIENCE, |counts| counts.dots == 1);
        dot.await.unwrap();
        proxy.stall();
        world.relay.set(ADA, Behaviour::Accept);
        world.relay.wait_for(1, PATIENCE).await.unwrap();
        let unrecorded = world.batch(batch).await;
        world.start_worker().await.unwrap();
        let finished = world.finished(batch).await;
        proxy.restore().await.unwrap();
        world
            .eventually("the first worker to learn that it is too late", async || {
                world.workers[0].log().contains("Dropped an outcome").then_some(())
            })
            .await;

        assert_eq!(unrecorded["counts"]["sending"], 1, "{unrecorded}");
        assert_eq!(finished["counts"]["sent"], 1, "{finished}");
        assert_eq!(finished["counts"]["unsure"], 1, "{finished}");
        let mails = world.relay.mails_to(ADA).unwrap();
        assert_eq!(mails.len(), 2);
        assert_eq!(mails[0].header("Message-ID"), mails[1].header("Message-ID"));
        let live = world.rows("credentials").count().await;
        assert_eq!(live, 2, "the password in one of the mails was revoked");
        world.sign_in(ADA, mails[0].password().unwrap()).await;
        world.assert_promises_kept().await;
    })
    .await;
}
