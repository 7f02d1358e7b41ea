//! Do-not-mail lists: named lists of addresses that batches leave out.
//!
//! Addresses are matched by their digest, which stays on the list when the user with the address is erased. So a
//! person who is imported again later is still left out.

use super::audit::{Action, Actor, AuditEntry};
use super::users::matching::pattern;
use super::{Db, StoreResult, Transaction, begin, commit, within};
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

/// Maximum number of lists.
pub const MAX_LISTS: i64 = 100;

/// A do-not-mail list.
#[derive(Clone, Debug)]
pub struct DoNotMailList {
    /// The id.
    pub id: Uuid,
    /// The name.
    pub name: String,
    /// Whether every batch leaves out the users on it.
    pub always: bool,
    /// Number of addresses, including those of erased users.
    pub addresses: i64,
    /// Number of addresses of erased users, which are no longer readable.
    pub erased: i64,
    /// When it was created.
    pub created_at: OffsetDateTime,
    /// Who created it.
    pub created_by: String,
}

/// The result of creating a list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NewList {
    /// Created with this id.
    Created(Uuid),
    /// Another list has this name.
    NameTaken,
    /// There are [`MAX_LISTS`] already.
    TooMany,
}

/// Addresses to add to a list: keys and addresses as typed, in the same order.
#[derive(Clone, Debug, Default)]
pub struct Addresses {
    /// The keys, as in `users.email_key`.
    pub keys: Vec<String>,
    /// The addresses as typed.
    pub emails: Vec<String>,
}

macro_rules! lists {
    ($rest:literal $(, $argument:expr)*) => {
        sqlx::query_as!(
            DoNotMailList,
            r#"select l.id, l.name, l.always, a.addresses as "addresses!", a.erased as "erased!", l.created_at,
                      l.created_by
               from do_not_mail_lists l
               cross join lateral (
                   select count(*) as addresses, count(*) filter (where email is null) as erased
                   from do_not_mail_addresses where list_id = l.id
               ) a "# + $rest
            $(, $argument)*
        )
    };
}

/// All lists, by name.
pub async fn list(db: &Db) -> StoreResult<Vec<DoNotMailList>> {
    within(lists!("order by l.name_key limit $1", MAX_LISTS).fetch_all(db)).await
}

/// The list with this id.
pub async fn find(db: &Db, id: Uuid) -> StoreResult<Option<DoNotMailList>> {
    within(lists!("where l.id = $1", id).fetch_optional(db)).await
}

/// Those of these lists that exist.
pub async fn existing(db: &Db, ids: &[Uuid]) -> StoreResult<Vec<Uuid>> {
    let reading = sqlx::query_scalar!("select id from do_not_mail_lists where id = any($1)", ids);
    within(reading.fetch_all(db)).await
}

/// Creates an empty list.
pub async fn create(transaction: &mut Transaction, name: &str, always: bool, actor: &Actor) -> StoreResult<NewList> {
    let creating = sqlx::query!(
        r#"with kept as (select count(*) as n from do_not_mail_lists), added as (
               insert into do_not_mail_lists (name, name_key, always, created_by)
               select $1, lower($1), $2, $3 from kept where kept.n < $4
               on conflict do nothing
               returning id
           )
           select kept.n >= $4 as "is_full!", (select id from added) as id from kept"#,
        name,
        always,
        actor.name,
        MAX_LISTS,
    );
    let row = within(creating.fetch_one(&mut **transaction)).await?;
    let Some(id) = row.id else {
        return Ok(if row.is_full {
            NewList::TooMany
        } else {
            NewList::NameTaken
        });
    };
    AuditEntry::new(actor, Action::DoNotMailListAdded)
        .subject("do_not_mail_list", id)
        .details(json!({ "name": name, "always": always }))
        .record(transaction)
        .await?;
    Ok(NewList::Created(id))
}

/// Locks a list against deletion until the transaction ends, and returns its name; `None` if there is no such list.
pub async fn hold(transaction: &mut Transaction, id: Uuid) -> StoreResult<Option<String>> {
    let reading = sqlx::query_scalar!("select name from do_not_mail_lists where id = $1 for key share", id);
    within(reading.fetch_optional(&mut **transaction)).await
}

