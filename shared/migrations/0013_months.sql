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

-- Drops a month of which no mail is owed any longer, and notes with its batches that only their totals
-- are left. The drop comes last, for nobody can read or send while it lasts.
create function drop_month(month date) returns void
language plpgsql
as $$
begin
    -- A batch that was accepted while the month ended may have mails in the next.
    update batches set details_dropped_at = now()
    where created_at < (month + interval '1 month') at time zone 'UTC' - interval '1 hour'
      and finished_at is not null and details_dropped_at is null;
    execute format('drop table %I', 'attempts' || to_char(month, '_YYYY_MM'));
    execute format('drop table %I', 'deliveries' || to_char(month, '_YYYY_MM'));
end
$$;
