//! An import applies the caller's column mapping, and its choices for empty cells and for existing users.

use crate::json;
use crate::staging::{import_state, priya, staged, upload};
use api::app::imports::staged::{Chosen, StagedImports};
use harness::{Setup, World};
use import::Mapping;
use serde_json::Value;
use shared::store::imports::undo::UndoResult;
use shared::store::imports::{Accepting, ImportMode, ImportState, UndoneCounts};
use std::time::Duration;
use uuid::Uuid;

async fn user(world: &World, email: &str) -> Value {
    let found = world.get(&format!("/v1/users?q={email}")).await.expect(200);
    found["items"][0].clone()
}

fn counts(import: &Value) -> [i64; 6] {
    ["rows", "created", "updated", "unchanged", "ignored", "rejected"].map(|name| import[name].as_i64().unwrap())
}

async fn check(staged: &StagedImports, import: Uuid) {
    let in_hand = staged.check(import, None).await.unwrap();
    in_hand.unwrap().ended_within(Duration::from_mins(1)).await;
}

#[tokio::test]
async fn columns_are_mapped_as_requested_and_the_response_has_the_mapping() {
    World::run_with(Setup::default().workers(0), async |world| {
        let file = "Kontakt privat,Wer,Abt.,Notes\nana@example.org,\"Ruiz, Ana\",Sales,secret\n";
        let mapping = json!({ "Kontakt privat": "E-Mail", "Wer": "Full name", "Abt.": "department", "Notes": null });

        let first = world
            .import_as(&[("mapping", &mapping.to_string())], file)
            .await
            .expect(201);
        let sent_back = first["mapping"].to_string();
        let again = world.import_as(&[("mapping", &sent_back)], file).await.expect(201);
        let without = world.import_as(&[], file).await;

        let ana = user(world, "ana@example.org").await;
        assert_eq!((&ana["first_name"], &ana["last_name"]), (&json!("Ana"), &json!("Ruiz")));
        assert_eq!(ana["fields"], json!({ "department": "Sales" }));
        assert_eq!(
            first["mapping"],
            json!({ "Kontakt privat": "email", "Wer": "full_name", "Abt.": "department", "Notes": null })
        );
        assert_eq!(first["columns"][3]["note"], "Not imported, as chosen");
        assert_eq!(counts(&first), [1, 1, 0, 0, 0, 0]);
        assert_eq!(counts(&again), [1, 0, 0, 1, 0, 0]);
        assert_eq!(
            without.status, 422,
            "a request never depends on what was chosen for another one"
        );
        let shown = world
            .get(&format!("/v1/imports/{}", first["id"].as_str().unwrap()))
            .await
            .expect(200);
        assert_eq!(shown["mapping"], first["mapping"]);
    })
    .await;
}

#[tokio::test]
async fn the_header_can_be_any_of_the_first_rows() {
    World::run_with(Setup::default().workers(0), async |world| {
        let file = "Questions,hr@example.org\nKontakt,Wer\nana@example.org,\"Ruiz, Ana\"\n";
        let mapping = json!({ "Kontakt": "email", "Wer": "full_name" }).to_string();

        let by_mapping = world.import_as(&[("mapping", &mapping)], file).await.expect(201);
        let by_row = world
            .import_as(&[("mapping", &mapping), ("header_row", "2")], file)
            .await
            .expect(201);
        let wrong = world.import_as(&[("header_row", "9")], file).await.expect(422);
        let none = world.import_as(&[("header_row", "two")], file).await;

        assert_eq!(counts(&by_mapping), [1, 1, 0, 0, 0, 0]);
        assert_eq!(counts(&by_row), [1, 0, 0, 1, 0, 0]);
        assert_eq!(by_row["header_row"], 2);
        assert_eq!(wrong["errors"][0]["code"], "no_such_header_row", "{wrong}");
        assert_eq!(none.status, 400, "{}", none.text);
    })
    .await;
}

