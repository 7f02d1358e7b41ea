-- Each row is found by its own id, whatever Postgres believes about the tables: `offset 0` keeps
-- the planner from reading a batch to find some of it, and a state compared as text from reading
-- the index of all that is due. The same order everywhere, so that statements cannot deadlock.
with found as materialized (
    select job.id, job.attempt, d.batch_id, d.due_at, d.test_address,
           b.kind, b.version, b.test_language, b.start_at, b.deadline_at, b.paused_for,
           b.state = 'running' and (select sending_is_open()) as is_running,
           u.id as user_id, u.email, u.email_key, u.first_name, u.last_name, u.fields,
           coalesce(u.language, b.test_language, '') as language, u.signed_in_at is not null as has_signed_in,
           case when u.id is null and d.test_address is null then 'user_deleted'
                -- One that is claimed already was claimed before its user was locked
                when d.state::text <> 'sending' and b.kind = 'password_reset' and u.locked_at is not null
                then 'user_locked'
                -- or its address was blocked.
                when d.state::text <> 'sending' and x.is_blocked then 'address_blocked'
           end as ends_for
    from unnest($1::uuid[], $2::integer[]) as job (id, attempt)
    cross join lateral (
        select batch_id, user_id, test_address, state,
               -- A later attempt that is queued is due again when its job counts as lost.
               case when state::text = 'queued' then moved_at else retry_at end as due_at
        from deliveries where id = job.id offset 0
    ) d
    cross join lateral (
        select kind, version, test_language, start_at, deadline_at, paused_for, state
        from batches where id = d.batch_id offset 0
    ) b
    left join lateral (
        select id, email, email_key, first_name, last_name, language, fields, signed_in_at, locked_at
        from users where id = d.user_id offset 0
    ) u on true
    left join lateral (
        select true as is_blocked from blocked_addresses where email_key = u.email_key offset 0
    ) x on true
    order by job.id
),
claimed as (
    update deliveries d
    set state = case when f.ends_for is null then 'sending'
                     when f.ends_for = 'address_blocked' then 'suppressed'
                     else 'cancelled' end::delivery_state,
        reason = f.ends_for,
        moved_at = case when d.state::text = 'sending' then d.moved_at else now() end,
        attempt = case when f.ends_for is not null or d.state::text = 'sending' then d.attempt else d.attempt + 1 end,
        retry_at = null,
        trouble_at = case when f.ends_for = 'address_blocked' then now() else d.trouble_at end,
        lease_token = case when f.ends_for is null then $3::uuid end,
        give_up_at = coalesce(
            d.give_up_at,
            -- On the batch's clock, which stands still during pauses.
            now() - f.paused_for + make_interval(secs => case f.kind when 'invite' then $6::float8 else $7::float8 end))
    from found f
    where d.id = f.id
      and ((f.is_running and d.attempt = f.attempt - 1 and d.state::text in ('waiting', 'queued', 'retrying'))
           -- The same claim asked again, because its first answer was lost.
           or (d.attempt = f.attempt and d.state::text = 'sending' and d.lease_token = $3))
    returning d.attempt as begun, f.*
),
leased as (
    insert into claims (token, worker, lease_until, deliveries)
    select $3, $5, now() + make_interval(secs => $4), array_agg(id) from claimed where ends_for is null having count(*) > 0
    on conflict (token) do update set lease_until = excluded.lease_until, deliveries = excluded.deliveries
)
select id as "delivery!", begun as "attempt!", batch_id as "batch!",
       kind as "kind!: SystemEmailKind", version as "version!", start_at as "start_at!",
       extract(epoch from deadline_at - now())::float8 as "seconds_left?",
       extract(epoch from now() - greatest(due_at, start_at))::float8 as "waited_seconds!",
       now() as "claimed_at!", test_address, ends_for,
       user_id as "user?", email as "email?", email_key as "email_key?", first_name as "first_name?",
       last_name as "last_name?", language as "language!", fields as "fields?",
       has_signed_in as "has_signed_in!"
from claimed
