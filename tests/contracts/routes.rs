//! The contract's routes exist, are described, and require a key.

use harness::{Setup, World};
use reqwest::{Client, Method};
use serde_json::Value;

/// Every route of the contract.
const CONTRACT: &[(&str, &str)] = &[
    ("post", "/v1/imports"),
    ("get", "/v1/imports/{id}"),
    ("get", "/v1/imports/{id}/problems.csv"),
    ("get", "/v1/imports/{id}/problems.xlsx"),
    ("get", "/v1/filters"),
    ("post", "/v1/filters"),
    ("delete", "/v1/filters/{id}"),
    ("get", "/v1/do-not-mail-lists"),
    ("post", "/v1/do-not-mail-lists"),
    ("patch", "/v1/do-not-mail-lists/{id}"),
    ("delete", "/v1/do-not-mail-lists/{id}"),
    ("post", "/v1/do-not-mail-lists/{id}/addresses"),
    ("delete", "/v1/do-not-mail-lists/{id}/addresses/{address}"),
    ("get", "/v1/do-not-mail-lists/{id}/addresses.csv"),
    ("get", "/v1/users"),
    ("get", "/v1/users/{id}"),
    ("patch", "/v1/users/{id}"),
    ("delete", "/v1/users/{id}"),
    ("post", "/v1/users/{id}/lock"),
    ("post", "/v1/users/{id}/unlock"),
    ("get", "/v1/users/{id}/export"),
    ("get", "/v1/system-emails"),
    ("get", "/v1/system-emails/{key}"),
    ("put", "/v1/system-emails/{key}"),
    ("post", "/v1/system-emails/{key}/preview"),
    ("post", "/v1/system-emails/{key}/test"),
    ("post", "/v1/invites"),
    ("post", "/v1/password-resets"),
    ("get", "/v1/batches"),
    ("get", "/v1/batches/{id}"),
    ("get", "/v1/batches/{id}/email"),
    ("post", "/v1/batches/{id}/pause"),
    ("post", "/v1/batches/{id}/resume"),
    ("post", "/v1/batches/{id}/stop"),
    ("post", "/v1/batches/{id}/send-again"),
    ("get", "/v1/batches/{id}/events"),
    ("get", "/v1/batches/{id}/deliveries"),
    ("get", "/v1/batches/{id}/deliveries.csv"),
    ("get", "/v1/deliveries/{id}"),
    ("post", "/v1/deliveries/{id}/send-again"),
    ("post", "/v1/credentials/verify"),
    ("post", "/v1/credentials/choose"),
    ("post", "/v1/credentials/revoke"),
];

/// Routes beyond the contract that need no key.
const OPEN: &[&str] = &["/openapi.json", "/docs"];

/// Probe routes, served by a listener of their own.
pub(crate) const PROBES: &[&str] = &["/healthz", "/readyz", "/metrics"];

/// An id that does not exist.
const UNKNOWN: &str = "00000000-0000-7000-8000-000000000000";

async fn a_world() -> World {
    World::with(Setup::default().workers(0)).await
}

/// The methods and paths in the API's own description.
async fn described(world: &World) -> Vec<(String, String)> {
    let openapi = world.get("/openapi.json").await.expect(200);
    let paths = openapi["paths"].as_object().cloned().unwrap_or_default();
    let methods = |(path, item): (String, Value)| {
        let methods: Vec<String> = item
            .as_object()
            .into_iter()
            .flatten()
            .map(|(method, _)| method.clone())
            .collect();
        methods.into_iter().map(move |method| (method, path.clone()))
    };
    paths
        .into_iter()
        .flat_map(methods)
        .filter(|(method, _)| method != "parameters")
        .collect()
}

/// A path whose variables are filled with ids that do not exist.
fn filled(path: &str) -> String {
    path.replace("{id}", UNKNOWN).replace("{key}", "invite")
}

/// Calls without a key, and returns status, content type and body.
async fn as_stranger(world: &World, method: &str, path: &str) -> (u16, String, Value) {
    let method: Method = method.to_uppercase().parse().unwrap();
    let answer = Client::new()
        .request(method, format!("{}{path}", world.base()))
        .send()
        .await
        .unwrap();
    let content_type = answer
        .headers()
        .get("content-type")
        .map_or("", |value| value.to_str().unwrap())
        .to_owned();
    (
        answer.status().as_u16(),
        content_type,
        answer.json().await.unwrap_or_default(),
    )
}

