-- Users without a value for a merge field are counted and found.

-- What an email says in the place of a merge field; empty if the user has no value.
create function merge_value(field text, first_name text, last_name text, language text, fields jsonb) returns text
language sql immutable parallel safe
as $$
    select coalesce(case field when 'first_name' then first_name
                               when 'last_name' then last_name
                               when 'full_name' then trim(first_name || ' ' || last_name)
                               when 'language' then language
                               else fields ->> field end, '')
$$;
