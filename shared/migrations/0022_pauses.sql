-- Time limits stand still while a batch is paused, and a month is dropped together with every batch that was accepted in it.
-- since 0.1.0: that release calls drop_month with the same argument and reads nothing from its answer

-- How long the batch was paused after its start, all finished pauses together. A delivery's give_up_at is on a
-- clock that stands still during pauses: it has passed once `give_up_at + paused_for` has.
alter table batches add column paused_for interval not null default '0';

-- Drops the details of the emails of a month, and notes with their batches that only totals are left. The tables are
-- dropped last, because nothing can be read or sent while that lasts.
create or replace function drop_month(month date) returns void
language plpgsql
as $$
declare
    beginning uuid := uuid_v7_from(month::timestamp at time zone 'UTC');
    month_end timestamptz := (month + interval '1 month') at time zone 'UTC';
    ending uuid := uuid_v7_from(month_end);
begin
    -- The totals of such a batch are counted from its deliveries.
    if exists (
        select from batches b
        where b.finished_at is null and b.created_at < month_end
          and exists (select from deliveries d where d.batch_id = b.id and d.id >= beginning and d.id < ending))
    then
        raise exception 'deliveries of % belong to a batch that has not finished', to_char(month, 'YYYY-MM');
    end if;

    -- A batch accepted at the very end of the month may have deliveries in the next one. They go with it.
    delete from attempts a
    using batches b, deliveries d
    where b.created_at >= month_end - interval '1 hour' and b.created_at < month_end and b.finished_at is not null
      and d.batch_id = b.id and d.id >= ending
      and a.delivery_id = d.id and a.delivery_id >= ending;
    delete from deliveries d
    using batches b
    where b.created_at >= month_end - interval '1 hour' and b.created_at < month_end and b.finished_at is not null
      and d.batch_id = b.id and d.id >= ending;
    update batches set details_dropped_at = now()
    where created_at < month_end and finished_at is not null and details_dropped_at is null;

    execute format('drop table %I', 'attempts' || to_char(month, '_YYYY_MM'));
    execute format('drop table %I', 'deliveries' || to_char(month, '_YYYY_MM'));
end
$$;

-- Replacing a function resets whose rights and search path it uses (0019_erasure_and_roles.sql).
do $$
begin
    execute format('alter function drop_month(date) security definer set search_path = %I, pg_temp', current_schema());
end
$$;
