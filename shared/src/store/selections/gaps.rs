//! What the email would lack for the users of a written choice.

use super::super::everybody::as_sets;
use super::super::{Db, StoreResult, Transaction, begin, commit, within};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Up to here each user is looked up; for larger choices the table is read as a whole.
const SMALL: i32 = 2_000;

/// A transaction whose plans fit the size of a choice.
async fn for_choice(db: &Db, id: Uuid) -> StoreResult<Transaction> {
    let row = sqlx::query!(
        r#"select coalesce(cardinality(chosen), 0) > $2 as "is_large!" from selections where id = $1"#,
        id,
        SMALL,
    )
    .fetch_optional(db)
    .await?;
    if row.is_some_and(|row| row.is_large) {
        as_sets(db).await
    } else {
        begin(db).await
    }
}

/// How many of a written choice have no value for each of these merge fields.
pub async fn gaps(db: &Db, id: Uuid, fields: &[String]) -> StoreResult<BTreeMap<String, i64>> {
    let mut transaction = for_choice(db, id).await?;
    let counting = sqlx::query!(
        r#"select f.name as "name!", count(*) as "n!"
           from selections s cross join lateral unnest(s.chosen) as c (id)
           join users u on u.id = c.id
           cross join unnest($2::text[]) as f (name)
           where s.id = $1
             and coalesce(case f.name when 'first_name' then u.first_name
                                      when 'last_name' then u.last_name
                                      when 'language' then u.language
                                      else u.fields ->> f.name end, '') = ''
           group by f.name"#,
        id,
        fields,
    );
    let rows = within(counting.fetch_all(&mut *transaction)).await?;
    commit(transaction).await?;
    Ok(rows.into_iter().map(|row| (row.name, row.n)).collect())
}
