//! Postgres answers but cannot write, because it is read-only or full: no mail is sent that could not be recorded.

use crate::json;
use harness::world::PATIENCE;
use harness::{Setup, World};
use reqwest::Method;
use std::time::Duration;
use uuid::Uuid;

/// Enough that the fault happens in the middle of the batch.
const PEOPLE: i64 = 900;

/// Simulates a full disk: every write to the ledger fails with Postgres's error code for it.
const FILL: &str = "
    create function disk_is_full() returns trigger language plpgsql as $$
    begin
        raise exception 'could not extend file: No space left on device' using errcode = 'disk_full';
    end $$;
    create trigger full_batches before insert or update on batches execute function disk_is_full();
    create trigger full_deliveries before insert or update on deliveries execute function disk_is_full();
    create trigger full_claims before insert or update on claims execute function disk_is_full();
    create trigger full_attempts before insert or update on attempts execute function disk_is_full();
    create trigger full_credentials before insert or update on credentials execute function disk_is_full();";
const FREE: &str = "drop function disk_is_full() cascade";

async fn run(world: &World, statements: &'static str) {
    sqlx::raw_sql(statements).execute(&world.db).await.unwrap();
}

/// Sends while the fault that `begin` causes lasts, until `end` removes it.
async fn through(begin: impl AsyncFnOnce(&World), end: impl AsyncFnOnce(&World)) {
    let setup = Setup::default()
        .own_stack()
        .workers(2)
        .api_setting("BECKON_MAIL_RATE", "150")
        .worker_setting("BECKON_LEASE", "1min");
    World::run_with(setup, async |world| {
        let import = world.people(usize::try_from(PEOPLE).unwrap()).await;
        let batch = world.invite(json!({ "import": import })).await;
        world.relay.wait_for(100, PATIENCE).await.unwrap();

        begin(world).await;
        let ask = async |key: &str| {
            let recipients = json!({ "import": import });
            world
                .ask(Method::POST, "/v1/invites", Some(recipients), Some(key))
                .await
        };
        let (key, refused) = world
            .eventually("the API to report it", async || {
                // A connection sees the change a moment later, and a repeated key is answered from the record: so each
                // request uses a new key.
                let key = Uuid::new_v4().to_string();
                let answer = ask(&key).await;
                (answer.status != 202).then_some((key, answer))
            })
            .await;
        // Only mails already at the relay at that moment are accepted.
        let in_flight = world
            .eventually("the relay to be left alone", async || {
                let before = world.relay.counts();
                tokio::time::sleep(Duration::from_secs(3)).await;
                (before.accepted == world.relay.counts().accepted).then_some(before.accepted)
            })
            .await;
        end(world).await;
        let finished = world.finished(batch).await;

        assert_eq!(refused.status, 503, "{}", refused.text);
        assert_eq!(refused.body["type"], "/problems/unavailable", "{}", refused.text);
        assert!(
            i64::try_from(in_flight).unwrap() < PEOPLE,
            "the batch finished before the test could check"
        );
        assert_eq!(finished["counts"]["sent"], PEOPLE, "{finished}");
        assert_eq!(
            finished["counts"]["unsure"], 0,
            "what was in flight is recorded: {finished}"
        );
        assert_eq!(i64::try_from(world.relay.accepted_count()), Ok(PEOPLE));
        assert_eq!(ask(&key).await.expect(202)["selected"], PEOPLE);
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn it_is_read_only_for_a_while() {
    let turn = async |world: &World, to: &'static str| {
        run(world, to).await;
        run(world, "select pg_reload_conf()").await;
    };
    through(
        async |world| turn(world, "alter system set default_transaction_read_only = on").await,
        async |world| {
            turn(world, "alter system reset default_transaction_read_only").await;
        },
    )
    .await;
}

#[tokio::test]
async fn it_is_full_for_a_while() {
    through(
        async |world| run(world, FILL).await,
        async |world| run(world, FREE).await,
    )
    .await;
}
