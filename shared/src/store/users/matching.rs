//! The only statement that matches users with a filter.

use crate::user_filter::UserFilter;
use serde_json::Value;

/// A statement about the users who match a filter: `$before`, which ends with users as `u` and joins that leave
/// each user once, the conditions, and `$after`. `$1` is the filter; further arguments begin with `$2`.
///
/// `$each` controls how the tables other than `users` are read. With `"offset 0"` each user is looked up, which is
/// fast for a page. With `""` Postgres may read each table once and hash it, which is fast for all users.
macro_rules! users_matching {
    ($query:ident($($row:ident,)?) $before:literal, $each:literal, $after:literal, $filter:expr $(, $argument:expr)*) => {
        sqlx::$query!(
            $($row,)?
            $before
                + r#"
            where (($1::jsonb ->> 'pattern') is null
                   or (u.search like lower($1 ->> 'pattern')) <> ($1 -> 'not' ? 'q'))
              and (($1 ->> 'import') is null and ($1 ->> 'effect') is null
                   or ($1 -> 'not' ? 'import') <> exists (
                       select from import_users i
                       where i.user_id = u.id
                         and (($1 ->> 'import') is null or i.import_id = ($1 ->> 'import')::uuid)
                         and (($1 ->> 'effect') is null or i.effect::text = $1 ->> 'effect') "#
                + $each
                + r#"))
              and (($1 ->> 'invited') is null
                   or ($1 ->> 'invited')::boolean
                      = exists (select from last_sent l where l.user_id = u.id and l.kind = 'invite' "#
                + $each
                + r#"))
              and (($1 ->> 'signed_in') is null or ($1 ->> 'signed_in')::boolean = (u.signed_in_at is not null))
              and (($1 ->> 'access') is null
                   or ($1 -> 'not' ? 'access') <> (($1 ->> 'access') = case
                       when exists (select from credentials c where c.user_id = u.id and c.kind = 'chosen' "#
                + $each
                + r#") then 'own_password'
                       when u.signed_in_at is not null then 'signed_in'
                       when exists (select from credentials c where c.user_id = u.id and c.expires_at > now() "#
                + $each
                + r#") then 'password_mailed'
                       when exists (select from credentials c where c.user_id = u.id and c.expires_at <= now() "#
                + $each
                + r#") then 'password_expired'
                       else 'none'
                   end))
              and (($1 ->> 'blocked') is null
                   or ($1 ->> 'blocked')::boolean
                      = exists (select from blocked_addresses b where b.email_key = u.email_key "#
                + $each
                + r#"))
              and (($1 ->> 'last_email_failed') is null
                   or ($1 ->> 'last_email_failed')::boolean
                      = (exists (select from blocked_addresses b where b.email_key = u.email_key "#
                + $each
                + r#") or exists (
                           select from deliveries d
                           where d.user_id = u.id and d.trouble_at is not null and d.state in ('failed', 'expired')
                             and not exists (
                                 select from (select id from deliveries where user_id = d.user_id "#
                + $each
                + r#") l where l.id > d.id) "#
                + $each
                + r#")))
              and (($1 ->> 'last_email_reason') is null
                   or ($1 -> 'not' ? 'last_email_reason') <> exists (
                       select from deliveries d
                       where d.user_id = u.id and d.trouble_at is not null and d.state in ('failed', 'expired')
                         and d.reason = $1 ->> 'last_email_reason'
                         and not exists (
                             select from (select id from deliveries where user_id = d.user_id "#
                + $each
                + r#") l where l.id > d.id) "#
                + $each
                + r#"))
              and (($1 ->> 'batch') is null
                   or ($1 -> 'not' ? 'batch') <> exists (
                       select from deliveries d where d.user_id = u.id and d.batch_id = ($1 ->> 'batch')::uuid "#
                + $each
                + r#"))
              and (($1 -> 'where') is null
                   or not exists (
                       select from jsonb_array_elements($1 -> 'where') c
                       cross join lateral (
                           select searched_value(
                                      c ->> 'field', u.email, u.first_name, u.last_name, u.language, u.fields) as has,
                                  lower(coalesce(c ->> 'value', '')) as asked
                       ) v
                       where not case c ->> 'op'
                           when 'is' then v.has = v.asked
                           when 'is_not' then v.has <> v.asked
                           when 'contains' then strpos(v.has, v.asked) > 0
                           when 'not_contains' then strpos(v.has, v.asked) = 0
                           when 'empty' then v.has = ''
                           when 'not_empty' then v.has <> ''
                           when 'before' then v.has ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}' and left(v.has, 10) < v.asked
                           when 'after' then v.has ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}' and left(v.has, 10) > v.asked
                           else false
                       end))
              and (($1 ->> 'locked') is null or ($1 ->> 'locked')::boolean = (u.locked_at is not null)) "#
                + $after,
            $crate::store::users::matching::asked($filter)
            $(, $argument)*
        )
    };
}
pub(crate) use users_matching;

/// Converts a filter to the argument of the statement: its conditions, with the search as a pattern.
pub(crate) fn asked(filter: &UserFilter) -> Value {
    let mut conditions = filter.conditions();
    if let Some(asked) = conditions.as_object_mut() {
        // Always present, because a comparison with null would be null.
        asked.insert("not".to_owned(), filter.not.iter().map(|name| name.as_str()).collect());
        if let Some(pattern) = filter.q.as_deref().and_then(pattern) {
            asked.insert("pattern".to_owned(), Value::String(pattern));
        }
    }
    conditions
}

/// Converts a search to a pattern for `like` that matches the literal text anywhere. It must be folded in the same way
/// as `users.search`.
pub(in crate::store) fn pattern(search: &str) -> Option<String> {
    let search = search.trim();
    let escaped = search.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    (!search.is_empty()).then(|| format!("%{escaped}%"))
}
