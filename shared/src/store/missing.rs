//! Merge fields for which users have no value, counted before their email is sent.
//!
//! Only users who get the email count. Those left out of the batch would not read it.

use super::left_out::{Including, reasons, with_facts};
use super::{Db, StoreResult, Transaction, within};
use crate::system_email::SystemEmailKind;
use std::collections::BTreeMap;
use uuid::Uuid;

/// A stored selection of users and the email that it is for.
#[derive(Clone, Copy, Debug)]
pub struct ChosenUsers {
    /// The selection.
    pub selection: Uuid,
    /// The system email.
    pub kind: SystemEmailKind,
    /// Which users are included although they are usually left out.
    pub including: Including,
}

/// A user without a value for a merge field.
#[derive(Clone, Debug)]
pub struct LackingUser {
    /// The id.
    pub id: Uuid,
    /// The address as typed.
    pub email: String,
    /// First and last name; empty if they have none.
    pub name: String,
}

macro_rules! of_selection {
    ($rest:literal, $chosen:expr $(, $argument:expr)* $(,)?) => {
        with_facts!(
            query,
            "with given as materialized (
                 select chosen.id as user_id, null::text as given, chosen.n
                 from selections s cross join lateral unnest(s.chosen) with ordinality as chosen (id, n)
                 where s.id = $4
             )",
            ", sent as materialized (
                 select u.id, u.email, u.first_name, u.last_name, u.language, u.fields, facts.n
                 from facts join users u on u.id = facts.user_id
                 where ($5::text[])[facts.facts + 1] = ''
             ) " + $rest,
            $chosen.kind,
            $chosen.selection,
            &reasons($chosen.kind, $chosen.including)
            $(, $argument)*
        )
    };
}

/// For each of these merge fields, the number of users without a value who get the email.
pub async fn count(db: &Db, chosen: ChosenUsers, fields: &[String]) -> StoreResult<BTreeMap<String, i64>> {
    let counting = of_selection!(
        r#"select f.name as "name!", count(*) as "n!"
           from sent u cross join unnest($6::text[]) as f (name)
           where merge_value(f.name, u.first_name, u.last_name, u.language, u.fields) = ''
           group by f.name"#,
        chosen,
        fields,
    );
    let rows = within(counting.fetch_all(db)).await?;
    Ok(rows.into_iter().map(|row| (row.name, row.n)).collect())
}

/// The users without a value for a merge field who get the email, in the order of selection.
pub async fn users(db: &Db, chosen: ChosenUsers, field: &str, limit: i64) -> StoreResult<Vec<LackingUser>> {
    let listing = of_selection!(
        r#"select u.id as "id!", u.email as "email!", trim(u.first_name || ' ' || u.last_name) as "name!"
           from sent u
           where merge_value($6, u.first_name, u.last_name, u.language, u.fields) = ''
           order by u.n limit $7"#,
        chosen,
        field,
        limit,
    );
    let rows = within(listing.fetch_all(db)).await?;
    let user = rows.into_iter().map(|row| LackingUser {
        id: row.id,
        email: row.email,
        name: row.name,
    });
    Ok(user.collect())
}

/// Removes the users without a value for a merge field who get the email from a selection that was not sent.
/// Returns how many.
pub async fn leave_out(db: &Db, chosen: ChosenUsers, field: &str) -> StoreResult<i64> {
    let leaving = of_selection!(
        r#", lacking as materialized (
               select u.id from sent u
               where merge_value($6, u.first_name, u.last_name, u.language, u.fields) = ''
           ), changed as (
               update selections s
               set chosen = array(
                       select c.id from unnest(s.chosen) with ordinality c (id, n)
                       where c.id not in (select id from lacking) order by c.n),
                   picked = array(
                       select p.id from unnest(s.picked) with ordinality p (id, n)
                       where p.id not in (select id from lacking) order by p.n),
                   dropped = case when s.user_filter is null then s.dropped
                                  else s.dropped || array(select id from lacking) end
               where s.id = $4 and s.batch_id is null
               returning 1
           )
           select case when exists (select from changed) then (select count(*) from lacking) else 0 end as "n!""#,
        chosen,
        field,
    );
    Ok(within(leaving.fetch_one(db)).await?.n)
}

/// For each of these merge fields, the number of users without a value among those whom a batch owes an email.
pub async fn in_batch(
    transaction: &mut Transaction,
    batch: Uuid,
    fields: &[String],
) -> StoreResult<BTreeMap<String, i64>> {
    let rows = sqlx::query!(
        r#"select f.name as "name!", count(*) as "n!"
           from deliveries d join users u on u.id = d.user_id
           cross join unnest($2::text[]) as f (name)
           where d.batch_id = $1
             and merge_value(f.name, u.first_name, u.last_name, u.language, u.fields) = ''
           group by f.name"#,
        batch,
        fields,
    )
    .fetch_all(&mut **transaction)
    .await?;
    Ok(rows.into_iter().map(|row| (row.name, row.n)).collect())
}