/// Adds addresses to a list. Returns how many of them were not on it.
pub async fn add(transaction: &mut Transaction, list: Uuid, addresses: &Addresses) -> StoreResult<u64> {
    let adding = sqlx::query!(
        "insert into do_not_mail_addresses (list_id, digest, email)
         select $1, address_digest(a.key), a.email from unnest($2::text[], $3::text[]) as a (key, email)
         on conflict do nothing",
        list,
        &addresses.keys,
        &addresses.emails,
    );
    Ok(within(adding.execute(&mut **transaction)).await?.rows_affected())
}

/// Records in the audit log that `actor` added this many addresses to a list.
pub async fn record_added(
    transaction: &mut Transaction,
    list: Uuid,
    name: &str,
    added: u64,
    actor: &Actor,
) -> StoreResult<()> {
    AuditEntry::new(actor, Action::DoNotMailAddressesAdded)
        .subject("do_not_mail_list", list)
        .details(json!({ "name": name, "addresses": added }))
        .record(transaction)
        .await
}

/// Removes an address from a list. Returns `false` if it is not on it.
pub async fn remove(db: &Db, list: Uuid, email_key: &str, actor: &Actor) -> StoreResult<bool> {
    let mut transaction = begin(db).await?;
    let deleting = sqlx::query!(
        "delete from do_not_mail_addresses a using do_not_mail_lists l
         where l.id = $1 and a.list_id = l.id and a.digest = address_digest($2)
         returning l.name",
        list,
        email_key,
    );
    let row = within(deleting.fetch_optional(&mut *transaction)).await?;
    let Some(row) = row else { return Ok(false) };
    AuditEntry::new(actor, Action::DoNotMailAddressRemoved)
        .subject("do_not_mail_list", list)
        .details(json!({ "name": row.name }))
        .record(&mut transaction)
        .await?;
    commit(transaction).await?;
    Ok(true)
}

/// Sets whether every batch leaves out the users on a list. Returns `false` if there is no such list.
pub async fn set_always(db: &Db, id: Uuid, always: bool, actor: &Actor) -> StoreResult<bool> {
    let mut transaction = begin(db).await?;
    let changing = sqlx::query!(
        r#"update do_not_mail_lists l set always = $2
           from (select id, always from do_not_mail_lists where id = $1 for no key update) before
           where l.id = before.id
           returning l.name, before.always as "was_always!""#,
        id,
        always
    );
    let row = within(changing.fetch_optional(&mut *transaction)).await?;
    let Some(row) = row else { return Ok(false) };
    if row.was_always != always {
        AuditEntry::new(actor, Action::DoNotMailListChanged)
            .subject("do_not_mail_list", id)
            .details(json!({ "name": row.name, "always": always }))
            .record(&mut transaction)
            .await?;
    }
    commit(transaction).await?;
    Ok(true)
}

/// Deletes a list with its addresses. Returns `false` if there is none.
pub async fn delete(db: &Db, id: Uuid, actor: &Actor) -> StoreResult<bool> {
    let mut transaction = begin(db).await?;
    let deleting = sqlx::query!("delete from do_not_mail_lists where id = $1 returning name", id);
    let Some(row) = within(deleting.fetch_optional(&mut *transaction)).await? else {
        return Ok(false);
    };
    AuditEntry::new(actor, Action::DoNotMailListDeleted)
        .subject("do_not_mail_list", id)
        .details(json!({ "name": row.name }))
        .record(&mut transaction)
        .await?;
    commit(transaction).await?;
    Ok(true)
}

/// Up to `limit` readable addresses of a list after `after`, in alphabetical order; only those that contain `search`.
pub async fn addresses(
    db: &Db,
    list: Uuid,
    search: Option<&str>,
    after: Option<&str>,
    limit: i64,
) -> StoreResult<Vec<String>> {
    let rows = sqlx::query_scalar!(
        r#"select email as "email!" from do_not_mail_addresses
           where list_id = $1 and email is not null and ($2::text is null or lower(email) like lower($2))
             and ($3::text is null or email > $3)
           order by email
           limit $4"#,
        list,
        search.and_then(pattern),
        after,
        limit,
    );
    within(rows.fetch_all(db)).await
}
