with named as materialized (
    select distinct id from unnest($1::uuid[]) as named (id)
),
found as materialized (
    select d.id, d.user_id, has_ended(d.state) as has_ended, b.kind,
           case when d.state = 'sending' then d.attempt else d.attempt + 1 end as attempt
    from named n
    cross join lateral (select id, user_id, state, attempt, batch_id from deliveries where id = n.id offset 0) d
    cross join lateral (select kind from batches where id = d.batch_id offset 0) b
    order by d.id
),
marked as (
    update deliveries d
    set state = 'sent', attempt = f.attempt, moved_at = now(), sent_at = now(), reason = null, retry_at = null,
        trouble_at = null, lease_token = null
    from found f
    where d.id = f.id and not f.has_ended and f.kind = 'invite' and not has_ended(d.state)
    returning d.id, f.attempt, f.user_id, f.kind
),
recorded as (
    insert into attempts (delivery_id, n, worker, started_at, ended_at, verdict, reply)
    select id, attempt, '', now(), now(), 'accepted', 'marked as sent from the relay''s log'
    from marked
    on conflict (delivery_id, n) do update
    set ended_at = excluded.ended_at, verdict = excluded.verdict, reply = excluded.reply
),
got as (
    insert into last_sent (user_id, kind)
    select distinct user_id, kind from marked where user_id is not null
    on conflict (user_id, kind) do update set sent_at = excluded.sent_at
)
select (select count(*) from marked) as "marked!",
       (select count(*) from found where has_ended) as "ended!",
       (select count(*) from found where not has_ended and kind <> 'invite') as "passwords!",
       (select count(*) from named) - (select count(*) from found) as "unknown!"
