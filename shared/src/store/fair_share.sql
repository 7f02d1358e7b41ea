-- Callers with open batches are found by leaps through the index, so that ten thousand batches of one cost no more than
-- one. A row without a delivery names a batch that has nothing due.
--
-- A batch's next deliveries are found by comparing rows: only the index on (batch_id, id) can answer that in order,
-- whatever the planner believes about how many deliveries the batch has.
with recursive callers as (
    (select caller from batch_progress where lane = $1 and is_running and has_more order by caller limit 1)
    union all
    select (
        select p.caller from batch_progress p
        where p.lane = $1 and p.is_running and p.has_more and p.caller > c.caller
        order by p.caller limit 1)
    from callers c where c.caller is not null
),
served as (
    select caller, batch_id from unnest($4::text[], $5::uuid[]) as served (caller, batch_id)
),
chosen as (
    select found.batch_id
    from callers c
    left join served on served.caller = c.caller
    cross join lateral (
        (select batch_id from batch_progress
         where lane = $1 and is_running and has_more and caller = c.caller and batch_id > served.batch_id
         order by batch_id limit $3)
        union all
        (select batch_id from batch_progress
         where lane = $1 and is_running and has_more and caller = c.caller
           and (served.batch_id is null or batch_id <= served.batch_id)
         order by batch_id limit $3)
        limit $3
    ) found
    union
    (select batch_id from batch_progress
     where lane = $1 and is_running and next_retry_at <= now()
     order by next_retry_at limit $3)
),
batch as materialized (
    select p.batch_id, p.caller, p.published_through, b.trace_id, b.paused_for,
           p.has_more and (b.stale_at is null or b.stale_at > now()) as has_first,
           coalesce(b.stale_at <= now(), false) as is_stale
    from chosen
    cross join lateral (
        select batch_id, caller, published_through, has_more from batch_progress
        where batch_id = chosen.batch_id and is_running offset 0
    ) p
    cross join lateral (select trace_id, stale_at, paused_for from batches where id = p.batch_id offset 0) b
    where (select sending_is_open())
),
share as materialized (
    select ceil($2::bigint / greatest(count(*), 1)::numeric)::bigint as deliveries from batch
),
found as (
    select batch.*, d.id, d.attempt, d.retry_at, d.is_late,
           -- First and later attempts of a batch take turns.
           row_number() over (partition by batch.batch_id order by d.n, d.retry_at) as batch_turn
    from batch
    left join lateral (
        (select id, attempt, retry_at, row_number() over (order by id) as n, false as is_late
         from (
             select id, attempt, retry_at from deliveries
             where (batch_id, id) > (batch.batch_id, batch.published_through) and batch_id <= batch.batch_id
               and id > batch.published_through and state = 'waiting' and retry_at is null and batch.has_first
             order by batch_id, id limit (select deliveries from share)
         ) first_attempts)
        union all
        (select id, attempt, retry_at, row_number() over (order by retry_at, id),
                (attempt = 0 and batch.is_stale) or coalesce(give_up_at + batch.paused_for <= now(), false)
         from (
             select id, attempt, retry_at, give_up_at from deliveries
             where batch_id = batch.batch_id and retry_at <= now() and state in ('waiting', 'queued', 'retrying')
             order by retry_at, id limit (select deliveries from share)
         ) later_attempts)
    ) d on true
),
caller_turns as (
    select found.*,
           row_number() over (
               partition by found.caller
               order by found.batch_turn, found.batch_id <= served.batch_id nulls first, found.batch_id) as caller_turn
    from found left join served on served.caller = found.caller
),
turns as (
    select *, row_number() over (partition by id is null order by caller_turn, caller <= $6, caller) as turn
    from caller_turns
)
select batch_id as "batch!", caller as "caller!", published_through as "published_through!", trace_id as "trace_id!",
       id as "delivery?", attempt as "attempt?", retry_at as "retry_at?", coalesce(is_late, false) as "is_late!"
from turns
where id is null or turn <= $2
order by turn
