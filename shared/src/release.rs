//! Which release runs, as a person and Prometheus are told.
//!
//! Version and revision are compiled in, so that a program knows them wherever it is copied to. Where
//! the revision comes from is told in `build.rs`.

/// The version in `Cargo.toml`, the same for both programs.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit it was built from, or `unknown`.
pub const REVISION: &str = env!("BUILD_REVISION");

/// Both, as `--version` says them after the program's name.
pub const VERSION_AND_REVISION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("BUILD_REVISION"), ")");
