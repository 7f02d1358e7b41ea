-- Whoever imports a file says what its columns are read as, what becomes of users who exist, and what empty cells do.

alter table imports
    -- The field that each column fills, by the column's name or letter; null: by their names.
    add column mapping jsonb,
    -- Whether the mapping is that of an earlier file with the same columns.
    add column mapping_is_remembered boolean not null default false,
    add column mode text not null default 'create_and_update'
        check (mode in ('create_and_update', 'create_only', 'update_only')),
    -- Whether an empty cell clears the value. Otherwise it changes nothing.
    add column clears_empty boolean not null default false,
    -- Rows that the mode leaves out: users who exist, or those who do not.
    add column ignored_count integer not null default 0;

-- The last mapping that was chosen for a file with these columns.
create table import_mappings (
    -- SHA-256 of `columns`.
    digest bytea primary key,
    -- Their names, or letters where a name is blank or comes twice, sorted.
    columns text[] not null,
    mapping jsonb not null,
    chosen_at timestamptz not null default now(),
    chosen_by text not null
);

-- What a row of a file changes about a user: the values that differ, by field. Null leaves a first name, last name or
-- language as it is, an empty text clears it, and a null among the fields removes that field.
create function import_row_difference(
    had_first_name text, had_last_name text, had_language text, had_fields jsonb,
    gets_first_name text, gets_last_name text, gets_language text, gets_fields jsonb)
returns table (before jsonb, after jsonb)
language sql immutable
as $$
    select own.before || coalesce(custom.before, '{}'), own.after || coalesce(custom.after, '{}')
    from (
        select jsonb_strip_nulls(jsonb_build_object(
                   'first_name', case when gets_first_name <> had_first_name then had_first_name end,
                   'last_name', case when gets_last_name <> had_last_name then had_last_name end,
                   'language', case when gets_language <> had_language then had_language end)) as before,
               jsonb_strip_nulls(jsonb_build_object(
                   'first_name', case when gets_first_name <> had_first_name then gets_first_name end,
                   'last_name', case when gets_last_name <> had_last_name then gets_last_name end,
                   'language', case when gets_language <> had_language then gets_language end)) as after
    ) own
    cross join (
        select jsonb_object_agg(e.key, had_fields -> e.key) as before, jsonb_object_agg(e.key, e.value) as after
        from jsonb_each(gets_fields) e
        where had_fields -> e.key is distinct from nullif(e.value, 'null')
    ) custom
$$;
