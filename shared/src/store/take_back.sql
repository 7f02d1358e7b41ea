-- With an epoch, only while that is the turn.
with turn as materialized (
    select from dispatcher where epoch = $1 for share
),
chosen as materialized (
    select p.batch_id
    from batch_progress p join batches b on b.id = p.batch_id
    where ($1::bigint is null or exists (select from turn)) and (not $2::boolean or b.state = 'paused')
      and exists (select from batch_states s where s.batch_id = p.batch_id and s.state = 'queued')
),
forgotten as (
    delete from published_ranges
    where batch_id in (select batch_id from chosen)
    returning batch_id, after_id, first_id, through_id
),
first_attempts as (
    select d.id
    from forgotten f join deliveries d on d.batch_id = f.batch_id and d.id between f.first_id and f.through_id
    where d.state = 'waiting' and d.retry_at is null
),
rewound as (
    update batch_progress p set published_through = f.after_id, has_more = true
    from (
        select batch_id, (array_agg(after_id order by after_id))[1] as after_id from forgotten group by batch_id
    ) f
    where p.batch_id = f.batch_id
),
later_attempts as (
    update deliveries
    set state = case when attempt = 0 then 'waiting' else 'retrying' end::delivery_state,
        moved_at = now(), retry_at = now()
    where state::text = 'queued' and retry_at is not null and batch_id = any(array(select batch_id from chosen))
    returning id
)
select (select count(*) from first_attempts) + (select count(*) from later_attempts) as "n!"
