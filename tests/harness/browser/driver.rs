//! The driver's process, and the folder that it and its browser write to.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{PATIENCE, PULSE};
use crate::error::{HarnessError, Result};
use crate::installed::path_of;
use crate::ports::Port;
use crate::program::Program;
use crate::stack::Stack;

/// The driver logs this once it listens.
const LISTENS: &str = "started successfully";

/// A running `chromedriver`. Dropping it ends its browser too.
#[derive(Debug)]
pub(super) struct Driver {
    // Declared before the folder: Chromium must be gone before its folder is deleted.
    program: Program,
    folder: Folder,
    port: Port,
}

impl Driver {
    /// Starts one.
    pub(super) async fn start() -> Result<Self> {
        let path = path_of("CHROMEDRIVER").await?;
        let chromium = path_of("CHROMIUM").await?;
        let folder = Folder::make()?;
        let home = folder.0.display().to_string();
        let settings = [
            // Chromium creates a socket there, and socket paths have a length limit; hence the short name below.
            ("TMPDIR", home.clone()),
            ("HOME", home),
            ("LANG", "C.UTF-8".to_owned()),
            ("TZ", "UTC".to_owned()),
            // Read by the script that starts Chromium.
            ("CHROMIUM", chromium.display().to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value));
        // Not a port chosen by the system: the driver needs the same port for IPv4 and IPv6.
        let port = Port::claim()?;
        let listen = format!("--port={}", port.number());
        let program = Program::start_at(&path, &folder.0, "chromedriver", &[&listen], &settings).await?;
        listens(&program).await?;
        Ok(Self { program, folder, port })
    }

    pub(super) const fn port(&self) -> u16 {
        self.port.number()
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder.0
    }

    /// The end of its log.
    pub(super) fn log_tail(&self) -> String {
        self.program.log_tail()
    }

    /// The process group of the driver and its browser.
    #[cfg(test)]
    pub(super) fn group(&self) -> nix::unistd::Pid {
        nix::unistd::getpgid(Some(self.program.pid())).unwrap()
    }
}

/// Waits until the driver listens.
async fn listens(driver: &Program) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if driver.log().contains(LISTENS) {
            return Ok(());
        }
        if driver.exit_code().is_some() || Instant::now() > deadline {
            return Err(HarnessError::new(format!(
                "chromedriver did not start; the end of its log:\n{}",
                driver.log_tail()
            )));
        }
        tokio::time::sleep(PULSE).await;
    }
}

/// Everything a browser writes; deleted on drop.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn make() -> Result<Self> {
        // Inside the shared stack's folder if there is one: it is removed even if this process is killed.
        let place = Stack::shared_folder().map_or_else(std::env::temp_dir, Path::to_path_buf);
        let folder = tempfile::Builder::new()
            .prefix("web.")
            .tempdir_in(place)
            .map_err(|fault| HarnessError::because("could not make a folder for a browser", fault))?;
        Ok(Self(folder.keep()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A killed process may still finish its last write.
        for _ in 0..50 {
            if fs::remove_dir_all(&self.0).is_ok() || !self.0.exists() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
