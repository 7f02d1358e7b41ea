//! A file waits between checking and storing, and is stored once, whichever process continues.

use crate::json;
use crate::staging::{import_state, priya, staged, upload};
use api::app::imports::staged::StagedImports;
use futures_util::future::join_all;
use harness::{Setup, World};
use serde_json::Value;
use shared::store::imports::file::{self, File};
use shared::store::imports::{Accepting, ImportCounts, ImportState, steps};
use std::time::Duration;
use uuid::Uuid;

const FILE: &str = "email,first name,team\n\
    ada@example.org,Ada,Engine\n\
    bob@gmial.com@,Bob,\n\
    Ada@example.org,Ada again,\n\
    cyd@example.org,Cyd,Engine\n\
    ,Nameless,\n";

const PATIENCE: Duration = Duration::from_mins(1);

async fn check(staged: &StagedImports, import: Uuid) {
    let in_hand = staged.check(import, None).await.unwrap();
    in_hand.unwrap().ended_within(PATIENCE).await;
}

async fn store(staged: &StagedImports, import: Uuid) {
    let in_hand = staged.store(import, &priya(), &Accepting::Nothing).await.unwrap();
    in_hand.unwrap().ended_within(PATIENCE).await;
}

#[tokio::test]
async fn checking_reports_faulty_rows_and_storing_imports_the_others() {
    World::run_with(Setup::default().workers(0), async |world| {
        let staged = staged(world);

        let import = upload(&staged, FILE).await;
        check(&staged, import).await;
        let checked = import_state(world, import).await;
        let problems_then = world.get(&format!("/v1/imports/{import}/problems.csv")).await.text;
        let users_then = world.rows("users").count().await;
        store(&staged, import).await;
        let done = import_state(world, import).await;

        assert_eq!((checked.state, users_then), (ImportState::Checked, 0));
        let totals = &checked.totals;
        assert_eq!((totals.rows, totals.rejected, totals.duplicates), (5, 3, 1));
        assert_eq!((totals.created, totals.updated, totals.unchanged), (2, 0, 0));
        let counts: Vec<(&str, Option<&str>, u32)> = checked
            .problem_counts
            .iter()
            .map(|one| (one.code.as_str(), one.field.as_deref(), one.count))
            .collect();
        assert_eq!(
            counts,
            [
                ("address_missing", Some("email"), 1),
                ("duplicate_of_row", Some("email"), 1),
                ("several_at_signs", Some("email"), 1)
            ]
        );
        assert_eq!(problems_then.lines().count(), 3, "{problems_then}");
        assert!(
            !problems_then.contains("Same as row"),
            "imported by itself it would overwrite row 2: {problems_then}"
        );
        assert_eq!(done.state, ImportState::Done);
        let totals = &done.totals;
        assert_eq!((totals.rows, totals.created, totals.rejected), (5, 2, 3));
        assert_eq!(done.done_by.as_deref(), Some("Priya"));
        let problems = world.get(&format!("/v1/imports/{import}/problems.csv")).await.text;
        assert_eq!(
            problems, problems_then,
            "the rows that are left out are those that were named"
        );
        assert_eq!(world.rows("import_parts").count().await, 0);
        let view = world.get(&format!("/v1/imports/{import}")).await.expect(200);
        assert_eq!(view["state"], "done", "{view}");
        assert_eq!(view["created"], 2, "{view}");
    })
    .await;
}

/// Four existing users, and a file in which every row has a different effect.
async fn people_and_a_file(world: &World) -> String {
    let now = "email,first_name,last_name,language,team,room\n\
        new-name@example.org,Ann,Lee,en,Engine,\n\
        new-field@example.org,Bea,,,,\n\
        same@example.org,Cyd,Ek,,Engine,4\n\
        fewer@example.org,Dan,Fox,de,,\n\
        absent@example.org,Eve,,,,\n";
    world.import(now).await.expect(201);
    "email,first_name,last_name,language,team,room\n\
        NEW-NAME@example.org,Anna,,fr,Engine,7\n\
        new-field@example.org,Bea,Bo,,Sales,\n\
        same@example.org,Cyd,,,Engine,\n\
        fewer@example.org,,,,,\n\
        created@example.org,Fay,,,,\n\
        Created@example.org,Faye,,,,\n\
        no address,,,,,\n"
        .to_owned()
}

