-- Ranges whose deliveries are all claimed or ended are deleted as soon as they are seen, so that nothing reads them again.
with turn as materialized (select from dispatcher where epoch = $2 for share),
unclaimed as materialized (
    select r.batch_id, r.through_id, (
               -- As in fair_share.sql: any other plan reads every delivery there is.
               select count(*) from deliveries
               where (batch_id, id) >= (r.batch_id, r.first_id) and batch_id <= r.batch_id
                 and id between r.first_id and r.through_id and state = 'waiting' and retry_at is null
           ) as n
    from batch_progress p join published_ranges r on r.batch_id = p.batch_id
    where p.lane = $1
),
forgotten as (
    delete from published_ranges r
    using unclaimed u
    where r.batch_id = u.batch_id and r.through_id = u.through_id and u.n = 0 and exists (select from turn)
)
select (select coalesce(sum(n), 0)::bigint from unclaimed) + (
    select coalesce(sum(c.count), 0)::bigint
    from batch_progress p
    cross join lateral (
        select count from batch_counts where batch_id = p.batch_id and state = 'queued'
        union all
        select count from count_changes where batch_id = p.batch_id and state = 'queued'
    ) c
    where p.lane = $1 and p.next_retry_at is not null
) as "n!"
