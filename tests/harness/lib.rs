//! Test harness: servers, an SMTP relay, faults, a browser, and the world that combines them.
#![expect(clippy::panic, reason = "a promise that does not hold ends the test that asked")]

pub mod broker_cluster;
pub mod browser;
pub mod clock;
pub mod collector;
pub mod error;
pub mod faults;
pub mod installed;
pub mod mail_servers;
pub mod pooler;
pub mod ports;
pub mod program;
pub mod prometheus;
pub mod relay;
pub mod replicated;
pub mod server_user;
pub mod stack;
pub mod world;

pub use error::{HarnessError, Result};
pub use world::{Setup, World};
