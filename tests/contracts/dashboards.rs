//! Every dashboard panel has a description, and every query finds data once a real Prometheus has scraped a run.

use std::time::{Duration, Instant};

use harness::World;
use harness::prometheus::Prometheus;
use harness::world::PATIENCE;
use serde_json::{Value, json};

use crate::sources::top;

/// What Grafana substitutes for its variables, with this test's values.
const VARIABLES: [(&str, &str); 2] = [("$__rate_interval", "20s"), ("$instance", ".*")];

/// The units we use that Grafana knows.
const UNITS: [&str; 6] = ["short", "percentunit", "s", "bytes", "reqps", "bool"];

/// The dashboards, by file name.
fn dashboards() -> Vec<(String, Value)> {
    let folder = top().join("deploy/grafana/dashboards");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut read: Vec<(String, Value)> = files
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (
                name,
                serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap(),
            )
        })
        .collect();
    read.sort_by(|one, other| one.0.cmp(&other.0));
    read
}

/// The panels of a dashboard, without the headings between them.
fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    let panels = dashboard["panels"].as_array().unwrap().iter();
    panels.filter(|panel| panel["type"] != "row")
}

fn queries(panel: &Value) -> impl Iterator<Item = String> {
    let targets = panel["targets"].as_array().unwrap().iter();
    targets.map(|target| target["expr"].as_str().unwrap().to_owned())
}

#[test]
fn every_panel_explains_itself() {
    let dashboards = dashboards();
    assert_eq!(dashboards.len(), 2);
    for (file, dashboard) in &dashboards {
        assert_eq!(dashboard["editable"], false, "{file}");
        assert!(panels(dashboard).count() > 20, "{file}");
        for panel in panels(dashboard) {
            let title = panel["title"].as_str().unwrap_or_default();
            let description = panel["description"].as_str().unwrap_or_default();
            let unit = panel["fieldConfig"]["defaults"]["unit"].as_str().unwrap_or_default();
            assert!(!title.is_empty(), "{file}: a panel has no title");
            assert!(description.ends_with('.') && description.len() > 20, "{file}: {title}");
            assert!(UNITS.contains(&unit), "{file}: {title} is in {unit}");
            assert_eq!(panel["datasource"]["uid"], "prometheus", "{file}: {title}");
            assert!(queries(panel).count() > 0, "{file}: {title} asks nothing");
            for query in queries(panel) {
                let bare = query.replace("rate(", "(\u{1}").replace("increase(", "(\u{1}");
                for (at, _) in bare.match_indices("_total") {
                    let before = &bare[..at];
                    let name_begins = before.rfind(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(0);
                    assert!(
                        before[..=name_begins].ends_with('\u{1}'),
                        "{file}: {title} shows a counter bare: {query}"
                    );
                }
            }
        }
    }
}

/// A world in which mail was sent, was refused, and waits, while Prometheus scraped it.
async fn a_run() -> (World, Prometheus) {
    let (world, prometheus) = Prometheus::over_a_world("").await.unwrap();
    prometheus
        .eventually_finds(&world, "count(up == 1) == 4 and count(beckon_build_info) == 2")
        .await;
    let import = world.people(30).await;
    world
        .import("email\n550+gone@example.org\n451+later@example.org\n")
        .await
        .expect(201);
    let batch = world.invite(json!({ "import": import })).await;
    let alone = world
        .reset_passwords(json!({ "emails": ["person1@example.org", "550+gone@example.org", "451+later@example.org"] }))
        .await;
    world.finished(batch).await;
    world.until(alone, "retrying", 1).await;
    world.relay.wait_for(31, PATIENCE).await.unwrap();
    world.verify("person1@example.org", "not this one").await;
    prometheus
        .eventually_finds(
            &world,
            "sum(increase(beckon_deliveries_ended_total[1m])) > 30 and on () sum(beckon_open_deliveries) > 0",
        )
        .await;
    (world, prometheus)
}

/// Every query of a panel, with its dashboard and title. No alert fires in a run without faults.
fn queries_of_a_run() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (file, dashboard) in dashboards() {
        for panel in panels(&dashboard) {
            for query in queries(panel).filter(|query| !query.starts_with("ALERTS")) {
                let asked = VARIABLES
                    .iter()
                    .fold(query, |query, (variable, value)| query.replace(variable, value));
                all.push((format!("{file}: {}", panel["title"]), asked));
            }
        }
    }
    all
}

/// A scrape that takes longer than its second leaves its series without a value until the next one, so a query that
/// finds nothing is asked again.
#[tokio::test]
async fn every_panel_shows_values_of_a_run() {
    let (world, prometheus) = a_run().await;
    World::run_in(world, async |_| {
        let mut empty = queries_of_a_run();
        let asked_until = Instant::now() + PATIENCE;

        while !empty.is_empty() && Instant::now() < asked_until {
            for (panel, query) in std::mem::take(&mut empty) {
                if prometheus.query(&query).await.unwrap().is_empty() {
                    empty.push((panel, query));
                }
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }

        assert!(empty.is_empty(), "these find nothing: {empty:#?}");
    })
    .await;
}
