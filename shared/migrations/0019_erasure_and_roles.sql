-- A person can be erased and exported whole, rejected rows end with the other details, and the programs can run as a
-- role that owns nothing.
-- since 0.1.0: nothing of it changes what a statement of the release before is answered, as long as the role that it
-- runs as owns the schema, and that release knows no other

-- Since when the rejected rows of an import are gone; its totals stay.
alter table imports add column details_dropped_at timestamptz;

-- Every form in which the tables may hold a user's address: their own, and older ones under which a mail failed.
create function addresses_of(person uuid) returns text[]
language sql stable
as $$
    select array_agg(distinct a.address)
    from (
        select unnest(array[lower(u.email), u.email_key]) from users u where u.id = person
        union all
        select unnest(array[lower(b.email), b.email_key]) from blocked_addresses b where b.user_id = person
    ) a (address)
$$;

-- Whether a text has one of these addresses in it, as a word of its own: ana@x.example is not in susana@x.example.
create function names_address(words text, addresses text[]) returns boolean
language sql immutable parallel safe
as $$
    select regexp_split_to_array(lower(words), '[][[:space:],;:<>"''()\\]+|\.(?![[:alnum:]])') && addresses
$$;

-- Making and dropping a month needs the tables' owner. These two act as their own, so that no program has to own the
-- tables, and with their own search path, so that no caller can put another table in the place of ours.
do $$
begin
    execute format('alter function make_month(date) security definer set search_path = %I, pg_temp', current_schema());
    execute format('alter function drop_month(date) security definer set search_path = %I, pg_temp', current_schema());
    revoke execute on function make_month(date), drop_month(date) from public;
end
$$;

-- Whoever is not their owner may only add to the audit log, and only read which migrations there are, whatever the
-- rights on all tables say (deploy/postgres/roles.sql).
create function keep_to_adding() returns void
language plpgsql
as $$
declare
    holder text;
    kept text;
begin
    foreach kept in array array['audit', '_sqlx_migrations'] loop
        for holder in
            select distinct case right_of.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(right_of.grantee)) end
            from pg_class c cross join aclexplode(c.relacl) right_of
            where c.oid = to_regclass(kept) and right_of.grantee <> c.relowner
        loop
            execute format('revoke update, delete, truncate, references, trigger on %I from %s', kept, holder);
            if kept <> 'audit' then
                execute format('revoke insert on %I from %s', kept, holder);
            end if;
        end loop;
    end loop;
end
$$;
select keep_to_adding();
