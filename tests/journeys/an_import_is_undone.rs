//! An import can be taken back while nobody whom it created has heard of it.

use crate::json;
use crate::staging::{import_state, priya, staged};
use harness::{Setup, World};
use serde_json::Value;
use shared::store::imports::ImportState;
use shared::store::imports::undo::{self, Outlook, Undone};
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
async fn undoing_removes_whom_it_created_and_nobody_else() {
    let world = World::with(Setup::default().workers(0)).await;
    let staged = staged(&world);
    import(&world, "email,first_name\nold@example.org,Old\n").await;
    let wrong = import(
        &world,
        "email,first_name\nold@example.org,New\nada@example.org,Ada\nbob@example.org,Bob\n",
    )
    .await;
    import(&world, "email,first_name\nbob@example.org,Bob\n").await;

    let before = undo::outlook(&world.db, wrong).await.unwrap();
    let undone = staged.undo(wrong, &priya()).await.unwrap();
    let again = staged.undo(wrong, &priya()).await.unwrap();

    let expected = Outlook {
        removed: 1,
        kept: 1,
        ..Outlook::default()
    };
    assert_eq!(before, expected);
    assert_eq!(undone, Undone::Done(1));
    assert_eq!(again, Undone::NotNow(Some(ImportState::Undone)));
    assert_eq!(addresses(&world).await, ["old@example.org", "bob@example.org"]);
    let now = import_state(&world, wrong).await;
    assert_eq!((now.state, now.removed), (ImportState::Undone, 1));
    assert_eq!(now.ended_by.as_deref(), Some("Priya"));
    let acts: Vec<String> =
        sqlx::query_scalar("select who || ' ' || action || ' ' || details::text from audit where who = 'Priya'")
            .fetch_all(&world.db)
            .await
            .unwrap();
    assert_eq!(acts, [r#"Priya import_undone {"removed": 1}"#]);
    let old = world.get("/v1/users?q=old@").await.expect(200);
    assert_eq!(old["items"][0]["first_name"], "New", "what it updated stays: {old}");
    world.end().await;
}

#[tokio::test]
async fn whoever_was_emailed_or_is_about_to_be_is_not_removed() {
    let world = World::with(Setup::default().workers(0)).await;
    let staged = staged(&world);
    let people = world.people(3).await;

    assert!(!undo::is_anybody_emailed(&world.db, people).await.unwrap());
    let batch = world.invite(json!({ "import": people, "hold_seconds": 300 })).await;
    let held = staged.undo(people, &priya()).await.unwrap();
    assert!(undo::is_anybody_emailed(&world.db, people).await.unwrap());
    world
        .post(&format!("/v1/batches/{batch}/stop"), json!({}))
        .await
        .expect(200);
    assert!(!undo::is_anybody_emailed(&world.db, people).await.unwrap());
    let undone = staged.undo(people, &priya()).await.unwrap();

    let expected = Outlook {
        removed: 3,
        emailed: 3,
        ..Outlook::default()
    };
    assert_eq!(held, Undone::Known(expected));
    assert_eq!(undone, Undone::Done(3), "a batch undone in its hold told nobody");
    assert!(addresses(&world).await.is_empty());
    world.assert_sums().await;
    world.end().await;
}

#[tokio::test]
async fn whoever_got_a_mail_or_signed_in_is_not_removed() {
    let world = World::start().await;
    let staged = staged(&world);
    let people = world.people(2).await;

    let batch = world
        .reset_passwords(json!({ "emails": ["person1@example.org"] }))
        .await;
    world.finished(batch).await;
    let mails = world.relay.mails_to("person1@example.org").unwrap();
    let password = mails[0].password().unwrap().to_owned();
    world.sign_in("person1@example.org", &password).await;
    let undone = staged.undo(people, &priya()).await.unwrap();

    let expected = Outlook {
        removed: 2,
        emailed: 1,
        signed_in: 1,
        ..Outlook::default()
    };
    assert_eq!(undone, Undone::Known(expected));
    assert_eq!(addresses(&world).await.len(), 2);
    world.end().await;
}
