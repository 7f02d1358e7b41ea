//! A read-only database, such as a standby before promotion.

use harness::World;
use reqwest::Method;
use sqlx::Executor as _;

use crate::api_request::{a_world, ask, post};
use crate::guessing::set_password;
use crate::json;

const OWN: &str = "correct horse battery staple";

#[tokio::test]
async fn reads_are_answered_and_writes_get_retry_after() {
    World::run_in(a_world().await, async |world| {
        let user = world.person("ada@example.org").await;
        set_password(world, user, OWN).await;
        let sign_in = || {
            let body = json!({ "email": "ada@example.org", "password": OWN });
            post(world, "/v1/credentials/verify", body.to_string())
        };

        only_read(world, true).await;

        for path in ["/v1/users", "/v1/batches", "/v1/system-emails"] {
            let response = ask(world, Method::GET, path).answer().await;
            assert_eq!(response.status, 200, "{path}: {}", response.text);
        }
        let invite = post(world, "/v1/invites", json!({ "users": [user] }).to_string());
        for asked in [sign_in(), invite] {
            let response = asked.answer().await;
            response.assert_problem(503, "unavailable");
            assert_eq!(response.header("retry-after"), "2");
        }
        only_read(world, false).await;
        assert_eq!(sign_in().answer().await.body["valid"], true);
    })
    .await;
}

/// Makes all new connections read-only, or writable again, and ends the existing ones. Also clears when the key was
/// last used, so that its next use is due to be recorded.
async fn only_read(world: &World, only_read: bool) {
    let mut connection = world.db.acquire().await.unwrap();
    connection
        .execute("set default_transaction_read_only = off")
        .await
        .unwrap();
    connection
        .execute("update api_keys set last_used_at = null")
        .await
        .unwrap();
    let setting = if only_read { "on" } else { "off" };
    sqlx::query("select set_config('beckon.wanted', $1, false)")
        .bind(setting)
        .execute(&mut *connection)
        .await
        .unwrap();
    let turn = "do $$ begin execute format('alter database %I set default_transaction_read_only = %s',
                    current_database(), current_setting('beckon.wanted')); end $$";
    connection.execute(turn).await.unwrap();
    let end = "select pg_terminate_backend(pid) from pg_stat_activity
               where datname = current_database() and pid <> pg_backend_pid()";
    connection.execute(end).await.unwrap();
}
