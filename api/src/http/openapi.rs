//! The API description, generated from the types and handlers that serve the API.
//!
//! `/openapi.json` is for programs, `/docs` is the same for people. What all operations share (the key, problems, ids
//! in paths) is added in `shared_elements`, not at each handler.

mod fields;
mod reading;
mod shared_elements;

use crate::app::problem::Problem;
use crate::http::endpoints::{
    audit_log, batches, blocked, credentials, deliveries, do_not_mail, events, imports, saved_filters, sending,
    system_emails, users,
};
use askama::Template as _;
use axum::http::header;
use axum::response::{Html, IntoResponse};
use shared_elements::SharedElements;
use std::sync::LazyLock;
use utoipa::OpenApi;

/// Everything that can be asked with a key.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Beckon",
        description = "Invites users to a platform in bulk, gives them their first password, and records the \
                       outcome of every email.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    paths(
        imports::create,
        imports::show,
        imports::problems_csv,
        imports::problems_xlsx,
        users::list,
        users::show,
        users::change,
        users::delete,
        users::lock,
        users::unlock,
        users::export,
        saved_filters::list,
        saved_filters::create,
        saved_filters::remove,
        blocked::list,
        blocked::unblock,
        do_not_mail::list,
        do_not_mail::create,
        do_not_mail::change,
        do_not_mail::delete,
        do_not_mail::add_addresses,
        do_not_mail::remove_address,
        do_not_mail::addresses_csv,
        system_emails::list,
        system_emails::show,
        system_emails::save,
        system_emails::preview,
        system_emails::test,
        sending::invites,
        sending::password_resets,
        batches::list,
        batches::show,
        batches::email,
        batches::pause,
        batches::resume,
        batches::stop,
        batches::send_again,
        events::batch,
        deliveries::of_batch,
        deliveries::csv,
        deliveries::show,
        deliveries::send_again,
        credentials::verify,
        credentials::choose,
        credentials::revoke,
        audit_log::list
    ),
    tags(
        (name = "imports", description = "Import users. Importing sends no email."),
        (name = "users", description = "List users, with their latest invite and whether they have signed in, and change them."),
        (name = "filters", description = "Saved conditions on users."),
        (name = "blocked addresses", description = "Addresses that do not exist according to a mail server. Until \
                                                    an address is unblocked, its user is left out of new batches, \
                                                    and waiting emails end as `suppressed`."),
        (name = "do not mail", description = "Addresses that batches leave out: on request, or always."),
        (name = "system emails", description = "The two emails that Beckon sends, and their merge fields."),
        (name = "sending", description = "Send one email to many users. 202 means that the batch is stored and each \
                                          email will be sent individually, even if a process of Beckon fails."),
        (name = "batches", description = "The progress of a batch, with counts that add up, and actions to pause, resume and stop it."),
        (name = "deliveries", description = "One email to one user, with every attempt and the mail server's replies."),
        (name = "credentials", description = "For your sign-in page: check passwords, let users choose their own, \
                                              and revoke mailed ones."),
        (name = "audit log", description = "Who did what, when and from where. Entries are added and never changed."),
    ),
    security(("key" = [])),
    modifiers(&SharedElements)
)]
struct Description;

static JSON: LazyLock<Option<String>> = LazyLock::new(|| Description::openapi().to_json().ok());

static PAGE: LazyLock<Option<String>> = LazyLock::new(|| reading::DocsPage::of(&Description::openapi()).render().ok());

/// Serves the API description for programs.
pub async fn json() -> Result<impl IntoResponse, Problem> {
    let json = JSON.as_deref().ok_or_else(Problem::internal)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], json))
}

/// Serves the API description for people.
pub async fn docs() -> Result<Html<&'static str>, Problem> {
    PAGE.as_deref().map(Html).ok_or_else(Problem::internal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeSet;

    fn described() -> Value {
        serde_json::from_str(JSON.as_deref().unwrap()).unwrap()
    }

    fn operations(described: &Value) -> Vec<&Value> {
        let paths = described["paths"].as_object().unwrap();
        paths
            .values()
            .flat_map(|item| item.as_object().unwrap().values())
            .collect()
    }

    #[test]
    fn every_operation_has_a_unique_id_and_a_description() {
        let described = described();
        let mut ids = BTreeSet::new();
        for operation in operations(&described) {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id), "{id} is there twice");
            assert!(operation["summary"].is_string(), "{id} has no summary");
            for (status, response) in operation["responses"].as_object().unwrap() {
                assert!(response["description"].is_string(), "{id} does not describe {status}");
            }
        }
        assert_eq!(ids.len(), 46);
        for id in shared_elements::TAKES_IDEMPOTENCY_KEY {
            assert!(ids.contains(id), "{id} is no operation");
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn follow(part: &Value, schemas: &Value) {
            if let Some(name) = part["$ref"].as_str() {
                let name = name.strip_prefix("#/components/schemas/").unwrap();
                assert!(schemas.get(name).is_some(), "{name} is not described");
            }
            let parts: Vec<&Value> = match part {
                Value::Object(entries) => entries.values().collect(),
                Value::Array(items) => items.iter().collect(),
                _ => Vec::new(),
            };
            for inner in parts {
                follow(inner, schemas);
            }
        }
        let described = described();
        follow(&described, &described["components"]["schemas"]);
    }

    #[test]
    fn the_page_lists_every_operation_and_loads_nothing() {
        let page = PAGE.as_deref().unwrap();
        for operation in operations(&described()) {
            let id = operation["operationId"].as_str().unwrap();
            assert!(page.contains(&format!("id=\"{id}\"")), "{id} is not on the page");
        }
        for loaded in ["<script", "<link", "<img", "url(", "@import", "src="] {
            assert!(!page.contains(loaded), "the page has {loaded}");
        }
    }
}
