//! The points at which tests kill a program: one at the end of every step, and none in a release build.

use std::process::Command;

use shared::failpoint::Point;

use crate::sources::{files, read, top};

/// Number of steps in each part of a mail's path: request, dispatcher, worker.
const STEPS: [(char, usize); 3] = [('A', 6), ('R', 4), ('W', 14)];

#[test]
fn every_step_has_a_failpoint_reached_at_one_place() {
    let expected: Vec<String> = STEPS
        .iter()
        .flat_map(|(part, steps)| (1..=*steps).map(move |n| format!("{part}{n}")))
        .collect();
    let sources: Vec<_> = files(".rs")
        .into_iter()
        .filter(|file| !file.path.starts_with("tests/") && file.path != "shared/src/failpoint.rs")
        .map(|file| file.code())
        .collect();

    let steps: Vec<&str> = Point::ALL.iter().map(|(_, step)| *step).collect();

    assert_eq!(steps, expected);
    for (point, step) in Point::ALL {
        let reached = format!("Point::{point:?}");
        let places = sources
            .iter()
            .flat_map(|code| code.split(|c: char| !c.is_alphanumeric() && c != ':'));
        let places = places.filter(|word| *word == reached).count();
        // Half a body is written only at its failpoint, so that one is queried as well.
        let most = if step == "W10" { 2 } else { 1 };
        assert_eq!(places, most, "{step} is {reached}");
    }
}

#[test]
fn a_release_has_no_failpoints() {
    let folder = tempfile::tempdir().unwrap();
    let mentions_the_setting = |assertions: &str| {
        let object = folder.path().join(assertions);
        let built = Command::new("rustc")
            .current_dir(top())
            .args(["--edition=2024", "--crate-type=lib", "--emit=obj", "-Copt-level=3"])
            .arg(format!("-Cdebug-assertions={assertions}"))
            .arg("-o")
            .arg(&object)
            .arg("shared/src/failpoint.rs")
            .status();
        assert!(built.unwrap().success());
        let object = std::fs::read(object).unwrap();
        object.windows(16).any(|bytes| bytes == b"BECKON_FAILPOINT")
    };

    assert!(mentions_the_setting("on"));
    assert!(!mentions_the_setting("off"));
    assert!(!read("Cargo.toml").contains("debug-assertions"));
}
