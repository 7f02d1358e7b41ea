//! Blocked addresses, which get no mail because a relay reported that they do not exist.
//!
//! Sending to addresses that do not exist is typical of spammers, so mail providers count it against all mail
//! of a sender. An address is blocked when a delivery to it ends for this reason (`settle.sql`). Deliveries
//! to blocked addresses end when they are claimed (`claim.sql`). Only an administrator unblocks.

use super::audit::{Action, Actor};
use super::users::matching::pattern;
use super::{Db, StoreResult, within};
use time::OffsetDateTime;
use uuid::Uuid;

/// A blocked address.
#[derive(Clone, Debug)]
pub struct Blocked {
    /// Cursor for paging.
    pub id: Uuid,
    /// The address as typed.
    pub email: String,
    /// When it was blocked.
    pub blocked_at: OffsetDateTime,
    /// The class of the refusal.
    pub reason: String,
    /// The relay's code.
    pub code: Option<i16>,
    /// The relay's enhanced code.
    pub enhanced_code: Option<String>,
    /// The relay's words.
    pub reply: Option<String>,
    /// The refused delivery.
    pub delivery: Uuid,
    /// Whether its details still exist.
    pub has_delivery: bool,
    /// The user who has the address now.
    pub user: Option<Uuid>,
    /// Their first and last name, or a blank.
    pub name: Option<String>,
}

/// Which addresses to select. Unset parts match everything.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct BlockedFilter {
    /// The key of the address.
    pub email_key: Option<String>,
    /// The address of this user.
    pub user: Option<Uuid>,
    /// Part of the address or of its user's name.
    pub search: Option<String>,
    /// The addresses of users in this stored selection.
    pub selection: Option<Uuid>,
}

/// A query on the blocked addresses that match a filter.
macro_rules! matching {
    ($query:ident($($row:ident,)?) $before:literal, $after:literal, $filter:expr $(, $argument:expr)*) => {
        sqlx::$query!(
            $($row,)?
            $before
                + r#"
            from blocked_addresses b left join users u on u.email_key = b.email_key
            where ($1::text is null or b.email_key = $1)
              and ($2::uuid is null or u.id = $2)
              and ($3::text is null or lower(b.email) like lower($3) or u.search like lower($3))
              and ($4::uuid is null or u.id in (select unnest(chosen) from selections where id = $4))"#
                + $after,
            $filter.email_key,
            $filter.user,
            $filter.search.as_deref().and_then(pattern),
            $filter.selection
            $(, $argument)*
        )
    };
}

/// Up to `limit` blocked addresses, newest first, older or newer than the one with the given id.
pub async fn list(
    db: &Db,
    filter: &BlockedFilter,
    before: Option<Uuid>,
    after: Option<Uuid>,
    limit: i64,
) -> StoreResult<Vec<Blocked>> {
    let listing = matching!(
        query_as(Blocked,)
        r#"select b.id, b.email, b.blocked_at, b.reason, b.code, b.enhanced_code, b.reply, b.delivery_id as delivery,
                  exists (select from deliveries where id = b.delivery_id) as "has_delivery!",
                  u.id as "user?", u.first_name || ' ' || u.last_name as "name?""#,
        "and ($5::uuid is null or b.id < $5) and ($6::uuid is null or b.id > $6)
         order by case when $6::uuid is null then b.id end desc, b.id
         limit $7",
        filter,
        before,
        after,
        limit
    );
    let mut found = within(listing.fetch_all(db)).await?;
    found.sort_by_key(|blocked| std::cmp::Reverse(blocked.id));
    Ok(found)
}

/// The matching address, for filters that match at most one.
pub async fn find(db: &Db, filter: &BlockedFilter) -> StoreResult<Option<Blocked>> {
    Ok(list(db, filter, None, None, 1).await?.pop())
}

/// Number of matching addresses.
pub async fn count(db: &Db, filter: &BlockedFilter) -> StoreResult<i64> {
    let counting = matching!(query() r#"select count(*) as "n!""#, "", filter);
    Ok(within(counting.fetch_one(db)).await?.n)
}

/// Unblocks the matching addresses, records that `actor` did, and returns their number.
pub async fn unblock(db: &Db, filter: &BlockedFilter, actor: &Actor) -> StoreResult<i64> {
    let unblocking = matching!(
        query() "with those as (select b.email_key, u.id as user_id",
        r#"), gone as (
               delete from blocked_addresses b using those
               where b.email_key = those.email_key
               returning b.delivery_id, those.user_id
           ), noted as (
               -- The record holds no address: it names the user, or the delivery that had failed.
               insert into audit (who, actor_kind, actor_id, client_address, request_id, action, subject)
               select $5, $6, $7, $8, $9, $10, coalesce('user ' || user_id, 'delivery ' || delivery_id) from gone
           )
           select count(*) as "n!" from gone"#,
        filter,
        actor.name,
        actor.kind.as_str(),
        actor.kind.id(),
        actor.client.map(|client| client.to_string()),
        actor.request,
        Action::AddressUnblocked.as_str()
    );
    Ok(within(unblocking.fetch_one(db)).await?.n)
}
