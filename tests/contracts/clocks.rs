//! Stored times are Postgres's: due, leased, expired, sent.
//!
//! A worker whose clock is an hour off must neither lose a claim nor keep a password alive. So no process reads its own
//! wall clock, except for traces, which record when the process itself did something.

use crate::sources::files;

/// The only file that may read the wall clock.
const TRACES: &str = "shared/src/trace/span.rs";

#[test]
fn stored_times_come_from_postgres() {
    let ways = ["SystemTime::now", "now_utc", "now_local", "UtcDateTime::now"];
    let ours = |path: &str| {
        [
            "api/src/",
            "api/dispatcher/src/",
            "api/import/src/",
            "worker/src/",
            "shared/src/",
        ]
        .iter()
        .any(|part| path.starts_with(part))
    };

    let sources = files(".rs");
    let reading: Vec<&str> = sources
        .iter()
        .filter(|source| ours(&source.path) && ways.iter().any(|way| source.code().contains(way)))
        .map(|source| source.path.as_str())
        .collect();

    assert_eq!(reading, [TRACES]);
    // Nor does a statement take a time as a parameter under that name.
    let taken: Vec<&str> = sources
        .iter()
        .filter(|source| source.path.starts_with("shared/src/store") && source.code().contains("now: OffsetDateTime"))
        .map(|source| source.path.as_str())
        .collect();
    assert!(taken.is_empty(), "{taken:?}");
}
