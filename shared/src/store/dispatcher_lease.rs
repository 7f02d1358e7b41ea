//! The dispatcher's lease: a row with an epoch.
//!
//! Only Postgres's clock matters, and a holder that is frozen, partitioned or black-holed loses it
//! whatever TCP reports. It needs no session state, so it works through a connection pooler.

use super::{Db, StoreResult, seconds, within};
use std::time::Duration;

/// How long the lease lasts without renewal.
pub const LEASE: Duration = Duration::from_secs(12);

/// How often the holder renews its lease.
pub const RENEW_INTERVAL: Duration = Duration::from_secs(3);

/// A held lease. Statements that include its epoch change nothing once another process has taken over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DispatcherLease {
    /// How often the lease has been taken.
    pub epoch: i64,
}

/// A lease that was just taken.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// The lease.
    pub lease: DispatcherLease,
    /// Whether the previous holder stopped renewing, because it died or Postgres was away.
    pub is_after_silence: bool,
}

/// Takes the lease if no process holds it. `holder` is the name of this process.
///
/// A renewal in the future was made before the clock of Postgres went back. If it is further away than a lease, its
/// holder has died since, or will renew the lease with the present time at once and lose it.
pub async fn take(db: &Db, holder: &str) -> StoreResult<Option<Taken>> {
    // Read first, so that a process on standby writes and locks nothing.
    let seen = sqlx::query!(
        r#"select epoch,
                  seen_at not between now() - make_interval(secs => $1) and now() + make_interval(secs => $1) as "is_free!",
                  seen_at > '-infinity' as "is_after_silence!"
           from dispatcher"#,
        seconds(LEASE),
    );
    let (epoch, is_after_silence) = match within(seen.fetch_optional(db)).await? {
        Some(seen) if seen.is_free => (seen.epoch, seen.is_after_silence),
        Some(_) => return Ok(None),
        // The first process on a new database creates the row.
        None => {
            within(sqlx::query!("insert into dispatcher default values on conflict do nothing").execute(db)).await?;
            (0, false)
        }
    };
    let taking = sqlx::query_as!(
        DispatcherLease,
        "update dispatcher set epoch = epoch + 1, holder = $2, seen_at = now()
         where epoch = $1
           and seen_at not between now() - make_interval(secs => $3) and now() + make_interval(secs => $3)
         returning epoch",
        epoch,
        holder,
        seconds(LEASE),
    );
    let taken = within(taking.fetch_optional(db)).await?;
    Ok(taken.map(|lease| Taken {
        lease,
        is_after_silence,
    }))
}

/// Renews the lease. Returns `false` if another process has taken it.
pub async fn renew(db: &Db, lease: DispatcherLease) -> StoreResult<bool> {
    let renewing = sqlx::query!("update dispatcher set seen_at = now() where epoch = $1", lease.epoch);
    Ok(within(renewing.execute(db)).await?.rows_affected() > 0)
}

/// Releases the lease, so that any process can take it.
pub async fn release(db: &Db, lease: DispatcherLease) -> StoreResult<()> {
    let releasing = sqlx::query!(
        "update dispatcher set seen_at = '-infinity' where epoch = $1",
        lease.epoch
    );
    within(releasing.execute(db)).await?;
    Ok(())
}
