//! Sends arbitrary requests, with any header and any bytes, and checks the answer closely.

use std::sync::OnceLock;

use harness::{Setup, World};
use reqwest::header::HeaderMap;
use reqwest::{Body, Client, Method};
use serde_json::Value;

/// A world without workers.
pub(crate) async fn a_world() -> World {
    World::with(Setup::default().workers(0)).await
}

/// A request, possibly malformed.
pub(crate) struct Asked {
    request: reqwest::RequestBuilder,
}

/// A request with the world's API key.
pub(crate) fn ask(world: &World, method: Method, path: &str) -> Asked {
    let asked = as_stranger(world, method, path);
    Asked {
        request: asked.request.bearer_auth(world.key()),
    }
}

/// Posts this text as JSON.
pub(crate) fn post(world: &World, path: &str, body: impl Into<Body>) -> Asked {
    ask(world, Method::POST, path).json(body)
}

/// Posts this text as CSV to the imports.
pub(crate) fn upload(world: &World, body: impl Into<Body>) -> Asked {
    let asked = ask(world, Method::POST, "/v1/imports?file_name=people.csv");
    asked.header("Content-Type", "text/csv").body(body)
}

/// One client for all tests. It pools no connections, because each belongs to the test that opened it.
fn client() -> &'static Client {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    CLIENT.get_or_init(|| Client::builder().pool_max_idle_per_host(0).build().unwrap())
}

/// A request without an API key.
pub(crate) fn as_stranger(world: &World, method: Method, path: &str) -> Asked {
    let request = client().request(method, format!("{}{path}", world.base()));
    Asked { request }
}

impl Asked {
    /// Adds a header.
    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        Self {
            request: self.request.header(name, value),
        }
    }

    /// Sets the body.
    pub(crate) fn body(self, body: impl Into<Body>) -> Self {
        Self {
            request: self.request.body(body),
        }
    }

    /// Sets a body with the content type JSON.
    pub(crate) fn json(self, body: impl Into<Body>) -> Self {
        self.header("Content-Type", "application/json").body(body)
    }

    /// Sends the request and returns the answer.
    pub(crate) async fn answer(self) -> ApiResponse {
        let answer = self.request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or_default();
        ApiResponse {
            status,
            headers,
            body,
            text,
        }
    }

    /// Sends the request and returns only the status.
    pub(crate) async fn send_only(self) -> reqwest::Result<u16> {
        Ok(self.request.send().await?.status().as_u16())
    }

    /// Sends the request and asserts the problem in the answer: status, code, sentence.
    pub(crate) async fn must_be_refused(self, status: u16, word: &str, sentence: &str) -> ApiResponse {
        let response = self.answer().await;
        response.assert_problem(status, word);
        assert_eq!(response.body["detail"], sentence, "{}", response.text);
        response
    }
}

/// An answer of the API.
pub(crate) struct ApiResponse {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// The JSON body, or null.
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl ApiResponse {
    /// The value of a header, or empty.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// Asserts that this is a problem with this status and code, and that it is fit to be displayed.
    pub(crate) fn assert_problem(&self, status: u16, word: &str) {
        let context = format!("{} {}", self.status, self.text);
        assert_eq!(self.status, status, "{context}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{context}");
        assert_eq!(self.body["type"], format!("/problems/{word}"), "{context}");
        assert_eq!(self.body["status"], status, "{context}");
        assert!(!self.body["title"].as_str().unwrap_or_default().is_empty(), "{context}");
        let detail = self.body["detail"].as_str().unwrap_or_default();
        assert!(!detail.is_empty(), "{context}");
        assert!(self.text.len() < 30_000, "{} bytes of problem", self.text.len());
        let has_control = |text: &str| text.chars().any(|c| c.is_control() || c == '\u{202E}');
        assert!(!has_control(detail), "{context}");
        let errors = self.body["errors"].as_array().cloned().unwrap_or_default();
        for error in &errors {
            assert!(!has_control(error["message"].as_str().unwrap_or("\0")), "{context}");
            assert!(error["code"].as_str().is_some_and(|code| !code.is_empty()), "{context}");
        }
    }

    /// Asserts the answer to a wrong password: the same for any cause, and never an API key error.
    pub(crate) fn assert_wrong_password(&self) {
        assert_eq!(self.status, 200, "{}", self.text);
        assert_eq!(self.text, "{\"valid\":false}");
        assert_eq!(self.header("www-authenticate"), "");
    }

    /// The faulty places: row, column or field, code, sentence.
    pub(crate) fn errors(&self) -> Vec<(u64, &str, &str, &str)> {
        places(self.body["errors"].as_array().map_or(&[][..], Vec::as_slice))
    }

    /// The rows that an import rejected, in the same form.
    pub(crate) fn problems(&self) -> Vec<(u64, &str, &str, &str)> {
        places(self.body["problems"].as_array().map_or(&[][..], Vec::as_slice))
    }
}

fn places(errors: &[Value]) -> Vec<(u64, &str, &str, &str)> {
    errors
        .iter()
        .map(|error| {
            let text = |name: &str| error[name].as_str().unwrap_or_default();
            let place = if error["column"].is_null() { "field" } else { "column" };
            (
                error["row"].as_u64().unwrap_or_default(),
                text(place),
                text("code"),
                text("message"),
            )
        })
        .collect()
}
