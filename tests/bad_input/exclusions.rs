//! Invalid exclusions and do-not-mail lists.

use crate::api_request::a_world;
use harness::World;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

#[tokio::test]
async fn an_exclusion_that_names_nothing_or_something_unknown_sends_nothing() {
    World::run_in(a_world().await, async |world| {
        world.people(2).await;
        let unknown = Uuid::nil();
        for (exclude, code, sentence) in [
            (
                json!({}),
                "empty",
                "exclude names no filter and no list. Name one, or omit exclude.".to_owned(),
            ),
            (
                json!({ "saved_filters": [] }),
                "empty",
                "exclude.saved_filters is empty. Name at least one, or omit it.".to_owned(),
            ),
            (
                json!({ "saved_filters": [unknown] }),
                "unknown_filter",
                format!("There is no saved filter with the id {unknown}."),
            ),
            (
                json!({ "do_not_mail_lists": [unknown] }),
                "unknown_list",
                format!("There is no do-not-mail list with the id {unknown}."),
            ),
            (
                json!({ "do_not_mail_lists": vec![unknown; 201] }),
                "too_many",
                "exclude.do_not_mail_lists has 201 ids; the maximum is 200.".to_owned(),
            ),
        ] {
            let response = world
                .post("/v1/invites", json!({ "everyone": true, "exclude": exclude }))
                .await;
            assert_eq!(response.status, 422, "{exclude}: {}", response.text);
            let error = &response.body["errors"][0];
            assert_eq!((&error["code"], &error["message"]), (&json!(code), &json!(sentence)));
        }
        for exclude in [
            json!(null),
            json!({ "saved_filters": null }),
            json!({ "lists": [unknown] }),
        ] {
            let response = world
                .post("/v1/invites", json!({ "everyone": true, "exclude": exclude }))
                .await;
            assert!(matches!(response.status, 400 | 422), "{exclude}: {}", response.text);
        }
        let batches = world.get("/v1/batches").await.expect(200);
        assert_eq!(batches["items"], json!([]));
    })
    .await;
}

async fn create(world: &World, query: &str, body: &str, kind: &str) -> (u16, Value) {
    let path = format!("/v1/do-not-mail-lists{query}");
    let answer = world.send_file(&path, body.as_bytes().to_vec(), kind).await;
    (answer.status, answer.body)
}

#[tokio::test]
async fn a_list_with_a_faulty_address_is_refused_as_a_whole_with_its_rows() {
    World::run_in(a_world().await, async |world| {
        let csv = "email,note\nada@example.org,\nnobody,x\n,y\nbob@example.org,\n";

        let (status, refused) = create(world, "?name=Leavers", csv, "text/csv").await;
        let (added, list) = create(world, "?name=Leavers", "email\nada@example.org\n", "text/csv").await;
        let path = format!("/v1/do-not-mail-lists/{}/addresses", list["id"].as_str().unwrap());
        let more = world.send_file(&path, csv.as_bytes().to_vec(), "text/csv").await;
        let lists = world.get("/v1/do-not-mail-lists").await.expect(200);

        let plain = create(world, "?name=Plain", "ada@example.org\nnobody\n", "text/csv").await;
        let error = &plain.1["errors"][0];
        assert_eq!((plain.0, &error["row"]), (422, &json!(2)), "{error}");
        assert_eq!(error["message"], "Not a valid email address: it has no @ (‘nobody’)");
        for (status, response) in [(status, refused), (more.status, more.body)] {
            assert_eq!(
                (status, &response["type"]),
                (422, &json!("/problems/addresses_invalid")),
                "{response}"
            );
            let rows: Vec<&Value> = response["errors"]
                .as_array()
                .unwrap()
                .iter()
                .map(|error| &error["row"])
                .collect();
            assert_eq!(rows, [3, 4], "{response}");
        }
        assert_eq!((added, &lists["items"][0]["addresses"]), (201, &json!(1)), "{lists}");
    })
    .await;
}

#[tokio::test]
async fn a_list_without_a_name_or_a_readable_file_is_refused() {
    World::run_in(a_world().await, async |world| {
        let csv = "ada@example.org\n";
        let long = format!("?name={}", "x".repeat(101));
        for (query, body, kind, status, problem) in [
            ("", csv, "text/csv", 422, "invalid_request"),
            ("?name=", csv, "text/csv", 400, "parameter_empty"),
            ("?name=a%00b", csv, "text/csv", 400, "control_character"),
            (&*long, csv, "text/csv", 422, "invalid_request"),
            ("?name=A&always=maybe", csv, "text/csv", 400, "parameter_invalid"),
            ("?name=A", "", "text/csv", 422, "empty_file"),
            ("?name=A", "team\nblue\n", "text/csv", 422, "email_column_missing"),
            (
                "?name=A",
                "email,password\nada@example.org,x\n",
                "text/csv",
                422,
                "password_column",
            ),
            (
                "?name=A",
                "[\"ada@example.org\"]",
                "application/json",
                422,
                "addresses_invalid",
            ),
            ("?name=A", csv, "application/pdf", 415, "not_csv"),
        ] {
            let (response, body) = create(world, query, body, kind).await;
            assert_eq!(
                (response, body["type"].as_str()),
                (status, Some(&*format!("/problems/{problem}"))),
                "{query}: {body}"
            );
        }
        let unknown = Uuid::nil();
        for (method, path) in [
            (Method::PATCH, format!("/v1/do-not-mail-lists/{unknown}")),
            (Method::DELETE, format!("/v1/do-not-mail-lists/{unknown}")),
            (
                Method::DELETE,
                format!("/v1/do-not-mail-lists/{unknown}/addresses/ada@example.org"),
            ),
            (
                Method::DELETE,
                format!("/v1/do-not-mail-lists/{unknown}/addresses/nobody"),
            ),
            (Method::DELETE, "/v1/do-not-mail-lists/x".to_owned()),
        ] {
            let body = (method == Method::PATCH).then(|| json!({ "always": true }));
            let response = world.ask(method, &path, body, None).await;
            assert_eq!(response.status, 404, "{path}: {}", response.text);
        }
        let lists = world.get("/v1/do-not-mail-lists").await.expect(200);
        assert_eq!(lists["items"], json!([]));
    })
    .await;
}
