//! The dispatcher's turn: a leased row with an epoch.
//!
//! Postgres's clock decides, so clocks of other machines don't matter, and a holder that is frozen,
//! partitioned or black-holed loses its turn whatever TCP believes. It needs no session state, so it
//! works through a connection pooler.

use super::{Db, StoreResult, seconds, within};
use std::time::Duration;

/// A holder that has not renewed its turn for this long has lost it.
pub const LEASE: Duration = Duration::from_secs(12);

/// How often a holder renews its turn.
pub const RENEW_EVERY: Duration = Duration::from_secs(3);

/// A turn. Statements that name it change nothing once another process has taken over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Turn {
    /// Counts the turns there have been.
    pub epoch: i64,
}

/// A turn that was taken.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// The turn.
    pub turn: Turn,
    /// Whether the holder before had fallen silent, as it does when it dies or Postgres is away.
    pub is_after_silence: bool,
}

/// Takes the turn if no process holds it. `holder` is this process's name.
pub async fn take(db: &Db, holder: &str) -> StoreResult<Option<Taken>> {
    // Read first, so that a process that stands by writes and locks nothing.
    let seen = sqlx::query!(
        r#"select epoch, seen_at < now() - make_interval(secs => $1) as "is_free!",
                  seen_at > '-infinity' as "is_after_silence!"
           from dispatcher"#,
        seconds(LEASE),
    );
    let (epoch, is_after_silence) = match within(seen.fetch_optional(db)).await? {
        Some(seen) if seen.is_free => (seen.epoch, seen.is_after_silence),
        Some(_) => return Ok(None),
        // The first process on a new database makes the row.
        None => {
            within(sqlx::query!("insert into dispatcher default values on conflict do nothing").execute(db)).await?;
            (0, false)
        }
    };
    let taking = sqlx::query_as!(
        Turn,
        "update dispatcher set epoch = epoch + 1, holder = $2, seen_at = now()
         where epoch = $1 and seen_at < now() - make_interval(secs => $3)
         returning epoch",
        epoch,
        holder,
        seconds(LEASE),
    );
    let taken = within(taking.fetch_optional(db)).await?;
    Ok(taken.map(|turn| Taken { turn, is_after_silence }))
}

/// Renews a turn; `false` when another process has it.
pub async fn renew(db: &Db, turn: Turn) -> StoreResult<bool> {
    let renewing = sqlx::query!("update dispatcher set seen_at = now() where epoch = $1", turn.epoch);
    Ok(within(renewing.execute(db)).await?.rows_affected() > 0)
}

/// Gives the turn to whichever process asks next.
pub async fn release(db: &Db, turn: Turn) -> StoreResult<()> {
    let releasing = sqlx::query!(
        "update dispatcher set seen_at = '-infinity' where epoch = $1",
        turn.epoch
    );
    within(releasing.execute(db)).await?;
    Ok(())
}
