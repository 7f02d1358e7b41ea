//! The work for one mail, one page or one dispatcher round does not grow with history.
//!
//! Postgres itself reports it: `auto_explain` sends the plan of each statement to the client, and the API and the
//! worker log these notices.

use crate::json;
use harness::{Setup, World};
use serde_json::Value;
use std::collections::BTreeMap;

/// Number of past mails in the world with history.
const HISTORY: usize = 100_000;

/// How many more pages a statement may touch with history than without: for each of fifty users in a list, the top of
/// an index and one row in each month. The mails themselves fill two thousand.
const MORE: u64 = 1_000;

/// Tables that grow with history.
const GROWING: [&str; 6] = [
    "deliveries",
    "attempts",
    "credentials",
    "last_sent",
    "batches",
    "left_out",
];

/// The most pages a statement touched, with its plan.
#[derive(Default)]
struct Touched {
    pages: u64,
    nodes: String,
}

/// The pages each statement touched under typical load.
async fn pages_touched(with_history: bool) -> BTreeMap<String, Touched> {
    let log = "info,sqlx::postgres::notice=info";
    let setup = Setup::default()
        .api_setting("BECKON_LOG", log)
        .worker_setting("BECKON_LOG", log);
    World::run_with(setup.workers(0), async |world| {
        if with_history {
            world.write_history(HISTORY).await.unwrap();
        }
        world.kill_api().await;
        sqlx::raw_sql(
            "do $$ declare setting text; begin
                 foreach setting in array array['session_preload_libraries = auto_explain', 'auto_explain.log_min_duration = 0',
                     'auto_explain.log_analyze = on', 'auto_explain.log_buffers = on', 'auto_explain.log_timing = off',
                     'auto_explain.log_level = notice'] loop
                     execute format('alter database %I set %s', current_database(), setting);
                 end loop;
             end $$",
        )
        .execute(&world.db)
        .await
        .unwrap();
        world.start_api().await.unwrap();
        world.start_worker().await.unwrap();
        usual_work(world).await;
        plans(&world.logs())
    })
    .await
}

async fn usual_work(world: &World) {
    world.people(20).await;
    world.person("550+unknown@example.org").await;
    world.person("451-then-ok+later@example.org").await;
    let addresses =
        ["person1", "person2", "person3", "550+unknown", "451-then-ok+later"].map(|name| format!("{name}@example.org"));
    let invites = world.invite(json!({ "emails": addresses })).await;
    let passwords = world
        .reset_passwords(json!({ "emails": ["person1@example.org", "person2@example.org"] }))
        .await;
    world.finished(passwords).await;
    world.until(invites, "retrying", 1).await;
    world.let_pauses_pass().await;
    world.finished(invites).await;
    let deliveries = world.deliveries(invites).await;
    world.story(&deliveries[0]).await;
    let mails = world.relay.mails_to("person1@example.org").unwrap();
    let password = mails.iter().find_map(|mail| mail.password()).unwrap();
    world.sign_in("person1@example.org", password).await;
    for page in [
        "/v1/users?limit=50".to_owned(),
        "/v1/users?invited=true&limit=50".to_owned(),
        "/v1/batches".to_owned(),
        format!("/v1/batches/{invites}/deliveries?state=failed"),
        format!("/v1/batches/{invites}/deliveries.csv"),
    ] {
        assert_eq!(world.get(&page).await.status, 200, "{page}");
    }
}

/// The plans in a log, by statement, with the pages touched.
fn plans(logs: &str) -> BTreeMap<String, Touched> {
    let mut touched = BTreeMap::new();
    for line in logs.lines() {
        let Ok(line) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let Some((_, plan)) = line["message"]
            .as_str()
            .and_then(|logged| logged.split_once("plan:\nQuery Text: "))
        else {
            continue;
        };
        let (statement, nodes) = plan.split_once("\n  ").map_or((plan, ""), |(_, _)| split(plan));
        for table in GROWING {
            let whole = format!("Seq Scan on {table}");
            assert!(!nodes.contains(&whole), "reads all of {table}:\n{plan}");
        }
        let pages = pages_of_growing_tables(nodes);
        let most: &mut Touched = touched.entry(statement.to_owned()).or_default();
        if pages > most.pages {
            let nodes = nodes.to_owned();
            *most = Touched { pages, nodes };
        }
    }
    touched
}

/// Splits off the nodes of a plan, which start at the first line with a cost.
fn split(plan: &str) -> (&str, &str) {
    let cost = plan.find("(cost=").unwrap_or(plan.len());
    let start = plan[..cost].rfind('\n').unwrap_or(0);
    plan.split_at(start)
}

/// Pages touched by scans of growing tables and their indexes.
fn pages_of_growing_tables(nodes: &str) -> u64 {
    let mut lines = nodes.lines();
    let mut sum = 0;
    while let Some(line) = lines.next() {
        let Some((_, table)) = line.split_once("Scan").and_then(|(_, rest)| rest.split_once(" on ")) else {
            continue;
        };
        if GROWING.iter().any(|name| table.starts_with(name)) {
            let buffers = lines.find(|line| line.trim_start().starts_with("Buffers: shared"));
            sum += buffers.map_or(0, pages);
        }
    }
    sum
}

/// The sum of a buffers line.
fn pages(line: &str) -> u64 {
    let words: Vec<_> = line.split([' ', '=']).collect();
    let of = |what| {
        let at = words.iter().position(|word| *word == what)?;
        words.get(at + 1)?.parse::<u64>().ok()
    };
    of("hit").unwrap_or(0) + of("read").unwrap_or(0)
}

#[tokio::test]
async fn no_statement_reads_old_rows() {
    let (before, after) = tokio::join!(pages_touched(false), pages_touched(true));

    assert!(before.len() > 60, "plans were logged: {}", before.len());
    let settling = after.keys().filter(|statement| statement.contains("lives_on as"));
    assert!(settling.count() > 0, "the worker's plans were logged");
    for (statement, Touched { pages, nodes }) in &after {
        let without = before.get(statement).map_or(0, |touched| touched.pages);
        assert!(
            *pages <= without + MORE,
            "{pages} pages instead of {without}:\n{statement}\n{nodes}"
        );
    }
}
