-- Users are filtered by what they have in any field, and a filter is saved under a name.

-- What a user has in a field, in lower case; empty if nothing.
create function searched_value(
    field text, email text, first_name text, last_name text, language text, fields jsonb) returns text
language sql immutable parallel safe
as $$
    select lower(coalesce(case field when 'email' then email
                                     when 'first_name' then first_name
                                     when 'last_name' then last_name
                                     when 'language' then language
                                     else fields ->> field end, ''))
$$;

create table saved_filters (
    id uuid primary key default uuid_v7(),
    name text not null,
    -- One filter has a name, whatever its capital letters.
    name_key text not null unique,
    -- The conditions by name, as `selections.user_filter` has them.
    user_filter jsonb not null,
    created_at timestamptz not null default now(),
    created_by text not null
);
