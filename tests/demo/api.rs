//! The demo as an API client, with only its address and a key.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::fault::{Fault, Result};

/// Longer than any answer takes; an API silent for this long has stopped working.
const PATIENCE: Duration = Duration::from_mins(1);

/// Ledger lines per page.
const PAGE: usize = 1_000;

/// The API with its credentials.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    base: String,
    key: String,
    http: reqwest::Client,
}

/// The answer to a password check.
#[derive(Debug, Deserialize)]
struct Verified {
    valid: bool,
}

/// The outcome of an import.
#[derive(Debug, Deserialize)]
pub(crate) struct Import {
    pub(crate) id: Uuid,
    pub(crate) rows: usize,
    pub(crate) created: usize,
    pub(crate) rejected: usize,
    pub(crate) problems: Vec<Problem>,
}

/// One fault in one row.
#[derive(Debug, Deserialize)]
pub(crate) struct Problem {
    pub(crate) row: u32,
    #[serde(default)]
    pub(crate) column: String,
    pub(crate) code: String,
    pub(crate) message: String,
}

/// An accepted batch.
#[derive(Debug, Deserialize)]
pub(crate) struct Accepted {
    pub(crate) batch: Uuid,
    pub(crate) accepted: u64,
}

/// The current state of a batch.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Batch {
    pub(crate) state: String,
    pub(crate) reason: Option<String>,
    pub(crate) finished_at: Option<String>,
    pub(crate) counts: BTreeMap<String, u64>,
    pub(crate) left_out: BTreeMap<String, u64>,
}

/// One mail owed to one user.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Delivery {
    pub(crate) id: Uuid,
    pub(crate) email: Option<String>,
    pub(crate) state: String,
    pub(crate) unsure: bool,
}

/// The attempts of a delivery.
#[derive(Debug, Deserialize)]
pub(crate) struct Story {
    pub(crate) state: String,
    pub(crate) attempts: Vec<Attempt>,
}

/// One attempt.
#[derive(Debug, Deserialize)]
pub(crate) struct Attempt {
    pub(crate) n: u32,
    pub(crate) verdict: Option<String>,
    pub(crate) code: Option<u16>,
    pub(crate) reply: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Page {
    items: Vec<Delivery>,
    next_cursor: Option<String>,
}

impl Batch {
    /// The number of deliveries in this state.
    pub(crate) fn of(&self, state: &str) -> u64 {
        self.counts.get(state).copied().unwrap_or_default()
    }

    /// The number of deliveries in these states together.
    pub(crate) fn sum(&self, states: &[&str]) -> u64 {
        states.iter().map(|state| self.of(state)).sum()
    }
}

impl Api {
    /// A client for the API at this address.
    pub(crate) fn new(base: &str, key: &str) -> Self {
        Self {
            base: base.to_owned(),
            key: key.to_owned(),
            http: reqwest::Client::new(),
        }
    }

    /// The address of the API.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The API key.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Imports users from a CSV file.
    pub(crate) async fn import(&self, file_name: &str, csv: &str) -> Result<Import> {
        let request = self
            .request(Method::POST, &format!("/v1/imports?file_name={file_name}"))
            .header("Content-Type", "text/csv")
            .body(csv.to_owned());
        ask("import people", request).await
    }

    /// Sends a system email to the selected users.
    pub(crate) async fn send(&self, route: &str, whom: &Value) -> Result<Accepted> {
        let request = self.request(Method::POST, route).json(whom);
        ask("send to the selected people", request).await
    }

    /// The current state of a batch.
    pub(crate) async fn batch(&self, batch: Uuid) -> Result<Batch> {
        let request = self.request(Method::GET, &format!("/v1/batches/{batch}"));
        ask("read the state of a batch", request).await
    }

    /// All lines of a batch's ledger.
    pub(crate) async fn deliveries(&self, batch: Uuid) -> Result<Vec<Delivery>> {
        let first = format!("/v1/batches/{batch}/deliveries?limit={PAGE}");
        let mut all = Vec::new();
        let mut path = first.clone();
        loop {
            let page: Page = ask("read a ledger", self.request(Method::GET, &path)).await?;
            all.extend(page.items);
            match page.next_cursor {
                Some(cursor) => path = format!("{first}&cursor={cursor}"),
                None => return Ok(all),
            }
        }
    }

    /// One delivery with its attempts.
    pub(crate) async fn story(&self, delivery: Uuid) -> Result<Story> {
        let request = self.request(Method::GET, &format!("/v1/deliveries/{delivery}"));
        ask("read the history of a mail", request).await
    }

    /// Whether this password signs in this user.
    pub(crate) async fn signs_in(&self, email: &str, password: &str) -> Result<bool> {
        let request = self
            .request(Method::POST, "/v1/credentials/verify")
            .json(&json!({ "email": email, "password": password }));
        let verified: Verified = ask("check a password", request).await?;
        Ok(verified.valid)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        request.bearer_auth(&self.key).timeout(PATIENCE)
    }
}

async fn ask<T: DeserializeOwned>(attempt: &str, request: RequestBuilder) -> Result<T> {
    let (status, text) = send(attempt, request).await?;
    let answer = (200..300).contains(&status).then(|| serde_json::from_str(&text).ok());
    answer.flatten().ok_or_else(|| unexpected(attempt, status, &text))
}

async fn send(attempt: &str, request: RequestBuilder) -> Result<(u16, String)> {
    let silent = |fault: reqwest::Error| {
        Fault::new(
            format!("could not {attempt}: the API did not answer ({fault})"),
            "look at the end of its log below, and report it if you cannot see why",
        )
    };
    let answer = request.send().await.map_err(silent)?;
    let status = answer.status().as_u16();
    Ok((status, answer.text().await.map_err(silent)?))
}

fn unexpected(attempt: &str, status: u16, text: &str) -> Fault {
    Fault::new(
        format!("could not {attempt}: the API answered {status}"),
        "this is a fault in Beckon; please report it with the lines below",
    )
    .seen(text)
}
