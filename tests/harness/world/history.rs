//! Creates mails of the last three months, instead of sending them.
//!
//! Each user got twenty invites, in batches of a hundred thousand, and one in fifty failed. Rows are written in their
//! final state, with ids of the times when they would have been created.

use sqlx::{AssertSqlSafe, Executor as _};

use super::World;
use crate::error::{HarnessError, Result};

/// Mails per user.
const EACH: usize = 20;

/// Mails per batch.
const BATCH: usize = 100_000;

impl World {
    /// Writes a history of about this many mails. Returns the numbers of mails and users.
    ///
    /// # Errors
    ///
    /// When Postgres refuses.
    pub async fn write_history(&self, mails: usize) -> Result<(usize, usize)> {
        self.skip_promises("the relay did not get the mails of the history");
        // In each of the three months.
        let batches = mails.div_ceil(BATCH).max(3);
        let size = mails.div_ceil(batches);
        let people = (size * batches).div_ceil(EACH);
        let with_sizes = |text: &str| {
            text.replace("$people", &people.to_string())
                .replace("$batches", &batches.to_string())
                .replace("$size", &size.to_string())
        };
        self.past(with_sizes(PEOPLE)).await?;
        self.past(with_sizes(BATCHES)).await?;
        for number in 0..batches {
            self.past(with_sizes(MAILS).replace("$number", &number.to_string()))
                .await?;
        }
        self.past(LAST_SENT.to_owned()).await?;
        self.past("vacuum analyze".to_owned()).await?;
        Ok((size * batches, people))
    }

    async fn past(&self, statement: String) -> Result<()> {
        let written = self.db.execute(AssertSqlSafe(statement)).await;
        written.map_err(|fault| HarnessError::because("could not write the history", fault))?;
        Ok(())
    }

    /// Writes batches as if a program had requested invites for one user at a time, never for the user with this
    /// address.
    pub async fn owe_one_by_one(&self, batches: i32, but_for: &str) {
        self.change(sqlx::query(ONE_BY_ONE).bind(batches).bind(but_for)).await;
    }
}

const PEOPLE: &str = "
    select make_month((date_trunc('month', now() at time zone 'UTC') - make_interval(months => n))::date)
    from generate_series(1, 3) as n;
    insert into users (id, email, email_key, first_name, last_name, fields, created_at)
    select overlay(uuid_v7()::text placing substr(uuid_v7_from(now() - interval '90 days')::text, 1, 13) from 1 for 13)::uuid,
           'learner' || n || '@history.example', 'learner' || n || '@history.example', 'Learner', 'Number ' || n,
           '{\"department\": \"Logistics\"}', now() - interval '90 days'
    from generate_series(0, $people - 1) as n;
    create unlogged table history_people as
        select row_number() over (order by id) - 1 as n, id from users where email_key like '%@history.example';
    create index on history_people (n)";

const BATCHES: &str = "
    create unlogged table history_batches as
    select n, gen_random_uuid() as id, now() - interval '89 days' * (1 - n::float8 / $batches) as at
    from generate_series(0, $batches - 1) as n;
    insert into batches (id, kind, version, lane, state, created_at, created_by, start_at, finished_at, final_counts,
                         selected_count, accepted_count, trace_id)
    select overlay(id::text placing substr(uuid_v7_from(at)::text, 1, 15) from 1 for 15)::uuid, 'invite', 1, 'bulk', 'finished',
           at, 'history', at, at + interval '10 minutes', '[]', 100000, 100000, repeat('0', 31) || '1'
    from history_batches;
    update history_batches set id = overlay(id::text placing substr(uuid_v7_from(at)::text, 1, 15) from 1 for 15)::uuid";

const MAILS: &str = "
    with one as (
        select b.id as batch_id, p.id as user_id, b.at, i as n,
               overlay(uuid_v7()::text placing substr(uuid_v7_from(b.at + make_interval(secs => i / 1000.0))::text, 1, 13)
                       from 1 for 13)::uuid as id
        from history_batches b
        cross join generate_series(0, $size - 1) as i
        join history_people p on p.n = ($number::bigint * $size + i) % $people
        where b.n = $number
    ), mails as (
        insert into deliveries (id, batch_id, user_id, state, reason, attempt, give_up_at, moved_at, trouble_at, sent_at)
        select id, batch_id, user_id, case when n % 50 = 0 then 'failed' else 'sent' end::delivery_state,
               case when n % 50 = 0 then 'mailbox' end, 1, at + interval '2 days', at + interval '1 minute',
               case when n % 50 = 0 then at + interval '1 minute' end,
               case when n % 50 <> 0 then at + interval '1 minute' end
        from one
    )
    insert into attempts (delivery_id, n, worker, started_at, ended_at, verdict, phase, code, enhanced_code, reply)
    select id, 1, 'worker-0123456789', at, at + interval '1 minute', case when n % 50 = 0 then 'refused' else 'accepted' end,
           case when n % 50 = 0 then 'rcpt' else 'data' end, case when n % 50 = 0 then 550 else 250 end,
           case when n % 50 = 0 then '5.1.1' else '2.0.0' end,
           case when n % 50 = 0 then 'no such user here' else 'taken as 4bXyZ1234567890' end
    from one";

const LAST_SENT: &str = "
    insert into last_sent (user_id, kind, sent_at)
    select user_id, 'invite', max(sent_at) from deliveries where state = 'sent' group by user_id
    on conflict do nothing;
    drop table history_people, history_batches";

const ONE_BY_ONE: &str = "
    with asked as (
        insert into batches (kind, version, lane, state, created_by, start_at, selected_count, accepted_count, trace_id)
        select 'invite', 1, 'interactive', 'running', 'a program', now(), 1, 1, repeat('0', 31) || '1'
        from generate_series(1, $1)
        returning id
    ), people as (
        select array_agg(id) as ids from users where email <> $2
    )
    insert into deliveries (batch_id, user_id)
    select asked.id, people.ids[1 + (row_number() over ())::integer % cardinality(people.ids)] from asked, people";
