//! An import and another writer create the same user at the same time.

use crate::json;
use crate::staging::{import_state, priya, staged, upload};
use harness::{Setup, World};
use shared::store::imports::{Accepting, ImportState};
use shared::store::{Transaction, begin, commit};
use std::time::Duration;

const FILE: &str = "email,first name,team\nada@example.org,Ada,Engine\nbob@example.org,Bob,Engine\n";

/// A transaction that has created Bob, who has no first name and another team, and is not committed.
async fn creating_bob(world: &World) -> Transaction {
    let mut transaction = begin(&world.db).await.unwrap();
    let creating = "insert into users (email, email_key, fields)
                    values ('bob@example.org', 'bob@example.org', '{\"team\": \"Sales\"}')";
    sqlx::query(creating).execute(&mut *transaction).await.unwrap();
    transaction
}

#[tokio::test]
async fn the_import_updates_the_user_whom_it_was_about_to_create() {
    World::run_with(Setup::default().workers(0), async |world| {
        let bob = creating_bob(world).await;

        let importing = world.import(FILE);
        let meanwhile = async {
            world.until_locks_are_awaited(1).await;
            commit(bob).await.unwrap();
        };
        let (answer, ()) = tokio::join!(importing, meanwhile);

        let import = answer.expect(201);
        assert_eq!(
            (&import["rows"], &import["created"], &import["updated"]),
            (&json!(2), &json!(1), &json!(1)),
            "{import}"
        );
        let changes = import["changes"].as_array().unwrap();
        let team = changes.iter().find(|change| change["field"] == "team").unwrap();
        assert_eq!(
            (&team["from"], &team["to"]),
            (&json!("Sales"), &json!("Engine")),
            "{import}"
        );
        let users = world.get("/v1/users?q=bob").await.expect(200);
        let bob = &users["items"][0];
        assert_eq!(
            (&bob["first_name"], &bob["fields"]["team"]),
            (&json!("Bob"), &json!("Engine"))
        );
    })
    .await;
}

#[tokio::test]
async fn a_file_that_is_still_being_read_is_read_again_from_its_start() {
    World::run_with(Setup::default().workers(0), async |world| {
        // Three more groups of rows are read while the first one waits.
        let others: Vec<String> = (0..6_000)
            .map(|n| format!("person{n}@example.org,P{n},Engine"))
            .collect();
        let bob = creating_bob(world).await;

        let file = format!("{FILE}{}\n", others.join("\n"));
        let importing = world.import(&file);
        let meanwhile = async {
            world.until_locks_are_awaited(1).await;
            commit(bob).await.unwrap();
        };
        let (answer, ()) = tokio::join!(importing, meanwhile);

        let import = answer.expect(201);
        assert_eq!(
            (
                &import["rows"],
                &import["created"],
                &import["updated"],
                &import["rejected"]
            ),
            (&json!(6_002), &json!(6_001), &json!(1), &json!(0)),
            "{import}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_reviewed_file_is_stored_as_well() {
    World::run_with(Setup::default().workers(0), async |world| {
        let staged = staged(world);
        let import = upload(&staged, FILE).await;
        let checking = staged.check(import, None).await.unwrap().unwrap();
        checking.ended_within(Duration::from_mins(1)).await;
        let bob = creating_bob(world).await;

        let storing = staged
            .store(import, &priya(), &Accepting::Nothing)
            .await
            .unwrap()
            .unwrap();
        world.until_locks_are_awaited(1).await;
        commit(bob).await.unwrap();
        storing.ended_within(Duration::from_mins(1)).await;

        let done = import_state(world, import).await;
        assert_eq!(
            (done.state, done.totals.created, done.totals.updated),
            (ImportState::Done, 1, 1)
        );
    })
    .await;
}
