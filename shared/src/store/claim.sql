-- Each row is found by its own id, whatever Postgres believes about the tables: `offset 0` keeps
-- the planner from reading a batch to find some of it, and a state compared as text from reading
-- the index of all that is due.
with found as materialized (
    select job.id, job.attempt, d.batch_id, d.due_at, d.test_address,
           b.kind, b.version, b.start_at,
           u.id as user_id, u.email, u.first_name, u.last_name, u.language, u.fields,
           u.signed_in_at is not null as has_signed_in,
           u.id is null and d.test_address is null as is_orphan
    from unnest($1::uuid[], $2::integer[]) as job (id, attempt)
    cross join lateral (
        select batch_id, user_id, due_at, test_address from deliveries where id = job.id offset 0
    ) d
    cross join lateral (
        select kind, version, start_at from batches where id = d.batch_id and state = 'running' offset 0
    ) b
    left join lateral (
        select id, email, first_name, last_name, language, fields, signed_in_at
        from users where id = d.user_id offset 0
    ) u on true
),
claimed as (
    update deliveries d
    set state = case when f.is_orphan then 'cancelled' else 'sending' end::delivery_state,
        reason = case when f.is_orphan then 'user_deleted' end,
        attempt = case when f.is_orphan then d.attempt else d.attempt + 1 end,
        lease_until = case when not f.is_orphan then now() + make_interval(secs => $4) end,
        lease_token = case when not f.is_orphan then $3::uuid end
    from found f
    where d.id = f.id and d.attempt = f.attempt - 1
      and d.state::text in ('waiting', 'queued', 'retrying')
    returning d.attempt as begun, f.*
),
started as (
    insert into attempts (delivery_id, n, worker)
    select id, begun, $5 from claimed where not is_orphan
)
select id as "delivery!", begun as "attempt!", batch_id as "batch!",
       kind as "kind!: SystemEmailKind", version as "version!", start_at as "start_at!",
       extract(epoch from now() - due_at)::float8 as "waited_seconds!",
       now() as "claimed_at!", test_address, not is_orphan as "is_ours!",
       user_id as "user?", email as "email?", first_name as "first_name?",
       last_name as "last_name?", language as "language?", fields as "fields?",
       has_signed_in as "has_signed_in!"
from claimed
