-- Mails keep the address they went to, an import can be undone for users it updated, and asking whether to stop a batch
-- pauses it.

-- `until` is when the user last had this address. Where they had it more than once, the earlier times are kept too, so
-- that every moment has one address.
alter table former_addresses add column earlier_ends timestamptz[] not null default '{}';

-- The address that a user had at a moment; no row if it is the present one.
create function former_address(person uuid, moment timestamptz) returns table (email text, email_key text)
language sql stable
as $$
    select f.email, f.email_key
    from former_addresses f cross join lateral unnest(f.earlier_ends || f.until) past (ended_at)
    where f.user_id = person and past.ended_at >= moment
    order by past.ended_at
    limit 1
$$;

-- The address that a mail went to, or was meant for when it ended without an attempt; no row if it is the present one.
-- A mail without an attempt that is still owed goes to the present one.
--
-- It is found by time, so that sending a mail writes no address. The attempt is looked up only for users who have a
-- former address.
create function former_address_of(person uuid, mail uuid, attempt integer, state delivery_state, moved_at timestamptz)
returns table (email text, email_key text)
language sql stable
as $$
    select f.email, f.email_key
    from former_addresses f cross join lateral unnest(f.earlier_ends || f.until) past (ended_at)
    where f.user_id = person
      and past.ended_at >= case
          when attempt > 0 and state <> 'suppressed'
          then (select a.started_at from attempts a where a.delivery_id = mail and a.n = attempt)
          when state in ('failed', 'suppressed', 'cancelled', 'expired') then moved_at
      end
    order by past.ended_at
    limit 1
$$;

-- The administrator who paused the batch by asking to stop it; null for every other pause.
alter table batches add column stop_asked_by uuid;

-- What an import changed about users who existed. While its file is only checked: a sample of what it would change.
-- Without foreign keys, as import_users.
create table import_changes (
    import_id uuid not null,
    user_id uuid not null,
    row_number integer not null,
    -- The values that differ, by field. Null is a field that the user did not have.
    before jsonb not null,
    after jsonb not null,
    primary key (import_id, user_id)
);
create index import_changes_user on import_changes (user_id);

-- What a row of a file changes about a user: the values that differ, by field. An empty cell changes nothing.
create function import_difference(
    had_first_name text, had_last_name text, had_language text, had_fields jsonb,
    gets_first_name text, gets_last_name text, gets_language text, gets_fields jsonb)
returns table (before jsonb, after jsonb)
language sql immutable
as $$
    select own.before || coalesce(custom.before, '{}'), own.after || coalesce(custom.after, '{}')
    from (
        select jsonb_strip_nulls(jsonb_build_object(
                   'first_name', case when gets_first_name not in ('', had_first_name) then had_first_name end,
                   'last_name', case when gets_last_name not in ('', had_last_name) then had_last_name end,
                   'language', case when gets_language not in ('', had_language) then had_language end)) as before,
               jsonb_strip_nulls(jsonb_build_object(
                   'first_name', case when gets_first_name not in ('', had_first_name) then gets_first_name end,
                   'last_name', case when gets_last_name not in ('', had_last_name) then gets_last_name end,
                   'language', case when gets_language not in ('', had_language) then gets_language end)) as after
    ) own
    cross join (
        select jsonb_object_agg(e.key, had_fields -> e.key) as before, jsonb_object_agg(e.key, e.value) as after
        from jsonb_each(gets_fields) e
        where had_fields -> e.key is distinct from e.value
    ) custom
$$;

alter table imports
    -- The rejected rows whose address an earlier row has. Null: a release that did not count them stored the import.
    add column duplicate_count integer,
    -- When it was undone: updated users who got their former values back,
    add column restored_count integer not null default 0,
    -- and those who kept the new ones, because somebody has changed them since.
    add column kept_count integer not null default 0;
