//! Postgres aborts a statement to resolve a deadlock: it is retried, and callers do not notice.

use crate::json;
use harness::World;
use sqlx::Executor as _;

/// Aborts the first two statements that write to a table, as a deadlock would. A sequence counts them, because it
/// survives rollbacks.
const TRIP: &str = "
    create function trip() returns trigger language plpgsql as $$
        begin
            if nextval(tg_argv[0]) <= 2 then
                raise exception 'deadlock detected' using errcode = '40P01';
            end if;
            return null;
        end $$;
    create sequence trips_of_batches;
    create trigger trip after insert on batches for each statement execute function trip('trips_of_batches');
    create sequence trips_of_claims;
    create trigger trip after insert on claims for each statement execute function trip('trips_of_claims');
    create sequence trips_of_credentials;
    create trigger trip after insert on credentials for each statement execute function trip('trips_of_credentials');
    create sequence trips_of_outcomes;
    create trigger trip after insert on attempts for each statement execute function trip('trips_of_outcomes')";

/// Where a deadlock is simulated.
const MOMENTS: [&str; 4] = ["batches", "claims", "credentials", "outcomes"];

#[tokio::test]
async fn the_deadlock_victim_is_retried_without_an_error() {
    World::run(async |world| {
        let import = world.people(5).await;
        world.db.execute(TRIP).await.unwrap();

        let batch = world.reset_passwords(json!({ "import": import })).await;
        let finished = world.finished(batch).await;

        for moment in MOMENTS {
            let trips: i64 = world.rows(format!("trips_of_{moment}")).only("last_value").await;
            assert!(trips >= 3, "{moment} were written {trips} times");
        }
        assert_eq!(finished["counts"]["sent"], 5, "{finished}");
        assert_eq!(finished["counts"]["unsure"], 0, "{finished}");
        let log = world.logs();
        for complaint in [
            "deadlock",
            "Could not claim",
            "Could not record",
            "Could not store",
            "\"ERROR\"",
        ] {
            assert!(!log.contains(complaint), "{complaint}: {log}");
        }
        assert_eq!(world.relay.accepted_count(), 5);
        world.assert_promises_kept().await;
    })
    .await;
}