#[tokio::test]
async fn a_mode_ignores_other_rows_and_counts_them() {
    World::run_with(Setup::default().workers(0), async |world| {
        world
            .import("email,first_name\nold@example.org,Old\n")
            .await
            .expect(201);
        let file = "email,first_name\nold@example.org,Other\nnew@example.org,New\nold@example.org,Again\nunknown\n";
        let import = async |mode: &str, dry_run: &str| {
            let answer = world.import_as(&[("mode", mode), ("dry_run", dry_run)], file).await;
            answer.expect(if dry_run == "true" { 200 } else { 201 })
        };

        let would_create = import("create_only", "true").await;
        let would_update = import("update_only", "true").await;
        let created = import("create_only", "false").await;
        let old = user(world, "old@example.org").await;
        let updated = import("update_only", "false").await;

        assert_eq!(counts(&would_create), [4, 1, 0, 0, 1, 2]);
        assert_eq!(
            (&created["duplicates"], &created["mode"]),
            (&json!(1), &json!("create_only"))
        );
        assert_eq!(counts(&would_create), counts(&created));
        assert_eq!(counts(&would_update), [4, 0, 1, 0, 1, 2]);
        assert_eq!(old["first_name"], "Old");
        // By now both are users.
        assert_eq!(counts(&updated), [4, 0, 1, 1, 0, 2]);
        let linked = world
            .get(&format!("/v1/users?import={}", created["id"].as_str().unwrap()))
            .await
            .expect(200);
        let linked: Vec<&str> = linked["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|user| user["email"].as_str())
            .collect();
        assert_eq!(linked, ["new@example.org"], "who is ignored is not in the import");
    })
    .await;
}

#[tokio::test]
async fn an_empty_cell_clears_if_requested_and_undoing_restores_the_value() {
    World::run_with(Setup::default().workers(0), async |world| {
        let staged = staged(world);
        world
            .import("email,first_name,last_name,room,team\nana@example.org,Ana,Ruiz,12,Blue\n")
            .await
            .expect(201);
        let file = "email,first_name,room,team\nana@example.org,,,Red\nbo@example.org,,,\n";

        let kept = world.import_as(&[("dry_run", "true")], file).await.expect(200);
        let cleared = world.import_as(&[("empty", "clear")], file).await.expect(201);
        let ana = user(world, "ana@example.org").await;
        let again = world.import_as(&[("empty", "clear")], file).await.expect(201);
        let import: Uuid = cleared["id"].as_str().unwrap().parse().unwrap();
        // Only users unchanged since are restored; repeating the same import changed nothing.
        let undone = staged.undo(import, &priya()).await.unwrap();
        let back = user(world, "ana@example.org").await;

        assert_eq!(kept["changes"].as_array().map(Vec::len), Some(1), "{kept}");
        assert_eq!(
            (&ana["first_name"], &ana["last_name"], &ana["fields"]),
            (&json!(""), &json!("Ruiz"), &json!({ "team": "Red" }))
        );
        let changes: Vec<(&Value, &Value, &Value)> = cleared["changes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|change| (&change["field"], &change["from"], &change["to"]))
            .collect();
        assert!(
            changes.contains(&(&json!("room"), &json!("12"), &json!(""))),
            "{changes:?}"
        );
        assert!(
            changes.contains(&(&json!("first_name"), &json!("Ana"), &json!(""))),
            "{changes:?}"
        );
        assert_eq!(counts(&cleared), [2, 1, 1, 0, 0, 0]);
        assert_eq!(counts(&again), [2, 0, 0, 2, 0, 0]);
        let expected = UndoneCounts {
            removed: 0,
            restored: 1,
            kept: 0,
        };
        assert_eq!(undone, UndoResult::Done(expected));
        assert_eq!(
            (&back["first_name"], &back["fields"]),
            (&json!("Ana"), &json!({ "room": "12", "team": "Blue" }))
        );
    })
    .await;
}

#[tokio::test]
async fn a_mapping_chosen_in_the_console_is_used_for_the_next_file_with_the_same_columns() {
    World::run_with(Setup::default().workers(0), async |world| {
        let staged = staged(world);
        let first = upload(&staged, "Kontakt,Team\nana@example.org,Blue\n").await;
        check(&staged, first).await;
        let waiting = import_state(world, first).await;
        let preview = staged.preview(&waiting, None).await.unwrap();
        let mapping = Mapping::new([
            ("Kontakt".to_owned(), Some("email".to_owned())),
            ("Team".to_owned(), None),
        ])
        .unwrap();

        let chosen = Chosen {
            mapping,
            header: preview.header.clone(),
            mode: ImportMode::UpdateOnly,
            clears_empty: true,
        };
        assert!(staged.choose(first, chosen.clone(), &priya()).await.unwrap());
        check(&staged, first).await;
        let checked = import_state(world, first).await;
        let next = upload(&staged, "Team,Kontakt\nRed,bo@example.org\n").await;
        check(&staged, next).await;
        let next = import_state(world, next).await;

        assert_eq!((waiting.state, waiting.is_interrupted), (ImportState::Checking, true));
        assert_eq!(waiting.trouble.map(|trouble| trouble.is_about_columns), Some(true));
        assert_eq!((checked.state, checked.totals.ignored), (ImportState::Checked, 1));
        assert!(
            (checked.mode, checked.clears_empty) == (ImportMode::UpdateOnly, true) && !checked.mapping_is_remembered
        );
        assert_eq!((next.state, next.totals.created), (ImportState::Checked, 1));
        assert!(next.mapping_is_remembered && next.mapping == checked.mapping);
        let in_hand = staged.store(next.id, &priya(), &Accepting::Nothing).await.unwrap();
        in_hand.unwrap().ended_within(Duration::from_mins(1)).await;
        assert!(!staged.choose(next.id, chosen, &priya()).await.unwrap(), "it is stored");
        assert_eq!(user(world, "bo@example.org").await["fields"], json!({}));
    })
    .await;
}
