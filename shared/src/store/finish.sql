with ended as materialized (
    select b.id, before_ids_of(b.created_at) as beginning
    from batch_progress p join batches b on b.id = p.batch_id
    where p.unended = 0 and b.finished_at is null and b.state <> 'held'
      and not exists (select from count_changes c where c.batch_id = p.batch_id and not has_ended(c.state))
    order by b.id
    limit $1
    for no key update of b skip locked
),
counted as materialized (
    select ended.id, d.state, d.reason, count(*) as count, count(*) filter (where d.unsure) as unsure
    from ended
    cross join lateral (
        select state, reason, unsure from deliveries where batch_id = ended.id and id > ended.beginning offset 0
    ) d
    group by ended.id, d.state, d.reason
),
finished as (
    update batches b
    set finished_at = now(),
        state = case when b.state = 'stopped' then b.state else 'finished' end,
        reason = case when b.state = 'stopped' then b.reason end,
        brake = null, paused_at = null,
        final_counts = (
            select coalesce(jsonb_agg(jsonb_build_object(
                       'state', c.state, 'reason', c.reason, 'count', c.count, 'unsure', c.unsure)), '[]')
            from counted c where c.id = b.id)
    from ended
    -- By their own rows they have ended too.
    where b.id = ended.id and not exists (select from counted c where c.id = b.id and not has_ended(c.state))
    returning b.id
),
progress as (
    delete from batch_progress where batch_id in (select id from finished)
),
counts as (
    delete from batch_counts where batch_id in (select id from finished)
),
ranges as (
    delete from published_ranges where batch_id in (select id from finished)
)
select ended.id as "id!", exists (select from finished where id = ended.id) as "is_finished!",
       not exists (
           (select c.state, c.reason, c.count, c.unsure from counted c where c.id = ended.id
            except
            select s.state, s.reason, s.count, s.unsure from batch_states s where s.batch_id = ended.id)
           union all
           (select s.state, s.reason, s.count, s.unsure from batch_states s where s.batch_id = ended.id
            except
            select c.state, c.reason, c.count, c.unsure from counted c where c.id = ended.id)) as "is_consistent!"
from ended
