//! Allowed dependencies: `api ──▶ dispatcher, import ──▶ shared ◀── worker`, `console ──▶ http ──▶ app` inside `api`,
//! and each large dependency in one place.

use crate::circles::named_files;
use crate::sources::{Source, files, read, section};

/// A crate, and the paths whose sources may name it.
const PLACES: &[(&str, &[&str])] = &[
    ("api", &["api/src/main.rs", "tests/"]),
    ("worker", &["worker/src/main.rs", "tests/"]),
    ("dispatcher", &["api/src/lib.rs", "api/src/app/state.rs"]),
    ("harness", &["tests/"]),
    ("lettre", &["worker/src/"]),
    ("import", &["api/src/", "tests/"]),
    ("csv", &["api/import/src/"]),
    ("lapin", &["shared/src/queue", "tests/"]),
    ("sqlx", &["shared/src/", "tests/"]),
    // The demo's inbox, the pages for testing the browser and the tests' collector do not run in production.
    (
        "axum",
        &[
            "api/src/console",
            "api/src/http",
            "api/src/lib.rs",
            "shared/src/probes.rs",
            "tests/demo/inbox",
            "tests/harness/browser/tests.rs",
            "tests/harness/collector.rs",
        ],
    ),
    ("askama", &["api/src/", "shared/src/letter.rs", "tests/demo/inbox"]),
    ("backoff", &["shared/src/reconnect.rs"]),
    ("argon2", &["shared/src/password"]),
    ("opentelemetry", &["shared/src/trace/", "shared/src/trace.rs"]),
    ("opentelemetry_sdk", &["shared/src/trace/"]),
    ("opentelemetry_otlp", &["shared/src/trace/"]),
];

/// A crate, and the members that may depend on it.
const MEMBERS: &[(&str, &[&str])] = &[
    ("api", &["tests"]),
    ("worker", &["tests"]),
    ("dispatcher", &["api"]),
    ("import", &["api", "tests"]),
    ("shared", &["api", "api/dispatcher", "api/import", "tests", "worker"]),
    ("lettre", &["worker"]),
    ("csv", &["api/import"]),
    ("lapin", &["shared", "tests"]),
    ("sqlx", &["shared", "tests"]),
    ("axum", &["api", "shared", "tests"]),
    ("askama", &["api", "shared", "tests"]),
    ("backoff", &["shared"]),
    ("argon2", &["shared"]),
    ("opentelemetry", &["shared"]),
    ("opentelemetry_sdk", &["shared"]),
    ("opentelemetry-otlp", &["shared"]),
];

/// A layer of the API, what it must not name, and the files that may.
const LAYERS: &[(&str, &str, &[&str])] = &[
    ("api/src/app", "api/src/http", &[]),
    ("api/src/app", "api/src/console", &[]),
    ("api/src/http", "api/src/console", &["api/src/http/routes.rs"]),
    ("api/src/console", "api/src/http/endpoints", &[]),
];

#[test]
fn each_source_imports_only_allowed_modules() {
    let sources = files(".rs");

    let breaches: Vec<String> = PLACES
        .iter()
        .flat_map(|(name, places)| {
            let names_it = |source: &&Source| uses(&source.code(), name);
            let outside = |source: &&Source| !places.iter().any(|place| source.path.starts_with(place));
            let breach = move |source: &Source| format!("{} names {name}, which belongs in {places:?}", source.path);
            sources.iter().filter(outside).filter(names_it).map(breach)
        })
        .collect();

    assert!(breaches.is_empty(), "{breaches:#?}");
}

#[test]
fn each_layer_of_the_api_knows_only_the_layers_below() {
    let named = named_files(&files(".rs"), "api/src/");

    let mut breaches = Vec::new();
    for (layer, above, exceptions) in LAYERS {
        for (file, others) in named.iter().filter(|(file, _)| file.starts_with(layer)) {
            let others = others.iter().filter(|other| other.starts_with(above));
            if !exceptions.contains(&file.as_str()) {
                breaches.extend(others.map(|other| format!("{file} names {other}")));
            }
        }
    }

    assert!(breaches.is_empty(), "{breaches:#?}");
}

#[test]
fn each_member_has_only_allowed_dependencies() {
    let dependencies = dependencies();

    let breaches: Vec<&(&str, String)> = dependencies
        .iter()
        .filter(|(member, name)| {
            let rule = MEMBERS.iter().find(|(ruled, _)| ruled == name);
            rule.is_some_and(|(_, allowed)| !allowed.contains(member))
        })
        .collect();

    assert!(breaches.is_empty(), "{breaches:#?}");
}

#[test]
fn sql_statements_are_only_in_the_store() {
    let sources = files(".rs");

    let breaches: Vec<&str> = sources
        .iter()
        .filter(|source| !source.path.starts_with("shared/src/store") && !source.path.starts_with("tests/"))
        .filter(|source| source.code().contains("sqlx::query") || source.code().contains("QueryBuilder"))
        .map(|source| source.path.as_str())
        .collect();

    assert!(breaches.is_empty(), "{breaches:#?}");
}

#[test]
fn every_dependency_is_used() {
    let sources = files(".rs");

    let idle: Vec<(&str, String)> = dependencies()
        .into_iter()
        .filter(|(member, name)| {
            let name = name.replace('-', "_");
            let folder = format!("{member}/");
            let mut own = sources.iter().filter(|source| source.path.starts_with(&folder));
            !own.any(|source| uses(&source.code(), &name))
        })
        .collect();
    let unclaimed: Vec<String> = section(&read("Cargo.toml"), "workspace.dependencies")
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| !dependencies().iter().any(|(_, claimed)| claimed == name))
        .collect();

    assert!(idle.is_empty(), "named in Cargo.toml, and in no source: {idle:#?}");
    assert!(
        unclaimed.is_empty(),
        "in the workspace, and in no member: {unclaimed:#?}"
    );
}

/// What each member depends on, including for its tests and its build.
fn dependencies() -> Vec<(&'static str, String)> {
    ["api", "api/dispatcher", "api/import", "shared", "tests", "worker"]
        .into_iter()
        .flat_map(|member| {
            let toml = read(&format!("{member}/Cargo.toml"));
            ["dependencies", "dev-dependencies", "build-dependencies"]
                .into_iter()
                .flat_map(|kind| section(&toml, kind))
                .map(|(name, _)| (member, name))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Whether code refers to a crate: `name::…` at the start of a path, or `use name;`.
fn uses(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + name.len()..]);
        let is_import = before.ends_with("use ") && after.starts_with([';', ' ']);
        begins_a_path(before) && (is_import || after.starts_with("::"))
    })
}

/// Whether the next name starts a path: `::csv` does, `a::csv` and `a_csv` do not.
fn begins_a_path(before: &str) -> bool {
    let is_within = |text: &str| text.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '>'));
    !is_within(before.strip_suffix("::").unwrap_or(before))
}

#[test]
fn a_name_is_found_only_at_the_start_of_a_path() {
    assert!(uses("let x = csv::Reader::new();", "csv"));
    assert!(uses("use csv;", "csv") && uses("use csv as c;", "csv") && uses("fn f(a: ::csv::Error)", "csv"));
    assert!(!uses("deliveries::csv::x", "csv") && !uses("as_csv::x()", "csv") && !uses("get(csv)", "csv"));
}
