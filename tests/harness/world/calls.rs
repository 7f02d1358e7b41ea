//! Calls of the API.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use shared::delivery::DeliveryState;
use url::form_urlencoded;
use uuid::Uuid;

use super::{PULSE, World, text};

/// A response of the API.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The content type without parameters; empty if the response has none.
    pub media_type: String,
    /// The body; null when it is not JSON.
    pub body: Value,
    /// The body as text.
    pub text: String,
}

impl Answer {
    /// Asserts the status and returns the body.
    ///
    /// # Panics
    ///
    /// When the status is another.
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body
    }
}

impl World {
    /// Sends a request to the API and checks the response against the API description.
    ///
    /// # Panics
    ///
    /// When it does not answer.
    pub async fn ask(&self, method: Method, path: &str, body: Option<Value>, idempotency_key: Option<&str>) -> Answer {
        self.ask_as(&self.key, method, path, body, idempotency_key).await
    }

    /// Sends a request with another key.
    ///
    /// # Panics
    ///
    /// When it does not answer.
    pub async fn ask_as(
        &self,
        key: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
        idempotency_key: Option<&str>,
    ) -> Answer {
        let mut request = self
            .http
            .request(method.clone(), format!("{}{path}", self.base))
            .bearer_auth(key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        if let Some(key) = idempotency_key {
            request = request.header("Idempotency-Key", key);
        }
        let answer = answer(request).await;
        self.check_described(&method, path, &answer).await;
        answer
    }

    /// Gets a page.
    pub async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None, None).await
    }

    /// Sends a request to the API's probes.
    pub async fn probe(&self, path: &str) -> Answer {
        answer(self.http.get(format!("{}{path}", self.probes))).await
    }

    /// Posts JSON.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, Some(body), None).await
    }

    /// Imports a CSV file.
    pub async fn import(&self, csv: &str) -> Answer {
        self.import_bytes(csv.as_bytes().to_vec(), "text/csv").await
    }

    /// Imports a body as it is.
    pub async fn import_bytes(&self, body: Vec<u8>, content_type: &str) -> Answer {
        self.import_with(&[], body, content_type).await
    }

    /// Imports CSV with these parameters.
    pub async fn import_as(&self, parameters: &[(&str, &str)], csv: &str) -> Answer {
        self.import_with(parameters, csv.as_bytes().to_vec(), "text/csv").await
    }

    /// Imports a body as it is, with these parameters.
    pub async fn import_with(&self, parameters: &[(&str, &str)], body: Vec<u8>, content_type: &str) -> Answer {
        let query = form_urlencoded::Serializer::new("file_name=people.csv".to_owned())
            .extend_pairs(parameters)
            .finish();
        self.send_file(&format!("/v1/imports?{query}"), body, content_type)
            .await
    }

    /// Posts a file.
    pub async fn send_file(&self, path: &str, body: Vec<u8>, content_type: &str) -> Answer {
        let answer = answer(
            self.http
                .post(format!("{}{path}", self.base))
                .bearer_auth(&self.key)
                .header("Content-Type", content_type)
                .body(body),
        )
        .await;
        self.check_described(&Method::POST, path, &answer).await;
        answer
    }

    /// Imports `count` users, `person1@example.org` and so on, and returns the import's id.
    pub async fn people(&self, count: usize) -> Uuid {
        let rows = (1..=count).map(|n| format!("person{n}@example.org,Person {n},Example\n"));
        let csv: String = std::iter::once("email,first name,last name\n".to_owned())
            .chain(rows)
            .collect();
        let import = self.import(&csv).await.expect(201);
        assert_eq!(import["created"], json!(count), "{import}");
        id(&import["id"])
    }

    /// Imports one user.
    pub async fn person(&self, email: &str) -> Uuid {
        let import = self
            .import(&format!("email,first_name\n{email},Ada\n"))
            .await
            .expect(201);
        assert_eq!(import["rejected"], json!(0), "{import}");
        let users = self
            .get(&format!("/v1/users?import={}", text(&import["id"])))
            .await
            .expect(200);
        id(&users["items"][0]["id"])
    }

    /// Sends invites and returns the batch.
    pub async fn invite(&self, recipients: Value) -> Uuid {
        id(&self.post("/v1/invites", recipients).await.expect(202)["batch"])
    }

    /// Sends password mails and returns the batch.
    pub async fn reset_passwords(&self, recipients: Value) -> Uuid {
        id(&self.post("/v1/password-resets", recipients).await.expect(202)["batch"])
    }

    /// The current state of a batch.
    pub async fn batch(&self, batch: Uuid) -> Value {
        self.get(&format!("/v1/batches/{batch}")).await.expect(200)
    }

    /// One of the counts of a batch.
    pub async fn count(&self, batch: Uuid, state: &str) -> i64 {
        self.batch(batch).await["counts"][state].as_i64().unwrap_or(-1)
    }

    /// Waits until the last delivery of a batch has ended, and returns the batch.
    ///
    /// The timeout restarts with every delivery that ends: the total time depends on the machine, but a batch without
    /// progress is a failure.
    pub async fn finished(&self, batch: Uuid) -> Value {
        let mut so_far = -1;
        loop {
            let now = self
                .eventually(
                    &format!("the batch to get further than {so_far} ended deliveries"),
                    async || {
                        let now = self.batch(batch).await;
                        (is_finished(&now) || ended(&now) > so_far).then_some(now)
                    },
                )
                .await;
            if is_finished(&now) {
                return now;
            }
            so_far = ended(&now);
            tokio::time::sleep(PULSE).await;
        }
    }

    /// Waits until this many deliveries of a batch are in a state.
    pub async fn until(&self, batch: Uuid, state: &str, count: i64) -> Value {
        self.eventually(&format!("{count} deliveries to be {state}"), async || {
            let now = self.batch(batch).await;
            (now["counts"][state].as_i64() == Some(count)).then_some(now)
        })
        .await
    }

    /// The deliveries of a batch (the first thousand).
    pub async fn deliveries(&self, batch: Uuid) -> Vec<Value> {
        let page = self
            .get(&format!("/v1/batches/{batch}/deliveries?limit=1000"))
            .await
            .expect(200);
        page["items"].as_array().cloned().unwrap_or_default()
    }

    /// One delivery with its attempts.
    pub async fn story(&self, delivery: &Value) -> Value {
        self.get(&format!("/v1/deliveries/{}", text(&delivery["id"])))
            .await
            .expect(200)
    }

    /// Checks a password.
    pub async fn verify(&self, email: &str, password: &str) -> Answer {
        self.post(
            "/v1/credentials/verify",
            json!({ "email": email, "password": password }),
        )
        .await
    }

    /// Whether a password is valid for this address.
    pub async fn signs_in(&self, email: &str, password: &str) -> bool {
        let answer = self.verify(email, password).await.expect(200);
        answer["valid"] == true
    }

    /// Checks a password and returns the response.
    ///
    /// # Panics
    ///
    /// When the password is wrong.
    pub async fn sign_in(&self, email: &str, password: &str) -> Value {
        let answer = self.verify(email, password).await.expect(200);
        assert_eq!(answer["valid"], true, "{email}: {answer}");
        answer
    }

    /// Makes everything that waits for a retry due now.
    pub async fn let_pauses_pass(&self) {
        self.change(sqlx::query(
            "update deliveries set retry_at = now() where state = 'retrying'",
        ))
        .await;
    }

    /// A metric of the API, summed over its labels.
    ///
    /// # Panics
    ///
    /// When the metrics cannot be read.
    pub async fn api_metric(&self, name: &str) -> f64 {
        let page = self.probe("/metrics").await.text;
        let of_metric = page.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
        of_metric
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }
}

fn is_finished(batch: &Value) -> bool {
    !batch["finished_at"].is_null()
}

/// Number of deliveries of a batch that have ended, with any outcome.
fn ended(batch: &Value) -> i64 {
    let ends = DeliveryState::ALL.into_iter().filter(|state| state.has_ended());
    ends.filter_map(|state| batch["counts"][state.as_str()].as_i64()).sum()
}

async fn answer(request: reqwest::RequestBuilder) -> Answer {
    match request.timeout(Duration::from_mins(2)).send().await {
        Ok(answer) => {
            let status = answer.status().as_u16();
            let media_type = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            let media_type = media_type.unwrap_or_default().split(';').next().unwrap_or_default();
            let media_type = media_type.to_owned();
            let text = answer.text().await.unwrap_or_default();
            Answer {
                status,
                media_type,
                body: serde_json::from_str(&text).unwrap_or_default(),
                text,
            }
        }
        Err(fault) => panic!("the API did not answer: {fault:?}"),
    }
}

/// An id in a response.
///
/// # Panics
///
/// When it is not an id.
pub(super) fn id(value: &Value) -> Uuid {
    match value.as_str().and_then(|text| text.parse().ok()) {
        Some(id) => id,
        None => panic!("{value} is no id"),
    }
}
