//! Rebuilds when a migration is added, because `sqlx::migrate!` embeds the folder, and embeds the revision
//! that `--version` prints.
//!
//! A build without a repository takes the revision from `BUILD_REVISION`, as the Dockerfile does. Otherwise
//! it comes from git, in optimised builds only: a debug build may contain uncommitted changes, and would be
//! rebuilt completely after every commit.

#![expect(
    clippy::disallowed_methods,
    reason = "cargo passes environment variables to build scripts"
)]

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-env-changed=BUILD_REVISION");
    let revision = named()
        .or_else(|| is_optimised().then(committed)?)
        .unwrap_or_else(|| "unknown".to_owned());
    println!("cargo:rustc-env=BUILD_REVISION={revision}");
}

fn named() -> Option<String> {
    let revision = std::env::var("BUILD_REVISION").ok()?;
    let revision = revision.trim();
    (!revision.is_empty()).then(|| revision.to_owned())
}

fn is_optimised() -> bool {
    std::env::var("PROFILE").is_ok_and(|profile| profile == "release")
}

/// The commit that is checked out, unless the repository is one that contains this one.
fn committed() -> Option<String> {
    if git(&["rev-parse", "--show-prefix"])? != "shared/" {
        return None;
    }
    // Written by every commit and every change of branch. Without this file Cargo would rebuild every time.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    if std::path::Path::new(&log).exists() {
        println!("cargo:rerun-if-changed={log}");
    }
    git(&["rev-parse", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let printed = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| printed.trim().to_owned())
}
