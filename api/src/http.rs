//! The HTTP API: routes, authentication, limits, and the conversion of requests and responses.

pub mod authentication;
pub mod body;
pub mod client_address;
pub(crate) mod download;
pub mod endpoints;
pub(crate) mod file_form;
pub mod filter_query;
mod idempotency_key;
pub mod openapi;
pub mod pagination;
pub mod problem;
pub mod query;
pub(crate) mod rejected_rows;
pub mod request_log;
pub mod routes;
pub(crate) mod run_to_completion;
pub mod schema_gate;
pub mod security_headers;
pub mod server;
pub mod stream_access;
pub mod time_limit;
pub mod zeroized;
