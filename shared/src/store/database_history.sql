with turn as materialized (
    select from dispatcher where epoch = $1 for share
),
present as materialized (
    select current_timeline() as timeline, system_identifier as cluster from pg_control_system()
),
before as materialized (
    select timeline, cluster, changed_at, held_at from database_history
),
first as (
    insert into database_history (timeline, cluster)
    select timeline, cluster from present
    where exists (select from turn) and not exists (select from before)
    on conflict do nothing
),
changed as (
    update database_history h
    set timeline = p.timeline, cluster = p.cluster, changed_at = now(),
        held_at = case when $2::boolean then coalesce(h.held_at, now()) else h.held_at end
    from present p
    where exists (select from turn) and (h.timeline, h.cluster) is distinct from (p.timeline, p.cluster)
    returning h.changed_at, h.held_at
)
select p.timeline as "timeline!", case when c.changed_at is not null then b.timeline end as "changed_from?",
       coalesce(c.changed_at, b.changed_at) as "changed_at?", coalesce(c.held_at, b.held_at) as "held_at?",
       clock_timestamp() as "server_time!"
from present p left join before b on true left join changed c on true
