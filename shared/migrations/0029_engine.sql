-- A delivery's row is written twice on its way to `sent`, in place, and counting a batch reads no deliveries.
-- since 0.1.0: needs a stop. Every worker ends before this runs, and both programs of the release before are replaced
-- after it (deploy/README.md, "Upgrading"). While one is sending, it refuses.

do $$
begin
    if exists (select from deliveries where state = 'sending' and lease_until > now()) then
        raise exception 'workers of the release before are sending; stop all workers, then migrate (after BECKON_LEASE '
            'if one was killed)';
    end if;
end
$$;

-- When a delivery is due again: after an attempt, or because it was given back. While its job lies in the queue
-- (`queued`), when that job counts as lost. Null before the first attempt: first attempts are found in the order of ids.
alter table deliveries add column retry_at timestamptz;
-- When something last went wrong with it; what an administrator reads, newest first.
alter table deliveries add column trouble_at timestamptz;

alter table deliveries drop constraint deliveries_check, drop constraint deliveries_check1;
update deliveries
set retry_at = case
        when state = 'queued' then now()
        when state = 'retrying' or (state = 'waiting' and give_up_at is not null) then due_at
    end,
    state = case when state <> 'queued' then state when attempt = 0 then 'waiting' else 'retrying' end,
    trouble_at = case when state in ('retrying', 'failed', 'suppressed', 'expired') then moved_at end
where state in ('queued', 'retrying', 'failed', 'suppressed', 'expired') or (state = 'waiting' and give_up_at is not null);

-- A group of deliveries that a worker has claimed together, and until when. Like the other tables here it is small and
-- changes all the time, so it is vacuumed by the number of changes and not by their share.
create table claims (
    token uuid primary key,
    worker text not null,
    claimed_at timestamptz not null default now(),
    lease_until timestamptz not null,
    deliveries uuid[] not null
) with (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);
create index claims_lease on claims (lease_until);
insert into claims (token, worker, lease_until, deliveries)
select d.lease_token, coalesce(min(a.worker), ''), max(d.lease_until), array_agg(d.id)
from deliveries d left join attempts a on a.delivery_id = d.id and a.n = d.attempt
where d.state = 'sending'
group by d.lease_token;

-- No index names a column that changes while a delivery is sent at its first attempt, so Postgres updates its row in
-- place (HOT). What is indexed stays null on that way.
drop index deliveries_due, deliveries_give_up, deliveries_leased, deliveries_trouble, deliveries_failures, deliveries_failed;
create index deliveries_retry on deliveries (batch_id, retry_at, id) where retry_at is not null;
create index deliveries_trouble on deliveries (batch_id, trouble_at desc, id desc) where trouble_at is not null;
create index deliveries_failed on deliveries (user_id, id) where trouble_at is not null;

alter table deliveries
    drop column due_at,
    drop column lease_until,
    -- After a claim has run out, its token stays until the next claim, so that a late outcome still counts.
    add constraint deliveries_sending_token check (state <> 'sending' or lease_token is not null);

-- An id before those of all deliveries of a batch that was accepted then, even if the clock was set back meanwhile. That
-- it is not far before them keeps statements from looking into months that have been.
create function before_ids_of(created_at timestamptz) returns uuid
language sql immutable parallel safe
return uuid_v7_from(created_at - interval '1 hour');

-- How far the dispatcher has come with a batch that has not finished.
create table batch_progress (
    batch_id uuid primary key,
    lane lane not null,
    -- Who asked for it: callers take turns.
    caller text not null,
    is_running boolean not null,
    -- First attempts are published in the order of ids, up to and including this one,
    published_through uuid not null,
    -- and whether there are any after it.
    has_more boolean not null default true,
    -- When the first delivery is due again; null when none is.
    next_retry_at timestamptz,
    -- Deliveries of a stopped or stale batch are ended in the order of ids, up to and including this one.
    swept_through uuid not null,
    -- Deliveries that have not ended, by what batch_counts says.
    unended integer not null default 0
) with (fillfactor = 50, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);
create index batch_progress_first on batch_progress (lane, caller, batch_id) where is_running and has_more;
create index batch_progress_retry on batch_progress (lane, next_retry_at) where is_running and next_retry_at is not null;
create index batch_progress_ended on batch_progress (batch_id) where unended = 0;

