-- The months in which deliveries and attempts lie (see 0002_mail.sql).

-- Since when the details of a batch are gone; its totals stay.
alter table batches add column details_dropped_at timestamptz;

-- Makes room for the mails of a month (UTC). A part is attached once it is complete, because making
-- it in place would have everybody who sends or looks wait for it.
create function make_month(month date) returns void
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
            execute format('create table %I (like %I including all) with (fillfactor = 80)', part, whole);
            execute format(
                'alter table %I attach partition %I for values from (%L) to (%L)', whole, part, beginning, ending);
        end if;
    end loop;
end
$$;

-- The months for which there is room, by their first days.
create function months() returns setof date
language sql stable
as $$
    select to_date(right(c.relname, 7), 'YYYY_MM')
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'deliveries'::regclass
    order by 1
$$;

-- Drops the details of a month, unless a mail of it is still owed: deliveries, attempts, the names of
-- who was left out, and passwords that nobody used. Says whether it did. The months go last, for
-- nobody can read or send while they do.
create function drop_month(month date) returns boolean
language plpgsql
as $$
declare
    ending timestamptz := (month + interval '1 month') at time zone 'UTC';
    part text := 'deliveries' || to_char(month, '_YYYY_MM');
    is_owed boolean;
begin
    execute format(
        'select exists (select from %I where state in (''waiting'', ''retrying''))
             or exists (select from %I where state in (''queued'', ''sending''))', part, part) into is_owed;
    if is_owed then
        return false;
    end if;
    delete from credentials where kind = 'generated' and used_at is null and expires_at < ending;
    -- A batch that was accepted while the month ended may have mails in the next.
    with dropped as (
        update batches set details_dropped_at = now()
        where created_at < ending - interval '1 hour' and finished_at is not null and details_dropped_at is null
        returning id
    )
    update left_out set user_id = null, given = null from dropped where batch_id = dropped.id;
    execute format('drop table %I', 'attempts' || to_char(month, '_YYYY_MM'));
    execute format('drop table %I', part);
    return true;
end
$$;
