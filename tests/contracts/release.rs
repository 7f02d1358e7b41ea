//! A release has one version in all places, and reports the commit it was built from.

use std::path::Path;
use std::process::Command;

use shared::release::{REVISION, VERSION, VERSION_AND_REVISION};

use crate::settings::{BOTH, run};
use crate::sources::{files, read, top};

/// The revision that `shared/build.rs` determines from these inputs.
fn built(environment: &[(&str, &str)], script: &Path, folder: &Path) -> String {
    let output = Command::new(script)
        .current_dir(folder)
        .env_remove("BUILD_REVISION")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let revision = printed
        .lines()
        .find_map(|line| line.strip_prefix("cargo:rustc-env=BUILD_REVISION="));
    revision.unwrap().to_owned()
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let identity = [("user.name", "Ada"), ("user.email", "ada@example.org")];
    let identity = identity.map(|(key, value)| format!("{key}={value}"));
    let output = Command::new("git")
        .current_dir(folder)
        .args(identity.iter().flat_map(|setting| ["-c", setting]))
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn both_programs_print_version_and_revision() {
    assert_eq!(VERSION_AND_REVISION, format!("{VERSION} ({REVISION})"));
    for program in BOTH {
        let printed = String::from_utf8(run(program, &["--version"], &[]).stdout).unwrap();

        assert_eq!(printed, format!("{program} {VERSION_AND_REVISION}\n"));
    }
}

#[test]
fn the_revision_comes_from_the_build_or_from_git() {
    // A folder that allows execution; the default temporary folder may not.
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let script = place.path().join("build");
    let compiled = Command::new("rustc")
        .args(["--edition", "2024", "-o"])
        .arg(&script)
        .arg(top().join("shared/build.rs"))
        .current_dir(top())
        .status()
        .unwrap();
    assert!(compiled.success());
    let (ours, elsewhere) = (
        place.path().join("ours/shared"),
        place.path().join("ours/shared/deeper"),
    );
    std::fs::create_dir_all(&elsewhere).unwrap();
    git(&ours.join(".."), &["init", "--quiet"]);
    git(&ours, &["commit", "--quiet", "--allow-empty", "--message", "Begin"]);
    let head = git(&ours, &["rev-parse", "HEAD"]);

    let optimised = ("PROFILE", "release");
    assert_eq!(built(&[optimised], &script, &ours), head);
    assert_eq!(built(&[optimised, ("BUILD_REVISION", " v1 ")], &script, &ours), "v1");
    assert_eq!(built(&[optimised, ("BUILD_REVISION", "")], &script, &ours), head);
    assert_eq!(built(&[("PROFILE", "debug")], &script, &ours), "unknown");
    assert_eq!(built(&[optimised], &script, &elsewhere), "unknown");
    assert_eq!(built(&[optimised], &script, Path::new("/")), "unknown");
}

#[test]
fn the_changelog_begins_with_the_current_version() {
    let changelog = read("CHANGELOG.md");

    let headings: Vec<&str> = changelog.lines().filter(|line| line.starts_with("## ")).collect();

    let newest = headings.first().copied().unwrap_or_default();
    let (version, date) = newest
        .strip_prefix("## [")
        .and_then(|rest| rest.split_once("] - "))
        .unwrap_or_else(|| panic!("{newest}: write `## [version] - date`"));
    assert_eq!(version, VERSION);
    let is_a_day = date.len() == 10 && date.split('-').all(|part| part.parse::<u16>().is_ok());
    assert!(is_a_day || date == "Unreleased", "{newest}");
}

#[test]
fn deploy_names_the_version_that_is_built() {
    let mut named = 0;
    for source in files("").iter().filter(|source| source.path.starts_with("deploy/")) {
        for key in ["--build-arg VERSION=", "newTag: "] {
            for version in source.text.split(key).skip(1) {
                named += 1;
                let written = version.split_whitespace().next().unwrap_or_default();
                assert_eq!(written, VERSION, "{}: {key}", source.path);
            }
        }
    }
    assert!(named >= 3, "{named} places name a version");
}
