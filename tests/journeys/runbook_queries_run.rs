//! The SQL of every alert's runbook runs, and only reads.

use crate::json;
use harness::World;
use sqlx::{AssertSqlSafe, Executor as _};
use std::path::Path;

/// The SQL blocks of a runbook.
fn sql(text: &str) -> Vec<String> {
    let pieces = text.split("\n```sql\n").skip(1);
    pieces
        .filter_map(|piece| piece.split("\n```").next())
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn the_sql_of_each_runbook_runs_and_changes_nothing() {
    World::run(async |world| {
        world.write_history(3_000).await.unwrap();
        world.person("550+ada@example.org").await;
        world.person("ben@example.org").await;
        let batch = world
            .invite(json!({ "emails": ["550+ada@example.org", "ben@example.org"] }))
            .await;
        world.finished(batch).await;

        let mut asked = 0;
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/runbooks");
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if !name.starts_with("Beckon") {
                continue;
            }
            for piece in sql(&std::fs::read_to_string(&path).unwrap()) {
                let reading = format!("begin read only; {piece}; commit");
                if let Err(fault) = world.db.execute(AssertSqlSafe(reading)).await {
                    panic!("{name}: {fault}\n{piece}");
                }
                asked += 1;
            }
        }

        assert!(asked > 20, "{asked}");
    })
    .await;
}
