//! Servers that refuse to run as root, such as PostgreSQL and `PgBouncer`, run as the user `nobody` instead.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User};

use crate::error::{HarnessError, Result};

/// A program with its arguments.
pub(crate) struct Invocation {
    /// The program's path.
    pub(crate) path: PathBuf,
    /// Its arguments.
    pub(crate) arguments: Vec<String>,
}

/// Wraps a program so that it does not run as root.
pub(crate) fn not_as_root(program: &Path, arguments: &[&str]) -> Result<Invocation> {
    let mut own: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let Some(nobody) = nobody()? else {
        return Ok(Invocation {
            path: program.to_owned(),
            arguments: own,
        });
    };
    let mut arguments = vec![
        format!("--reuid={}", nobody.uid),
        format!("--regid={}", nobody.gid),
        "--clear-groups".to_owned(),
        program.display().to_string(),
    ];
    arguments.append(&mut own);
    Ok(Invocation {
        path: PathBuf::from("/usr/bin/setpriv"),
        arguments,
    })
}

/// Makes the server user own a folder.
pub(crate) fn give_to_servers(folder: &Path) -> Result<()> {
    let failed = |e| HarnessError::because(format!("could not open {} to servers", folder.display()), e);
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).map_err(failed)?;
    match nobody()? {
        Some(nobody) => chown(folder, Some(nobody.uid.as_raw()), Some(nobody.gid.as_raw())).map_err(failed),
        None => Ok(()),
    }
}

/// The user for servers started by root; `None` when the harness does not run as root.
fn nobody() -> Result<Option<User>> {
    if !Uid::current().is_root() {
        return Ok(None);
    }
    let found =
        User::from_name("nobody").map_err(|e| HarnessError::because("could not look for the user nobody", e))?;
    found
        .map(Some)
        .ok_or_else(|| HarnessError::new("there is no user nobody, as whom root's servers run"))
}