#[tokio::test]
async fn a_check_forecasts_the_effect_of_storing_per_user() {
    World::run_with(Setup::default().workers(0), async |world| {
        let staged = staged(world);
        let file = people_and_a_file(world).await;
        let before = world.rows("users").ordered_by("id").texts().await;

        let dry = reqwest::Client::new()
            .post(format!("{}/v1/imports?dry_run=true", world.base()))
            .bearer_auth(world.key())
            .header("Content-Type", "text/csv")
            .body(file.clone())
            .send()
            .await
            .unwrap();
        let dry: Value = dry.json().await.unwrap();
        let import = upload(&staged, &file).await;
        check(&staged, import).await;
        let checked = world.get(&format!("/v1/imports/{import}")).await.expect(200);
        assert_eq!(world.rows("users").ordered_by("id").texts().await, before);
        store(&staged, import).await;
        let done = world.get(&format!("/v1/imports/{import}")).await.expect(200);

        let sums = ["rows", "created", "updated", "unchanged", "rejected", "duplicates"];
        for view in [&dry, &checked, &done] {
            assert_eq!(
                sums.map(|name| view[name].as_i64().unwrap()),
                [7, 1, 2, 2, 2, 1],
                "{view}"
            );
        }
        let changes: Vec<(i64, &str, &str, Option<&str>, &str)> = checked["changes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| {
                let text = |name: &str| one[name].as_str();
                let (email, field, to) = (text("email").unwrap(), text("field").unwrap(), text("to").unwrap());
                (one["row"].as_i64().unwrap(), email, field, text("from"), to)
            })
            .collect();
        let expected = [
            (2, "new-name@example.org", "first_name", Some("Ann"), "Anna"),
            (2, "new-name@example.org", "language", Some("en"), "fr"),
            (2, "new-name@example.org", "room", None, "7"),
            (3, "new-field@example.org", "last_name", Some(""), "Bo"),
            (3, "new-field@example.org", "team", None, "Sales"),
        ];
        assert_eq!(changes, expected);
        assert_eq!([&dry["changes"], &done["changes"]], [&checked["changes"]; 2]);
    })
    .await;
}

#[tokio::test]
async fn a_large_file_is_checked_and_stored_with_the_same_result() {
    World::run_with(Setup::default().workers(0), async |world| {
        let staged = staged(world);
        // Several parts, several groups, and users that appear again far below.
        let rows = (0..30_000).map(|n| match n % 1_000 {
            7 => format!("person{}@example.org,{n},again\n", n / 2 + 1),
            8 => format!("unknown{n},{n},faulty\n"),
            _ => format!("person{n}@example.org,{n},a text that makes the file longer than one part\n"),
        });
        let file: String = std::iter::once("email,number,remark\n".to_owned())
            .chain(rows)
            .collect();

        let import = upload(&staged, &file).await;
        let parts = world.rows("import_parts").count().await;
        check(&staged, import).await;
        let checked = import_state(world, import).await.totals;
        let rejects = async || -> (Vec<i32>, Vec<Value>) {
            let rejects = || world.rows("import_rejects").ordered_by("row_number");
            (rejects().column("row_number").await, rejects().column("problems").await)
        };
        let rejects_then = rejects().await;
        store(&staged, import).await;
        let done = import_state(world, import).await.totals;

        assert!(parts > 1, "{parts}");
        assert_eq!((checked.rows, done.rows), (30_000, 30_000));
        assert_eq!(checked.rejected, done.rejected);
        assert!(checked.rejected > 50, "{checked:?}");
        assert_eq!(done.created + done.rejected, 30_000, "{done:?}");
        assert_eq!(rejects().await, rejects_then);
    })
    .await;
}

