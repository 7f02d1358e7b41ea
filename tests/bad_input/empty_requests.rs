//! Requests without content: empty and blank texts, nulls, empty lists and empty parameters.
//!
//! A script sends them when a variable is empty. None may select a user, start work or change anything.

use std::time::Duration;

use harness::World;
use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api_request::{ApiResponse, a_world, as_stranger, ask, post};

/// Everything that an empty request could have changed, as one text.
async fn state_of(world: &World) -> String {
    let question = "select jsonb_build_object(
        'users', (select jsonb_agg(u order by id) from users u),
        'imports', (select count(*) from imports),
        'batches', (select jsonb_agg(jsonb_build_array(id, state) order by id) from batches),
        'deliveries', (select jsonb_agg(jsonb_build_array(id, state) order by id) from deliveries),
        'credentials', (select count(*) from credentials),
        'blocked', (select count(*) from blocked_addresses),
        'chosen', (select count(*) from selections where matching > 0 or picked <> '{}' or chosen is not null),
        'keys', (select count(*) from idempotency_keys))::text";
    sqlx::query_scalar(question).fetch_one(&world.db).await.unwrap()
}

/// Three users, one of them with an unused mailed password and a blocked address, and a stopped batch.
async fn a_world_to_lose() -> (World, Uuid, Uuid) {
    let world = a_world().await;
    let import = world.people(3).await;
    let batch = world
        .reset_passwords(json!({ "import": import, "hold_seconds": 600 }))
        .await;
    world
        .post(&format!("/v1/batches/{batch}/stop"), json!({}))
        .await
        .expect(200);
    let user = world.user_id("person1@example.org").await;
    world.store_verifier(user, "none", Some(Duration::from_hours(24))).await;
    world.rows("credentials").set(json!({ "batch_id": batch })).await;
    world.block_address(user).await;
    (world, import, batch)
}

/// Bodies that select no user.
fn selectors() -> Vec<Value> {
    vec![
        json!({}),
        json!({ "users": null }),
        json!({ "users": [] }),
        json!({ "users": [""] }),
        json!({ "users": [null] }),
        json!({ "users": "" }),
        json!({ "emails": null }),
        json!({ "emails": [] }),
        json!({ "emails": [""] }),
        json!({ "emails": [" "] }),
        json!({ "emails": [null] }),
        json!({ "import": null }),
        json!({ "import": "" }),
        json!({ "import": " " }),
        json!({ "filter": null }),
        json!({ "filter": {} }),
        json!({ "filter": [] }),
        json!({ "filter": "" }),
        json!({ "filter": { "q": "" } }),
        json!({ "filter": { "q": " \u{a0}\u{2003}" } }),
        json!({ "filter": { "q": null } }),
        json!({ "filter": { "import": "" } }),
        json!({ "filter": { "import": null } }),
        json!({ "filter": { "effect": "" } }),
        json!({ "filter": { "effect": null } }),
        json!({ "filter": { "invited": "" } }),
        json!({ "filter": { "invited": null } }),
        json!({ "filter": { "signed_in": null } }),
        json!({ "filter": { "access": "" } }),
        json!({ "filter": { "access": null } }),
        json!({ "filter": { "last_email_failed": null } }),
        json!({ "filter": { "blocked": "" } }),
        json!({ "filter": { "locked": null } }),
        json!({ "filter": { "q": "", "signed_in": false } }),
        json!({ "everyone": null }),
        json!({ "everyone": false }),
        json!({ "everyone": "" }),
        json!({ "everyone": [] }),
        json!({ "users": [], "emails": [] }),
        json!({ "users": [], "everyone": true }),
        json!({ "filter": {}, "everyone": true }),
        json!({ "everyone": true, "start_at": null }),
        json!({ "everyone": true, "start_at": "" }),
        json!({ "everyone": true, "hold_seconds": null }),
        json!({ "everyone": true, "hold_seconds": "" }),
        json!({ "everyone": true, "include_signed_in": null }),
        json!({ "everyone": true, "include_recent": "" }),
    ]
}

fn assert_refused(response: &ApiResponse, what: &str) {
    assert!(
        matches!(response.status, 400 | 404 | 405 | 422),
        "{what}: {} {}",
        response.status,
        response.text
    );
    if response.header("content-type") == "application/problem+json" {
        let detail = response.body["detail"].as_str().unwrap_or_default();
        assert!(!detail.is_empty(), "{what}: {}", response.text);
    }
}

