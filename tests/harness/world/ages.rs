//! The clock: what time it is in Postgres, and rows made older instead of waiting for days. What the database refuses
//! ends the test.

use std::time::Duration;

use serde_json::json;
use sqlx::AssertSqlSafe;
use time::OffsetDateTime;
use uuid::Uuid;

use super::World;

impl World {
    /// Postgres's clock, which all due times, leases and expiry use.
    pub async fn now(&self) -> OffsetDateTime {
        let now = sqlx::query_scalar("select clock_timestamp()").fetch_one(&self.db).await;
        now.unwrap_or_else(|fault| panic!("could not read the clock: {fault}"))
    }

    /// Makes everything about mails this many days older, in the partitions of those months. The promises are not
    /// checked afterwards, because the relay has the former ids.
    pub async fn let_days_pass(&self, days: i32) {
        self.skip_promises("the ids of deliveries were changed");
        // The first twelve digits of an id are the time of its row.
        let statements = [
            "select make_month(date_trunc('month', (now() - make_interval(days => $1)) at time zone 'UTC')::date)",
            "update attempts set delivery_id = older(delivery_id, $1)",
            "update credentials set id = older(id, $1), delivery_id = older(delivery_id, $1), created_at = created_at - make_interval(days => $1),
                                    expires_at = expires_at - make_interval(days => $1) where delivery_id is not null",
            "update deliveries set id = older(id, $1), sent_at = sent_at - make_interval(days => $1)",
            "update batches set created_at = created_at - make_interval(days => $1),
                                finished_at = finished_at - make_interval(days => $1)",
            "update imports set done_at = done_at - make_interval(days => $1)",
            "update last_sent set sent_at = sent_at - make_interval(days => $1)",
        ];
        let older = "create or replace function older(id uuid, days integer) returns uuid language sql as $$
                         select (substr(uuid_v7_from(to_timestamp(('x' || substr(replace(id::text, '-', ''), 1, 12))::bit(48)::bigint / 1000.0)
                                                     - make_interval(days => days))::text, 1, 13)
                                 || substr(id::text, 14))::uuid $$";
        let mut done = sqlx::query(older).execute(&self.db).await;
        for statement in statements {
            if done.is_ok() {
                done = sqlx::query(statement).bind(days).execute(&self.db).await;
            }
        }
        assert!(done.is_ok(), "{done:?}");
    }

    /// Lets the time pass after which a claim that is not renewed, and a job that no worker has claimed, count as lost.
    pub async fn let_leases_end(&self) {
        let passing = sqlx::raw_sql(
            "update claims set lease_until = now();
             update published_ranges set published_at = published_at - interval '1 hour';
             update deliveries set retry_at = now() where state = 'queued'",
        );
        let done = passing.execute(&self.db).await;
        assert!(done.is_ok(), "{done:?}");
    }

    /// Moves a batch, and each of its mails, to this many seconds before the end of the month before last; negative
    /// values are after it.
    pub async fn move_to_end_of_month(&self, batch: Uuid, accepted: f64, mails: &[f64]) {
        self.skip_promises("the ids of deliveries were changed");
        let ids = self.rows("deliveries").with("batch_id", batch).ordered_by("id");
        let ids: Vec<Uuid> = ids.column("id").await;
        assert_eq!(ids.len(), mails.len());
        let end = "(date_trunc('month', now() at time zone 'UTC') - interval '1 month') at time zone 'UTC'";
        for (id, before) in ids.into_iter().zip(mails) {
            for (table, column) in [("deliveries", "id"), ("attempts", "delivery_id")] {
                let moving = format!(
                    "update {table} set {column} = (substr(uuid_v7_from({end} - make_interval(secs => $2))::text, 1, 13)
                                                    || substr({column}::text, 14))::uuid where {column} = $1"
                );
                self.change(sqlx::query(AssertSqlSafe(moving)).bind(id).bind(before))
                    .await;
            }
        }
        let moving = format!("update batches set created_at = {end} - make_interval(secs => $2) where id = $1");
        self.change(sqlx::query(AssertSqlSafe(moving)).bind(batch).bind(accepted))
            .await;
    }

    /// Makes the partitions of this many past months.
    pub async fn make_past_months(&self, months: i32) {
        let making =
            "select make_month((date_trunc('month', now() at time zone 'UTC') - make_interval(months => n))::date)
                      from generate_series(1, $1) as n";
        self.change(sqlx::query(making).bind(months)).await;
    }

    /// Lets the trouble that workers report have lasted at least this long.
    pub async fn let_trouble_last(&self, seconds: i32) {
        let passing = sqlx::query(
            "update workers set trouble_since = trouble_since - lasted from make_interval(secs => $1) as lasted
             where trouble_since > now() - lasted",
        );
        self.change(passing.bind(f64::from(seconds))).await;
    }

    /// Makes everything due now that waits, for a retry or because it was given back.
    pub async fn let_all_waits_pass(&self) {
        let passing = "update deliveries set retry_at = now() where state in ('waiting', 'retrying')";
        self.change(sqlx::query(passing)).await;
    }

    /// Makes a batch start now, whatever its hold or its start time.
    pub async fn end_hold(&self, batch: Uuid) {
        self.rows("batches")
            .with("id", batch)
            .set(json!({ "start_at": "now" }))
            .await;
    }

    /// Moves the deadline of a batch to a minute ago.
    pub async fn let_batch_be_late(&self, batch: Uuid) {
        let passing = sqlx::query("update batches set deadline_at = now() - interval '1 minute' where id = $1");
        self.change(passing.bind(batch)).await;
    }

    /// Lets the time pass after which an import whose worker reports no progress counts as abandoned.
    pub async fn let_import_fall_silent(&self, import: Uuid) {
        let silence = Duration::from_secs(31);
        self.rows("imports")
            .with("id", import)
            .age(&["progress_at"], silence)
            .await;
    }

    /// Lets the time pass after which administrators have to confirm their password again.
    pub async fn let_confirmations_end(&self) {
        self.rows("sessions")
            .age(&["authenticated_at"], Duration::from_mins(11))
            .await;
    }

    /// Lets this many hours pass for unfinished batches and their deliveries: all their past and future times become
    /// this much earlier.
    pub async fn let_hours_pass(&self, hours: i32) {
        let passing = sqlx::query(
            "with open as (
                 update batches
                 set created_at = created_at - passed, start_at = start_at - passed, stale_at = stale_at - passed,
                     deadline_at = deadline_at - passed, paused_at = paused_at - passed,
                     resumed_at = resumed_at - passed
                 from make_interval(hours => $1) as passed
                 where finished_at is null
             )
             update deliveries
             set retry_at = retry_at - passed, give_up_at = give_up_at - passed, moved_at = moved_at - passed
             from make_interval(hours => $1) as passed
             where state in ('waiting', 'queued', 'retrying')",
        );
        self.change(passing.bind(hours)).await;
    }
}
