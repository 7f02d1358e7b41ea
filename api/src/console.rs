//! The console: server-rendered pages for administrators, who are not engineers.
//!
//! Every page works without JavaScript; the one script only adds convenience. A page handler returns
//! `Result<Response, Problem>` and calls the same code as a route of the API: an administrator is a
//! [`Caller`](crate::app::caller::Caller) with a name. `fault::render_problems` renders a returned
//! [`Problem`](crate::app::problem::Problem) as an HTML page.
//!
//! `require_session` guards every page behind the sign-in: it authenticates the session, shows the sign-in page to other
//! visitors (and keeps the form they submitted), rejects cross-site forms, and passes the fields of valid forms to the
//! handler. A new page cannot skip any of this.
//!
//! To add a page: add a file here, a template in `templates/console/` that extends `layout.html`, and a line in
//! [`routes`]. The template needs a `frame` from `Administrator::frame`, which holds what all pages share.

mod access;
mod account;
mod activity;
mod administrators;
mod assets;
mod audit;
mod batch;
mod blocked;
mod carried_form;
mod choose_password;
mod csv_response;
mod cursor;
mod delivery;
mod device;
mod do_not_mail;
pub mod fault;
mod fields;
mod filters;
mod form_body;
mod form_origin;
mod format;
mod frame;
mod home;
mod imports;
mod keys;
mod letter;
mod one_time_secret;
mod own_password;
mod people;
mod require_session;
mod respond;
mod selections;
pub mod session;
mod sign_in;
mod system_emails;
mod user;
mod users;

use crate::app::state::AppState;
use crate::http::run_to_completion::run_to_completion;
use crate::http::{schema_gate, security_headers, time_limit};
use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};

/// Routes of all pages.
pub fn routes(api: &AppState) -> Router<AppState> {
    let complete = from_fn_with_state(api.lifecycle.clone(), run_to_completion);
    let session = from_fn_with_state(api.clone(), require_session::require_session);
    let schema = from_fn_with_state(api.schema.clone(), schema_gate::pass);
    let open = Router::new()
        .route("/console/sign-in", get(sign_in::show).post(sign_in::enter))
        .route(
            "/console/choose-password",
            get(choose_password::show).post(choose_password::choose),
        )
        .layer(schema.clone())
        .route("/console/assets/{file}", get(assets::show));
    let closed = Router::new()
        .route("/console", get(home::show))
        .route("/console/password", get(own_password::show).post(own_password::choose))
        .route("/console/sign-out", post(sign_in::sign_out))
        .route("/console/users", get(users::show).post(users::submit))
        .merge(sending())
        .merge(filters::routes())
        .merge(do_not_mail::routes())
        .route("/console/blocked-addresses", get(blocked::show))
        .route("/console/blocked-addresses/unblock", post(blocked::unblock))
        .merge(system_emails::routes())
        .merge(manage(api))
        .merge(batches())
        .merge(imports::routes())
        .merge(user::routes())
        .route("/console/{*rest}", get(home::nothing).post(home::nothing))
        .layer(session.clone())
        .layer(schema.clone());
    let short = open.merge(closed).layer(complete.clone());
    // Without the time limit: an upload takes as long as the connection needs, and a download as long as the log or the
    // list is.
    let long = Router::new()
        .merge(imports::upload_routes())
        .merge(do_not_mail::upload_routes())
        .route("/console/audit.csv", get(audit::csv))
        .route("/console/blocked-addresses.csv", get(blocked::csv))
        .layer(session)
        .layer(schema)
        .layer(complete);
    short
        .layer(from_fn(time_limit::limit))
        .merge(long)
        .layer(from_fn_with_state(api.clone(), fault::render_problems))
        .layer(security_headers::for_pages())
        .route("/", get(home::begin))
}

/// Routes of the steps of sending.
fn sending() -> Router<AppState> {
    Router::new()
        .route("/console/selections/new", get(selections::begin))
        .route(
            "/console/selections/{id}",
            get(selections::choose).post(selections::submit),
        )
        .route("/console/selections/{id}/preview", get(selections::preview))
        .route("/console/selections/{id}/preview/html", get(selections::html))
        .route("/console/selections/{id}/test", post(selections::test))
        .route(
            "/console/selections/{id}/wording",
            get(selections::wording).post(selections::set_wording),
        )
        .route("/console/selections/{id}/check", get(selections::check))
        .route(
            "/console/selections/{id}/missing",
            get(selections::lacking).post(selections::leave_out_lacking),
        )
        .route("/console/selections/{id}/send", post(selections::send))
}

/// Routes for access to the console, API keys and the audit log.
fn manage(api: &AppState) -> Router<AppState> {
    Router::new()
        .merge(access_routes().route_layer(from_fn_with_state(api.clone(), access::confirmed)))
        .route("/console/account", get(account::show))
        .route("/console/account/end-others", post(account::end_others))
        .route("/console/administrators", get(administrators::list))
        .route("/console/administrators/new", get(administrators::ask))
        .route("/console/administrators/{id}", get(administrators::show))
        .route(
            "/console/administrators/{id}/disable",
            get(administrators::consider).post(administrators::disable),
        )
        .route("/console/keys", get(keys::list))
        .route("/console/keys/new", get(keys::ask))
        .route("/console/keys/{id}/revoke", get(keys::consider).post(keys::revoke))
        .route("/console/audit", get(audit::show))
}

/// Routes of changes that grant access. They require a recently entered password.
fn access_routes() -> Router<AppState> {
    Router::new()
        .route("/console/administrators", post(administrators::add))
        .route("/console/administrators/{id}/password", post(administrators::reset))
        .route("/console/administrators/{id}/enable", post(administrators::enable))
        .route("/console/keys", post(keys::make))
}

/// Routes for batches, from hold to report, and each of their emails.
fn batches() -> Router<AppState> {
    Router::new()
        .route("/console/batches/{id}", get(batch::show))
        .route("/console/batches/{id}/live", get(batch::stream::show))
        .route("/console/batches/{id}/undo", post(batch::actions::undo))
        .route("/console/batches/{id}/start", post(batch::actions::start))
        .route("/console/batches/{id}/pause", post(batch::actions::pause))
        .route("/console/batches/{id}/resume", post(batch::actions::resume))
        .route(
            "/console/batches/{id}/stop",
            get(batch::stop::show).post(batch::stop::stop),
        )
        .route("/console/batches/{id}/stop/ask", post(batch::stop::ask))
        .route("/console/batches/{id}/stop/carry-on", post(batch::stop::carry_on))
        .route(
            "/console/batches/{id}/revoke",
            get(batch::revoke::ask).post(batch::revoke::revoke),
        )
        .route("/console/batches/{id}/send-again", post(batch::again::begin))
        .route("/console/batches/{id}/wording", get(batch::wording::show))
        .route("/console/batches/{id}/left-out", get(batch::left_out::show))
        .route("/console/batches/{id}/left-out.csv", get(batch::report::left_out))
        .route("/console/batches/{id}/report.csv", get(batch::report::show))
        .route("/console/activity", get(activity::show))
        .route("/console/activity.csv", get(activity::file::show))
        .route("/console/deliveries/{id}", get(delivery::show))
        .route("/console/deliveries/{id}/letter", get(delivery::letter::show))
        .route("/console/deliveries/{id}/try-now", post(delivery::actions::retry_now))
        .route("/console/deliveries/{id}/stop", post(delivery::actions::withdraw))
        .route(
            "/console/deliveries/{id}/send-again",
            post(delivery::actions::send_again),
        )
}
