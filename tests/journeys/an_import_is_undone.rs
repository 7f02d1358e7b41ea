//! An import can be undone as long as no user it created has been emailed.

use crate::json;
use crate::staging::{import_state, priya, staged};
use harness::{Setup, World};
use reqwest::Method;
use serde_json::Value;
use shared::store::imports::undo::{self, UndoForecast, UndoResult};
use shared::store::imports::{ImportState, UndoneCounts};
use uuid::Uuid;

async fn import(world: &World, csv: &str) -> Uuid {
    let import = world.import(csv).await.expect(201);
    import["id"].as_str().unwrap().parse().unwrap()
}

async fn addresses(world: &World) -> Vec<String> {
    let users = world.get("/v1/users?limit=1000").await.expect(200);
    let users = users["items"].as_array().cloned().unwrap_or_default();
    let address = |user: &Value| user["email"].as_str().unwrap().to_owned();
    users.iter().map(address).collect()
}

#[tokio::test]
async fn undoing_removes_created_users_and_restores_updated_ones() {
    World::run_with(Setup::default().workers(0), async |world| {
        let staged = staged(world);
        import(world, "email,first_name\nold@example.org,Old\n").await;
        let wrong = import(
            world,
            "email,first_name\nold@example.org,New\nada@example.org,Ada\nbob@example.org,Bob\n",
        )
        .await;
        import(world, "email,first_name\nbob@example.org,Bob\n").await;

        let before = undo::undo_forecast(&world.db, wrong).await.unwrap();
        let undone = staged.undo(wrong, &priya()).await.unwrap();
        let again = staged.undo(wrong, &priya()).await.unwrap();

        let expected = UndoForecast {
            removed: 1,
            kept: 1,
            restored: 1,
            ..UndoForecast::default()
        };
        let totals = UndoneCounts {
            removed: 1,
            restored: 1,
            kept: 0,
        };
        assert_eq!(before, expected);
        assert_eq!(undone, UndoResult::Done(totals));
        assert_eq!(again, UndoResult::NotNow(Some(ImportState::Undone)));
        assert_eq!(addresses(world).await, ["old@example.org", "bob@example.org"]);
        let now = import_state(world, wrong).await;
        assert_eq!((now.state, now.undone), (ImportState::Undone, totals));
        assert_eq!(now.ended_by.as_deref(), Some("Priya"));
        let acts = world.audit_log().await.into_iter().filter(|act| act.who == "Priya");
        let acts: Vec<(String, Value)> = acts.map(|act| (act.action, act.details)).collect();
        let counts = json!({ "kept": 0, "removed": 1, "restored": 1 });
        assert_eq!(acts, [("import_undone".to_owned(), counts)]);
        let old = world.get("/v1/users?q=old@").await.expect(200);
        assert_eq!(old["items"][0]["first_name"], "Old", "{old}");
    })
    .await;
}

#[tokio::test]
async fn users_emailed_or_about_to_be_are_not_removed() {
    World::run_with(Setup::default().workers(0), async |world| {
        let staged = staged(world);
        let people = world.people(3).await;

        assert!(!undo::is_any_user_emailed(&world.db, people).await.unwrap());
        let batch = world.invite(json!({ "import": people, "hold_seconds": 300 })).await;
        let held = staged.undo(people, &priya()).await.unwrap();
        assert!(undo::is_any_user_emailed(&world.db, people).await.unwrap());
        world
            .post(&format!("/v1/batches/{batch}/stop"), json!({}))
            .await
            .expect(200);
        assert!(!undo::is_any_user_emailed(&world.db, people).await.unwrap());
        let undone = staged.undo(people, &priya()).await.unwrap();

        let expected = UndoForecast {
            removed: 3,
            emailed: 3,
            ..UndoForecast::default()
        };
        assert_eq!(held, UndoResult::Known(expected));
        let totals = UndoneCounts {
            removed: 3,
            ..UndoneCounts::default()
        };
        assert_eq!(
            undone,
            UndoResult::Done(totals),
            "a batch undone in its hold emailed no user"
        );
        assert!(addresses(world).await.is_empty());
        world.assert_sums().await;
    })
    .await;
}

#[tokio::test]
async fn users_who_got_an_email_or_signed_in_are_not_removed() {
    World::run(async |world| {
        let staged = staged(world);
        let people = world.people(2).await;

        let batch = world
            .reset_passwords(json!({ "emails": ["person1@example.org"] }))
            .await;
        world.finished(batch).await;
        let mails = world.relay.mails_to("person1@example.org").unwrap();
        let password = mails[0].password().unwrap().to_owned();
        world.sign_in("person1@example.org", &password).await;
        let undone = staged.undo(people, &priya()).await.unwrap();

        let expected = UndoForecast {
            removed: 2,
            emailed: 1,
            signed_in: 1,
            ..UndoForecast::default()
        };
        assert_eq!(undone, UndoResult::Known(expected));
        assert_eq!(addresses(world).await.len(), 2);
    })
    .await;
}

/// Everything known about a user except ids and times.
async fn details(world: &World, email: &str) -> Value {
    let users = world.get(&format!("/v1/users?q={email}")).await.expect(200);
    let user = &users["items"][0];
    json!([
        user["email"],
        user["first_name"],
        user["last_name"],
        user["language"],
        user["fields"]
    ])
}

