//! What the database has about attempts and passwords.

use sqlx::AssertSqlSafe;
use time::OffsetDateTime;
use uuid::Uuid;

use super::World;

impl World {
    /// When the first attempt started.
    pub async fn first_attempt(&self) -> OffsetDateTime {
        let started: Vec<OffsetDateTime> = self.rows("attempts").column("started_at").await;
        started
            .into_iter()
            .min()
            .unwrap_or_else(|| panic!("there is no attempt"))
    }

    /// The most attempts that any mail has had.
    pub async fn most_attempts(&self) -> i32 {
        let attempts: Vec<i32> = self.rows("attempts").column("n").await;
        attempts.into_iter().max().unwrap_or_default()
    }

    /// Lets every mail, each of which has had one attempt, have had this many more with the same outcome.
    pub async fn repeat_attempts(&self, times: i32) {
        let repeat = "with repeated as (
                          insert into attempts (delivery_id, n, worker, started_at, ended_at, verdict, phase, code)
                          select delivery_id, n + further, worker, started_at, ended_at, verdict, phase, code
                          from attempts, generate_series(1, $1) as further
                      )
                      update deliveries set attempt = attempt + $1";
        self.change(sqlx::query(repeat).bind(times)).await;
    }

    /// Seconds from the relay's reply to the expiry of the only password of a batch.
    pub async fn password_lifetime(&self, batch: Uuid) -> f64 {
        let lifetime = format!(
            "select extract(epoch from c.expires_at - d.sent_at)::float8
             from credentials c join deliveries d on d.id = c.delivery_id where c.batch_id = '{batch}'"
        );
        self.seconds(lifetime).await
    }

    /// Seconds until the only mail that waits for a retry is due.
    pub async fn seconds_until_retry(&self) -> f64 {
        let wait = "select extract(epoch from retry_at - now())::float8 from deliveries where state = 'retrying'";
        self.seconds(wait.to_owned()).await
    }

    /// Seconds between two times of a batch.
    pub async fn seconds_of_batch(&self, batch: Uuid, from: &str, to: &str) -> f64 {
        let seconds = format!("select extract(epoch from {to} - {from})::float8 from batches where id = '{batch}'");
        self.seconds(seconds).await
    }

    async fn seconds(&self, question: String) -> f64 {
        let answers: Result<Vec<f64>, _> = sqlx::query_scalar(AssertSqlSafe(question)).fetch_all(&self.db).await;
        match answers.as_deref() {
            Ok([seconds]) => *seconds,
            other => panic!("one row was expected: {other:?}"),
        }
    }
}
