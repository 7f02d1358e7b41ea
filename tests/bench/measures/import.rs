//! Import speed, beside what Postgres needs for the same rows, and the memory it costs the API.

use futures_util::TryStreamExt as _;
use harness::{HarnessError, Result};
use sqlx::postgres::PgConnection;
use std::time::{Duration, Instant};
use uuid::Uuid;

use crate::catalog;
use crate::figures::Figures;
use crate::number::per_second;
use crate::options::Options;
use crate::process::{forget_peak, memory, peak_memory};
use crate::scene::Scene;

/// Size of the import whose memory is the baseline for the large one.
const SMALL: usize = 1_000;

/// Imports a small file and a large one; returns the large one.
///
/// # Errors
///
/// When a row was rejected.
pub(super) async fn measure(scene: &Scene, options: &Options, figures: &mut Figures) -> Result<Uuid> {
    let api = scene.processes.api;
    let before = begin(api)?;
    scene.import("few", SMALL).await?;
    figures.note(catalog::IMPORT_SMALL, peak_memory(api)? - before);

    let before = begin(api)?;
    let (import, took) = scene.import("many", options.import).await?;
    figures.note(catalog::IMPORT_RATE, per_second(options.import, took));
    figures.note(catalog::IMPORT_BEFORE, before);
    figures.note(catalog::IMPORT_AFTER, memory(api)?);
    figures.note(catalog::IMPORT_EXTRA, peak_memory(api)? - before);

    let floor = bare_copy(scene, import).await?;
    figures.note(catalog::IMPORT_FLOOR, per_second(options.import, floor));
    figures.note(
        catalog::IMPORT_OF_FLOOR,
        100.0 * floor.as_secs_f64() / took.as_secs_f64(),
    );
    Ok(import)
}

fn begin(api: u32) -> Result<f64> {
    forget_peak(api)?;
    memory(api)
}

/// The two tables that an import fills, and which of their rows belong to an import.
const TABLES: [(&str, &str); 2] = [
    ("users", "id in (select user_id from import_users where import_id = "),
    ("import_users", "(import_id = "),
];

/// How long Postgres needs to copy the rows of an import into empty tables with the same indexes, one transaction for
/// all: nothing is read, looked up or compared.
async fn bare_copy(scene: &Scene, import: Uuid) -> Result<Duration> {
    let failed = |fault: sqlx::Error| HarnessError::because("could not copy the imported rows", fault);
    let mut connection = scene.world.db.acquire().await.map_err(failed)?;
    let mut copies = Vec::new();
    for (table, of_import) in TABLES {
        let columns = stored_columns(&mut connection, table).await.map_err(failed)?;
        let query = format!("select {columns} from {table} where {of_import}'{import}')");
        let rows = copy_out(&mut connection, &query).await.map_err(failed)?;
        let create = format!("create table bare_{table} (like {table} including all)");
        run(&mut connection, create).await.map_err(failed)?;
        copies.push((
            format!("copy bare_{table} ({columns}) from stdin (format binary)"),
            rows,
        ));
    }
    run(&mut connection, "checkpoint".to_owned()).await.map_err(failed)?;
    let begun = Instant::now();
    run(&mut connection, "begin".to_owned()).await.map_err(failed)?;
    for (copying, rows) in copies {
        let mut copy = connection.copy_in_raw(&copying).await.map_err(failed)?;
        copy.send(rows).await.map_err(failed)?;
        copy.finish().await.map_err(failed)?;
    }
    run(&mut connection, "commit".to_owned()).await.map_err(failed)?;
    let took = begun.elapsed();
    for (table, _) in TABLES {
        run(&mut connection, format!("drop table bare_{table}"))
            .await
            .map_err(failed)?;
    }
    Ok(took)
}

/// The columns that are not generated.
async fn stored_columns(connection: &mut PgConnection, table: &str) -> sqlx::Result<String> {
    sqlx::query_scalar(
        "select string_agg(column_name, ', ' order by ordinal_position) from information_schema.columns
         where table_name = $1 and is_generated = 'NEVER'",
    )
    .bind(table)
    .fetch_one(connection)
    .await
}

async fn copy_out(connection: &mut PgConnection, query: &str) -> sqlx::Result<Vec<u8>> {
    let copying = format!("copy ({query}) to stdout (format binary)");
    let mut parts = connection.copy_out_raw(&copying).await?;
    let mut rows = Vec::new();
    while let Some(part) = parts.try_next().await? {
        rows.extend_from_slice(&part);
    }
    Ok(rows)
}

async fn run(connection: &mut PgConnection, statement: String) -> sqlx::Result<()> {
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
        .execute(connection)
        .await?;
    Ok(())
}