async fn change(world: &World, email: &str, change: Value) {
    let users = world.get(&format!("/v1/users?q={email}")).await.expect(200);
    let path = format!("/v1/users/{}", users["items"][0]["id"].as_str().unwrap());
    world.ask(Method::PATCH, &path, Some(change), None).await.expect(200);
}

const PEOPLE: [&str; 3] = ["ann@", "bea@", "cyd@"];

/// Five users as they are,
const NOW: [&str; 5] = [
    "ann@example.org,Ann,Lee,en,Engine,",
    "bea@example.org,Bea,,,,4",
    "cyd@example.org,Cyd,,,,",
    "dan@example.org,Dan,,,Engine,",
    "eve@example.org,Eve,,,,",
];

/// and in a file that mixes up their data.
const WRONG: [&str; 5] = [
    "ann@example.org,Lee,Ann,fr,Sales,9",
    "bea@example.org,Bo,Bea,,,",
    "cyd@example.org,Cy,,,,1",
    "dan@example.org,Don,,,Sales,",
    "eve@example.org,Ev,,,,",
];

fn file(rows: [&str; 5]) -> String {
    format!("email,first_name,last_name,language,team,room\n{}\n", rows.join("\n"))
}

#[tokio::test]
async fn users_not_changed_since_get_the_former_values_back() {
    World::run_with(Setup::default().workers(0), async |world| {
        let staged = staged(world);
        import(world, &file(NOW)).await;
        let mut before = Vec::new();
        for person in PEOPLE {
            before.push(details(world, person).await);
        }
        let wrong = import(world, &file(WRONG)).await;

        // Cyd changes in an imported value, Dan in a field that the import did not touch, and Eve is deleted.
        change(world, "cyd@", json!({ "first_name": "Cydney" })).await;
        change(
            world,
            "dan@",
            json!({ "last_name": "Fox", "email": "dan.fox@example.org" }),
        )
        .await;
        let eve = world.get("/v1/users?q=eve@").await.expect(200);
        let eve = format!("/v1/users/{}", eve["items"][0]["id"].as_str().unwrap());
        world.ask(Method::DELETE, &eve, None, None).await;
        // Mails before and since do not prevent restoring the users.
        let batch = world.invite(json!({ "emails": ["ann@example.org"] })).await;
        world
            .post(&format!("/v1/batches/{batch}/pause"), json!({}))
            .await
            .expect(200);
        let outlook = undo::undo_forecast(&world.db, wrong).await.unwrap();
        let undone = staged.undo(wrong, &priya()).await.unwrap();

        assert_eq!((outlook.restored, outlook.changed_since), (3, 1));
        let totals = UndoneCounts {
            removed: 0,
            restored: 3,
            kept: 1,
        };
        assert_eq!(undone, UndoResult::Done(totals));
        assert_eq!(details(world, PEOPLE[0]).await, before[0]);
        assert_eq!(details(world, PEOPLE[1]).await, before[1]);
        assert_eq!(
            details(world, PEOPLE[2]).await,
            json!(["cyd@example.org", "Cydney", "", "", { "room": "1" }]),
            "they keep all of it"
        );
        assert_eq!(
            details(world, "dan.fox@").await,
            json!(["dan.fox@example.org", "Dan", "Fox", "", { "team": "Engine" }])
        );
        let left = world.rows("import_changes").with("import_id", wrong).count().await;
        assert_eq!(left, 0, "former values are not kept longer than they are needed");
    })
    .await;
}

#[tokio::test]
async fn former_values_are_restored_even_if_a_created_user_was_emailed() {
    World::run_with(Setup::default().workers(0), async |world| {
        let staged = staged(world);
        import(world, "email,first_name\nann@example.org,Ann\n").await;
        let wrong = import(world, "email,first_name\nann@example.org,Lee\nnew@example.org,New\n").await;
        world.invite(json!({ "emails": ["new@example.org"] })).await;

        let undone = staged.undo(wrong, &priya()).await.unwrap();

        let totals = UndoneCounts {
            removed: 0,
            restored: 1,
            kept: 0,
        };
        assert_eq!(undone, UndoResult::Done(totals));
        assert_eq!(details(world, "ann@").await[1], "Ann");
        assert_eq!(details(world, "new@").await[1], "New", "they have a mail already");
    })
    .await;
}

#[tokio::test]
async fn a_change_made_while_the_file_is_stored_is_not_lost_by_undoing_it() {
    World::run_with(Setup::default().workers(0), async |world| {
        let staged = staged(world);
        import(world, "email,first_name\nann@example.org,Ann\n").await;
        // Another transaction has started to change her, and commits when the import has reached her row.
        let mut other = world.db.begin().await.unwrap();
        sqlx::query("update users set first_name = 'Annika' where email_key = 'ann@example.org'")
            .execute(&mut *other)
            .await
            .unwrap();

        let (wrong, ()) = tokio::join!(import(world, "email,first_name\nann@example.org,Lee\n"), async {
            world.until_locks_are_awaited(1).await;
            other.commit().await.unwrap();
        });
        assert_eq!(details(world, "ann@").await[1], "Lee");
        staged.undo(wrong, &priya()).await.unwrap();

        assert_eq!(details(world, "ann@").await[1], "Annika");
    })
    .await;
}
