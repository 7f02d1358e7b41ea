//! The programs of a node.

use std::path::{Path, PathBuf};

use super::Release;
use crate::error::Result;
use crate::installed::path_of;

/// The location of the programs, and their root folder.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) rabbitmq: PathBuf,
    pub(super) epmd: PathBuf,
    pub(super) root: Option<PathBuf>,
}

impl Programs {
    pub(super) async fn of(release: Release) -> Result<Self> {
        Ok(match release {
            Release::Installed => Self {
                rabbitmq: path_of("RABBITMQ_BIN").await?,
                epmd: path_of("EPMD").await?,
                root: None,
            },
            Release::Four => Self {
                rabbitmq: PathBuf::from("/usr/lib/rabbitmq/bin"),
                epmd: PathBuf::from("/usr/bin/epmd"),
                root: Some(path_of("RABBITMQ_4_ROOT").await?),
            },
        })
    }

    /// A path inside the root folder of the programs.
    pub(super) fn within(&self, path: &Path) -> String {
        let seen = match &self.root {
            Some(root) => path
                .strip_prefix(root)
                .map_or_else(|_| path.to_owned(), |inner| Path::new("/").join(inner)),
            None => path.to_owned(),
        };
        seen.display().to_string()
    }

    /// The program to start and its first arguments.
    pub(super) fn invocation(&self, program: &Path) -> (PathBuf, Vec<String>) {
        match &self.root {
            // The mount belongs to the process and ends with it.
            Some(root) => (
                PathBuf::from("/usr/bin/unshare"),
                [
                    "--mount",
                    "sh",
                    "-c",
                    r#"mount --bind /proc "$0/proc" && exec chroot "$0" "$@""#,
                ]
                .into_iter()
                .map(str::to_owned)
                .chain([root.display().to_string(), program.display().to_string()])
                .collect(),
            ),
            None => (program.to_owned(), Vec::new()),
        }
    }
}
