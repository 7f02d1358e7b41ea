//! Creates history before the run, so that the measurements show whether anything slows down with it, and measures its
//! size on disk.

use harness::{HarnessError, Result, World};

use crate::catalog;
use crate::figures::Figures;
use crate::number::figure;

/// Writes about `mails` past mails, and records their size.
///
/// # Errors
///
/// When Postgres refuses.
pub(crate) async fn write(world: &World, mails: usize, figures: &mut Figures) -> Result<()> {
    let (mails, people) = world.write_history(mails).await?;
    figures.note(catalog::HISTORY_MAILS, figure(mails) / 1e6);
    for (what, table, rows) in [
        (catalog::HISTORY_DELIVERIES, "deliveries", mails),
        (catalog::HISTORY_ATTEMPTS, "attempts", mails),
        (catalog::HISTORY_USERS, "users", people),
    ] {
        let size = "select sum(pg_total_relation_size(oid))::float8 / 1024 / 1024 from pg_class
                    where relkind = 'r' and (relname = $1 or relname like $1 || '\\_20%')";
        let mebibytes: f64 = sqlx::query_scalar(size)
            .bind(table)
            .fetch_one(&world.db)
            .await
            .map_err(|fault| HarnessError::because("could not measure the history", fault))?;
        figures.note(what, mebibytes * 1e6 / figure(rows));
    }
    Ok(())
}
