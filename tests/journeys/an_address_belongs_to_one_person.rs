//! Rows that identify a user only by address are found for that user and for no other.

use crate::json;
use harness::{Setup, World};
use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

/// Texts that contain the address.
const FOUND: &[(&str, &str)] = &[
    ("nora@x.example", "nora@x.example"),
    ("Nora@X.Example", "nora@x.example"),
    ("<nora@x.example>", "nora@x.example"),
    ("Nora <nora@x.example>, El", "nora@x.example"),
    ("'nora@x.example'", "nora@x.example"),
    ("\"nora@x.example\"", "nora@x.example"),
    ("`nora@x.example`", "nora@x.example"),
    ("(nora@x.example)", "nora@x.example"),
    ("[nora@x.example]", "nora@x.example"),
    ("{nora@x.example}", "nora@x.example"),
    ("mailto:nora@x.example?subject=a", "nora@x.example"),
    ("https://x.example/?to=nora@x.example&b=1", "nora@x.example"),
    ("&lt;nora@x.example&gt;", "nora@x.example"),
    ("Write to nora@x.example.", "nora@x.example"),
    ("nora@x.example...", "nora@x.example"),
    ("nora@x.example!", "nora@x.example"),
    ("nora@x.example-", "nora@x.example"),
    ("!nora@x.example", "nora@x.example"),
    ("...nora@x.example", "nora@x.example"),
    ("a;nora@x.example;b", "nora@x.example"),
    ("a,nora@x.example,b", "nora@x.example"),
    ("a\tnora@x.example\tb", "nora@x.example"),
    ("a|nora@x.example|b", "nora@x.example"),
    ("a/nora@x.example/b", "nora@x.example"),
    ("a\nnora@x.example\nb", "nora@x.example"),
    (r#"{"value": "a\tnora@x.example\tb"}"#, "nora@x.example"),
    (r#"{"value": "a\nnora@x.example\nb"}"#, "nora@x.example"),
    (r#"{"value": "\u001fnora@x.example\u001f"}"#, "nora@x.example"),
    (r#"{"value": "\"nora@x.example\""}"#, "nora@x.example"),
    ("o'brien@x.example", "o'brien@x.example"),
    ("'o'brien@x.example'", "o'brien@x.example"),
    ("O'Brien|O'Brien@x.example|", "o'brien@x.example"),
    ("it's 'brien@x.example'", "brien@x.example"),
    ("a+b{c}|d*e?f^g$h(i)@x.example", "a+b{c}|d*e?f^g$h(i)@x.example"),
    ("elnora@x.example nora@x.example", "nora@x.example"),
];

/// Texts in which it is only part of another address.
const NOT_FOUND: &[(&str, &str)] = &[
    ("elnora@x.example", "nora@x.example"),
    ("1nora@x.example", "nora@x.example"),
    ("björnora@x.example", "nora@x.example"),
    ("el.nora@x.example", "nora@x.example"),
    ("el_nora@x.example", "nora@x.example"),
    ("el-nora@x.example", "nora@x.example"),
    ("el--nora@x.example", "nora@x.example"),
    ("el+nora@x.example", "nora@x.example"),
    ("el&nora@x.example", "nora@x.example"),
    ("o'brien@x.example", "brien@x.example"),
    ("'o'brien@x.example'", "brien@x.example"),
    ("nora@x.example.org", "nora@x.example"),
    ("nora@x.examples", "nora@x.example"),
    ("nora@x.example-old.org", "nora@x.example"),
    ("nora@xyexample", "nora@x.example"),
    ("nora", "nora@x.example"),
    ("", "nora@x.example"),
];

#[tokio::test]
async fn an_address_is_found_beside_every_separator_and_never_inside_another() {
    World::run_with(Setup::default().workers(0), async |world| {
        let mut wrong = Vec::new();
        for (cases, expected) in [(FOUND, true), (NOT_FOUND, false)] {
            for (text, address) in cases {
                let found: bool = sqlx::query_scalar("select names_address($1, array['other@x.example', $2])")
                    .bind(text)
                    .bind(address)
                    .fetch_one(&world.db)
                    .await
                    .unwrap();
                if found != expected {
                    wrong.push(format!("{address} in {text}: {found}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    })
    .await;
}

/// Imports each address twice, so that the second row is rejected, under an idempotency key.
async fn import_twice(world: &World, addresses: &[&str]) -> Vec<Uuid> {
    let rows: String = addresses.iter().flat_map(|one| [one, "\n", one, "\n"]).collect();
    let answer = reqwest::Client::new()
        .post(format!("{}/v1/imports?file_name=people.csv", world.base()))
        .bearer_auth(world.key())
        .header("Content-Type", "text/csv")
        .header("Idempotency-Key", "once")
        .body(format!("email\n{rows}"))
        .send()
        .await
        .unwrap();
    let import: Value = answer.json().await.unwrap();
    assert_eq!(import["rejected"], addresses.len(), "{import}");
    let mut ids = Vec::new();
    for address in addresses {
        ids.push(world.user_id(address).await);
    }
    ids
}

async fn export(world: &World, id: Uuid) -> Value {
    world.get(&format!("/v1/users/{id}/export")).await.expect(200)
}

async fn erase(world: &World, id: Uuid) {
    let answer = world.ask(Method::DELETE, &format!("/v1/users/{id}"), None, None).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
}

/// The stored cells of the rejected rows.
async fn rejected(world: &World) -> Vec<String> {
    let rows = world.rows("import_rejects").ordered_by("row_number");
    let cells: Vec<Vec<String>> = rows.column("cells").await;
    cells.into_iter().map(|mut row| row.remove(0)).collect()
}

#[tokio::test]
async fn a_user_whose_address_ends_like_another_is_exported_and_erased_alone() {
    World::run_with(Setup::default().workers(0), async |world| {
        let addresses = ["o'brien@lerna.example", "brien@lerna.example", "pat@lerna.example"];
        let ids = import_twice(world, &addresses).await;

        for (id, own) in ids.iter().zip(addresses) {
            let exported = export(world, *id).await;
            for part in ["rejected_rows", "answers"] {
                let text = exported[part].to_string();
                assert_eq!(exported[part].as_array().unwrap().len(), 1, "{part} of {own}: {text}");
                assert!(text.contains(&format!("\"{own}\"")), "{part} of {own}: {text}");
                for other in addresses.iter().filter(|other| **other != own) {
                    assert!(!text.contains(&format!("\"{other}\"")), "{part} of {own}: {text}");
                }
            }
        }
        erase(world, ids[1]).await;
        assert_eq!(rejected(world).await, [addresses[0], addresses[2]]);
        erase(world, ids[0]).await;
        assert_eq!(rejected(world).await, [addresses[2]]);
    })
    .await;
}

#[tokio::test]
async fn rows_with_a_former_address_are_found_unless_another_user_has_it_now() {
    World::run_with(Setup::default().workers(0), async |world| {
        let addresses = ["kim@lerna.example", "lee@lerna.example"];
        let ids = import_twice(world, &addresses).await;
        for (id, new) in ids.iter().zip(["kim.new@lerna.example", "lee.new@lerna.example"]) {
            let change = Some(json!({ "email": new }));
            let changed = world.ask(Method::PATCH, &format!("/v1/users/{id}"), change, None).await;
            changed.expect(200);
        }
        let successor = world.person(addresses[1]).await;

        let [kim, lee] = [export(world, ids[0]).await, export(world, ids[1]).await];
        assert_eq!(kim["former_addresses"][0]["email"], addresses[0], "{kim:#}");
        assert_eq!(kim["rejected_rows"].as_array().unwrap().len(), 1, "{kim:#}");
        assert_eq!(kim["answers"].as_array().unwrap().len(), 1, "{kim:#}");
        assert_eq!(lee["former_addresses"][0]["email"], addresses[1], "{lee:#}");
        assert_eq!(lee["rejected_rows"], json!([]), "the address is another's now");
        for id in ids {
            erase(world, id).await;
        }
        assert_eq!(rejected(world).await, [addresses[1]]);
        erase(world, successor).await;
        assert!(rejected(world).await.is_empty());
        let former = world.rows("former_addresses").count().await;
        assert_eq!(former, 0);
    })
    .await;
}
