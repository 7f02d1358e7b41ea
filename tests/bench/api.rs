//! API calls, and waiting for their effects.

use std::time::{Duration, Instant};

use harness::{HarnessError, Result};
use serde_json::{Value, json};
use sqlx::Row as _;
use uuid::Uuid;

use crate::people;
use crate::scene::Scene;

/// Polling interval for a batch whose last mails the relay has accepted.
const PULSE: Duration = Duration::from_millis(5);

/// How long any batch may take before the bench gives up.
const PATIENCE: Duration = Duration::from_mins(30);

/// An accepted batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accepted {
    /// Its id.
    pub(crate) batch: Uuid,
    /// When its 202 had been read.
    pub(crate) at: Instant,
}

impl Scene {
    /// Imports users and returns the import's id and the time it took.
    ///
    /// # Errors
    ///
    /// When a row was rejected.
    pub(crate) async fn import(&self, tag: &str, count: usize) -> Result<(Uuid, Duration)> {
        let request = self
            .http
            .post(format!("{}/v1/imports?file_name=people.csv", self.world.base()))
            .header("Content-Type", "text/csv")
            .body(people::csv(tag, count));
        let begun = Instant::now();
        let import = self.call(request, 201).await?;
        let took = begun.elapsed();
        if import.get("created") != Some(&json!(count)) {
            return Err(HarnessError::new(format!(
                "not all of {count} people were taken: {import}"
            )));
        }
        Ok((id(&import, "id")?, took))
    }

    /// Sends invites or password mails to exactly `count` users.
    ///
    /// # Errors
    ///
    /// When a user was left out.
    pub(crate) async fn send(&self, path: &str, recipients: &Value, count: usize) -> Result<Accepted> {
        let request = self.http.post(format!("{}{path}", self.world.base())).json(recipients);
        let batch = self.call(request, 202).await?;
        let at = Instant::now();
        if batch.get("accepted") != Some(&json!(count)) {
            return Err(HarnessError::new(format!(
                "not all of {count} recipients were accepted: {batch}"
            )));
        }
        Ok(Accepted {
            batch: id(&batch, "batch")?,
            at,
        })
    }

    /// Waits until the relay has accepted this many mails since the start.
    ///
    /// # Errors
    ///
    /// When that takes too long.
    pub(crate) async fn taken(&self, mails: usize) -> Result<()> {
        self.world.relay.wait_for(mails, PATIENCE).await.map(drop)
    }

    /// Waits until no delivery of a batch is open, and checks that all of them are sent.
    ///
    /// Called when the relay has accepted as many mails, it rarely asks more than once, so polling costs nothing
    /// measurable.
    ///
    /// # Errors
    ///
    /// When one of them ended otherwise.
    pub(crate) async fn all_sent(&self, batch: Uuid, count: usize) -> Result<Instant> {
        let failed = |fault| HarnessError::because("could not look at a batch", fault);
        let under_way = "select exists (
                             select from deliveries
                             where batch_id = $1 and state in ('waiting', 'queued', 'sending', 'retrying'))";
        let deadline = Instant::now() + PATIENCE;
        let ended = loop {
            let row = sqlx::query(under_way).bind(batch).fetch_one(&self.world.db).await;
            let is_under_way: bool = row.and_then(|row| row.try_get(0)).map_err(failed)?;
            if !is_under_way || Instant::now() > deadline {
                break Instant::now();
            }
            tokio::time::sleep(PULSE).await;
        };
        let row = sqlx::query("select count(*) from deliveries where batch_id = $1 and state = 'sent'");
        let row = row.bind(batch).fetch_one(&self.world.db).await;
        let sent: i64 = row.and_then(|row| row.try_get(0)).map_err(failed)?;
        if usize::try_from(sent).is_ok_and(|sent| sent == count) {
            Ok(ended)
        } else {
            Err(HarnessError::new(format!(
                "of {count} deliveries of batch {batch} only {sent} are sent"
            )))
        }
    }

    /// Checks that the relay has accepted exactly this many mails since the start.
    ///
    /// # Errors
    ///
    /// When a recipient got a second one.
    pub(crate) fn took_exactly(&self, mails: usize) -> Result<()> {
        let taken = self.world.relay.accepted_count();
        if taken == mails {
            Ok(())
        } else {
            Err(HarnessError::new(format!(
                "the relay took {taken} mails, and {mails} were owed"
            )))
        }
    }

    async fn call(&self, request: reqwest::RequestBuilder, expected: u16) -> Result<Value> {
        let failed = |fault| HarnessError::because("the API did not answer", fault);
        let answer = request.bearer_auth(self.world.key()).send().await.map_err(failed)?;
        let status = answer.status().as_u16();
        let text = answer.text().await.map_err(failed)?;
        if status != expected {
            return Err(HarnessError::new(format!("the API answered {status}: {text}")));
        }
        serde_json::from_str(&text).map_err(|fault| HarnessError::because("the API's answer is no JSON", fault))
    }
}

fn id(answer: &Value, name: &str) -> Result<Uuid> {
    let text = answer.get(name).and_then(Value::as_str);
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| HarnessError::new(format!("the API's answer has no {name}: {answer}")))
}
