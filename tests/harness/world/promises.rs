//! The promises about mails: those that hold at any moment, and those that hold when nothing is in progress.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use sqlx::Row as _;
use uuid::Uuid;

use super::{PULSE, World};
use crate::relay::Transaction;

/// How long the ledger and the relay's log may differ: the relay records a mail after its reply, and Postgres a bit
/// later still.
const SETTLING: Duration = Duration::from_secs(5);

/// A delivery in Postgres.
struct Line {
    state: String,
    unsure_attempts: i64,
    accepted_attempts: i64,
    attempts: i64,
}

impl Line {
    /// The most times that the relay may have taken the mail: once, and once for each unsure attempt.
    fn most(&self) -> usize {
        1 + usize::try_from(self.unsure_attempts).unwrap_or_default()
    }
}

impl World {
    /// Waits until nothing is in progress, because the relay has a mail slightly before Postgres records it, and
    /// compares the ledger with what the relay received. In addition to what [`World::assert_invariants`] asserts:
    ///
    /// - every delivery has ended, and every batch adds up to what was selected;
    /// - the relay accepted no mail that is not `sent`, except in unsure attempts;
    /// - no attempt and no claim is left open.
    ///
    /// # Panics
    ///
    /// When a promise is broken; the message names the first one and the place.
    pub async fn assert_promises_kept(&self) {
        let lines = self.lines_when_drained().await;
        let taken = compare(&lines, self.relay.log()).unwrap_or_else(|broken| panic!("{broken}"));
        for (delivery, line) in &lines {
            assert!(
                line.state == "sent" || taken.get(delivery).copied().unwrap_or_default() < line.most(),
                "{delivery} is {} and the relay took it",
                line.state
            );
        }
        let open = "select count(*) from attempts where ended_at is null";
        let open: Result<i64, _> = sqlx::query_scalar(open).fetch_one(&self.db).await;
        assert_eq!(open.ok(), Some(0), "attempts without a recorded end");
        self.assert_sums().await;
    }

    /// Compares the ledger with what the relay received, whatever is in progress:
    ///
    /// - `sent` means that the relay accepted the mail;
    /// - the relay accepted no mail more often than once, plus once for each unsure attempt;
    /// - all copies of a mail have the same Message-ID and the same recipient, and the ledger has that mail;
    /// - a delivery is accepted at most once and has at most twenty attempts;
    /// - the states of every batch add up to its accepted recipients.
    ///
    /// # Panics
    ///
    /// When one of them does not hold within five seconds; the message names the first one and the place.
    pub async fn assert_invariants(&self) {
        let deadline = Instant::now() + SETTLING;
        loop {
            let lines = self.lines().await;
            let broken = match compare(&lines, self.relay.log()) {
                Ok(_) => self.wrong_sum().await,
                Err(broken) => Some(broken),
            };
            let Some(broken) = broken else { return };
            assert!(Instant::now() < deadline, "{broken}");
            tokio::time::sleep(PULSE).await;
        }
    }

    /// A batch whose states do not add up, according to Postgres alone, because the API may have ended.
    async fn wrong_sum(&self) -> Option<String> {
        let wrong = sqlx::query_scalar(
            "select b.id::text
             from batches b
             left join (select batch_id, sum(count) as count from batch_states group by batch_id) running
                 on running.batch_id = b.id
             cross join lateral (
                 select sum((alike ->> 'count')::bigint) as count from jsonb_array_elements(b.final_counts) alike
             ) ended
             where b.accepted_count <> coalesce(ended.count, running.count, 0)
             limit 1",
        );
        let wrong: Result<Option<String>, _> = wrong.fetch_optional(&self.db).await;
        match wrong {
            Ok(batch) => batch.map(|batch| format!("the states of batch {batch} do not add up")),
            Err(fault) => panic!("could not read the batches: {fault}"),
        }
    }

