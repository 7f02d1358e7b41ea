//! A clock of its own for a program, which can be put forward and back while it runs.
//!
//! libfaketime stands between the program and the system and reads from a file what time it is to
//! tell. Only the wall clock is touched: the one that measures how long something took runs on, as
//! it does on a machine whose clock is set.

use std::path::PathBuf;

use crate::error::{HarnessError, Result};
use crate::installed::path_of;

/// The clock of one or more programs.
#[derive(Debug)]
pub struct Clock {
    library: PathBuf,
    file: PathBuf,
}

impl Clock {
    /// A clock that is right, kept in this folder.
    ///
    /// # Errors
    ///
    /// When libfaketime is not installed; the text says how to come by it.
    pub async fn in_folder(folder: &std::path::Path) -> Result<Self> {
        let clock = Self {
            library: path_of("FAKETIME").await?,
            file: folder.join("clock"),
        };
        clock.put("+0")?;
        Ok(clock)
    }

    /// Puts it forward or back against the system's: `+1h`, `-1h`.
    ///
    /// # Errors
    ///
    /// When its file cannot be written.
    pub fn put(&self, difference: &str) -> Result<()> {
        // In one step: a program may be looking.
        let next = self.file.with_extension("next");
        std::fs::write(&next, format!("{difference}\n"))
            .and_then(|()| std::fs::rename(&next, &self.file))
            .map_err(|fault| HarnessError::because("could not set a clock", fault))
    }

    /// The settings with which a program goes by it.
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
