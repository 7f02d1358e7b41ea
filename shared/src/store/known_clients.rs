//! Clients with which a user or an administrator has signed in before.
//!
//! At most ten are remembered per person, and the least recently used is forgotten. Each is forgotten a year
//! after its last sign-in, and all of them with the user or administrator, or when passwords are ended that a thief
//! may have used.

use super::{Db, StoreResult, Transaction, within};
use uuid::Uuid;

/// Maximum number of clients per person: a few browsers and phones. Each has sign-in attempts of its own, so
/// this also limits how many extra ones former devices have.
const CLIENTS_MAX: i32 = 10;

/// Whether a client has signed in as the user with this address.
pub async fn is_client_known(db: &Db, email_key: &str, digest: &[u8]) -> StoreResult<bool> {
    let reading = sqlx::query!(
        r#"select exists (
               select from known_clients k join users u on u.id = k.user_id
               where u.email_key = $1 and k.digest = $2 and k.seen_at > now() - interval '1 year'
           ) as "is_known!""#,
        email_key,
        digest,
    );
    Ok(within(reading.fetch_one(db)).await?.is_known)
}

/// Whether a browser has signed in as the administrator with this address.
pub async fn is_device_known(db: &Db, email_key: &str, digest: &[u8]) -> StoreResult<bool> {
    let reading = sqlx::query!(
        r#"select exists (
               select from known_devices k join administrators a on a.id = k.administrator_id
               where a.email_key = $1 and k.digest = $2 and k.seen_at > now() - interval '1 year'
           ) as "is_known!""#,
        email_key,
        digest,
    );
    Ok(within(reading.fetch_one(db)).await?.is_known)
}

/// Remembers a client that has signed in as this user.
pub async fn remember_client(db: &Db, user: Uuid, digest: &[u8]) -> StoreResult<()> {
    let remembering = sqlx::query!(
        "with remembered as (
             insert into known_clients (user_id, digest) values ($1, $2)
             on conflict (user_id, digest) do update set seen_at = now()
             where known_clients.seen_at < now() - interval '1 day'
         )
         delete from known_clients
         where user_id = $1 and digest in (
             select digest from known_clients where user_id = $1 and digest <> $2
             order by seen_at desc offset $3 - 1
         )",
        user,
        digest,
        CLIENTS_MAX,
    );
    within(remembering.execute(db)).await?;
    Ok(())
}

/// Forgets the clients with which these users have signed in.
pub async fn forget_clients(transaction: &mut Transaction, users: &[Uuid]) -> StoreResult<()> {
    let deleting = sqlx::query!("delete from known_clients where user_id = any($1)", users);
    within(deleting.execute(&mut **transaction)).await?;
    Ok(())
}

/// Remembers a browser that has signed in as this administrator.
pub async fn remember_device(db: &Db, administrator: Uuid, digest: &[u8]) -> StoreResult<()> {
    let remembering = sqlx::query!(
        "with remembered as (
             insert into known_devices (administrator_id, digest) values ($1, $2)
             on conflict (administrator_id, digest) do update set seen_at = now()
             where known_devices.seen_at < now() - interval '1 day'
         )
         delete from known_devices
         where administrator_id = $1 and digest in (
             select digest from known_devices where administrator_id = $1 and digest <> $2
             order by seen_at desc offset $3 - 1
         )",
        administrator,
        digest,
        CLIENTS_MAX,
    );
    within(remembering.execute(db)).await?;
    Ok(())
}