    /// Asserts that the counts of every batch add up.
    ///
    /// # Panics
    ///
    /// When they do not; the message names the batch.
    pub async fn assert_sums(&self) {
        let page = self.get("/v1/batches?limit=1000").await.expect(200);
        for batch in page["items"].as_array().into_iter().flatten() {
            let counts = &batch["counts"];
            let of = |name: &str| counts[name].as_i64().unwrap_or(-1_000_000);
            let sum: i64 = [
                "left_out",
                "waiting",
                "queued",
                "sending",
                "retrying",
                "sent",
                "failed",
                "suppressed",
                "cancelled",
                "expired",
            ]
            .into_iter()
            .map(of)
            .sum();
            assert_eq!(sum, of("selected"), "the ledger does not add up: {batch}");
            let left_out: i64 = batch["left_out"]
                .as_object()
                .into_iter()
                .flatten()
                .filter_map(|(_, n)| n.as_i64())
                .sum();
            assert_eq!(left_out, of("left_out"), "who was left out does not add up: {batch}");
        }
    }

    async fn lines_when_drained(&self) -> HashMap<Uuid, Line> {
        self.eventually("every delivery to end", async || {
            let lines = self.lines().await;
            lines.values().all(|line| has_ended(&line.state)).then_some(lines)
        })
        .await
    }

    async fn lines(&self) -> HashMap<Uuid, Line> {
        let rows = sqlx::query(
            "select d.id, d.state::text as state,
                    count(a.n) as attempts,
                    count(a.n) filter (where a.verdict = 'unsure') as unsure_attempts,
                    count(a.n) filter (where a.verdict = 'accepted') as accepted_attempts
             from deliveries d left join attempts a on a.delivery_id = d.id
             group by d.id, d.state",
        )
        .fetch_all(&self.db)
        .await;
        let rows = rows.unwrap_or_else(|fault| panic!("could not read the ledger: {fault}"));
        rows.into_iter()
            .map(|row| {
                let line = Line {
                    state: row.get("state"),
                    unsure_attempts: row.get("unsure_attempts"),
                    accepted_attempts: row.get("accepted_attempts"),
                    attempts: row.get("attempts"),
                };
                (row.get("id"), line)
            })
            .collect()
    }
}

fn has_ended(state: &str) -> bool {
    matches!(state, "sent" | "failed" | "suppressed" | "cancelled" | "expired")
}

/// How often the relay took each mail, or which promise is broken.
fn compare(lines: &HashMap<Uuid, Line>, log: Vec<Transaction>) -> Result<HashMap<Uuid, usize>, String> {
    let taken = taken(log)?;
    for (delivery, line) in lines {
        let times = taken.get(delivery).copied().unwrap_or_default();
        if times > line.most() {
            let unsure = line.unsure_attempts;
            return Err(format!(
                "{delivery} went out {times} times with {unsure} unsure attempts"
            ));
        }
        if line.state == "sent" && times == 0 {
            return Err(format!("{delivery} is sent, and the relay never took it"));
        }
        if line.accepted_attempts > 1 {
            return Err(format!("{delivery} was accepted twice"));
        }
        if line.attempts > 20 {
            return Err(format!("{delivery} has {} attempts", line.attempts));
        }
    }
    let strangers: Vec<&Uuid> = taken.keys().filter(|delivery| !lines.contains_key(delivery)).collect();
    if strangers.is_empty() {
        Ok(taken)
    } else {
        Err(format!("the relay accepted unexpected mails: {strangers:?}"))
    }
}

/// How often the relay took each mail, unless copies of one differ.
fn taken(log: Vec<Transaction>) -> Result<HashMap<Uuid, usize>, String> {
    let mut taken: HashMap<Uuid, (usize, String)> = HashMap::new();
    for transaction in log.into_iter().filter(|transaction| transaction.kept) {
        let delivery = transaction.delivery.as_deref().and_then(|text| text.parse().ok());
        let Some(delivery) = delivery else {
            return Err(format!("the relay took a mail without a delivery: {transaction:?}"));
        };
        let message_id = transaction.message_id.unwrap_or_default();
        if message_id != format!("<{delivery}@lerna.example>") {
            return Err(format!("the Message-ID of {delivery} is {message_id}"));
        }
        let entry = taken.entry(delivery).or_insert((0, transaction.recipient.clone()));
        entry.0 += 1;
        if entry.1 != transaction.recipient {
            return Err(format!("{delivery} went to two people"));
        }
    }
    Ok(taken
        .into_iter()
        .map(|(delivery, (times, _))| (delivery, times))
        .collect())
}