#[tokio::test]
async fn every_route_of_the_contract_is_described() {
    World::run_in(a_world().await, async |world| {
        let described = described(world).await;

        let has = |(method, path): &&(&str, &str)| described.iter().any(|(m, p)| m == method && p == path);
        let missing: Vec<_> = CONTRACT.iter().filter(|route| !has(route)).collect();
        assert!(missing.is_empty(), "not at /openapi.json: {missing:#?}");
    })
    .await;
}

#[tokio::test]
async fn every_route_requires_authentication() {
    World::run_in(a_world().await, async |world| {
        let described = described(world).await;

        for (method, path) in described
            .iter()
            .map(|(m, p)| (m.as_str(), p.as_str()))
            .chain(CONTRACT.iter().copied())
        {
            if OPEN.contains(&path) {
                continue;
            }
            let (status, content_type, body) = as_stranger(world, method, &filled(path)).await;
            assert_eq!(
                (status, content_type.as_str()),
                (401, "application/problem+json"),
                "{method} {path}: {body}"
            );
            assert_eq!(body["type"], "/problems/key_missing", "{method} {path}");
        }
        for path in OPEN {
            assert_eq!(as_stranger(world, "get", path).await.0, 200, "{path}");
        }
        for path in PROBES {
            assert_eq!(world.probe(path).await.status, 200, "{path}");
            let (status, _, body) = as_stranger(world, "get", path).await;
            assert_eq!((status, &body["type"]), (404, &"/problems/not_found".into()), "{path}");
        }
        let elsewhere = reqwest::get(format!("{}/openapi.json", world.probes())).await.unwrap();
        assert_eq!(elsewhere.status().as_u16(), 404, "the API answers where probes do");
    })
    .await;
}

#[tokio::test]
async fn every_described_route_is_served() {
    World::run_in(a_world().await, async |world| {
        let described = described(world).await;

        assert!(described.len() >= CONTRACT.len(), "{described:?}");
        for (method, path) in &described {
            let method: Method = method.to_uppercase().parse().unwrap();
            // A stream never ends, so it is not awaited.
            if path.ends_with("/events") {
                continue;
            }
            let answer = world.ask(method.clone(), &filled(path), None, None).await;
            let is_unserved = answer.status == 405 || answer.text.contains("There is no such page");
            assert!(
                !is_unserved && answer.status < 500,
                "{method} {path}: {} {}",
                answer.status,
                answer.text
            );
        }
    })
    .await;
}

#[tokio::test]
async fn an_unknown_route_is_answered_with_a_problem() {
    World::run_in(a_world().await, async |world| {
        for path in [
            "/v1",
            "/v1/",
            "/v2/users",
            "/v1/users/",
            "/v1/nothing",
            "/%2e%2e/etc/passwd",
            "/v1/users/%00",
        ] {
            let (status, content_type, body) = as_stranger(world, "get", path).await;
            // A path below a route with a key may be refused for the missing key instead.
            assert!(matches!(status, 401 | 404), "{path}: {status} {body}");
            assert_eq!(content_type, "application/problem+json", "{path}");
            let answer = world.get(path).await;
            assert_eq!(
                (answer.status, &answer.body["type"]),
                (404, &Value::from("/problems/not_found")),
                "{path}: {}",
                answer.text
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_wrong_method_is_answered_with_a_problem() {
    World::run_in(a_world().await, async |world| {
        for (method, path) in [
            (Method::GET, "/v1/invites"),
            (Method::DELETE, "/v1/imports"),
            (Method::PUT, "/v1/users"),
            (Method::POST, "/openapi.json"),
            (Method::GET, "/v1/batches/00000000-0000-7000-8000-000000000000/stop"),
            (Method::TRACE, "/v1/users"),
            (Method::from_bytes(b"PURGE").unwrap(), "/v1/users"),
        ] {
            let answer = world.ask(method.clone(), path, None, None).await;
            assert_eq!(answer.status, 405, "{method} {path}: {}", answer.text);
            assert_eq!(
                answer.body["type"], "/problems/method_not_allowed",
                "{method} {path}: {}",
                answer.text
            );
            assert_eq!(answer.body["status"], 405, "{method} {path}");
        }
    })
    .await;
}
