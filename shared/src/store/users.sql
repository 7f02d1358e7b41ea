select u.id, u.email, u.first_name, u.last_name, u.language, u.fields, u.created_at, u.signed_in_at,
       invite.state as "invite_state?: crate::delivery::DeliveryState", invite.sent_at as "invite_sent_at?",
       coalesce(access.has_chosen, false) as "has_chosen!",
       access.expires_at as "password_expires_at?",
       coalesce(access.expires_at <= now(), false) as "password_has_expired!"
from users u
left join lateral (
    select d.state, d.sent_at
    from deliveries d join batches b on b.id = d.batch_id
    where d.user_id = u.id and b.kind = 'invite'
    order by d.id desc
    limit 1
) invite on true
left join lateral (
    select bool_or(c.kind = 'chosen') as has_chosen, max(c.expires_at) as expires_at
    from credentials c
    where c.user_id = u.id
) access on true
where ($1::text is null
       or u.email ilike $1 or u.first_name ilike $1 or u.last_name ilike $1
       or u.first_name || ' ' || u.last_name ilike $1)
  and ($2::uuid is null or exists (select from import_users i where i.import_id = $2 and i.user_id = u.id))
  and ($3::boolean is null
       or $3 = exists (
           select from deliveries d join batches b on b.id = d.batch_id
           where d.user_id = u.id and b.kind = 'invite' and d.state = 'sent'))
  and ($4::boolean is null or $4 = (u.signed_in_at is not null))
  and ($5::uuid is null or u.id > $5)
  and ($7::uuid is null or u.id = $7)
order by u.id
limit $6
