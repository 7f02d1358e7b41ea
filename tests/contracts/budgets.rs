//! Rules that keep the code readable: short files, meaningful names, reasons beside dependencies.

use std::fs;

use crate::sources::{files, read, section, top};

/// The most lines of a file.
const LINES: usize = 400;

/// The most lines of a `main.rs`.
const MAIN_LINES: usize = 60;

/// Words that do not describe a purpose.
const EMPTY_WORDS: [&str; 13] = [
    "util",
    "utils",
    "helper",
    "helpers",
    "common",
    "misc",
    "core",
    "manager",
    "service",
    "processor",
    "handler",
    "data",
    "info",
];

/// Beginnings of function names that do not describe what is done.
const EMPTY_BEGINNINGS: [&str; 4] = ["new_", "do_", "handle_", "process_"];

/// The allowed top-level entries, with at most conventional files.
const TOP: [&str; 23] = [
    ".cargo",
    ".ci",
    ".dockerignore",
    ".git",
    ".github",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "Makefile",
    "README.md",
    "api",
    "clippy.toml",
    "deny.toml",
    "deploy",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "shared",
    "tests",
    "worker",
];

#[test]
fn no_file_is_too_long() {
    let sources = files(".rs");

    let long: Vec<String> = sources
        .iter()
        .map(|source| (&source.path, source.text.lines().count()))
        .filter(|(path, lines)| {
            *lines
                > if path.ends_with("/src/main.rs") {
                    MAIN_LINES
                } else {
                    LINES
                }
        })
        .map(|(path, lines)| format!("{path}: {lines} lines"))
        .collect();

    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn no_name_is_empty_of_meaning() {
    let sources = files(".rs");

    let mut empty = Vec::new();
    for source in &sources {
        let file = source
            .path
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .trim_end_matches(".rs");
        let mut names = source.names_of(&["struct", "enum", "trait", "type", "mod", "fn"]);
        // The name of an associated type is its trait's.
        names.retain(|name| !source.text.contains(&format!("\n    type {name} = ")));
        names.push(file.to_owned());
        names.retain(|name| words(name).iter().any(|word| EMPTY_WORDS.contains(&word.as_str())));
        let functions = source.names_of(&["fn"]).into_iter();
        names.extend(functions.filter(|name| EMPTY_BEGINNINGS.iter().any(|begin| name.starts_with(begin))));
        names.retain(|name| !is_a_sentence(name));
        empty.extend(names.into_iter().map(|name| format!("{}: {name}", source.path)));
    }

    assert!(empty.is_empty(), "{empty:#?}");
}

#[test]
fn every_dependency_has_a_reason() {
    let root = read("Cargo.toml");

    let mute: Vec<String> = section(&root, "workspace.dependencies")
        .into_iter()
        .filter(|(_, rest)| {
            rest.split_once(" # ")
                .is_none_or(|(_, reason)| reason.trim().is_empty())
        })
        .map(|(name, _)| name)
        .collect();

    assert!(mute.is_empty(), "{mute:?}");
}

#[test]
fn a_member_takes_every_version_from_the_workspace() {
    let members = ["api", "api/dispatcher", "api/import", "shared", "tests", "worker"];

    let own: Vec<String> = members
        .iter()
        .flat_map(|member| {
            let toml = read(&format!("{member}/Cargo.toml"));
            let all = ["dependencies", "dev-dependencies", "build-dependencies"].map(|kind| section(&toml, kind));
            all.into_iter()
                .flatten()
                .map(move |(name, rest)| format!("{member}: {name}{rest}"))
        })
        .filter(|line| !line.contains("workspace = true") && !line.contains("path = \""))
        .collect();

    assert!(own.is_empty(), "{own:#?}");
}

#[test]
fn every_todo_has_an_issue_number() {
    let marks = ["TODO", "FIXME", "XXX", "HACK"];

    let mut left = Vec::new();
    for ending in [".rs", ".sql", ".sh", ".toml", ".yml", ".yaml", ".md", ".html", "setup"] {
        for source in files(ending)
            .iter()
            .filter(|source| !source.path.ends_with("contracts/budgets.rs"))
        {
            let lines = source.text.lines().zip(1..);
            let marked = lines.filter(|(line, _)| marks.iter().any(|mark| has_word(line, mark)));
            let bare = marked.filter(|(line, _)| !line.contains('#') || !line.contains(|c: char| c.is_ascii_digit()));
            left.extend(bare.map(|(line, n)| format!("{}:{n}: {}", source.path, line.trim())));
        }
    }

    assert!(left.is_empty(), "{left:#?}");
}

#[test]
fn the_top_level_holds_what_the_customer_named_and_nothing_else() {
    let ignored = read(".gitignore");
    let ignored: Vec<&str> = ignored.lines().map(|line| line.trim_matches('/')).collect();

    let strangers: Vec<String> = fs::read_dir(top())
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !TOP.contains(&name.as_str()) && !ignored.contains(&name.as_str()))
        .collect();

    assert!(strangers.is_empty(), "{strangers:?}");
}

/// The words of `snake_case` and `CamelCase` names, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for c in name.chars() {
        if (c == '_' || c.is_uppercase()) && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if let (Some(word), true) = (words.last_mut(), c != '_') {
            word.extend(c.to_lowercase());
        }
    }
    words
}

/// Test names are sentences, and may contain the word `data`.
fn is_a_sentence(name: &str) -> bool {
    name.matches('_').count() >= 4
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|part| part == word)
}
