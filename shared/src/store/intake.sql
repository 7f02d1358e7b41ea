with given as materialized (
    select chosen.id as user_id, chosen.id::text as given, chosen.n
    from unnest($1::uuid[]) with ordinality as chosen (id, n)
    union all
    select u.id, chosen.given, chosen.n
    from unnest($2::text[], $3::text[]) with ordinality as chosen (key, given, n)
    left join users u on u.email_key = chosen.key
    union all
    select user_id, null, row_number from import_users where import_id = $4
    union all
    select chosen.id, null, chosen.n
    from selections s cross join lateral unnest(s.chosen) with ordinality as chosen (id, n)
    where s.id = $9
),
known as materialized (
    select given.user_id, given.given, given.n, u.id is not null as is_known, u.signed_in_at, u.locked_at,
           row_number() over (partition by given.user_id order by given.n) as turn
    from given
    left join users u on u.id = given.user_id
),
-- What is owed belongs to a batch that has not finished, and was written no earlier than the first of
-- these: months before that are not looked at.
unfinished as materialized (
    select uuid_v7_from(min(created_at)) as beginning from batches where finished_at is null
),
classed as materialized (
    select known.user_id, known.given, known.n,
           case
               when not known.is_known then 'unknown_user'
               when known.turn > 1 then 'duplicate'
               when $10::mail_kind = 'password_reset' and known.locked_at is not null then 'user_locked'
               when $10 = 'password_reset' and not $11::boolean
                    and known.signed_in_at is not null then 'signed_in'
               when is_waiting then 'already_waiting'
               when not $12::boolean and is_recent then 'mailed_recently'
               when $10 = 'password_reset' and passwords.live >= $14::integer then 'too_many_passwords'
           end as reason
    from known
    cross join lateral (
        select exists (
            select from (
                select batch_id from deliveries
                where user_id = known.user_id and id >= (select beginning from unfinished)
                  and state in ('waiting', 'queued', 'sending', 'retrying')
                offset 0
            ) d
            cross join lateral (select from batches where id = d.batch_id and kind = $10 offset 0) b
        ) as is_waiting
    ) owed
    left join lateral (
        select sent_at > now() - make_interval(secs => $13::float8) as is_recent
        from last_sent where user_id = known.user_id and kind = $10 offset 0
    ) past on true
    left join lateral (
        select count(*) as live
        from credentials c
        where c.user_id = known.user_id and c.kind = 'generated'
          and c.expires_at > now()
    ) passwords on $10 = 'password_reset'
),
totals as (
    select count(*)::integer as selected, count(*) filter (where reason is null)::integer as accepted
    from classed
),
starting as (
    select greatest(now() + make_interval(secs => $16::float8), coalesce($15::timestamptz, now())) as start_at
),
-- What is promised in work: everything accepted takes its time at the promised rate, and whoever
-- shares the line with it waits for that much longer.
work as (
    select $7::float8 * totals.accepted / $8::float8 as seconds, totals.accepted > $20::integer as is_bulk from totals
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
                         final_counts, selected_count, accepted_count, trace_id)
    select $10,
           (select max(version) from system_email_versions where kind = $10),
           case when work.is_bulk then 'bulk' else 'interactive' end::lane,
           case when totals.accepted = 0 then 'finished'
                when starting.start_at > now() then 'held'
                else 'running' end::batch_state,
           $18, starting.start_at,
           starting.start_at + make_interval(secs => $17::float8),
           starting.start_at + make_interval(secs => case
               when not work.is_bulk then $5::float8
               else $6::float8 + work.seconds + $7 * (
                   select coalesce(sum(accepted_count), 0) from batches where finished_at is null and lane = 'bulk'
               ) / $8
           end),
           case when totals.accepted = 0 then now() end,
           case when totals.accepted = 0 then '[]'::jsonb end,
           totals.selected, totals.accepted, $19
    from totals, starting, work
    returning id, state, start_at, selected_count, accepted_count
),
new_deliveries as (
    -- Due from now on: that nothing leaves before the batch starts is said once, by its state and
    -- start_at, so that bringing the start forward changes one row.
    insert into deliveries (batch_id, user_id, due_at)
    select new_batch.id, classed.user_id, now()
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
from new_batch
