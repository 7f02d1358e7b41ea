//! The handlers of the API, one file for each resource.
//!
//! A handler reads its request, calls a use case of `app` and renders the result. Its doc comment is the description of
//! the operation.

pub mod audit_log;
pub mod batches;
pub mod blocked;
pub mod credentials;
pub mod deliveries;
pub mod do_not_mail;
pub mod events;
pub mod imports;
pub mod saved_filters;
pub mod sending;
pub mod system_emails;
pub mod users;
