//! Selections of users by an administrator, from the first tick to the batch.
//!
//! A selection consists of all users who match a filter, except those unticked, and of those ticked one by one. The
//! ids of half a million users never leave Postgres. Before sending, the selection is stored id by id, and the mail
//! goes to exactly these users: those imported later are not added.

use super::system_emails::Wording;
use super::users::matching::{pattern, users_matching};
use super::users_in_bulk::as_sets;
use super::{Db, StoreResult, Transaction, commit, until_moved, within};
use crate::delivery::DeliveryState;
use crate::system_email::SystemEmailKind;
use crate::user_filter::UserFilter;
use uuid::Uuid;

/// After this many days an unfinished selection is deleted.
pub const KEPT_DAYS: i32 = 7;

/// Users selected by the outcome of their mail are also ticked one by one, up to this number, because every page of
/// a list reads all ticks.
const MAX_TICKED: i32 = 5_000;

/// A selection.
#[derive(Clone, Debug)]
pub struct Selection {
    /// The id, which is also the idempotency key of the batch.
    pub id: Uuid,
    /// The system email to send; not yet chosen on the page of all users.
    pub kind: Option<SystemEmailKind>,
    /// The filter.
    pub filter: Option<UserFilter>,
    /// How many users matched the filter when it was chosen.
    pub matching: i32,
    /// Matching users that were unticked.
    pub dropped: Vec<Uuid>,
    /// Users ticked one by one.
    pub picked: Vec<Uuid>,
    /// Number of users, once the selection is stored id by id.
    pub chosen: Option<i32>,
    /// The batch that was sent to the selection.
    pub batch: Option<Uuid>,
    /// Saved filters whose users are left out.
    pub excluded_filters: Vec<Uuid>,
    /// Do-not-mail lists whose users are left out. Lists that every batch leaves out apply as well.
    pub excluded_lists: Vec<Uuid>,
    /// Wording for this batch only.
    pub wording: Option<Wording>,
}

impl Selection {
    /// Number of selected users.
    pub fn count(&self) -> i64 {
        let some = |ids: &[Uuid]| i64::try_from(ids.len()).unwrap_or(i64::MAX);
        match self.chosen {
            Some(chosen) => i64::from(chosen),
            None => (i64::from(self.matching) - some(&self.dropped)).max(0) + some(&self.picked),
        }
    }
}

/// Creates a selection.
pub async fn create(db: &Db, administrator: Uuid, kind: Option<SystemEmailKind>) -> StoreResult<Uuid> {
    let adding = sqlx::query!(
        "insert into selections (administrator_id, kind) values ($1, $2) returning id",
        administrator,
        kind as _,
    );
    Ok(within(adding.fetch_one(db)).await?.id)
}

/// Creates a selection as a copy of the stored ids of another one.
pub async fn copy(db: &Db, administrator: Uuid, other: Uuid) -> StoreResult<Option<Uuid>> {
    let adding = sqlx::query_scalar!(
        "insert into selections (administrator_id, kind, user_filter, matching, dropped, picked, chosen,
                                 excluded_filters, excluded_lists, wording)
         select administrator_id, kind, user_filter, case when user_filter is not null then matching else 0 end,
                dropped, picked, chosen, excluded_filters, excluded_lists, wording
         from selections where id = $1 and administrator_id = $2
         returning id",
        other,
        administrator,
    );
    within(adding.fetch_optional(db)).await
}

/// Creates a selection of the users of a batch whose mail had this outcome, to send the same mail again; for all
/// reasons if none is given. Its ids are stored, including users deleted since, so that the check page counts the
/// same users as the batch. Returns `None` if all have been deleted.
pub async fn of_outcome(
    db: &Db,
    administrator: Uuid,
    batch: Uuid,
    states: &[DeliveryState],
    reasons: &[String],
) -> StoreResult<Option<Uuid>> {
    let states: Vec<String> = states.iter().map(|state| state.as_str().to_owned()).collect();
    let creating = sqlx::query_scalar!(
        "with those as (
             select array_agg(d.user_id order by d.id) as ids, bool_or(u.id is not null) as has_users
             from deliveries d left join users u on u.id = d.user_id
             where d.batch_id = $2 and d.user_id is not null and d.state = any($3::text[]::delivery_state[])
               and ($4::text[] = '{}' or d.reason = any($4))
         )
         insert into selections (administrator_id, kind, picked, chosen, wording)
         select $1, b.kind, case when cardinality(ids) <= $5 then ids else '{}' end, ids,
                (select jsonb_build_object('subject', v.subject, 'body', v.body, 'based_on', v.based_on)
                 from system_email_versions v
                 where v.kind = b.kind and v.version = b.version and v.version < 0)
         from those, batches b where b.id = $2 and has_users
         returning id",
        administrator,
        batch,
        &states,
        reasons,
        MAX_TICKED,
    );
    until_moved(creating.fetch_optional(db)).await
}

/// The selection that a batch was sent to, if it belongs to this administrator.
pub async fn of_batch(db: &Db, administrator: Uuid, batch: Uuid) -> StoreResult<Option<Uuid>> {
    let reading = sqlx::query_scalar!(
        "select id from selections where batch_id = $1 and administrator_id = $2",
        batch,
        administrator,
    );
    within(reading.fetch_optional(db)).await
}

