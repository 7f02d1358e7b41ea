//! The promises that hold after any run, whatever happened in it.

use std::collections::HashMap;

use sqlx::Row as _;
use uuid::Uuid;

use super::World;

/// A delivery in Postgres.
struct Line {
    state: String,
    unsure_attempts: i64,
    accepted_attempts: i64,
    attempts: i64,
}

impl World {
    /// Waits until nothing is in progress, because the relay has a mail slightly before Postgres records it, and
    /// compares the ledger with what the relay received:
    ///
    /// - every delivery has ended, and every batch adds up to what was selected;
    /// - `sent` means that the relay accepted the mail;
    /// - the relay accepted no mail more often than once, plus once for each unsure attempt;
    /// - all copies of a mail have the same Message-ID and the same recipient;
    /// - no attempt and no claim is left open.
    ///
    /// # Panics
    ///
    /// When a promise is broken; the message names the first one and the place.
    pub async fn assert_promises_kept(&self) {
        let lines = self.lines_when_drained().await;
        let mut taken: HashMap<Uuid, (usize, String)> = HashMap::new();
        for transaction in self.relay.log().into_iter().filter(|transaction| transaction.kept) {
            let delivery = transaction.delivery.as_deref().and_then(|text| text.parse().ok());
            let Some(delivery) = delivery else {
                panic!("the relay took a mail without a delivery: {transaction:?}")
            };
            let message_id = transaction.message_id.unwrap_or_default();
            assert_eq!(
                message_id,
                format!("<{delivery}@lerna.example>"),
                "Message-ID of {delivery}"
            );
            let entry = taken.entry(delivery).or_insert((0, transaction.recipient.clone()));
            entry.0 += 1;
            assert_eq!(entry.1, transaction.recipient, "{delivery} went to two people");
        }
        for (delivery, line) in &lines {
            let times = taken.get(delivery).map_or(0, |entry| entry.0);
            let most = 1 + usize::try_from(line.unsure_attempts).unwrap_or_default();
            assert!(
                times <= most,
                "{delivery} went out {times} times with {} unsure attempts",
                line.unsure_attempts
            );
            assert!(
                line.state != "sent" || times >= 1,
                "{delivery} is sent, and the relay never took it"
            );
            assert!(
                line.state == "sent" || times < most,
                "{delivery} is {} and the relay took it",
                line.state
            );
            assert!(line.accepted_attempts <= 1, "{delivery} was accepted twice");
            assert!(line.attempts <= 20, "{delivery} has {} attempts", line.attempts);
        }
        let strangers: Vec<&Uuid> = taken.keys().filter(|delivery| !lines.contains_key(delivery)).collect();
        assert!(
            strangers.is_empty(),
            "the relay accepted unexpected mails: {strangers:?}"
        );
        let open = "select count(*) from attempts where ended_at is null";
        let open: Result<i64, _> = sqlx::query_scalar(open).fetch_one(&self.db).await;
        assert_eq!(open.ok(), Some(0), "attempts without a recorded end");
        self.assert_sums().await;
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
