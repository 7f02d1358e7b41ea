with turn as materialized (
    select from dispatcher where epoch = $2 for share
),
-- Once the clock of Postgres has gone back, leases end too late. A worker that is alive renews them in time.
ahead as (
    update claims set lease_until = now() + least(lease_until - claimed_at, interval '10 minutes')
    where lease_until > now() + interval '11 minutes' and exists (select from turn)
),
over as materialized (
    select token, worker, claimed_at, deliveries from claims
    where lease_until < now() and exists (select from turn)
    order by lease_until
    limit $3
    for update skip locked
),
vanished as materialized (
    select d.id, d.attempt, d.cancel_reason, over.worker, over.claimed_at, b.state as batch_state
    from over
    cross join unnest(over.deliveries) as claimed (id)
    join deliveries d on d.id = claimed.id and d.lease_token = over.token and d.state::text = 'sending'
    cross join lateral (select state from batches where id = d.batch_id offset 0) b
    order by d.id
    for update of d skip locked
),
moved as (
    update deliveries d
    -- The token stays: until another attempt begins, the worker may still tell what became of this one.
    set state = case when v.batch_state = 'stopped' or v.cancel_reason is not null then 'cancelled'
                     when d.attempt >= $1 then 'failed'
                     else 'retrying' end::delivery_state,
        reason = case when v.batch_state = 'stopped' then 'stopped'
                      when v.cancel_reason is not null then v.cancel_reason
                      when d.attempt >= $1 then 'too_many_attempts'
                      else 'worker_vanished' end,
        retry_at = case when v.batch_state <> 'stopped' and v.cancel_reason is null and d.attempt < $1 then now() end,
        trouble_at = now(), moved_at = now(), unsure = true
    from vanished v
    where d.id = v.id
    returning d.id, d.attempt, v.worker, v.claimed_at
),
recorded as (
    insert into attempts (delivery_id, n, worker, started_at, ended_at, verdict, phase, reply)
    select id, attempt, worker, claimed_at, now(), 'unsure', 'unknown', 'the worker vanished' from moved
    on conflict (delivery_id, n) do update
    set ended_at = excluded.ended_at, verdict = excluded.verdict, phase = excluded.phase, reply = excluded.reply
),
forgotten as (
    delete from claims c using over
    where c.token = over.token
      -- One whose row is locked is ended a moment later.
      and not exists (
          select from unnest(over.deliveries) as claimed (id)
          join deliveries d on d.id = claimed.id and d.lease_token = c.token and d.state::text = 'sending'
          where d.id not in (select id from moved))
)
select count(*) as "n!" from moved
