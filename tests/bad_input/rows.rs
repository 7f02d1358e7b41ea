//! Rejected rows: each is reported with its row, its column and what to do.

use harness::World;
use reqwest::Method;

use crate::api_request::{a_world, ask, upload};
use crate::json;

const FILE: &str = "E-Mail,First name,Last name,Language,Team\n\
        ada@example.org,Ada,Lovelace,en,Blue\n\
        ,Nameless,,,\n\
        ada @example.org,,,,\n\
        a@b,,,,\n\
        b@example.org,\"B\nX\",,,\n\
        c@example.org,evil.com,,,\n\
        d@example.org,,#REF!,,\n\
        e@example.org,,,english please,\n\
        f@example.org,,,,\"x\ry\"\n\
        g@example.org,,,,,,more\n\
        \n\
        ADA@EXAMPLE.ORG,Again,,,\n\
        h@example.org,\"H \"x\" y\",,,\n";

/// Row, column, code, sentence.
const PROBLEMS: [(u64, &str, &str, &str); 11] = [
    (3, "E-Mail", "address_missing", "Missing"),
    (
        4,
        "E-Mail",
        "space_in_address",
        "Not a valid email address: it contains a space – did you mean ada@example.org?",
    ),
    (
        5,
        "E-Mail",
        "domain_not_public",
        "Not a valid email address: the part after @ has no dot",
    ),
    (
        6,
        "First name",
        "control_character",
        "Has a line break – write it in one line",
    ),
    (
        7,
        "First name",
        "looks_like_a_link",
        "Looks like a web address – a name must not have one",
    ),
    (
        8,
        "Last name",
        "spreadsheet_error",
        "The spreadsheet shows an error in this cell – correct the formula",
    ),
    (
        9,
        "Language",
        "language_invalid",
        "Not a language code – write for example en, de or pt-BR",
    ),
    (
        10,
        "Team",
        "control_character",
        "Has a line break – write it in one line",
    ),
    (
        11,
        "",
        "too_many_cells",
        "This row has 7 cells and the header has 5 – a cell with a separator in it needs quotation marks around it",
    ),
    (13, "E-Mail", "duplicate_of_row", "Same as row 2"),
    (
        14,
        "First name",
        "stray_quote",
        "A quotation mark is in the wrong place in column B – write \"\" for one that belongs to the text",
    ),
];

#[tokio::test]
async fn every_faulty_row_is_reported_with_its_position_and_the_others_are_imported() {
    World::run_in(a_world().await, async |world| {
        let response = upload(world, FILE).answer().await;

        assert_eq!(response.status, 201, "{}", response.text);
        assert_eq!(response.problems(), PROBLEMS);
        let sums = ["rows", "created", "rejected", "blank"].map(|name| response.body[name].as_i64().unwrap());
        assert_eq!(sums, [12, 1, 11, 1], "{}", response.text);
        let file = ask(world, Method::GET, response.body["problems_url"].as_str().unwrap())
            .answer()
            .await;
        assert_eq!(
            (file.status, file.header("content-type")),
            (200, "text/csv; charset=utf-8")
        );
        assert!(
            file.header("content-disposition")
                .starts_with("attachment; filename=\"import-"),
            "{:?}",
            file.headers
        );
    })
    .await;
}

#[tokio::test]
async fn rejected_rows_are_returned_as_a_file_to_correct_and_import() {
    World::run_in(a_world().await, async |world| {
        let response = upload(world, "email;note\na@b;=cmd()\nc@d;\"x;y\"\n").answer().await;

        let file = ask(world, Method::GET, response.body["problems_url"].as_str().unwrap())
            .answer()
            .await;
        let corrected = file.text.replace("a@b", "a@b.co").replace("c@d", "c@d.co");
        let again = upload(world, corrected.clone()).answer().await;

        assert_eq!(again.status, 201, "{}", again.text);
        assert_eq!(
            (&again.body["created"], &again.body["rejected"]),
            (&json!(2), &json!(0)),
            "{corrected}\n{}",
            again.text
        );
        assert!(!file.text.lines().any(|line| line.contains(";=cmd")), "{}", file.text);
        let users = world.get("/v1/users?q=a@b.co").await.expect(200);
        assert_eq!(users["items"][0]["fields"]["note"], "=cmd()", "{users}");
    })
    .await;
}

