//! What the users of a selection have and lack: merge fields without a value, and languages, counted before their email
//! is sent.
//!
//! Only users who get the email count. Those left out of the batch would not read it.

use super::exclusion::ExcludedUsers;
use super::left_out::{Inclusions, reasons, with_facts};
use super::{Db, StoreResult, Transaction, until_moved, within};
use crate::system_email::SystemEmailKind;
use uuid::Uuid;

/// A stored selection of users and the email that it is for.
#[derive(Clone, Copy, Debug)]
pub struct ChosenUsers<'a> {
    /// The selection.
    pub selection: Uuid,
    /// The system email.
    pub kind: SystemEmailKind,
    /// Which users are included although they are usually left out.
    pub including: Inclusions,
    /// The users excluded from the batch.
    pub excluded: &'a ExcludedUsers,
}

/// Number of users of one language without a value for a merge field.
#[derive(Clone, Debug)]
pub struct MissingCount {
    /// The merge field.
    pub field: String,
    /// The language of the users; may be empty.
    pub language: String,
    /// How many they are.
    pub people: i64,
}

/// A user without a value for a merge field.
#[derive(Clone, Debug)]
pub struct UserMissingValue {
    /// The id.
    pub id: Uuid,
    /// The address as typed.
    pub email: String,
    /// First and last name; empty if they have none.
    pub name: String,
}

macro_rules! of_selection {
    ($query:ident $($row:ident)?, $rest:literal, $chosen:expr $(, $argument:expr)* $(,)?) => {
        with_facts!(
            $query $($row)?,
            "with given as materialized (
                 select chosen.id as user_id, null::text as given, chosen.n
                 from selections s cross join lateral unnest(s.chosen) with ordinality as chosen (id, n)
                 where s.id = $6
             )",
            ", sent as materialized (
                 select u.id, u.email, u.first_name, u.last_name, u.language, u.fields, facts.n
                 from facts join users u on u.id = facts.user_id
                 where ($7::text[])[facts.facts + 1] = ''
             ) " + $rest,
            $chosen.kind,
            $chosen.excluded,
            $chosen.selection,
            &reasons($chosen.kind, $chosen.including)
            $(, $argument)*
        )
    };
}

/// For each of these merge fields and each language, the number of users without a value who get the email.
pub async fn count(db: &Db, chosen: ChosenUsers<'_>, fields: &[String]) -> StoreResult<Vec<MissingCount>> {
    let counting = of_selection!(
        query_as MissingCount,
        r#"select f.name as "field!", u.language as "language!", count(*) as "people!"
           from sent u cross join unnest($8::text[]) as f (name)
           where merge_value(f.name, u.first_name, u.last_name, u.language, u.fields) = ''
           group by f.name, u.language"#,
        chosen,
        fields,
    );
    within(counting.fetch_all(db)).await
}

/// For each language, the number of users who get the email.
pub async fn languages(db: &Db, chosen: ChosenUsers<'_>) -> StoreResult<Vec<(String, i64)>> {
    let counting = of_selection!(
        query,
        r#"select u.language as "language!", count(*) as "n!" from sent u group by u.language"#,
        chosen,
    );
    let rows = within(counting.fetch_all(db)).await?;
    Ok(rows.into_iter().map(|row| (row.language, row.n)).collect())
}

/// The users without a value for a merge field who get the email, in the order of selection.
pub async fn users(db: &Db, chosen: ChosenUsers<'_>, field: &str, limit: i64) -> StoreResult<Vec<UserMissingValue>> {
    let listing = of_selection!(
        query_as UserMissingValue,
        r#"select u.id as "id!", u.email as "email!", trim(u.first_name || ' ' || u.last_name) as "name!"
           from sent u
           where merge_value($8, u.first_name, u.last_name, u.language, u.fields) = ''
           order by u.n limit $9"#,
        chosen,
        field,
        limit,
    );
    within(listing.fetch_all(db)).await
}

/// Removes the users without a value for a merge field who get the email from a selection that was not sent.
/// Returns how many.
pub async fn leave_out(db: &Db, chosen: ChosenUsers<'_>, field: &str) -> StoreResult<i64> {
    let leaving = of_selection!(
        query,
        r#", lacking as materialized (
               select u.id from sent u
               where merge_value($8, u.first_name, u.last_name, u.language, u.fields) = ''
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
               where s.id = $6 and s.batch_id is null
               returning 1
           )
           select case when exists (select from changed) then (select count(*) from lacking) else 0 end as "n!""#,
        chosen,
        field,
    );
    Ok(within(leaving.fetch_one(db)).await?.n)
}

/// For each of these merge fields and each language, the number of users without a value among those whom a batch owes
/// an email.
pub async fn in_batch(transaction: &mut Transaction, batch: Uuid, fields: &[String]) -> StoreResult<Vec<MissingCount>> {
    let reading = sqlx::query_as!(
        MissingCount,
        r#"select f.name as "field!", u.language as "language!", count(*) as "people!"
           from deliveries d join users u on u.id = d.user_id
           cross join unnest($2::text[]) as f (name)
           where d.batch_id = $1
             and merge_value(f.name, u.first_name, u.last_name, u.language, u.fields) = ''
           group by f.name, u.language"#,
        batch,
        fields,
    );
    until_moved(reading.fetch_all(&mut **transaction)).await
}
