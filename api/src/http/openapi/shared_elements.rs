//! Adds to the API description what all operations share.

use crate::app::status_labels;
use axum::http::StatusCode;
use std::collections::BTreeMap;
use utoipa::Modify;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::schema::ArrayItems;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ArrayBuilder, Content, Header, ObjectBuilder, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder, Schema,
    Type,
};

/// Operations that accept an `Idempotency-Key`.
pub(super) const TAKES_IDEMPOTENCY_KEY: [&str; 7] = [
    "imports_create",
    "sending_invites",
    "sending_password_resets",
    "system_emails_test",
    "batches_send_again",
    "deliveries_send_again",
    "credentials_choose",
];

const PROBLEM: &str = "application/problem+json";

/// Modifies the description.
pub(super) struct SharedElements;

impl Modify for SharedElements {
    fn modify(&self, described: &mut OpenApi) {
        let key = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(
            "An API key. `beckon-api create-key --name N` creates one and prints it once. It is valid for a year, \
             unless `--expires` sets another time.",
        ));
        let components = described.components.get_or_insert_default();
        components
            .security_schemes
            .insert("key".to_owned(), RefOr::T(SecurityScheme::Http(key.build())));
        name_items(&mut components.schemas);
        let deliveries = described.tags.iter_mut().flatten().find(|tag| tag.name == "deliveries");
        if let Some(about) = deliveries.and_then(|tag| tag.description.as_mut()) {
            about.push_str(" Its `status` is one of: ");
            about.push_str(&status_labels::words().join(" · "));
            about.push('.');
        }
        for item in described.paths.paths.values_mut() {
            let methods = [
                &mut item.get,
                &mut item.put,
                &mut item.post,
                &mut item.patch,
                &mut item.delete,
            ];
            methods.into_iter().flatten().for_each(complete);
        }
    }
}

/// Prefix of the names of list pages, before the name of their items.
const PAGE_OF: &str = "Page_";

/// Makes pages refer to their items by name, so that generated clients have one type for each.
fn name_items(schemas: &mut BTreeMap<String, RefOr<Schema>>) {
    let names: Vec<String> = schemas.keys().cloned().collect();
    for (page, schema) in schemas.iter_mut() {
        let item = page
            .strip_prefix(PAGE_OF)
            .filter(|item| names.iter().any(|name| name == item));
        if let (Some(item), RefOr::T(Schema::Object(object))) = (item, schema)
            && let Some(RefOr::T(Schema::Array(list))) = object.properties.get_mut("items")
        {
            list.items = ArrayItems::RefOrSchema(Box::new(Ref::from_schema_name(item).into()));
        }
    }
}

fn complete(operation: &mut Operation) {
    // Handlers in different files share names; generated clients need unique operation ids.
    let tag = operation
        .tags
        .iter()
        .flatten()
        .next()
        .cloned()
        .unwrap_or_default()
        .replace(' ', "_");
    let id = format!("{tag}_{}", operation.operation_id.take().unwrap_or_default());
    let parameters = operation.parameters.get_or_insert_default();
    if TAKES_IDEMPOTENCY_KEY.contains(&id.as_str()) {
        parameters.push(RefOr::T(idempotency_key()));
    }
    for parameter in parameters.iter_mut() {
        if let RefOr::T(parameter) = parameter {
            describe_id(parameter);
        }
    }
    operation.operation_id = Some(id);
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        also_as_json(body);
    }
    let responses = &mut operation.responses.responses;
    responses
        .entry("401".to_owned())
        .or_insert_with(|| RefOr::T(unauthorized()));
    responses
        .entry("default".to_owned())
        .or_insert_with(|| RefOr::T(problem("Any other error.")));
    for (status, response) in responses.iter_mut() {
        if let RefOr::T(response) = response {
            complete_response(status, response);
        }
    }
}

fn describe_id(parameter: &mut Parameter) {
    if parameter.parameter_in == ParameterIn::Path && parameter.name == "id" {
        parameter.description.get_or_insert_with(|| "The id.".to_owned());
    }
}

fn idempotency_key() -> Parameter {
    let text = "1 to 200 characters, for example a UUID. Requests with the same key are processed once and get the \
                same response, so retrying is safe.";
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(text))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}

/// Adds JSON as a content type wherever CSV is accepted.
fn also_as_json(body: &mut RequestBody) {
    if body.content.contains_key("text/csv") {
        let text = "A CSV file in UTF-8 with a header row, up to 64 MiB; or an array of objects with `email`, \
                    `first_name`, `last_name`, `language` and `fields`.";
        body.description = Some(text.to_owned());
        let users = ArrayBuilder::new().items(ObjectBuilder::new().schema_type(Type::Object));
        body.content
            .insert("application/json".to_owned(), RefOr::T(Content::new(Some(users))));
    }
}

fn problem(text: &str) -> Response {
    let shape = Content::new(Some(Ref::from_schema_name("Problem")));
    ResponseBuilder::new().description(text).content(PROBLEM, shape).build()
}

/// The 401 response. It always concerns the API key, never a user's password.
fn unauthorized() -> Response {
    let mut response = problem("The key is missing, unknown, revoked or expired.");
    let mut header = Header::new(ObjectBuilder::new().schema_type(Type::String));
    header.description = Some("`Bearer`".to_owned());
    response.headers.insert("WWW-Authenticate".to_owned(), header.into());
    response
}

fn complete_response(status: &str, response: &mut Response) {
    if response.description.is_empty() {
        let reason = status
            .parse()
            .ok()
            .and_then(|code: u16| StatusCode::from_u16(code).ok());
        let words = reason.and_then(|code| code.canonical_reason()).unwrap_or("Answer");
        words.clone_into(&mut response.description);
    }
    if !status.starts_with('2')
        && let Some(content) = response.content.shift_remove("application/json")
    {
        response.content.insert(PROBLEM.to_owned(), content);
    }
}
