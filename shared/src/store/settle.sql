with outcome as (
    select * from unnest(
        $1::uuid[], $2::integer[], $3::uuid[], $4::text[], $5::text[], $6::float8[],
        $7::integer[], $8::text[], $9::smallint[], $10::text[], $11::text[], $13::text[], $14::text[])
    as o (id, attempt, token, verdict, reason, secs, attempts_most, phase, code, enhanced_code, reply,
          unknown_key, unknown_email)
),
decided as materialized (
    -- A user erased in the meantime stays erased: neither the relay's reply nor the time is recorded.
    select o.*, d.moved_at as began_at, u.id as user_id, u.id is null and d.test_address is null as is_erased, b.kind,
           case
               when o.verdict = 'accepted' then 'sent'
               when o.verdict = 'refused' then 'failed'
               when b.state = 'stopped' then 'cancelled'
               when o.verdict <> 'given_back' and o.attempt >= o.attempts_most then 'failed'
               when d.give_up_at + b.paused_for
                    < case b.state when 'paused' then b.paused_at else now() end + make_interval(secs => o.secs)
               then 'expired'
               when o.verdict = 'given_back' and o.attempt = 1 then 'waiting'
               else 'retrying'
           end::delivery_state as state,
           b.state = 'stopped' and o.verdict not in ('accepted', 'refused') as is_stopped
    from outcome o
    cross join lateral (
        select batch_id, user_id, test_address, give_up_at, moved_at from deliveries where id = o.id offset 0
    ) d
    left join lateral (select id from users where id = d.user_id offset 0) u on true
    cross join lateral (select kind, state, paused_at, paused_for from batches where id = d.batch_id offset 0) b
    -- The same order everywhere, so that statements cannot deadlock.
    order by o.id
),
moved as (
    update deliveries d
    -- Read here and not in `decided`, so that a cancellation a moment ago counts.
    set state = case when d.cancel_reason is not null and o.verdict not in ('accepted', 'refused')
                     then 'cancelled' else o.state end,
        moved_at = now(),
        reason = case when o.is_stopped then 'stopped'
                      when d.cancel_reason is not null and o.verdict not in ('accepted', 'refused')
                      then d.cancel_reason
                      when o.state = 'expired' then coalesce(o.reason, 'gave_up')
                      else o.reason end,
        attempt = case when o.verdict = 'given_back' then d.attempt - 1 else d.attempt end,
        retry_at = case when o.state in ('waiting', 'retrying') and d.cancel_reason is null
                        then now() + make_interval(secs => o.secs) end,
        trouble_at = case when o.state in ('sent', 'waiting', 'cancelled') then null
                          when o.verdict = 'given_back' then d.trouble_at
                          else now() end,
        unsure = case when d.state::text = 'sending' then d.unsure or o.verdict = 'unsure'
                      -- It is known after all what became of this attempt.
                      else exists (select from attempts
                                   where delivery_id = d.id and n <> o.attempt and verdict = 'unsure') end,
        sent_at = case when o.state = 'sent' then now() end,
        lease_token = null
    from decided o
    where d.id = o.id and d.attempt = o.attempt and d.lease_token = o.token
      and (d.state::text = 'sending'
           -- The claim had run out, and no other attempt has begun: what the relay said counts.
           or (d.state::text in ('queued', 'retrying') and o.verdict in ('accepted', 'refused')))
    returning d.id, d.state, o.user_id, d.reason, o.kind, o.attempt, o.verdict, o.secs, o.phase, o.code,
              o.enhanced_code, case when not o.is_erased then o.reply end as reply, o.unknown_key, o.unknown_email,
              o.began_at
),
got as (
    insert into last_sent as l (user_id, kind)
    select distinct user_id, kind from moved where state = 'sent' and user_id is not null
    on conflict (user_id, kind) do update set sent_at = excluded.sent_at
),
-- The address that was written to, whatever the person's is by now.
blocked as (
    insert into blocked_addresses (email_key, email, reason, code, enhanced_code, reply, delivery_id, user_id)
    select distinct on (unknown_key)
           unknown_key, unknown_email, reason, code, enhanced_code, reply, id, user_id
    from moved where unknown_key is not null and state = 'failed' and user_id is not null
    order by unknown_key
    on conflict (email_key) do nothing
),
ended as (
    insert into attempts (delivery_id, n, worker, started_at, ended_at, verdict, phase, code, enhanced_code, reply)
    select id, attempt, $15, began_at, now(), verdict, phase, code, enhanced_code, reply
    from moved where verdict <> 'given_back'
    -- Recorded as unsure when the claim ran out.
    on conflict (delivery_id, n) do update
    set ended_at = excluded.ended_at, verdict = excluded.verdict, phase = excluded.phase, code = excluded.code,
        enhanced_code = excluded.enhanced_code, reply = excluded.reply
),
let_go as (
    delete from claims where token = any($16::uuid[])
),
lives_on as (
    update credentials c
    set expires_at = now() + make_interval(secs => m.secs)
    from moved m
    where c.delivery_id = m.id and c.attempt = m.attempt and c.kind = 'generated'
      and c.used_at is null and m.verdict = 'accepted' and m.secs is not null
),
-- The relay has certainly not accepted this mail, so its password reached no one.
removed as (
    delete from credentials c using moved m
    where c.delivery_id = m.id and c.attempt = m.attempt and c.kind = 'generated'
      and c.used_at is null and m.verdict in ('refused', 'try_later', 'given_back')
)
select id as "id!", state as "state!: crate::delivery::DeliveryState" from moved
union all
-- Asked again because the first answer was lost: what was recorded then is the answer.
select o.id, d.state
from decided o
join attempts a on a.delivery_id = o.id and a.n = o.attempt and a.verdict = o.verdict
join deliveries d on d.id = o.id
where $12::boolean and o.verdict <> 'given_back'
