//! Invalid column mappings.

use harness::World;
use reqwest::Method;

use crate::api_request::{a_world, ask};
use url::form_urlencoded::byte_serialize;

/// Mappings with the error code and the beginning of its sentence.
const WRONG: &[(&str, &str, &str)] = &[
    (
        "[]",
        "mapping_invalid",
        "mapping is not a JSON object of column names and fields",
    ),
    (
        "{\"Team\": 7}",
        "mapping_invalid",
        "mapping is not a JSON object of column names and fields",
    ),
    (
        "{\"Team\": \"password\"}",
        "reserved_field",
        "‘password’ is about passwords, which Beckon never imports – leave it out",
    ),
    (
        "{\"Team\": \"organisation\"}",
        "reserved_field",
        "Beckon fills ‘organisation’ by itself – rename it or leave it out",
    ),
    (
        "{\"Team\": \"2sv\"}",
        "field_name_invalid",
        "‘2sv’ cannot be a field – a name must start with a letter and have 64 letters or digits at most",
    ),
    (
        "{\"Tean\": \"team\"}",
        "mapping_unknown_column",
        "Your file has no column called ‘Tean’. It has ‘email’ and ‘Team’",
    ),
    (
        "{\"Team\": \"email\", \"email\": \"email\"}",
        "two_email_columns",
        "We found more than one column called ‘email address’ (columns A and B) – delete or rename one",
    ),
    (
        "{\"email\": null}",
        "email_column_missing",
        "Your file needs a column called ‘email address’. Right now it has columns called ‘email’ and ‘Team’",
    ),
];

#[tokio::test]
async fn an_unusable_mapping_is_rejected_by_column() {
    World::run_in(a_world().await, async |world| {
        for (mapping, code, sentence) in WRONG {
            let encoded: String = byte_serialize(mapping.as_bytes()).collect();
            let path = format!("/v1/imports?file_name=x.csv&mapping={encoded}");
            let asked = ask(world, Method::POST, &path);
            let response = asked
                .header("Content-Type", "text/csv")
                .body("email,Team\nada@example.org,Blue\n")
                .answer()
                .await;

            assert_eq!(response.status, 422, "{mapping}: {}", response.body);
            let error = &response.body["errors"][0];
            assert_eq!(error["code"], *code, "{mapping}: {}", response.body);
            let message = error["message"].as_str().unwrap();
            assert!(message.starts_with(sentence), "{mapping}: {message}");
        }
        assert_eq!(
            (world.rows("imports").count().await, world.rows("users").count().await),
            (0, 0)
        );
    })
    .await;
}

#[tokio::test]
async fn options_of_tables_are_refused_for_json_and_unknown_values_are_named() {
    World::run_in(a_world().await, async |world| {
        for (query, content_type, expected) in [
            (
                "mapping=%7B%22a%22%3Anull%7D",
                "application/json",
                "A JSON array has no columns.",
            ),
            ("mode=replace", "text/csv", "mode"),
            ("empty=delete", "text/csv", "empty"),
        ] {
            let asked = ask(world, Method::POST, &format!("/v1/imports?{query}"));
            let answer = asked
                .header("Content-Type", content_type)
                .body("[{\"email\": \"ada@example.org\"}]")
                .answer()
                .await;

            assert!((400..=422).contains(&answer.status), "{query}: {}", answer.body);
            assert!(answer.body.to_string().contains(expected), "{query}: {}", answer.body);
        }
        assert_eq!(world.rows("users").count().await, 0);
    })
    .await;
}
