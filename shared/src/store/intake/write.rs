//! The statement that writes a batch: its row, a delivery for each user who gets the email, and a row for
//! each user who is left out.

/// Writes a batch in one statement. Takes the batch, the users selected by id or filter, the users left out
/// on request, the reason for each combination of facts, the promised rate, and the version of its own wording.
macro_rules! write_batch {
    ($new:expr, $users:expr, $excluded:expr, $reasons:expr, $rate:expr, $version:expr) => {{
        let chosen = &$new.selection;
        $crate::store::left_out::with_facts!(
            query,
            "with given as materialized (
    select chosen.id as user_id, chosen.id::text as given, chosen.n
    from unnest($6::uuid[]) with ordinality as chosen (id, n)
    union all
    select u.id, chosen.given, chosen.n
    from unnest($7::text[], $8::text[]) with ordinality as chosen (key, given, n)
    left join users u on u.email_key = chosen.key
    union all
    select user_id, null, row_number from import_users where import_id = $9
    union all
    select chosen.id, null, chosen.n
    from selections s cross join lateral unnest(s.chosen) with ordinality as chosen (id, n)
    where s.id = $10
)",
            r#",
classed as materialized (
    select user_id, given, n, nullif(($11::text[])[facts + 1], '') as reason from facts
),
totals as (
    select count(*)::integer as selected, count(*) filter (where reason is null)::integer as accepted
    from classed
),
starting as (
    select greatest(now() + make_interval(secs => $13::float8), coalesce($12::timestamptz, now())) as start_at
),
-- The time that this batch takes at the promised rate. Batches that share the lane with it get that much later
-- deadlines.
work as (
    select $20::float8 * totals.accepted / $21::float8 as seconds, totals.accepted > $17::integer as is_bulk from totals
),
postponed as (
    update batches set deadline_at = deadline_at + make_interval(secs => (select seconds from work))
    where id in (
        -- One that is being paused or finished at this moment is left as it is. A worker that stores
        -- verifiers for it holds `for key share`, which does not count as such.
        select id from batches
        where finished_at is null and lane = 'bulk' and deadline_at > now() and (select is_bulk from work)
        order by id
        for no key update skip locked)
),
new_batch as (
    insert into batches (kind, version, lane, state, created_by, start_at, stale_at, deadline_at, finished_at,
                         final_counts, selected_count, accepted_count, trace_id, excluded)
    select $1,
           coalesce($23::integer, (select max(version) from system_email_versions where kind = $1)),
           case when work.is_bulk then 'bulk' else 'interactive' end::lane,
           case when totals.accepted = 0 then 'finished'
                when starting.start_at > now() then 'held'
                else 'running' end::batch_state,
           $15, starting.start_at,
           starting.start_at + make_interval(secs => $14::float8),
           starting.start_at + make_interval(secs => case
               when not work.is_bulk then $18::float8
               else $19::float8 + work.seconds + $20 * (
                   select coalesce(sum(accepted_count), 0) from batches where finished_at is null and lane = 'bulk'
               ) / $21
           end),
           case when totals.accepted = 0 then now() end,
           case when totals.accepted = 0 then '[]'::jsonb end,
           totals.selected, totals.accepted, $16, $22
    from totals, starting, work
    returning id, state, start_at, selected_count, accepted_count
),
new_deliveries as (
    -- Nothing leaves before the batch starts, which is said once, by its state and start_at, so that bringing
    -- the start forward changes one row.
    insert into deliveries (batch_id, user_id)
    select new_batch.id, classed.user_id
    from classed, new_batch
    where classed.reason is null
    order by classed.n
),
new_left_out as (
    insert into left_out (batch_id, user_id, given, reason)
    select new_batch.id, case when classed.reason <> 'unknown_user' then classed.user_id end,
           case when classed.reason = 'unknown_user' then classed.given end, classed.reason
    from classed, new_batch
    where classed.reason is not null
    order by classed.n
)
select id as "id!", state as "state!: BatchState", selected_count as "selected_count!", accepted_count as "accepted_count!",
       coalesce((select jsonb_object_agg(reason, n)
                 from (select reason, count(*) as n from classed where reason is not null group by reason) by_reason),
                '{}') as "left_out!"
from new_batch"#,
            $new.kind,
            $excluded,
            $users,
            &chosen.email_keys,
            &chosen.emails_given,
            chosen.import,
            chosen.chosen,
            $reasons,
            $new.start_at,
            seconds($new.hold),
            $new.stale_after.map(seconds),
            $new.created_by.name,
            $new.trace.trace_id().to_string(),
            i32::try_from(MAX_INTERACTIVE).unwrap_or(i32::MAX),
            seconds(PROMISED_INTERACTIVE),
            seconds(PROMISED_BULK),
            PROMISED_SHARE,
            $rate,
            $excluded.recorded() as _,
            $version,
        )
    }};
}
pub(super) use write_batch;
