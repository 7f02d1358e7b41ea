-- Each person is looked up once, by their own key, whatever Postgres believes about tables that
-- were empty a minute ago: `offset 0` keeps the planner from reading all users to find some.
with given as materialized (
    select g.number, g.email, g.email_key, g.first_name, g.last_name, g.language, g.fields, u.id as known,
           -- Whoever is just so already is left alone. The insert below would lock them until the
           -- import commits, and keep a million people from signing in; a change that somebody makes
           -- to them meanwhile is one made after this row, and a deleted person stays deleted.
           u.id is not null
               and coalesce(g.first_name, '') in ('', u.first_name)
               and coalesce(g.last_name, '') in ('', u.last_name)
               and coalesce(g.language, '') in ('', u.language)
               and u.fields @> g.fields as is_same,
           -- Somebody who stood in an earlier row of this file keeps what that row said.
           i.row_number as earlier
    from unnest($2::integer[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::jsonb[])
         as g (number, email, email_key, first_name, last_name, language, fields)
    left join lateral (
        select id, first_name, last_name, language, fields from users where email_key = g.email_key offset 0
    ) u on true
    left join lateral (
        select row_number from import_users where import_id = $1 and user_id = u.id offset 0
    ) i on u.id is not null
),
-- Those it changes, locked before they are read, so that what undoing the import brings back is what they had.
-- In one order for all, here and below, so that imports and other writers never wait for each other in a circle.
changed as materialized (
    select u.id, u.first_name, u.last_name, u.language, u.fields, g.number, g.first_name as gets_first_name,
           g.last_name as gets_last_name, g.language as gets_language, g.fields as gets_fields
    from given g join users u on u.id = g.known
    where g.earlier is null and not g.is_same
    order by u.email_key
    for no key update of u
),
noted as (
    insert into import_changes (import_id, user_id, row_number, before, after)
    select $1, c.id, c.number, d.before, d.after
    from changed c
    cross join lateral import_difference(
        c.first_name, c.last_name, c.language, c.fields,
        c.gets_first_name, c.gets_last_name, c.gets_language, c.gets_fields) d
    where d.after <> '{}'
),
stored as (
    insert into users as u (email, email_key, first_name, last_name, language, fields)
    select g.email, g.email_key, coalesce(g.first_name, ''), coalesce(g.last_name, ''), coalesce(g.language, ''),
           g.fields
    from given g
    -- Read before anything is inserted: a lock on a row that this statement has written would find nothing.
    left join changed c on c.id = g.known
    where g.earlier is null and not g.is_same
    order by g.email_key, c.number
    on conflict (email_key) do update
    set first_name = case when excluded.first_name <> '' then excluded.first_name else u.first_name end,
        last_name = case when excluded.last_name <> '' then excluded.last_name else u.last_name end,
        language = case when excluded.language <> '' then excluded.language else u.language end,
        fields = u.fields || excluded.fields,
        updated_at = now()
    where (excluded.first_name <> '' and excluded.first_name <> u.first_name)
       or (excluded.last_name <> '' and excluded.last_name <> u.last_name)
       or (excluded.language <> '' and excluded.language <> u.language)
       or not u.fields @> excluded.fields
    returning u.id, u.email_key, u.xmax = 0 as is_new
),
outcome as materialized (
    -- Whoever is unchanged is not inserted, or not returned by the insert when somebody else made
    -- the same change a moment ago; they were known before.
    select given.number, given.earlier, stored.is_new, coalesce(stored.id, given.known) as user_id
    from given
    left join stored on stored.email_key = given.email_key
),
linked as (
    insert into import_users (import_id, user_id, row_number, effect)
    select $1, user_id, number,
           case is_new when true then 'created' when false then 'updated' else 'unchanged' end::import_effect
    from outcome where earlier is null
)
select number as "number!", earlier as "earlier?", is_new as "is_new?" from outcome
