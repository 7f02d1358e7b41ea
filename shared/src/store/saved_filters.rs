//! Named filters, shared by all users of the console and the API.

use super::audit::{Action, Actor, AuditEntry};
use super::{Db, StoreResult, begin, commit, within};
use crate::user_filter::UserFilter;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

/// Maximum number of saved filters.
pub const MAX_FILTERS: i64 = 200;

/// A saved filter.
#[derive(Clone, Debug)]
pub struct SavedFilter {
    /// The id.
    pub id: Uuid,
    /// The name.
    pub name: String,
    /// The conditions; `None` if they are unreadable because a later release wrote them.
    pub filter: Option<UserFilter>,
    /// When it was saved.
    pub created_at: OffsetDateTime,
    /// Who saved it.
    pub created_by: String,
}

/// The result of saving a filter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Saved {
    /// Saved with this id.
    New(Uuid),
    /// Another filter has this name.
    NameTaken,
    /// There are [`MAX_FILTERS`] already.
    TooMany,
}

macro_rules! saved_filters {
    ($rest:literal $(, $argument:expr)*) => {
        sqlx::query!(
            "select id, name, user_filter, created_at, created_by from saved_filters " + $rest
            $(, $argument)*
        )
        .map(|row| SavedFilter {
            id: row.id,
            name: row.name,
            filter: UserFilter::from_stored(&row.user_filter),
            created_at: row.created_at,
            created_by: row.created_by,
        })
    };
}

/// All saved filters, by name.
pub async fn list(db: &Db) -> StoreResult<Vec<SavedFilter>> {
    within(saved_filters!("order by name_key limit $1", MAX_FILTERS).fetch_all(db)).await
}

/// The filter with this id.
pub async fn find(db: &Db, id: Uuid) -> StoreResult<Option<SavedFilter>> {
    within(saved_filters!("where id = $1", id).fetch_optional(db)).await
}

/// Saves a filter under a name, and records that `actor` did.
pub async fn save(db: &Db, name: &str, filter: &UserFilter, actor: &Actor) -> StoreResult<Saved> {
    let mut transaction = begin(db).await?;
    let saving = sqlx::query!(
        r#"with kept as (select count(*) as n from saved_filters), added as (
               insert into saved_filters (name, name_key, user_filter, created_by)
               select $1, lower($1), $2, $3 from kept where kept.n < $4
               on conflict do nothing
               returning id
           )
           select kept.n >= $4 as "is_full!", (select id from added) as id from kept"#,
        name,
        filter.stored(),
        actor.name,
        MAX_FILTERS,
    );
    let row = within(saving.fetch_one(&mut *transaction)).await?;
    let Some(id) = row.id else {
        return Ok(if row.is_full { Saved::TooMany } else { Saved::NameTaken });
    };
    AuditEntry::new(actor, Action::FilterSaved)
        .subject("filter", id)
        .details(json!({ "name": name }))
        .record(&mut transaction)
        .await?;
    commit(transaction).await?;
    Ok(Saved::New(id))
}

/// Deletes a filter. Returns `false` if there is none.
pub async fn delete(db: &Db, id: Uuid, actor: &Actor) -> StoreResult<bool> {
    let mut transaction = begin(db).await?;
    let deleting = sqlx::query!("delete from saved_filters where id = $1 returning name", id);
    let row = within(deleting.fetch_optional(&mut *transaction)).await?;
    let Some(row) = row else { return Ok(false) };
    AuditEntry::new(actor, Action::FilterDeleted)
        .subject("filter", id)
        .details(json!({ "name": row.name }))
        .record(&mut transaction)
        .await?;
    commit(transaction).await?;
    Ok(true)
}