/// A selection of this administrator.
pub async fn find(db: &Db, administrator: Uuid, id: Uuid) -> StoreResult<Option<Selection>> {
    let reading = sqlx::query!(
        r#"select id, kind as "kind: SystemEmailKind", user_filter, matching, dropped, picked,
                  cardinality(chosen) as chosen, batch_id as batch, excluded_filters, excluded_lists, wording
           from selections where id = $1 and administrator_id = $2"#,
        id,
        administrator,
    );
    let row = within(reading.fetch_optional(db)).await?;
    Ok(row.map(|row| {
        let filter = row.user_filter.as_ref().and_then(UserFilter::from_stored);
        Selection {
            id: row.id,
            kind: row.kind,
            matching: if filter.is_some() { row.matching } else { 0 },
            filter,
            dropped: row.dropped,
            picked: row.picked,
            chosen: row.chosen,
            batch: row.batch,
            excluded_filters: row.excluded_filters,
            excluded_lists: row.excluded_lists,
            wording: row.wording.and_then(|wording| serde_json::from_value(wording).ok()),
        }
    }))
}

/// Changes a selection that was not sent to, and clears its stored ids.
pub async fn change(db: &Db, selection: &Selection) -> StoreResult<bool> {
    let changing = sqlx::query!(
        "update selections set kind = $2, filter = null, user_filter = $3, matching = $4, dropped = $5, picked = $6, chosen = null,
                wording = case when kind = $2 then wording end
         where id = $1 and batch_id is null",
        selection.id,
        selection.kind as _,
        selection.filter.as_ref().map(UserFilter::stored),
        selection.matching,
        &selection.dropped,
        &selection.picked,
    );
    Ok(within(changing.execute(db)).await?.rows_affected() > 0)
}

/// Sets the filters and lists that a selection that was not sent leaves out.
pub async fn exclude(db: &Db, id: Uuid, filters: &[Uuid], lists: &[Uuid]) -> StoreResult<()> {
    let changing = sqlx::query!(
        "update selections set excluded_filters = $2, excluded_lists = $3 where id = $1 and batch_id is null",
        id,
        filters,
        lists,
    );
    within(changing.execute(db)).await?;
    Ok(())
}

/// Sets the wording for the batch of a selection that was not sent; `None` for the shared text.
pub async fn set_wording(db: &Db, id: Uuid, wording: Option<&Wording>) -> StoreResult<()> {
    // Texts and a number can always be written.
    let wording = wording.map(|wording| serde_json::to_value(wording).unwrap_or_default());
    let changing = sqlx::query!(
        "update selections set wording = $2 where id = $1 and batch_id is null",
        id,
        wording
    );
    within(changing.execute(db)).await?;
    Ok(())
}

/// Records the batch that was sent to a selection, in the transaction of the batch.
pub async fn link_batch(transaction: &mut Transaction, id: Uuid, batch: Uuid) -> StoreResult<()> {
    let changing = sqlx::query!("update selections set batch_id = $2 where id = $1", id, batch);
    within(changing.execute(&mut **transaction)).await?;
    Ok(())
}

/// Stores a selection id by id, in the order in which the users were created. Returns their number, or `None` if a
/// batch was sent to it meanwhile.
pub async fn store_ids(db: &Db, selection: &Selection) -> StoreResult<Option<i32>> {
    let everyone = UserFilter::default();
    let writing = users_matching!(
        query() "with matching as (select u.id from users u",
        "",
        "and $2 and u.id <> all($3::uuid[])
         ), everyone as (
             select id from matching union select id from users where id = any($4::uuid[])
         )
         update selections
         set chosen = coalesce((select array_agg(id order by id) from everyone), '{}')
         where id = $5 and batch_id is null
         returning cardinality(chosen) as n",
        selection.filter.as_ref().unwrap_or(&everyone),
        selection.filter.is_some(),
        &selection.dropped,
        &selection.picked,
        selection.id
    );
    let mut transaction = as_sets(db).await?;
    let row = within(writing.fetch_optional(&mut *transaction)).await?;
    commit(transaction).await?;
    Ok(row.map(|row| row.n.unwrap_or_default()))
}

/// The user at a position of the stored ids, counted from 1.
pub async fn at(db: &Db, id: Uuid, place: i32) -> StoreResult<Option<Uuid>> {
    let reading = sqlx::query!("select chosen[$2] as one from selections where id = $1", id, place);
    let row = within(reading.fetch_optional(db)).await?;
    Ok(row.and_then(|row| row.one))
}

/// The position of the first stored user whose name or address contains a text.
pub async fn place_of(db: &Db, id: Uuid, search: &str) -> StoreResult<Option<i32>> {
    let reading = sqlx::query_scalar!(
        r#"select c.place::integer as "place!"
           from selections s cross join lateral unnest(s.chosen) with ordinality as c (id, place)
           join users u on u.id = c.id
           where s.id = $1
             and u.search like lower($2)
           order by c.place
           limit 1"#,
        id,
        pattern(search),
    );
    within(reading.fetch_optional(db)).await
}

/// Deletes up to `most` selections that are a week old. Returns how many.
pub async fn forget(db: &Db, most: i64) -> StoreResult<u64> {
    let forgetting = sqlx::query!(
        "delete from selections
         where id in (
             select id from selections where created_at < now() - make_interval(days => $1)
             order by id limit $2
             for update skip locked)",
        KEPT_DAYS,
        most,
    );
    Ok(within(forgetting.execute(db)).await?.rows_affected())
}