#[tokio::test]
async fn users_in_json_are_validated_one_by_one() {
    World::run_in(a_world().await, async |world| {
        let users = json!([
            { "email": "ada@example.org", "first_name": "Ada", "fields": { "team": "Blue", "year": 2026, "vip": true } },
            { "mail": "bob@example.org" },
            { "email": "c@example.org", "frist_name": "C" },
            { "email": 7 },
            "d@example.org",
            null,
            { "email": "e@example.org", "fields": { "password": "x" } },
            { "email": "f@example.org", "fields": { "team": ["x"] } },
            { "email": "g@example.org", "fields": "x" },
            { "email": "ADA@example.org" },
        ]);

        let response = ask(world, Method::POST, "/v1/imports")
            .json(users.to_string())
            .answer()
            .await;

        assert_eq!(response.status, 201, "{}", response.text);
        let found: Vec<(u64, &str, &str)> = response
            .problems()
            .iter()
            .map(|(row, field, code, _)| (*row, *field, *code))
            .collect();
        let expected = [
            (2, "email", "address_missing"),
            (2, "mail", "unknown_field"),
            (3, "frist_name", "unknown_field"),
            (4, "email", "wrong_type"),
            (5, "", "wrong_type"),
            (6, "", "wrong_type"),
            (7, "password", "reserved_field"),
            (8, "team", "wrong_type"),
            (9, "fields", "wrong_type"),
            (10, "email", "duplicate_of_row"),
        ];
        assert_eq!(found, expected, "{}", response.text);
        assert_eq!(
            (&response.body["created"], &response.body["rejected"]),
            (&json!(1), &json!(9))
        );
    })
    .await;
}

#[tokio::test]
async fn of_many_problems_a_hundred_are_listed_and_all_are_in_the_file() {
    World::run_in(a_world().await, async |world| {
        let rows: Vec<String> = (0..3_000).map(|n| format!("not an address {n}\n")).collect();
        let rows = rows.concat();

        let response = upload(world, format!("email\n{rows}")).answer().await;

        assert_eq!(
            (response.status, response.problems().len()),
            (201, 100),
            "{}",
            response.text.len()
        );
        let file = ask(world, Method::GET, response.body["problems_url"].as_str().unwrap())
            .answer()
            .await;
        assert_eq!(file.text.lines().count(), 3_001);
        let shown = ask(
            world,
            Method::GET,
            &format!("/v1/imports/{}", response.body["id"].as_str().unwrap()),
        )
        .answer()
        .await;
        assert_eq!(shown.body, response.body);
        assert_eq!(world.rows("users").count().await, 0);
    })
    .await;
}

#[tokio::test]
async fn values_that_look_like_markup_or_formulas_stay_text() {
    World::run_in(a_world().await, async |world| {
        let users = json!([{
            "email": "eve@example.org",
            "first_name": "<b>{{ password }}</b>",
            "last_name": "O'Brien\"; --",
            "fields": { "note": "=HYPERLINK(\"x\")", "sql": "'); drop table users; --" },
        }]);

        let response = ask(world, Method::POST, "/v1/imports")
            .json(users.to_string())
            .answer()
            .await;

        assert_eq!(
            (response.status, &response.body["created"]),
            (201, &json!(1)),
            "{}",
            response.text
        );
        let eve = world.get("/v1/users?q=eve@").await.expect(200)["items"][0].clone();
        assert_eq!(eve["first_name"], users[0]["first_name"], "{eve}");
        assert_eq!(eve["last_name"], users[0]["last_name"], "{eve}");
        assert_eq!(eve["fields"], users[0]["fields"], "{eve}");
    })
    .await;
}
