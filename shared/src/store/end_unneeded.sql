with useless as materialized (
    select p.batch_id, p.swept_through, before_ids_of(b.created_at) as beginning, b.state = 'stopped' as is_stopped
    from batch_progress p join batches b on b.id = p.batch_id
    where ($2::uuid is null or p.batch_id = $2)
      and (b.state = 'stopped'
           or b.stale_at < case b.state when 'running' then now() when 'paused' then b.paused_at end)
      and exists (
          select from batch_states s
          where s.batch_id = p.batch_id
            and (s.state in ('waiting', 'queued') or (s.state = 'retrying' and b.state = 'stopped')))
    limit 20
),
looked_at as materialized (
    select useless.batch_id, useless.is_stopped, d.id, d.state, d.attempt
    from useless
    cross join lateral (
        select id, state, attempt from deliveries
        where batch_id = useless.batch_id and id > useless.swept_through
        order by id limit $1
    ) d
),
free as materialized (
    select d.id, l.is_stopped
    from looked_at l join deliveries d on d.id = l.id
    where l.state in ('waiting', 'queued', 'retrying') and (l.is_stopped or l.attempt = 0)
    order by d.id
    for no key update of d skip locked
),
ended as (
    update deliveries d
    set state = case when free.is_stopped then 'cancelled' else 'expired' end::delivery_state,
        reason = case when free.is_stopped then 'stopped' else 'stale' end,
        trouble_at = case when not free.is_stopped then now() end,
        retry_at = null, moved_at = now()
    from free
    where d.id = free.id and d.state::text in ('waiting', 'queued', 'retrying') and (free.is_stopped or d.attempt = 0)
    returning d.id
),
swept as (
    update batch_progress p
    -- At the end it begins again, for what was locked.
    set swept_through = case when s.n >= $1 then s.last else s.beginning end
    from (
        select useless.batch_id, useless.beginning, count(l.id) as n, (array_agg(l.id order by l.id desc))[1] as last
        from useless left join looked_at l on l.batch_id = useless.batch_id
        group by useless.batch_id, useless.beginning
    ) s
    where p.batch_id = s.batch_id
)
select (select count(*) from looked_at) as "looked_at!", (select count(*) from ended) as "ended!"