#[tokio::test]
async fn an_unreadable_file_gets_a_reason_and_is_not_kept() {
    World::run_with(Setup::default().workers(0), async |world| {
        let staged = staged(world);

        let import = upload(&staged, "name,team\nAda,Engine\n").await;
        check(&staged, import).await;

        let now = import_state(world, import).await;
        assert_eq!(now.state, ImportState::Unreadable);
        let trouble = now.trouble.unwrap();
        assert_eq!(trouble.code, "email_column_missing");
        assert!(trouble.message.contains("‘name’ and ‘team’"), "{trouble:?}");
        assert_eq!(world.rows("import_parts").count().await, 0);
        assert!(
            staged
                .store(import, &priya(), &Accepting::Nothing)
                .await
                .unwrap()
                .is_none()
        );
        assert!(staged.check(import, None).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_file_without_a_good_row_is_not_stored() {
    World::run_with(Setup::default().workers(0), async |world| {
        let staged = staged(world);

        let import = upload(&staged, "email\nada\nbob\n").await;
        check(&staged, import).await;

        assert!(
            staged
                .store(import, &priya(), &Accepting::Nothing)
                .await
                .unwrap()
                .is_none()
        );
        assert_eq!(import_state(world, import).await.state, ImportState::Checked);
    })
    .await;
}

#[tokio::test]
async fn many_clicks_in_two_processes_store_once() {
    World::run_with(Setup::default().workers(0), async |world| {
        let (one, other) = (staged(world), staged(world));
        let import = upload(&one, FILE).await;
        check(&one, import).await;

        let clicks = (0..6).map(|n| if n % 2 == 0 { &one } else { &other });
        let priya = priya();
        let begun = join_all(clicks.map(|staged| staged.store(import, &priya, &Accepting::Nothing))).await;

        let begun: Vec<_> = begun.into_iter().filter_map(Result::unwrap).collect();
        assert_eq!(begun.len(), 1);
        for in_hand in begun {
            in_hand.ended_within(PATIENCE).await;
        }
        assert_eq!(import_state(world, import).await.state, ImportState::Done);
        assert_eq!(world.rows("users").count().await, 2);
    })
    .await;
}

#[tokio::test]
async fn work_is_begun_again_only_after_its_process_died() {
    World::run_with(Setup::default().workers(0), async |world| {
        let staged = staged(world);
        let import = upload(&staged, FILE).await;

        let dead = steps::begin_check(&world.db, import, None).await.unwrap().unwrap();
        assert!(
            staged.check(import, None).await.unwrap().is_none(),
            "it may still be at work"
        );
        world.let_import_fall_silent(import).await;
        assert!(import_state(world, import).await.is_interrupted);
        check(&staged, import).await;
        assert_eq!(import_state(world, import).await.state, ImportState::Checked);
        let reached = steps::ImportProgress {
            rows: 1,
            of_rows: 5,
            rows_per_second: None,
        };
        assert!(!steps::progress(&world.db, dead, reached).await.unwrap());

        let slow = steps::begin_store(&world.db, import, &Accepting::Nothing)
            .await
            .unwrap()
            .unwrap();
        assert!(
            staged
                .store(import, &priya(), &Accepting::Nothing)
                .await
                .unwrap()
                .is_none()
        );
        assert!(!staged.discard(import, &priya()).await.unwrap());
        world.let_import_fall_silent(import).await;
        store(&staged, import).await;
        assert_eq!(import_state(world, import).await.state, ImportState::Done);

        // The worker was slow, not dead, and reaches its last step.
        let mut transaction = shared::store::begin(&world.db).await.unwrap();
        let file = File {
            header: Vec::new(),
            separator: ',',
            format: "csv".to_owned(),
            sheet: None,
            header_row: 1,
            hidden_rows: 0,
            hidden_sheets: Vec::new(),
            custom_fields: Vec::new(),
            mapping: None,
        };
        let ended = file::finish(
            &mut transaction,
            import,
            slow.run,
            &file,
            &ImportCounts::default(),
            "slow",
        )
        .await;
        assert!(!ended.unwrap());
        drop(transaction);
    })
    .await;
}

#[tokio::test]
async fn a_form_sent_twice_is_one_import_unless_the_file_differs() {
    World::run_with(Setup::default().workers(0), async |world| {
        let staged = staged(world);
        let form = Uuid::new_v4();
        let send = async |file: &str, instead_of| {
            let received = crate::staging::received(form, file, instead_of).await;
            staged.upload(received).await.unwrap()
        };

        let (first, again) = tokio::join!(send(FILE, None), send(FILE, None));
        let other = send("email\nada@example.org\n", Some(first)).await;

        assert_eq!(first, again);
        assert_ne!(first, other);
        assert_eq!(import_state(world, first).await.state, ImportState::Discarded);
        assert_eq!(import_state(world, other).await.state, ImportState::Checking);
        assert_eq!(world.rows("import_parts").count().await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_file_discarded_while_it_is_checked_stays_discarded() {
    World::run_with(Setup::default().workers(0), async |world| {
        let staged = staged(world);
        let import = upload(&staged, FILE).await;
        // Both reach the rejected rows and wait there.
        let lock = world.block_table("import_rejects").await;

        let in_hand = staged.check(import, None).await.unwrap().unwrap();
        let priya = priya();
        let (discarded, ()) = tokio::join!(staged.discard(import, &priya), async {
            world.until_table_is_awaited("import_rejects", 2).await;
            lock.release().await;
        });
        in_hand.ended_within(PATIENCE).await;

        assert!(discarded.unwrap());
        assert_eq!(import_state(world, import).await.state, ImportState::Discarded);
        assert_eq!(world.rows("import_rejects").count().await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_file_that_is_not_stored_for_a_week_is_discarded() {
    World::run_with(Setup::default().workers(0), async |world| {
        let staged = staged(world);
        let (old, young) = (upload(&staged, FILE).await, upload(&staged, FILE).await);
        check(&staged, old).await;
        check(&staged, young).await;

        let old_import = || world.rows("imports").with("id", old);
        old_import().age(&["created_at"], Duration::from_hours(8 * 24)).await;
        old_import().set(json!({ "progress_at": "-infinity" })).await;

        world
            .eventually("the sweep", async || {
                (import_state(world, old).await.state == ImportState::Discarded).then_some(())
            })
            .await;
        assert_eq!(import_state(world, young).await.state, ImportState::Checked);
        assert_eq!(world.rows("import_parts").count().await, 1);
    })
    .await;
}
