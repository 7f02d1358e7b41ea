//! Steady load from a client that follows the manual: with an idempotency key, retrying until answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use harness::{HarnessError, Result, World};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::json;

use crate::round::of_round;

/// Interval between two requests for mails.
const PACE: Duration = Duration::from_millis(500);

/// Users per request; for the first of them the relay may misbehave.
const PEOPLE: usize = 10;

/// How long a client waits for an answer.
const ANSWER: Duration = Duration::from_secs(30);

/// Pause before a retry.
const AGAIN: Duration = Duration::from_millis(500);

/// Behaviours of the relay for the first user of a request, by local part; all others are accepted normally.
const MOODS: [&str; 7] = [
    "451-then-ok",
    "drop-after-dot",
    "drop-in-data",
    "drop-before-data",
    "slow-dot-2s",
    "bare250",
    "421-at-dot",
];

/// Statistics of a round's load.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// Accepted requests for mails.
    pub(crate) batches: usize,
    /// Users in them.
    pub(crate) people: usize,
    /// Requests that had to be retried.
    pub(crate) again: usize,
    /// The longest time until an answer.
    pub(crate) longest: Duration,
}

/// A client that sends requests until it is stopped.
pub(crate) struct Load {
    client: Client,
    base: String,
    key: String,
    round: usize,
    ending: Arc<AtomicBool>,
}

impl Load {
    /// A client for this world and round.
    pub(crate) fn new(world: &World, round: usize, ending: &Arc<AtomicBool>) -> Self {
        Self {
            client: Client::new(),
            base: world.base().to_owned(),
            key: world.key().to_owned(),
            round,
            ending: Arc::clone(ending),
        }
    }

    /// Sends requests until the end; the last one is retried until it is answered.
    ///
    /// # Errors
    ///
    /// When an answer is neither a success nor 503.
    pub(crate) async fn run(self) -> Result<Asked> {
        let mut asked = Asked::default();
        let mut pace = tokio::time::interval(PACE);
        while !self.ending.load(Ordering::Relaxed) {
            pace.tick().await;
            let people = self.people(asked.batches);
            let import = format!("email,first_name\n{},Ada\n", people.join(",Ada\n"));
            self.until_answered(&mut asked, || {
                let url = format!("{}/v1/imports?file_name=load.csv", self.base);
                self.client
                    .post(url)
                    .header("Content-Type", "text/csv")
                    .body(import.clone())
            })
            .await?;
            let route = if asked.batches % 2 == 0 {
                "password-resets"
            } else {
                "invites"
            };
            let key = format!("round-{}-{}", self.round, asked.batches);
            self.until_answered(&mut asked, || {
                let request = self.client.post(format!("{}/v1/{route}", self.base));
                request
                    .header("Idempotency-Key", &key)
                    .json(&json!({ "emails": people }))
            })
            .await?;
            asked.batches += 1;
            asked.people += people.len();
        }
        Ok(asked)
    }

    fn people(&self, batch: usize) -> Vec<String> {
        let mood = MOODS.get(batch % MOODS.len()).unwrap_or(&"accept");
        let person = |n: usize| {
            let local = if n == 0 { format!("{mood}+") } else { String::new() };
            format!("{local}{}{batch}-{n}@example.org", of_round(self.round))
        };
        (0..PEOPLE).map(person).collect()
    }

    async fn until_answered(&self, asked: &mut Asked, request: impl Fn() -> RequestBuilder) -> Result<()> {
        loop {
            let began = Instant::now();
            let sent = request().bearer_auth(&self.key).timeout(ANSWER).send().await;
            asked.longest = asked.longest.max(began.elapsed());
            match sent {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) if answer.status() != StatusCode::SERVICE_UNAVAILABLE => {
                    let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
                    return Err(HarnessError::new(format!("the API answered {status} {text}")));
                }
                Ok(_) | Err(_) => {}
            }
            asked.again += 1;
            tokio::time::sleep(AGAIN).await;
        }
    }
}
