//! Keeps the memory of a process off the disk.
//!
//! It contains passwords in plain text, in copies that cannot all be wiped because libraries make some. A
//! core file would write them to disk.

use nix::sys::prctl::set_dumpable;
use nix::sys::resource::{Resource, setrlimit};

/// Prevents core files, however this process ends.
///
/// The limit alone is not enough: a kernel that pipes cores to a collector (`core_pattern` with `|`) ignores
/// it. A process that is not dumpable leaves no core there either, other processes of the same user cannot
/// attach to it, and its files in `/proc` belong to root.
pub fn disable_coredumps() {
    if let Err(fault) = setrlimit(Resource::RLIMIT_CORE, 0, 0) {
        tracing::warn!(error = %fault, "A crash may leave a core file: the limit could not be set to 0");
    }
    if let Err(fault) = set_dumpable(false) {
        tracing::warn!(error = %fault, "A crash may leave a core file: the process could not be made undumpable");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::prctl::get_dumpable;
    use nix::sys::resource::getrlimit;

    #[test]
    fn a_process_leaves_no_core_file() {
        assert_eq!(get_dumpable(), Ok(true));

        disable_coredumps();

        assert_eq!(get_dumpable(), Ok(false));
        assert_eq!(getrlimit(Resource::RLIMIT_CORE), Ok((0, 0)));
    }
}
