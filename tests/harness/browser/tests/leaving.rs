//! A browser leaves nothing behind.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::browser::{Browser, Setup};

#[tokio::test]
async fn a_dropped_browser_leaves_nothing() {
    let browser = Browser::start(Setup::default()).await;
    let (group, folder) = (browser.driver.group(), browser.folder().to_owned());
    assert!(killpg(group, None).is_ok() && folder.exists());

    drop(browser);

    assert_gone(group);
    assert!(!folder.exists(), "{}", folder.display());
}

#[test]
fn a_killed_harness_leaves_no_browser() {
    // A killed process cannot remove its own folder, so it is placed inside ours.
    let place = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "browser::tests::leaving::hold_a_browser_until_killed"])
        .args(["--ignored", "--nocapture"])
        .env("TMPDIR", place.path())
        .process_group(0)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.find(|line| line.contains("holding\t")).unwrap();
    let group = Pid::from_raw(line.rsplit('\t').next().unwrap().parse().unwrap());

    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGKILL).unwrap();
    child.wait().unwrap();

    assert_gone(group);
}

/// Not a test: the program that the test above starts and kills.
#[tokio::test]
#[ignore = "runs until killed, started by another test"]
async fn hold_a_browser_until_killed() {
    let browser = Browser::start(Setup::default()).await;
    println!("holding\t{}", browser.driver.group());
    std::future::pending::<()>().await;
}

fn assert_gone(group: Pid) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while killpg(group, None).is_ok() {
        assert!(Instant::now() < deadline, "group {group} lives");
        std::thread::sleep(Duration::from_millis(20));
    }
}
