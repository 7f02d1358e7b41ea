//! Alerts, the cases that test them, their runbooks, and the metrics that all of these name belong together.
//!
//! The files are read line by line in the style in which they are written here. A line in another style is invisible to
//! these tests, so each of them also asserts that it found something.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use crate::metrics::{Page, pages};
use crate::sources::{Source, files, read, top};

const RULES: &str = "deploy/prometheus/rules/";
const CASES: &str = "deploy/prometheus/tests/";
const RUNBOOKS: &str = "deploy/runbooks/";

/// The sections of each runbook, in this order.
const PARTS: [&str; 4] = [
    "\n## What it means\n",
    "\n## What to look at\n",
    "\n## What to do\n",
    "\n## What not to do\n",
];

/// The files below a folder with this ending; there is at least one.
fn below(folder: &str, ending: &str) -> Vec<Source> {
    let found: Vec<Source> = files(ending)
        .into_iter()
        .filter(|source| source.path.starts_with(folder))
        .collect();
    assert!(!found.is_empty(), "{folder} has no *{ending}");
    found
}

/// The value of a key on a line of YAML, whether or not it starts a list entry.
fn value_of<'l>(line: &'l str, key: &str) -> Option<&'l str> {
    let line = line.trim_start();
    let entry = line.strip_prefix("- ").unwrap_or(line);
    entry.strip_prefix(key)?.strip_prefix(':').map(str::trim)
}

/// All values of this key in the rules.
fn in_rules(key: &str) -> BTreeSet<String> {
    let found: BTreeSet<String> = below(RULES, ".rules.yml")
        .iter()
        .flat_map(|source| source.text.lines())
        .filter_map(|line| value_of(line, key))
        .map(str::to_owned)
        .collect();
    assert!(!found.is_empty(), "no rule has a {key}");
    found
}

/// For each alert in the cases, whether it is expected to fire, to be silent, or both.
fn cases() -> BTreeMap<String, BTreeSet<bool>> {
    let mut cases: BTreeMap<String, BTreeSet<bool>> = BTreeMap::new();
    for source in below(CASES, ".test.yml") {
        let mut alert = None;
        for line in source.text.lines() {
            if let Some(name) = value_of(line, "alertname") {
                alert = Some(name);
            } else if let Some(expected) = value_of(line, "exp_alerts") {
                let name = alert
                    .take()
                    .unwrap_or_else(|| panic!("{}: exp_alerts without an alertname above it", source.path));
                cases.entry(name.to_owned()).or_default().insert(expected != "[]");
            }
        }
    }
    cases
}

/// The names of our metrics in a text, including those of recording rules (with colons).
fn figures(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':')
        .map(|word| word.trim_matches(':'))
        .filter(|word| word.starts_with("beckon_") || word.contains(":beckon_"))
        .collect()
}

/// The metric that a series belongs to: a histogram has several series.
fn metric_of<'s>(series: &'s str, shown: &BTreeSet<String>) -> &'s str {
    ["_bucket", "_sum", "_count"]
        .iter()
        .filter_map(|part| series.strip_suffix(part))
        .find(|metric| shown.contains(*metric))
        .unwrap_or(series)
}

#[test]
fn every_alert_has_a_runbook_and_every_runbook_an_alert() {
    let alerts = in_rules("alert");

    let runbooks: BTreeSet<String> = below(RUNBOOKS, ".md")
        .iter()
        .filter_map(|source| source.path.strip_prefix(RUNBOOKS)?.strip_suffix(".md"))
        // Runbooks without an alert are about planned work.
        .filter(|name| name.starts_with("Beckon"))
        .map(str::to_owned)
        .collect();
    assert_eq!(alerts, runbooks);

    let linked: BTreeSet<String> = alerts.iter().map(|alert| format!("{RUNBOOKS}{alert}.md")).collect();
    assert_eq!(in_rules("runbook"), linked, "the annotation runbook");

    let list = read(&format!("{RUNBOOKS}README.md"));
    for alert in &alerts {
        assert!(
            list.contains(&format!("| [{alert}]({alert}.md) |")),
            "{RUNBOOKS}README.md does not list {alert}"
        );
    }
}

#[test]
fn every_runbook_explains_the_alert_and_the_actions() {
    for alert in in_rules("alert") {
        let runbook = read(&format!("{RUNBOOKS}{alert}.md"));

        assert!(runbook.starts_with(&format!("# {alert}\n")), "{alert}: its heading");
        let places = PARTS.map(|part| runbook.find(part));
        assert!(
            places.iter().all(Option::is_some) && places.is_sorted(),
            "{alert}: its runbook needs {PARTS:?} in this order"
        );
        for what in ["```promql\n", "```sql\n", "`/console/"] {
            assert!(runbook.contains(what), "{alert}: its runbook has no {what}");
        }
    }
}

#[test]
fn every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_is_silent() {
    let alerts = in_rules("alert");
    let cases = cases();

    let both = BTreeSet::from([false, true]);
    let unproven: Vec<&String> = alerts.iter().filter(|alert| cases.get(*alert) != Some(&both)).collect();
    assert!(unproven.is_empty(), "without a firing or a silent case: {unproven:?}");

    let unknown: Vec<&String> = cases.keys().filter(|name| !alerts.contains(*name)).collect();
    assert!(unknown.is_empty(), "cases of alerts that do not exist: {unknown:?}");
}

#[tokio::test]
async fn every_metric_named_in_deploy_exists() {
    let pages = pages().await;
    let shown: BTreeSet<String> = pages.iter().flat_map(Page::names).map(str::to_owned).collect();
    let recorded = in_rules("record");

    let mut unknown = Vec::new();
    let mut known = 0;
    for ending in [".yml", ".yaml", ".json", ".md"] {
        let sources = files(ending).into_iter().filter(|one| one.path.starts_with("deploy/"));
        for source in sources {
            // A role in Postgres, which looks like a metric.
            for figure in figures(&source.text).into_iter().filter(|one| *one != "beckon_owner") {
                if recorded.contains(figure) || shown.contains(metric_of(figure, &shown)) {
                    known += 1;
                } else {
                    unknown.push(format!("{}: {figure}", source.path));
                }
            }
        }
    }

    assert!(unknown.is_empty(), "no process shows {unknown:#?}");
    assert!(known > 50, "only {known} figures were found in deploy/");
}

#[test]
fn prometheus_accepts_the_rules_and_their_cases_pass() {
    for (check, files) in [
        (["check", "rules"], below(RULES, ".rules.yml")),
        (["test", "rules"], below(CASES, ".test.yml")),
    ] {
        let output = Command::new("promtool")
            .current_dir(top())
            .args(check)
            .args(files.iter().map(|source| source.path.as_str()))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn metric_names_are_found_in_queries_and_in_text() {
    let text = "expr: sum(beckon_a_total{le=\"beckon.b\"}) / lane:beckon_c:max > x_beckon_d; `beckon_e_bucket`: 1";

    let found: Vec<&str> = figures(text).into_iter().collect();

    assert_eq!(found, ["beckon_a_total", "beckon_e_bucket", "lane:beckon_c:max"]);
    let shown = BTreeSet::from(["beckon_e".to_owned()]);
    assert_eq!(metric_of("beckon_e_bucket", &shown), "beckon_e");
    assert_eq!(metric_of("beckon_f_count", &shown), "beckon_f_count");
}
