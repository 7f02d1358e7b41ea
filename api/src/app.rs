//! Use cases: what the system does for a caller, without HTTP.
//!
//! The endpoints in `http` and the pages in `console` read a request, call a function of this module and render its
//! result. What prevents a request from being carried out is a [`Problem`](problem::Problem).

pub mod access_events;
pub mod administrator_password;
pub mod administrators;
pub mod api_keys;
pub mod batch_view;
pub mod batches;
pub mod blocked;
pub mod caller;
pub mod client_network;
pub mod concurrency_limit;
pub mod concurrency_limits;
pub mod credentials;
pub mod deliveries;
pub mod disk_budget;
pub mod do_not_mail;
pub mod exclusion;
pub mod idempotent;
pub mod imports;
pub mod intake;
pub mod ledger;
pub mod listed;
pub mod own_password;
pub mod password_link;
pub mod problem;
pub mod saved_filters;
pub mod schema_gate;
pub mod sessions;
pub mod shares;
pub mod stall_banner;
pub mod state;
pub mod status_labels;
pub mod system_emails;
pub mod token;
pub mod upload_spool;
pub mod user_filter;
pub mod users;
pub mod validation;
pub mod watch;
pub mod wording;
