with turn as materialized (
    select from dispatcher where epoch = $1 for share
),
lost as (
    delete from published_ranges r
    using batch_progress p
    where p.batch_id = r.batch_id and p.lane = $2 and r.published_at < $3 and exists (select from turn)
    returning r.batch_id, r.first_id, r.through_id
),
first_attempts as (
    update deliveries d set retry_at = now()
    from lost
    where d.batch_id = lost.batch_id and d.id between lost.first_id and lost.through_id
      and d.state = 'waiting' and d.retry_at is null
    returning d.id
),
-- While its job lies in the queue, a later attempt is due again when the job counts as lost.
later_attempts as (
    update deliveries d set retry_at = now()
    from batch_progress p
    where p.lane = $2 and p.next_retry_at is not null and d.batch_id = p.batch_id
      and d.retry_at > now() and d.retry_at < $3 + make_interval(secs => $4)
      and d.state::text = 'queued' and exists (select from turn)
    returning d.id
)
select (select count(*) from first_attempts) + (select count(*) from later_attempts) as "n!"
