//! Where third-party programs that the harness starts are installed on this machine.

use std::path::PathBuf;

use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::error::{HarnessError, Result};

/// The script that finds and installs them.
const SETUP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/setup");

/// Output of `deploy/setup --where`. Nothing moves while tests run, so it is read once.
static LISTED: OnceCell<String> = OnceCell::const_new();

/// The path of the program that `deploy/setup --where` lists under this name.
///
/// # Errors
///
/// When it is not installed; the text explains how to install it.
pub async fn path_of(name: &str) -> Result<PathBuf> {
    let answer = LISTED.get_or_try_init(ask).await?;
    let found = answer
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    found
        .map(PathBuf::from)
        .ok_or_else(|| HarnessError::new(format!("not found: {name}; run deploy/setup --tests")))
}

async fn ask() -> Result<String> {
    let output = Command::new(SETUP)
        .arg("--where")
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|e| HarnessError::because("could not run deploy/setup --where", e))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(HarnessError::new(complaint));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
