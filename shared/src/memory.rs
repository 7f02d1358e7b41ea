//! What lies in a process's memory stays there.
//!
//! Passwords pass through it in the clear, in copies that we cannot all wipe, for libraries make
//! some. A core file would put them on a disk.

use nix::sys::resource::{Resource, setrlimit};

/// Has no core file written, however this process ends.
pub fn keep_off_the_disk() {
    if let Err(fault) = setrlimit(Resource::RLIMIT_CORE, 0, 0) {
        tracing::warn!(error = %fault, "A crash may leave a core file: the system does not let us do without");
    }
}
