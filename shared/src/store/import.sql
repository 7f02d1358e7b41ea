-- Each person is looked up once by their key, even if Postgres's statistics still describe an empty table:
-- `offset 0` keeps the planner from reading all users to find some.
with given as materialized (
    select g.id, g.number, g.email, g.email_key, g.first_name, g.last_name, g.language, g.fields, u.id as known,
           -- Users who already have these values are not touched. The insert below would lock them until the
           -- import commits, and a million people could not sign in. A concurrent change counts as made after
           -- this row, and a deleted user stays deleted.
           u.id is not null
               and coalesce(g.first_name, u.first_name) = u.first_name
               and coalesce(g.last_name, u.last_name) = u.last_name
               and coalesce(g.language, u.language) = u.language
               and u.fields = jsonb_strip_nulls(u.fields || g.fields) as is_same,
           case $9::text when 'create_only' then u.id is not null
                         when 'update_only' then u.id is null
                         else false end as is_ignored,
           -- A user in an earlier row of this file keeps the values of that row.
           i.row_number as earlier
    from unnest($2::integer[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::jsonb[], $10::uuid[])
         as g (number, email, email_key, first_name, last_name, language, fields, id)
    left join lateral (
        select id, first_name, last_name, language, fields from users where email_key = g.email_key offset 0
    ) u on true
    left join lateral (
        select row_number from import_users where import_id = $1 and user_id = u.id offset 0
    ) i on u.id is not null
),
-- The users it changes, locked before they are read, so that undoing the import restores exactly what they had.
-- The same order here and below, so that imports and other writers cannot deadlock.
changed as materialized (
    select u.id, u.email_key, u.first_name, u.last_name, u.language, u.fields, g.number,
           g.first_name as gets_first_name, g.last_name as gets_last_name, g.language as gets_language,
           g.fields as gets_fields
    from given g join users u on u.id = g.known and u.email_key = g.email_key
    where g.known is not null and g.earlier is null and not g.is_same and not g.is_ignored
    order by u.email_key
    for no key update of u
),
differing as materialized (
    select c.id, c.email_key, c.number, c.gets_first_name, c.gets_last_name, c.gets_language, c.gets_fields, d.before,
           d.after
    from changed c
    cross join lateral import_row_difference(
        c.first_name, c.last_name, c.language, c.fields,
        c.gets_first_name, c.gets_last_name, c.gets_language, c.gets_fields) d
    where d.after <> '{}'
),
noted as (
    insert into import_changes (import_id, user_id, row_number, before, after)
    select $1, id, number, before, after from differing
),
updated as (
    update users u
    set first_name = coalesce(d.gets_first_name, u.first_name),
        last_name = coalesce(d.gets_last_name, u.last_name),
        language = coalesce(d.gets_language, u.language),
        -- A null removes the field.
        fields = jsonb_strip_nulls(u.fields || d.gets_fields),
        updated_at = now()
    from differing d
    where u.id = d.id
    returning u.id, u.email_key, false as is_new
),
created as (
    insert into users as u (id, email, email_key, first_name, last_name, language, fields)
    select g.id, g.email, g.email_key, coalesce(g.first_name, ''), coalesce(g.last_name, ''),
           coalesce(g.language, ''), jsonb_strip_nulls(g.fields)
    from given g
    -- Read before anything is inserted: a lock on a row that this statement has written would find nothing.
    cross join (select count(*) from changed) locked
    where g.known is null and not g.is_ignored
    order by g.email_key
    -- Another writer has just added them.
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
stored as (
    select id, email_key, is_new from updated union all select id, email_key, is_new from created
),
outcome as materialized (
    -- Unchanged users are not stored, and the insert does not return them if another writer has just made the
    -- same change; their ids are known already.
    select given.number, given.earlier, given.is_ignored, stored.is_new, coalesce(stored.id, given.known) as user_id
    from given
    left join stored on stored.email_key = given.email_key
),
linked as (
    insert into import_users (import_id, user_id, row_number, effect)
    select $1, user_id, number,
           case is_new when true then 'created' when false then 'updated' else 'unchanged' end::import_effect
    from outcome where earlier is null and not is_ignored
)
select number as "number!", earlier as "earlier?", is_ignored as "is_ignored!", is_new as "is_new?" from outcome