/// Requests that name their targets in other ways.
fn choices_of(batch: Uuid) -> Vec<(String, Value)> {
    vec![
        ("/v1/credentials/revoke".to_owned(), json!({})),
        ("/v1/credentials/revoke".to_owned(), json!({ "batch": null })),
        ("/v1/credentials/revoke".to_owned(), json!({ "batch": "" })),
        ("/v1/credentials/revoke".to_owned(), json!({ "users": null })),
        ("/v1/credentials/revoke".to_owned(), json!({ "users": [] })),
        ("/v1/credentials/revoke".to_owned(), json!({ "users": [""] })),
        (
            "/v1/credentials/revoke".to_owned(),
            json!({ "batch": batch, "users": [] }),
        ),
        (
            "/v1/credentials/revoke".to_owned(),
            json!({ "batch": batch, "users": null }),
        ),
        (
            "/v1/credentials/revoke".to_owned(),
            json!({ "batch": batch, "include_used": null }),
        ),
        (format!("/v1/batches/{batch}/send-again"), json!({})),
        (format!("/v1/batches/{batch}/send-again"), json!({ "outcomes": null })),
        (format!("/v1/batches/{batch}/send-again"), json!({ "outcomes": [] })),
        (format!("/v1/batches/{batch}/send-again"), json!({ "outcomes": [""] })),
        (format!("/v1/batches/{batch}/send-again"), json!({ "outcomes": "" })),
        ("/v1/system-emails/invite/test".to_owned(), json!({})),
        ("/v1/system-emails/invite/test".to_owned(), json!({ "to": "" })),
        ("/v1/system-emails/invite/test".to_owned(), json!({ "to": " " })),
        ("/v1/system-emails/invite/test".to_owned(), json!({ "to": null })),
    ]
}

#[tokio::test]
async fn no_nearly_empty_request_selects_a_user_or_starts_anything() {
    let (world, _, batch) = a_world_to_lose().await;
    World::run_in(world, async |world| {
        let before = state_of(world).await;

        for route in ["/v1/invites", "/v1/password-resets"] {
            for body in selectors() {
                let response = post(world, route, body.to_string()).answer().await;
                assert_refused(&response, &format!("{route} {body}"));
            }
            for body in ["", " ", "null", "[]", "\"\"", "{\"\":\"\"}"] {
                let response = post(world, route, body).answer().await;
                assert_refused(&response, &format!("{route} {body:?}"));
            }
        }
        for (route, body) in choices_of(batch) {
            let response = post(world, &route, body.to_string()).answer().await;
            assert_refused(&response, &format!("{route} {body}"));
        }
        for what in ["pause", "resume", "stop", "send-again"] {
            for id in ["", "%20", "null"] {
                let path = format!("/v1/batches/{id}/{what}");
                let response = post(world, &path, "{\"outcomes\":[\"cancelled\"]}").answer().await;
                assert_refused(&response, &path);
            }
        }
        for path in [
            "/v1/users/",
            "/v1/users/%20",
            "/v1/users",
            "/v1/blocked-addresses/",
            "/v1/blocked-addresses/%20",
        ] {
            assert_refused(&ask(world, Method::DELETE, path).answer().await, path);
        }
        for path in ["/v1/deliveries//send-again", "/v1/users//lock", "/v1/users/%20/lock"] {
            assert_refused(&post(world, path, "{}").answer().await, path);
        }

        assert_eq!(state_of(world).await, before);
    })
    .await;
}

/// Lists, and the parameters they take.
fn lists_of(batch: Uuid) -> Vec<(String, &'static [&'static str])> {
    vec![
        (
            "/v1/users".to_owned(),
            &[
                "q",
                "import",
                "effect",
                "invited",
                "signed_in",
                "access",
                "last_email_failed",
                "blocked",
                "locked",
                "limit",
                "cursor",
            ],
        ),
        ("/v1/blocked-addresses".to_owned(), &["q", "limit", "cursor"]),
        ("/v1/batches".to_owned(), &["limit", "cursor"]),
        (format!("/v1/batches/{batch}/deliveries"), &["state", "limit", "cursor"]),
        (format!("/v1/batches/{batch}/deliveries.csv"), &["state"]),
        ("/v1/system-emails".to_owned(), &["limit", "cursor"]),
    ]
}

