//! Outcomes of the requests.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use harness::{HarnessError, Result};
use reqwest::{RequestBuilder, Response};

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Answers by kind of request.
#[derive(Debug, Default)]
pub(crate) struct Figures(Mutex<BTreeMap<&'static str, Answers>>);

#[derive(Debug, Default)]
struct Answers {
    /// How often each status occurred; 0 means no answer.
    statuses: BTreeMap<u16, usize>,
    times: Vec<Duration>,
    /// How many had the right status but the wrong content.
    refused: usize,
    /// The status that a bystander's request must get; attackers may get any.
    expected: Option<u16>,
}

impl Figures {
    /// Sends an attacker's request and counts the answer.
    pub(crate) async fn attack(&self, what: &'static str, request: RequestBuilder) {
        self.sent(what, None, request).await;
    }

    /// Sends a bystander's request, whose answer must have this status.
    pub(crate) async fn require(&self, what: &'static str, status: u16, request: RequestBuilder) -> Option<Response> {
        self.sent(what, Some(status), request).await
    }

    /// Counts an event that is not a request.
    pub(crate) fn count(&self, what: &'static str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(what).or_default().times.push(Duration::ZERO);
    }

    /// How often something happened.
    pub(crate) fn number_of(&self, what: &str) -> usize {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(what).map_or(0, |answers| answers.times.len())
    }

    /// Counts an answer with the right status and the wrong content.
    pub(crate) fn refuse(&self, what: &'static str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(what).or_default().refused += 1;
    }

    async fn sent(&self, what: &'static str, expected: Option<u16>, request: RequestBuilder) -> Option<Response> {
        let began = Instant::now();
        let answer = request.timeout(PATIENCE).send().await.ok();
        let status = answer.as_ref().map_or(0, |answer| answer.status().as_u16());
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = all.entry(what).or_default();
        *answers.statuses.entry(status).or_default() += 1;
        answers.times.push(began.elapsed());
        answers.expected = expected;
        answer
    }

    /// Checks that every bystander was served, 99 of 100 requests within this time.
    ///
    /// # Errors
    ///
    /// When one was not; names it.
    pub(crate) fn check(&self, within: Duration) -> Result<()> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (what, answers) in all.iter_mut() {
            let Some(expected) = answers.expected else { continue };
            let right = answers.statuses.get(&expected).copied().unwrap_or_default();
            require(right == answers.times.len() && answers.refused == 0, || {
                format!("{what}: {:?}, {} of them refused", answers.statuses, answers.refused)
            })?;
            let (_, p99) = answers.percentiles();
            require(p99 < within, || format!("{what}: p99 is {p99:?}"))?;
        }
        Ok(())
    }
}

impl Answers {
    /// The median and the 99th percentile.
    fn percentiles(&mut self) -> (Duration, Duration) {
        self.times.sort_unstable();
        let at = |share: usize| {
            self.times
                .get(self.times.len() * share / 100)
                .copied()
                .unwrap_or_default()
        };
        (at(50), at(99))
    }
}

/// Fails unless the condition holds.
///
/// # Errors
///
/// With the given message.
pub(crate) fn require(holds: bool, otherwise: impl FnOnce() -> String) -> Result<()> {
    if holds {
        Ok(())
    } else {
        Err(HarnessError::new(otherwise()))
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (what, answers) in all.iter_mut() {
            let (p50, p99) = answers.percentiles();
            writeln!(
                f,
                "{what:28} {:7} requests, p50 {:5} ms, p99 {:5} ms, {:?}",
                answers.times.len(),
                p50.as_millis(),
                p99.as_millis(),
                answers.statuses
            )?;
        }
        Ok(())
    }
}
