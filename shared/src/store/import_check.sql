-- What storing these rows would do, of which every person stands once; compared as import_known.sql does it. Up to $8 changes
-- are kept as a sample.
with given as materialized (
    select g.number, g.first_name, g.last_name, g.language, g.fields, u.id as known,
           u.first_name as had_first_name, u.last_name as had_last_name, u.language as had_language,
           u.fields as had_fields,
           u.id is not null
               and coalesce(g.first_name, u.first_name) = u.first_name
               and coalesce(g.last_name, u.last_name) = u.last_name
               and coalesce(g.language, u.language) = u.language
               and u.fields = jsonb_strip_nulls(u.fields || g.fields) as is_same,
           case $9::text when 'create_only' then u.id is not null
                         when 'update_only' then u.id is null
                         else false end as is_ignored
    from unnest($2::integer[], $3::text[], $4::text[], $5::text[], $6::text[], $7::jsonb[])
         as g (number, email_key, first_name, last_name, language, fields)
    left join lateral (
        select id, first_name, last_name, language, fields from users where email_key = g.email_key offset 0
    ) u on true
),
sampled as (
    insert into import_changes (import_id, user_id, row_number, before, after)
    select $1, g.known, g.number, d.before, d.after
    from (
        select * from given where known is not null and not is_same and not is_ignored order by number limit $8
    ) g
    cross join lateral import_row_difference(
        g.had_first_name, g.had_last_name, g.had_language, g.had_fields,
        g.first_name, g.last_name, g.language, g.fields) d
)
select count(*) filter (where known is null and not is_ignored)::integer as "created!",
       count(*) filter (where known is not null and not is_same and not is_ignored)::integer as "updated!",
       count(*) filter (where is_same and not is_ignored)::integer as "unchanged!",
       count(*) filter (where is_ignored)::integer as "ignored!"
from given
