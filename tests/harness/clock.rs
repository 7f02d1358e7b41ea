//! A clock for one program that can be moved forward and back while it runs.
//!
//! libfaketime intercepts the program's time calls and reads the offset from a file. It affects only the wall clock:
//! the monotonic clock runs on, as on a machine whose clock is set.

use std::path::PathBuf;

use crate::error::{HarnessError, Result};
use crate::installed::path_of;

/// The wall clock of one or more programs.
#[derive(Debug)]
pub struct Clock {
    library: PathBuf,
    file: PathBuf,
}

impl Clock {
    /// Creates a clock without an offset, with its file in this folder.
    ///
    /// # Errors
    ///
    /// When libfaketime is not installed; the text explains how to install it.
    pub async fn in_folder(folder: &std::path::Path) -> Result<Self> {
        let clock = Self {
            library: path_of("FAKETIME").await?,
            file: folder.join("clock"),
        };
        clock.put("+0")?;
        Ok(clock)
    }

    /// Sets the offset from the system's clock: `+1h`, `-1h`.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn put(&self, difference: &str) -> Result<()> {
        // Replaced atomically, because a program may be reading it.
        let next = self.file.with_extension("next");
        std::fs::write(&next, format!("{difference}\n"))
            .and_then(|()| std::fs::rename(&next, &self.file))
            .map_err(|fault| HarnessError::because("could not set a clock", fault))
    }

    /// The environment variables that make a program use this clock.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let is_macos = self.library.extension().is_some_and(|ending| ending == "dylib");
        let preload = if is_macos {
            "DYLD_INSERT_LIBRARIES"
        } else {
            "LD_PRELOAD"
        };
        vec![
            (preload, self.library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }
}
