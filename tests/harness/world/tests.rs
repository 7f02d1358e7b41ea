//! Tests of how a world ends.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use serde_json::json;
use sqlx::PgPool;

use super::{Setup, World};
use crate::stack::Stack;

#[tokio::test]
async fn a_failed_test_leaves_no_database() {
    let mut database = String::new();
    let failing = World::run_with(Setup::default().workers(0), async |world| {
        world.vhost().clone_into(&mut database);
        assert!(database.is_empty(), "the test fails");
    });

    let outcome = AssertUnwindSafe(failing).catch_unwind().await;

    assert!(outcome.is_err());
    let stack = Stack::shared().await.unwrap();
    let db = PgPool::connect_lazy(stack.database_url()).unwrap();
    let is_left: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(&database)
        .fetch_one(&db)
        .await
        .unwrap();
    assert!(!is_left, "{database}");
}

#[tokio::test]
async fn a_mail_that_the_relay_never_took_is_found_without_asking() {
    let mistaken = World::run_with(Setup::default().workers(0), async |world| {
        world.person("ada@example.org").await;
        world.invite(json!({ "emails": ["ada@example.org"] })).await;
        sqlx::query("update deliveries set state = 'sent', sent_at = now(), attempt = 1")
            .execute(&world.db)
            .await
            .unwrap();
    });

    let outcome = AssertUnwindSafe(mistaken).catch_unwind().await;

    let message = outcome.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("the relay never took it"), "{message}");
}
