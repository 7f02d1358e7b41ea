-- The rows of a group whose users exist, with their ids in $2. The users are read by id; `offset 0` keeps the planner
-- from reading all users to find some, even if Postgres's statistics still describe an empty table.
with given as materialized (
    select g.id, g.number, g.email_key, g.first_name, g.last_name, g.language, g.fields,
           -- Users who already have these values are not touched. A lock on them would last until the import commits,
           -- and a million people could not sign in. A concurrent change counts as made after this row, and a deleted
           -- user stays deleted.
           coalesce(g.first_name, u.first_name) = u.first_name
               and coalesce(g.last_name, u.last_name) = u.last_name
               and coalesce(g.language, u.language) = u.language
               and u.fields = jsonb_strip_nulls(u.fields || g.fields) as is_same
    from unnest($2::uuid[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::text[], $8::jsonb[])
         as g (id, number, email_key, first_name, last_name, language, fields)
    left join lateral (
        select first_name, last_name, language, fields from users where id = g.id offset 0
    ) u on true
),
-- The users it changes, locked before they are read, so that undoing the import restores exactly what they had.
-- In the order of their keys, so that imports and other writers cannot deadlock.
changed as materialized (
    select u.id, u.first_name, u.last_name, u.language, u.fields, g.number,
           g.first_name as gets_first_name, g.last_name as gets_last_name, g.language as gets_language,
           g.fields as gets_fields
    from given g join users u on u.id = g.id and u.email_key = g.email_key
    where not g.is_same
    order by u.email_key
    for no key update of u
),
differing as materialized (
    select c.id, c.number, c.gets_first_name, c.gets_last_name, c.gets_language, c.gets_fields, d.before, d.after
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
    returning u.id
),
linked as (
    insert into import_users (import_id, user_id, row_number, effect)
    select $1, given.id, given.number,
           case when updated.id is null then 'unchanged' else 'updated' end::import_effect
    from given
    left join updated on updated.id = given.id
)
select count(*)::integer as "updated!" from updated
