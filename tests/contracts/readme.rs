//! `tests/README.md` and `SECURITY.md` name tests as proofs, and each of these exists.

use std::collections::BTreeSet;
use std::path::Path;

use crate::sources::{read, top};

/// The rows of the table below a heading, without its header row.
fn table<'a>(page: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let section = page.split("\n## ").find(|section| section.starts_with(heading));
    let lines = section.unwrap_or_default().lines().filter(|line| line.starts_with('|'));
    let cells = |line: &'a str| line.trim_matches('|').split(" | ").map(str::trim).collect();
    lines.skip(2).map(cells).collect()
}

/// The proofs in a cell: files, some with the name of a test.
fn proofs(cell: &str) -> Vec<&str> {
    let quoted = cell.split('`').skip(1).step_by(2);
    quoted.filter(|words| words.contains(".rs")).collect()
}

/// The names of the tests in a file.
fn tests_in(text: &str) -> impl Iterator<Item = &str> {
    let mut is_test = false;
    text.lines().filter_map(move |line| {
        let line = line.trim();
        if line.starts_with('#') {
            is_test |= line == "#[test]" || line.starts_with("#[tokio::test");
            return None;
        }
        let name = line.trim_start_matches("async ").strip_prefix("fn ")?.split('(').next();
        name.filter(|_| std::mem::take(&mut is_test))
    })
}

/// The proofs that do not exist, relative to a folder.
fn missing(folder: &str, proofs: &[&str]) -> Vec<String> {
    let mut missing = Vec::new();
    for proof in proofs {
        let (path, test) = proof
            .split_once("::")
            .map_or((*proof, None), |(path, test)| (path, Some(test)));
        let from_the_top = Path::new(folder).join(path);
        let Ok(text) = std::fs::read_to_string(top().join(&from_the_top)) else {
            missing.push(format!("{proof}: no such file"));
            continue;
        };
        // What every journey asserts at its end is a function of the harness.
        let is_assertion =
            test.is_some_and(|test| test.starts_with("assert_") && text.contains(&format!("fn {test}(")));
        if !is_assertion && !tests_in(&text).any(|name| test.is_none_or(|test| test == name)) {
            missing.push(format!("{proof}: no such test in it"));
        }
    }
    missing
}

/// Asserts that a table has these rows in this order, and that each names an existing proof or gives the excuse.
fn hold(page: &str, heading: &str, folder: &str, rows: &[String], excuse: &str) {
    let table = table(page, heading);

    let numbers: Vec<&str> = table.iter().map(|row| row[0]).collect();
    assert_eq!(numbers, rows, "{heading}");
    for row in &table {
        let cell = row[row.len() - 1];
        let proofs = proofs(cell);
        assert!(
            !proofs.is_empty() || cell.contains(excuse),
            "{heading} {}: nothing shows it",
            row[0]
        );
        let missing = missing(folder, &proofs);
        assert!(missing.is_empty(), "{heading} {}: {missing:#?}", row[0]);
    }
}

fn numbered(prefix: &str, last: u32) -> Vec<String> {
    (1..=last).map(|n| format!("{prefix}{n}")).collect()
}

#[test]
fn every_fault_has_its_row_and_every_row_its_test() {
    let mut rows = numbered("", 85);
    rows.insert(44, "44a".to_owned());
    let kills = ["21a", "21b", "21c", "21d"].map(str::to_owned);
    rows.splice(21..21, kills);
    rows.insert(15, "15a".to_owned());

    hold(&read("tests/README.md"), "Faults", "tests", &rows, "not run");
}

#[test]
fn every_promise_has_a_check() {
    hold(
        &read("tests/README.md"),
        "Promises",
        "tests",
        &numbered("I", 13),
        "unchecked",
    );
}

#[test]
fn every_kind_of_bad_input_has_a_proof() {
    hold(
        &read("tests/README.md"),
        "Bad input",
        "tests",
        &numbered("", 40),
        "none:",
    );
}

#[test]
fn every_security_requirement_has_a_proof_or_is_declared_unmet() {
    let page = read(".github/SECURITY.md");
    let table = table(&page, "What is required");
    assert!(table.len() >= 40, "{} requirements", table.len());
    let version = read("Cargo.toml");
    let version = version
        .lines()
        .find_map(|line| line.strip_prefix("version = \""))
        .unwrap();
    let minor = version.rsplit_once('.').unwrap().0;
    assert!(
        page.contains(&format!("| {minor} | yes |")),
        "{minor} is not called supported"
    );

    for row in &table {
        let (requirement, shown) = (row[0], row[row.len() - 1]);
        let proofs = proofs(shown);
        let is_plain = shown.starts_with("not met: ") || shown.starts_with("not ours: ");
        assert!(!proofs.is_empty() || is_plain, "{requirement}: nothing shows it");
        let missing = missing("", &proofs);
        assert!(missing.is_empty(), "{requirement}: {missing:#?}");
    }
}

#[test]
fn tests_that_were_not_run_are_named_for_operators() {
    let deploy = read("deploy/README.md");
    let not_run: String = deploy.split("**Not run**").skip(1).collect();

    for word in ["RabbitMQ 3.13", "Patroni", "out-of-memory", "million"] {
        assert!(not_run.contains(word), "{word} is not among what was not run");
    }
}

/// A journey may be missing from the tables, or occur twice. But a journey file that `main.rs` does not declare never
/// runs.
#[test]
fn every_journey_is_run() {
    let main = read("tests/journeys/main.rs");
    let modules: BTreeSet<&str> = main
        .lines()
        .filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'))
        .collect();
    let folder = std::fs::read_dir(top().join("tests/journeys")).unwrap().flatten();
    let files = folder.filter_map(|entry| entry.file_name().into_string().ok());
    let idle: Vec<String> = files
        .filter_map(|name| name.strip_suffix(".rs").map(str::to_owned))
        .filter(|name| name != "main" && !modules.contains(name.as_str()))
        .collect();

    assert!(idle.is_empty(), "{idle:?}");
}

#[test]
fn make_test_runs_every_set_of_tests() {
    let sets = read("tests/Cargo.toml");
    let sets = sets.split("[[test]]\nname = \"").skip(1);
    let sets: BTreeSet<&str> = sets.filter_map(|rest| rest.split('"').next()).collect();
    let makefile = read("Makefile");
    let named = makefile.split("--test ").skip(1);
    let named: BTreeSet<&str> = named
        .flat_map(|rest| rest.lines().next().unwrap_or_default().split([' ', ',', ')']))
        .filter(|word| sets.contains(word))
        .collect();

    assert!(sets.len() > 4, "{sets:?}");
    assert_eq!(named, sets);
}