#[tokio::test]
async fn no_empty_parameter_widens_a_list_or_stores_a_file() {
    let (world, import, batch) = a_world_to_lose().await;
    World::run_in(world, async |world| {
        let before = state_of(world).await;
        for (list, parameters) in lists_of(batch) {
            for parameter in parameters {
                let sentence = format!("{parameter} is empty. Give it a value, or leave it out.");
                for query in [
                    format!("{parameter}="),
                    (*parameter).to_owned(),
                    format!("{parameter}=%20"),
                    format!("{parameter}=+"),
                ] {
                    let response = ask(world, Method::GET, &format!("{list}?{query}"));
                    let response = response.must_be_refused(400, "parameter_empty", &sentence).await;
                    assert_eq!(response.errors(), [(0, *parameter, "parameter_empty", &*sentence)]);
                }
            }
        }
        let path = format!("/v1/users?import={import}&q=");
        ask(world, Method::GET, &path)
            .answer()
            .await
            .assert_problem(400, "parameter_empty");
        for query in [
            "dry_run=",
            "dry_run",
            "dry_run=%20",
            "file_name=",
            "file_name=%20",
            "file_name=a.csv&dry_run=",
        ] {
            let asked = ask(world, Method::POST, &format!("/v1/imports?{query}")).header("Content-Type", "text/csv");
            asked
                .body("email\nnew@example.org\n")
                .answer()
                .await
                .assert_problem(400, "parameter_empty");
        }
        for (kind, body) in [
            ("text/csv", ""),
            ("text/csv", " "),
            ("text/csv", "\n"),
            ("application/json", ""),
            ("application/json", "null"),
        ] {
            let asked = ask(world, Method::POST, "/v1/imports")
                .header("Content-Type", kind)
                .body(body);
            assert_refused(&asked.answer().await, &format!("an import of {body:?}"));
        }

        assert_eq!(state_of(world).await, before);
    })
    .await;
}

/// The cookie of a signed-in administrator, and the CSRF token of the forms.
async fn signed_in(world: &World) -> (String, String) {
    let priya = world.administrator().await;
    let form = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("email", &priya.email), ("password", &priya.password)])
        .finish();
    // The redirect sets the cookie.
    let client = Client::builder().redirect(Policy::none()).build().unwrap();
    let entered = client
        .post(format!("{}/console/sign-in", world.base()))
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .await
        .unwrap();
    let cookies = entered.headers().get_all("set-cookie").into_iter();
    let session = cookies
        .filter_map(|cookie| cookie.to_str().ok()?.split(';').next())
        .find(|cookie| cookie.starts_with("__Host-beckon="));
    let cookie = session.unwrap().to_owned();
    let account = as_stranger(world, Method::GET, "/console/account");
    let account = account.header("Cookie", &cookie).answer().await;
    let (_, behind) = account.text.split_once("name=\"csrf_token\" value=\"").unwrap();
    let csrf_token = behind.split('"').next().unwrap().to_owned();
    (cookie, csrf_token)
}

#[tokio::test]
async fn no_console_request_without_its_selector_affects_all_users() {
    World::run_in(a_world_to_lose().await.0, async |world| {
        let (cookie, csrf_token) = signed_in(world).await;
        let before = state_of(world).await;
        let links = [
            "/console/selections/new",
            "/console/selections/new?kind=invite",
            "/console/selections/new?kind=invite&import=",
            "/console/selections/new?kind=invite&import=%20",
            "/console/selections/new?kind=password_reset&user=",
            "/console/selections/new?again=",
            "/console/selections/new?kind=&everyone=true",
            "/console/selections/new?everyone=",
            "/console/selections/new?everyone=false",
            "/console/users?import=",
            "/console/users?q=",
            "/console/users?status=",
            "/console/users?status=undefined",
            "/console/users?blocked=",
            "/console/users?effect=",
            "/console/users?selection=",
            "/console/blocked-addresses?selection=",
            "/console/blocked-addresses.csv?q=",
            "/console/blocked-addresses.csv?selection=%20",
        ];
        let forms = [
            ("/console/users", "do=all&import=undefined"),
            ("/console/users", "do=all&selection=undefined"),
            ("/console/users", "do=all&status=undefined"),
            ("/console/users", "do=all&effect=undefined"),
            ("/console/users", "do=all&status=not_invited&invited=true"),
            ("/console/users", "do=invite"),
            ("/console/users", "do=password_reset&user="),
            ("/console/blocked-addresses/unblock", "all=yes&selection=undefined"),
            ("/console/blocked-addresses/unblock", "address="),
        ];

        for link in links {
            let asked = as_stranger(world, Method::GET, link).header("Cookie", &cookie);
            let response = asked.answer().await;
            assert!(
                matches!(response.status, 400 | 404 | 422),
                "{link}: {} {}",
                response.status,
                response.text
            );
        }
        for (path, form) in forms {
            let asked = as_stranger(world, Method::POST, path)
                .header("Cookie", &cookie)
                .header("Content-Type", "application/x-www-form-urlencoded");
            let response = asked.body(format!("csrf_token={csrf_token}&{form}")).answer().await;
            assert!(
                matches!(response.status, 200 | 303 | 400 | 422),
                "{path} {form}: {} {}",
                response.status,
                response.text
            );
        }

        assert_eq!(state_of(world).await, before);
    })
    .await;
}

#[tokio::test]
async fn only_everyone_selects_all_users() {
    World::run_in(a_world_to_lose().await.0, async |world| {
        let accepted = world.post("/v1/invites", json!({ "everyone": true })).await.expect(202);

        assert_eq!(accepted["selected"], 3, "{accepted}");
        world.assert_sums().await;
    })
    .await;
}
