-- A person can be erased and exported whole, rejected rows end with the other details, and the programs can run as a
-- role that owns nothing.
-- since 0.1.0: nothing of it changes what a statement of the release before is answered, as long as the role that it
-- runs as owns the schema, and that release knows no other

-- Since when the rejected rows of an import are gone; its totals stay.
alter table imports add column details_dropped_at timestamptz;

-- The addresses a user had before. Rows written under one of them are still about that user.
create table former_addresses (
    user_id uuid not null references users (id) on delete cascade,
    email text not null,
    email_key text not null,
    until timestamptz not null default now(),
    primary key (user_id, email)
);

-- Every address by which rows may name a user: the present one, former ones, and those under which a mail failed. One
-- that belongs to another user by now is that user's.
create function addresses_of(person uuid) returns text[]
language sql stable
as $$
    select array_agg(distinct form.address)
    from (
        select u.email, u.email_key from users u where u.id = person
        union all
        select f.email, f.email_key from former_addresses f where f.user_id = person
        union all
        select b.email, b.email_key from blocked_addresses b where b.user_id = person
    ) a
    cross join lateral (values (lower(a.email)), (a.email_key)) form (address)
    where not exists (select from users other where other.email_key = a.email_key and other.id <> person)
$$;

-- Whether a text contains one of these addresses, and not only as a part of a longer one, as ana's is a part of susana's
-- and brien's of o'brien's.
--
-- Many marks may be in an address and may also stand beside one. Before it, a letter or a digit is part of it, and so
-- is a mark such as ' or + that follows a letter or a digit; | / ! = ? and the like separate, as they do in files and
-- links. After it, a letter or a digit is part of it, and so is one that follows hyphens or a dot. What JSON writes for
-- a control character separates too.
create function names_address(words text, addresses text[]) returns boolean
language sql immutable parallel safe
as $$
    select exists (
        select from unnest(addresses) a (address)
        where position(a.address in lower(words)) > 0
          and lower(words) ~ (
              '((?<![[:alnum:]_]([-+&#$~^%]*|[.''])?)|(?<=\\([bfnrt]|u00[01][0-9a-f])))'
              || regexp_replace(a.address, '[.*+?^${}()|[\]\\]', '\\\&', 'g')
              || '(?!-*[[:alnum:]]|\.[[:alnum:]])'))
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
