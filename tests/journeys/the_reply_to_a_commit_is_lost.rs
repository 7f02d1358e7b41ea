//! Postgres commits but its reply is lost: no caller gets an answer that nothing was stored.

use crate::json;
use harness::World;
use harness::faults::FaultProxy;
use harness::program::Program;
use serde_json::Value;
use sqlx::Executor as _;

/// Delays every commit of a batch, so that the connection can be cut in the middle.
const SLOW_COMMIT: &str = "
    create function commit_slowly() returns trigger language plpgsql as
        $$ begin perform pg_sleep(1); return null; end $$;
    create constraint trigger commit_slowly after insert on batches
        deferrable initially deferred for each row execute function commit_slowly();";

#[tokio::test]
async fn with_a_key_the_response_is_found_and_without_one_the_outcome_is_unknown() {
    World::run(async |world| {
        let user = world.person("ada@example.org").await;
        world.db.execute(SLOW_COMMIT).await.unwrap();
        let (program, base, proxy) = an_api_behind_a_proxy(world).await;

        let (status, first) = lose_the_reply(world, &base, &proxy, json!({ "users": [user] }), Some("click-1")).await;
        let (again, same) = ask(world, &base, json!({ "users": [user] }), Some("click-1")).await;

        assert_eq!((status, again), (202, 202), "{first} {same}");
        assert_eq!(first, same);
        assert_eq!(batches(world).await, 1);

        let request = json!({ "users": [user], "include_recent": true });
        let (status, first) = lose_the_reply(world, &base, &proxy, request, None).await;

        assert_eq!(
            (status, &first["type"]),
            (503, &json!("/problems/outcome_unknown")),
            "{first}"
        );
        let detail = first["detail"].as_str().unwrap();
        assert!(
            detail.contains("GET /v1/batches") && !detail.contains("Nothing was stored"),
            "{detail}"
        );
        world
            .eventually("the batch without a response", async || {
                (batches(world).await == 2).then_some(())
            })
            .await;
        drop(program);
    })
    .await;
}

async fn an_api_behind_a_proxy(world: &World) -> (Program, String, FaultProxy) {
    let mut settings = world.settings().to_vec();
    let direct = settings
        .iter()
        .find(|(name, _)| name == "DATABASE_URL")
        .unwrap()
        .1
        .clone();
    let proxy = FaultProxy::in_front_of(&direct).await.unwrap();
    let address = world.spare_address().unwrap();
    settings.retain(|(name, _)| name != "DATABASE_URL");
    settings.push(("DATABASE_URL".to_owned(), proxy.url(&direct).unwrap()));
    settings.push(("BECKON_LISTEN".to_owned(), address.to_string()));
    let probes = world.spare_address().unwrap();
    settings.push(("BECKON_PROBES_LISTEN".to_owned(), probes.to_string()));
    let program = Program::start("beckon-api", world.folder(), "api-behind-a-proxy", &[], &settings)
        .await
        .unwrap();
    let base = format!("http://{address}");
    world
        .eventually("an API behind a proxy", async || {
            reqwest::get(format!("{base}/openapi.json")).await.ok()
        })
        .await;
    (program, base, proxy)
}

/// Sends the request, and cuts off the database during the commit.
async fn lose_the_reply(
    world: &World,
    base: &str,
    proxy: &FaultProxy,
    request: Value,
    key: Option<&str>,
) -> (u16, Value) {
    let losing = async {
        world
            .eventually("a commit", async || is_committing(world).await.then_some(()))
            .await;
        proxy.reset();
    };
    tokio::join!(ask(world, base, request, key), losing).0
}

async fn ask(world: &World, base: &str, request: Value, key: Option<&str>) -> (u16, Value) {
    let mut asked = reqwest::Client::new()
        .post(format!("{base}/v1/invites"))
        .bearer_auth(world.key())
        .json(&request);
    if let Some(key) = key {
        asked = asked.header("Idempotency-Key", key);
    }
    let answer = asked.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn is_committing(world: &World) -> bool {
    let committing = "select exists (select from pg_stat_activity
        where datname = current_database() and state = 'active' and query ilike 'commit%')";
    sqlx::query_scalar(committing).fetch_one(&world.db).await.unwrap()
}

async fn batches(world: &World) -> i64 {
    world.rows("batches").count().await
}
