//! The cost of a mail in Postgres: counted instead of timed, so a slow machine gets the same result.

use crate::json;
use harness::World;
use harness::world::PATIENCE;

/// Recipients: some hundred groups of claims and outcomes.
const PEOPLE: usize = 4_000;

/// Transactions per mail of the API, dispatcher, worker and this test together; most are single statements. Sent one at
/// a time, a mail takes a dozen. In groups, which form even on a slow machine, it takes half of one, and a twentieth on
/// a fast machine.
const MAX_COMMITS: f64 = 1.0;

/// Rows written, as Postgres counts them for this test's own database.
#[derive(Debug)]
struct Written {
    updates: f64,
    in_place: f64,
    attempts: f64,
    attempts_changed: f64,
    commits: f64,
}

async fn written(world: &World) -> Written {
    let (updates, in_place, attempts, attempts_changed): (i64, i64, i64, i64) = sqlx::query_as(
        "select coalesce(sum(n_tup_upd) filter (where relname like 'deliveries%'), 0)::bigint,
                coalesce(sum(n_tup_hot_upd) filter (where relname like 'deliveries%'), 0)::bigint,
                coalesce(sum(n_tup_ins) filter (where relname like 'attempts%'), 0)::bigint,
                coalesce(sum(n_tup_upd) filter (where relname like 'attempts%'), 0)::bigint
         from pg_stat_user_tables",
    )
    .fetch_one(&world.db)
    .await
    .unwrap();
    let commits: i64 =
        sqlx::query_scalar("select xact_commit from pg_stat_database where datname = current_database()")
            .fetch_one(&world.db)
            .await
            .unwrap();
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    let [updates, in_place, attempts, attempts_changed, commits] =
        [updates, in_place, attempts, attempts_changed, commits].map(|count| count as f64);
    Written {
        updates,
        in_place,
        attempts,
        attempts_changed,
        commits,
    }
}

#[tokio::test]
async fn a_delivery_is_written_twice_and_in_place_and_its_attempt_once() {
    World::run(async |world| {
        let import = world.people(PEOPLE).await;
        let before = written(world).await;

        let batch = world.invite(json!({ "import": import })).await;
        world.relay.wait_for(PEOPLE, PATIENCE).await.unwrap();
        world.finished(batch).await;

        // Postgres's counters lag by a second.
        let after = world
            .eventually("all rows to be counted", async || {
                let now = written(world).await;
                (now.attempts - before.attempts >= count(PEOPLE)).then_some(now)
            })
            .await;
        let mails = count(PEOPLE);
        let each = Written {
            updates: (after.updates - before.updates) / mails,
            in_place: (after.in_place - before.in_place) / (after.updates - before.updates),
            attempts: (after.attempts - before.attempts) / mails,
            attempts_changed: (after.attempts_changed - before.attempts_changed) / mails,
            commits: (after.commits - before.commits) / mails,
        };
        assert!(each.updates <= 2.01 && each.in_place >= 0.5, "{each:?}");
        assert!(each.attempts <= 1.01 && each.attempts_changed <= 0.01, "{each:?}");
        assert!(each.commits <= MAX_COMMITS, "{each:?}");
    })
    .await;
}

fn count(people: usize) -> f64 {
    f64::from(u32::try_from(people).unwrap())
}
