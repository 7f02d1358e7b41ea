-- A delivery's row grows when it is claimed and again when it is sent, by a token and three times. With half of each page
-- free, a tenth of the updates found no room there and wrote every index; with three fifths free, none does (measured).
-- since 0.1.0: nothing depends on how full pages are, and make_month does what it did
do $$
declare
    part regclass;
begin
    for part in select inhrelid from pg_inherits where inhparent = 'deliveries'::regclass loop
        execute format('alter table %s set (fillfactor = 40)', part);
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
                part, whole, case whole when 'deliveries' then 40 else 100 end);
            execute format(
                'alter table %I attach partition %I for values from (%L) to (%L)', whole, part, beginning, ending);
        end if;
    end loop;
end
$$;

-- Replacing a function resets whose rights and search path it uses (0019_erasure_and_roles.sql).
do $$
begin
    execute format('alter function make_month(date) security definer set search_path = %I, pg_temp', current_schema());
end
$$;