-- Published first attempts that no worker is known to have claimed, a row for each batch and round. They count as
-- queued; a delivery's own row says so for later attempts only.
create table published_ranges (
    batch_id uuid not null,
    -- Where the cursor was before,
    after_id uuid not null,
    -- and the first and last delivery of the round.
    first_id uuid not null,
    through_id uuid not null,
    published_at timestamptz not null default now(),
    primary key (batch_id, through_id)
) with (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);

-- How many deliveries of an unfinished batch are in which state, and why: the sum of both tables. Each statement that
-- moves deliveries appends what it changed; the dispatcher adds that to batch_counts, what was sent after a minute.
create table batch_counts (
    batch_id uuid not null,
    state delivery_state not null,
    -- Empty for none.
    reason text not null,
    count bigint not null,
    unsure bigint not null,
    primary key (batch_id, state, reason)
) with (fillfactor = 50, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);
create table count_changes (
    batch_id uuid not null,
    state delivery_state not null,
    reason text not null,
    count integer not null,
    unsure integer not null,
    changed_at timestamptz not null default now()
) with (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);
create index count_changes_batch on count_changes (batch_id);

-- What an unfinished batch has in each state. Of first attempts that are published, its deliveries say `waiting`.
create view batch_states as
select batch_id, state, nullif(reason, '') as reason, sum(count)::bigint as count, sum(unsure)::bigint as unsure
from (
    select batch_id, state, reason, count, unsure from batch_counts
    union all
    select batch_id, state, reason, count, unsure from count_changes
    union all
    select queued.batch_id, side.state, '', side.sign, 0
    from (
        select r.batch_id
        from published_ranges r join deliveries d
            on d.batch_id = r.batch_id and d.id between r.first_id and r.through_id
        where d.state = 'waiting' and d.retry_at is null
    ) queued
    cross join (values ('waiting'::delivery_state, -1), ('queued', 1)) side (state, sign)
) counted
group by batch_id, state, reason
having sum(count) <> 0 or sum(unsure) <> 0;

-- A delivery's state for readers: a first attempt that was published and not yet claimed is queued.
create function shown_state(batch uuid, delivery uuid, state delivery_state, retry_at timestamptz) returns delivery_state
language sql stable
return case
    when state = 'waiting' and retry_at is null and exists (
        select from published_ranges r where r.batch_id = batch and delivery between r.first_id and r.through_id)
    then 'queued'::delivery_state
    else state
end;

create function has_ended(state delivery_state) returns boolean
language sql immutable parallel safe
return state in ('sent', 'failed', 'suppressed', 'cancelled', 'expired');

insert into batch_progress (batch_id, lane, caller, is_running, published_through, swept_through, next_retry_at, unended)
select b.id, b.lane, b.created_by, b.state = 'running', before_ids_of(b.created_at), before_ids_of(b.created_at),
       min(d.retry_at), count(d.id) filter (where not has_ended(d.state))
from batches b left join deliveries d on d.batch_id = b.id
where b.finished_at is null
group by b.id;
insert into batch_counts (batch_id, state, reason, count, unsure)
select d.batch_id, d.state, coalesce(d.reason, ''), count(*), count(*) filter (where d.unsure)
from batches b join deliveries d on d.batch_id = b.id
where b.finished_at is null
group by d.batch_id, d.state, coalesce(d.reason, '');

create function batches_progress() returns trigger
language plpgsql
as $$
begin
    if tg_op = 'INSERT' then
        insert into batch_progress (batch_id, lane, caller, is_running, published_through, swept_through)
        values (new.id, new.lane, new.created_by, new.state = 'running', before_ids_of(new.created_at),
                before_ids_of(new.created_at));
    else
        update batch_progress
        set is_running = new.state = 'running', swept_through = before_ids_of(new.created_at)
        where batch_id = new.id;
    end if;
    return null;
