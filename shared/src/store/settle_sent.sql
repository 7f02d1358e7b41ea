-- Records accepted mails whose claims are still held: nearly all outcomes, at half the cost of settle.sql. Outcomes that
-- are missing from the result are left to settle.sql. The caller sorts the ids so that statements cannot deadlock.
with outcome as (
    select * from unnest(
        $1::uuid[], $2::integer[], $3::uuid[], $4::timestamptz[], $5::float8[], $6::text[], $7::smallint[], $8::text[],
        $9::text[])
    as o (id, attempt, token, began_at, secs, phase, code, enhanced_code, reply)
),
moved as (
    update deliveries d
    set state = 'sent', reason = null, moved_at = now(), sent_at = now(), trouble_at = null, lease_token = null
    from outcome o
    where d.id = o.id and d.attempt = o.attempt and d.lease_token = o.token and d.state::text = 'sending'
    returning d.id, d.batch_id, d.user_id, d.test_address, o.attempt, o.began_at, o.secs, o.phase, o.code, o.enhanced_code,
              o.reply
),
known as materialized (
    select moved.*, u.id as known_user, b.kind
    from moved
    left join lateral (select id from users where id = moved.user_id offset 0) u on true
    cross join lateral (select kind from batches where id = moved.batch_id offset 0) b
),
got as (
    insert into last_sent as l (user_id, kind)
    select distinct known_user, kind from known where known_user is not null
    on conflict (user_id, kind) do update set sent_at = excluded.sent_at
),
ended as (
    insert into attempts (delivery_id, n, worker, started_at, ended_at, verdict, phase, code, enhanced_code, reply)
    select id, attempt, $10, began_at, now(), 'accepted', phase, code, enhanced_code,
           -- The reply is not recorded if the recipient has been erased since.
           case when known_user is not null or test_address is not null then reply end
    from known
),
let_go as (
    delete from claims where token = any($11::uuid[])
),
lives_on as (
    update credentials c
    set expires_at = now() + make_interval(secs => known.secs)
    from known
    where known.secs is not null and c.delivery_id = known.id and c.attempt = known.attempt and c.kind = 'generated'
      and c.used_at is null
)
select id as "id!" from moved
