//! The running release, as shown to users and Prometheus.
//!
//! Version and revision are compiled in, so that a program knows them wherever it is copied. `build.rs`
//! determines the revision.

/// The version in `Cargo.toml`, the same for both programs.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit it was built from, or `unknown`.
pub const REVISION: &str = env!("BUILD_REVISION");

/// Both, as `--version` prints them after the program's name.
pub const VERSION_AND_REVISION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("BUILD_REVISION"), ")");
