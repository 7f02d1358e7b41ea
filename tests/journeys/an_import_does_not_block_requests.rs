//! While a file is imported, other requests do not wait.

use crate::json;
use harness::{Setup, World};
use shared::store::imports::file::{self, File, RowOptions};
use shared::store::imports::rows::{self, Row};
use shared::store::imports::{ImportCounts, ImportMode};
use std::time::{Duration, Instant};

/// More than the API has connections to Postgres.
const FILES: usize = 8;

#[tokio::test]
async fn unchanged_users_are_not_locked() {
    World::run_with(Setup::default().workers(0), async |world| {
        world
            .import("email,first_name,team\nada@example.org,Ada,Blue\nbob@example.org,Bob,Red\n")
            .await
            .expect(201);

        let mut transaction = shared::store::begin(&world.db).await.unwrap();
        file::take_turn(&mut transaction).await.unwrap();
        let import = file::create(&mut transaction, "again.csv", "a test", &RowOptions::default())
            .await
            .unwrap();
        let people = [row(1, "ada@example.org", "Ada"), row(2, "bob@example.org", "Robert")];
        let stored = rows::store(&mut transaction, import, &people, ImportMode::default())
            .await
            .unwrap();

        assert_eq!((stored.created, stored.updated, stored.unchanged), (0, 1, 1));
        assert!(change(world, "ada@example.org").await.is_ok());
        assert!(change(world, "bob@example.org").await.is_err());
        let (file, totals) = (without_name(), ImportCounts::default());
        assert!(
            file::finish(&mut transaction, import, 0, &file, &totals, "a test")
                .await
                .unwrap()
        );
        shared::store::commit(transaction).await.unwrap();
        let of_import = world.get(&format!("/v1/users?import={import}")).await.expect(200);
        let people = of_import["items"].as_array().unwrap();
        assert_eq!(people.len(), 2, "{of_import}");
        let ada = people.iter().find(|user| user["email"] == "ada@example.org").unwrap();
        assert_eq!(ada["last_name"], "changed meanwhile", "{of_import}");
    })
    .await;
}

fn without_name() -> File {
    File {
        header: Vec::new(),
        separator: ',',
        format: "csv".to_owned(),
        sheet: None,
        header_row: 1,
        hidden_rows: 0,
        hidden_sheets: Vec::new(),
        custom_fields: Vec::new(),
        mapping: None,
    }
}

fn row(number: i32, email: &str, first_name: &str) -> Row {
    Row {
        number,
        email: email.to_owned(),
        email_key: email.to_owned(),
        first_name: Some(first_name.to_owned()),
        last_name: None,
        language: None,
        fields: json!({}),
    }
}

/// Changes a user without waiting for any lock.
async fn change(world: &World, email: &str) -> Result<(), sqlx::Error> {
    let mut transaction = world.db.begin().await?;
    sqlx::query("set local lock_timeout = '300ms'")
        .execute(&mut *transaction)
        .await?;
    let changed = "update users set last_name = 'changed meanwhile' where email_key = $1";
    sqlx::query(changed).bind(email).execute(&mut *transaction).await?;
    transaction.commit().await
}

#[tokio::test]
async fn waiting_imports_hold_no_connections() {
    World::run_with(Setup::default().workers(0), async |world| {
        let lock = world.block_imports().await;

        let files: Vec<String> = (0..FILES).map(|n| format!("email\nperson{n}@example.org\n")).collect();
        let waiting = std::sync::atomic::AtomicUsize::new(FILES);
        let import = async |file: &str| {
            let answer = world.import(file).await;
            waiting.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
            answer.status
        };
        let importing = futures_util::future::join_all(files.iter().map(|file| import(file)));
        let meanwhile = async {
            world.until_locks_are_awaited(1).await;
            let began = Instant::now();
            for _ in 0..5 {
                world.get("/v1/users").await.expect(200);
            }
            let took = began.elapsed();
            let still = waiting.load(std::sync::atomic::Ordering::Relaxed);
            lock.release().await;
            (took, still)
        };
        let (answers, (took, still)) = tokio::join!(importing, meanwhile);

        assert!(took < Duration::from_secs(4), "reading took {took:?}");
        assert_eq!((still, answers), (FILES, vec![201; FILES]));
    })
    .await;
}

#[tokio::test]
async fn a_client_that_disconnects_is_no_longer_in_flight() {
    World::run_with(Setup::default().workers(0), async |world| {
        let lock = world.block_imports().await;

        let asked = reqwest::Client::new()
            .post(format!("{}/v1/imports", world.base()))
            .bearer_auth(world.key())
            .header("Content-Type", "text/csv")
            .body("email\nada@example.org\n")
            .timeout(Duration::from_secs(2));
        assert!(asked.send().await.is_err());

        let in_flight = async || (world.api_metric("beckon_http_requests_in_flight").await < 0.5).then_some(());
        world.eventually("nothing in flight", in_flight).await;
        lock.release().await;
        let people = async || {
            let users = world.get("/v1/users").await.expect(200);
            (users["items"].as_array()?.len() == 1).then_some(())
        };
        world.eventually("the import to finish", people).await;
    })
    .await;
}
