-- The rows of a group whose users do not exist.
with created as (
    insert into users (id, email, email_key, first_name, last_name, language, fields)
    select g.id, g.email, g.email_key, coalesce(g.first_name, ''), coalesce(g.last_name, ''),
           coalesce(g.language, ''), jsonb_strip_nulls(g.fields)
    from unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::jsonb[])
         as g (id, email, email_key, first_name, last_name, language, fields)
)
insert into import_users (import_id, user_id, row_number, effect)
select $1, g.id, g.number, 'created' from unnest($2::integer[], $3::uuid[]) as g (number, id)