end
$$;
create trigger batches_progress_begins after insert on batches
    for each row when (new.finished_at is null) execute function batches_progress();
create trigger batches_progress_follows after update of state on batches
    for each row when (new.state is distinct from old.state) execute function batches_progress();

-- The bookkeeping of every statement that adds or moves deliveries, so that none can forget it.
create function deliveries_added() returns trigger
language plpgsql
as $$
begin
    insert into count_changes (batch_id, state, reason, count, unsure)
    select batch_id, state, coalesce(reason, ''), count(*), count(*) filter (where unsure)
    from after group by batch_id, state, coalesce(reason, '');
    return null;
end
$$;
create trigger deliveries_added after insert on deliveries
    referencing new table as after for each statement execute function deliveries_added();

create function deliveries_moved() returns trigger
language plpgsql
as $$
begin
    insert into count_changes (batch_id, state, reason, count, unsure)
    select batch_id, state, reason, sum(count), sum(unsure)
    from (
        select batch_id, state, coalesce(reason, '') as reason, -1 as count, -unsure::integer as unsure from before
        union all
        select batch_id, state, coalesce(reason, ''), 1, unsure::integer from after
    ) moved
    group by batch_id, state, reason
    having sum(count) <> 0 or sum(unsure) <> 0;

    update batch_progress p
    set next_retry_at = due.retry_at
    from (select batch_id, min(retry_at) as retry_at from after where retry_at is not null group by batch_id) due
    where p.batch_id = due.batch_id and (p.next_retry_at is null or p.next_retry_at > due.retry_at);
    return null;
end
$$;
create trigger deliveries_moved after update on deliveries
    referencing old table as before new table as after for each statement execute function deliveries_moved();

-- Two updates in place need room on the page.
do $$
declare
    part regclass;
begin
    for part in select inhrelid from pg_inherits where inhparent = 'deliveries'::regclass loop
        execute format('alter table %s set (fillfactor = 50)', part);
    end loop;
end
$$;
create or replace function make_month(month date) returns void
language plpgsql
as $$
declare
    beginning uuid := uuid_v7_from(month::timestamp at time zone 'UTC');
    ending uuid := uuid_v7_from((month + interval '1 month') at time zone 'UTC');
    whole text;
    part text;
begin
    foreach whole in array array['deliveries', 'attempts'] loop
        part := whole || to_char(month, '_YYYY_MM');
        if to_regclass(part) is null then
            execute format('create table %I (like %I including all) with (fillfactor = %s)',
                part, whole, case whole when 'deliveries' then 50 else 100 end);
            execute format(
                'alter table %I attach partition %I for values from (%L) to (%L)', whole, part, beginning, ending);
        end if;
    end loop;
end
$$;

-- The address that a mail went to, or was meant for when it ended without an attempt; no row if it is the present one.
-- A mail without an attempt that is still owed goes to the present one. An attempt is recorded once it has ended; until
-- then its delivery says when it began.
create or replace function former_address_of(person uuid, mail uuid, attempt integer, state delivery_state, moved_at timestamptz)
returns table (email text, email_key text)
language sql stable
as $$
    select f.email, f.email_key
    from former_addresses f cross join lateral unnest(f.earlier_ends || f.until) past (ended_at)
    where f.user_id = person
      and past.ended_at >= case
          when state = 'sending' then moved_at
          when attempt > 0 and state <> 'suppressed'
          then (select a.started_at from attempts a where a.delivery_id = mail and a.n = attempt)
          when state in ('failed', 'suppressed', 'cancelled', 'expired') then moved_at
      end
    order by past.ended_at
    limit 1
$$;

-- Replacing a function resets whose rights and search path it uses (0019_erasure_and_roles.sql).
do $$
begin
    execute format('alter function make_month(date) security definer set search_path = %I, pg_temp', current_schema());
end
$$;
