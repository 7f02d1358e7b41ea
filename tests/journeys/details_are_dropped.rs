//! Details of mails are kept for a while; totals and who was invited are kept permanently.

use crate::json;
use harness::{Setup, World};
use shared::store::imports::undo;
use shared::store::partitions;
use std::time::Duration;

/// How long details are kept in this test.
const KEPT: Duration = Duration::from_hours(30 * 24);

async fn months_there(world: &World) -> i64 {
    world.rows("months()").count().await
}

#[tokio::test]
async fn totals_and_invited_users_are_kept_without_details() {
    let setup = Setup::default().api_setting("BECKON_DETAILS_KEPT", "30d");
    World::run_with(setup, async |world| {
        let import = world.people(2).await;
        world.person("550+unknown@example.org").await;
        let emails = [
            "person1@example.org",
            "person2@example.org",
            "550+unknown@example.org",
            "who@example.org",
        ];
        let batch = world.invite(json!({ "emails": emails })).await;
        let before = world.finished(batch).await;
        let passwords = world
            .reset_passwords(json!({ "emails": ["person1@example.org"] }))
            .await;
        world.finished(passwords).await;
        world.let_days_pass(70).await;

        world.kill_api().await;
        world.start_api().await.unwrap();
        let after = world
            .eventually("the details are dropped", async || {
                Some(world.batch(batch).await).filter(|batch| batch["details_dropped_at"].is_string())
            })
            .await;

        assert_eq!(after["counts"], before["counts"], "{after}");
        assert_eq!(after["counts"]["failed"], 1, "{after}");
        assert_eq!(after["left_out"], before["left_out"], "{after}");
        assert!(world.deliveries(batch).await.is_empty());
        for name in ["given", "user_id"] {
            assert_eq!(
                world.rows("left_out").having(name).count().await,
                0,
                "no address remains"
            );
        }
        let unused = world.rows("credentials").count().await;
        assert_eq!(unused, 0, "nor an unused password");
        let again = world
            .post(
                &format!("/v1/batches/{batch}/send-again"),
                json!({ "outcomes": ["failed"] }),
            )
            .await
            .expect(422);
        assert_eq!(again["type"], "/problems/details_dropped", "{again}");
        let not_invited = world.get("/v1/users?invited=false").await.expect(200);
        assert_eq!(not_invited["items"].as_array().unwrap().len(), 1, "{not_invited}");
        assert_eq!(
            not_invited["items"][0]["email"], "550+unknown@example.org",
            "{not_invited}"
        );
        let invited = world.get("/v1/users?invited=true").await.expect(200);
        assert_eq!(invited["items"][0]["invite"]["state"], "sent", "{invited}");
        let is_emailed = undo::is_any_user_emailed(&world.db, import).await.unwrap();
        assert!(is_emailed, "an import is not undone under people who were invited");
        assert_eq!(months_there(world).await, i64::from(partitions::AHEAD) + 1);
    })
    .await;
}

#[tokio::test]
async fn rejected_rows_are_deleted_with_the_details_and_the_import_shows_it() {
    let setup = Setup::default().workers(0).api_setting("BECKON_DETAILS_KEPT", "30d");
    World::run_with(setup, async |world| {
        world.person("ada@example.org").await;
        let csv = "email,first_name\nada@example.org,Adele\nunknown at all,Nameless\n";
        let import = world.import(csv).await.expect(201);
        assert_eq!(import["changes"][0]["from"], "Ada", "{import}");
        let path = format!("/v1/imports/{}", import["id"].as_str().unwrap());
        let kept = world.get(&format!("{path}/problems.csv")).await;
        world.let_days_pass(31).await;

        world.kill_api().await;
        world.start_api().await.unwrap();
        let after = world
            .eventually("the rejected rows are dropped", async || {
                Some(world.get(&path).await.expect(200)).filter(|import| import["details_dropped_at"].is_string())
            })
            .await;

        assert!(kept.text.contains("unknown at all"), "{}", kept.text);
        assert_eq!(after["rejected"], 1, "{after}");
        assert_eq!(
            [&after["problems"], &after["changes"], &after["problems_url"]],
            [&json!([]), &json!([]), &json!(null)],
            "{after}"
        );
        let problems = world.get(&format!("{path}/problems.csv")).await.expect(422);
        assert_eq!(problems["type"], "/problems/details_dropped", "{problems}");
        for table in ["import_rejects", "import_changes"] {
            assert_eq!(world.rows(table).count().await, 0, "{table}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_month_with_a_waiting_mail_is_kept() {
    World::run_with(Setup::default().workers(0), async |world| {
        world.person("ada@example.org").await;
        let batch = world
            .invite(json!({ "emails": ["ada@example.org"], "hold_seconds": 600 }))
            .await;
        world.let_days_pass(70).await;

        let kept = partitions::drop(&world.db, KEPT).await.unwrap();
        world
            .post(&format!("/v1/batches/{batch}/stop"), json!({}))
            .await
            .expect(200);
        world.finished(batch).await;
        let dropped = partitions::drop(&world.db, KEPT).await.unwrap();

        assert_eq!(kept, []);
        assert_eq!(dropped.len(), 1, "{dropped:?}");
        assert_eq!(world.batch(batch).await["counts"]["cancelled"], 1);
    })
    .await;
}

#[tokio::test]
async fn partitions_for_future_months_exist_and_are_recreated() {
    World::run_with(Setup::default().workers(0), async |world| {
        let ahead = world.api_metric("beckon_months_ahead").await;
        sqlx::raw_sql(
            "do $$ declare month date; begin
                 for month in select * from months() loop perform drop_month(month); end loop;
             end $$",
        )
        .execute(&world.db)
        .await
        .unwrap();
        assert_eq!(months_there(world).await, 0);

        let makers = (0..4).map(|_| partitions::make(&world.db));
        let made: Vec<_> = futures_util::future::join_all(makers).await;
        world.kill_api().await;
        world.start_api().await.unwrap();
        world.person("ada@example.org").await;
        world.invite(json!({ "emails": ["ada@example.org"] })).await;

        assert!((ahead - f64::from(partitions::AHEAD)).abs() < f64::EPSILON, "{ahead}");
        assert!(
            made.iter()
                .all(|ahead| matches!(ahead, Ok(n) if *n == i64::from(partitions::AHEAD))),
            "{made:?}"
        );
        assert_eq!(months_there(world).await, i64::from(partitions::AHEAD) + 1);
    })
    .await;
}
