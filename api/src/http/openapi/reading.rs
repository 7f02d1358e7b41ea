//! The documentation page, rendered from the API description.
//!
//! The usual viewers of such descriptions need JavaScript, which the API's content security policy forbids, and
//! prerendering one needs Node in the build. This page works without either.

use super::fields::{Line, RichText, kind, lines};
use axum::http::StatusCode;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, Required, Response};

/// Responses with more fields than this are collapsed.
const MAX_EXPANDED_FIELDS: usize = 10;

#[derive(askama::Template)]
#[template(path = "docs.html")]
pub(super) struct DocsPage {
    version: String,
    about: String,
    groups: Vec<Group>,
    problem: Vec<Line>,
}

/// Operations with the same tag.
struct Group {
    anchor: String,
    name: String,
    about: RichText,
    operations: Vec<OperationView>,
}

/// An operation.
struct OperationView {
    anchor: String,
    method: &'static str,
    path: Vec<PathPart>,
    title: RichText,
    about: RichText,
    parameters: Vec<Parameters>,
    request: Option<Body>,
    answers: Vec<Body>,
    problems: Vec<Status>,
}

/// A segment of a path. Long paths may break before it.
struct PathPart {
    text: String,
    is_variable: bool,
}

/// Parameters in one place, such as the path or the query.
struct Parameters {
    place: &'static str,
    lines: Vec<Line>,
}

/// The body of a request or a response.
struct Body {
    status: String,
    said: RichText,
    media: String,
    kind: String,
    lines: Vec<Line>,
    is_open: bool,
}

/// A status with which a problem may be returned.
struct Status {
    code: String,
    said: String,
}

impl DocsPage {
    /// Builds the page from a description.
    pub(super) fn of(described: &OpenApi) -> Self {
        let groups = described.tags.iter().flatten().map(|tag| Group {
            anchor: tag.name.replace(' ', "-"),
            name: tag.name.clone(),
            about: RichText::read(tag.description.as_deref().unwrap_or_default()),
            operations: operations(described, &tag.name),
        });
        Self {
            version: described.info.version.clone(),
            about: described.info.description.clone().unwrap_or_default(),
            groups: groups.collect(),
            problem: lines(described, &RefOr::Ref(Ref::from_schema_name("Problem"))),
        }
    }
}

fn operations(described: &OpenApi, tag: &str) -> Vec<OperationView> {
    let mut found = Vec::new();
    for (path, item) in &described.paths.paths {
        let methods = [
            ("GET", &item.get),
            ("POST", &item.post),
            ("PUT", &item.put),
            ("PATCH", &item.patch),
            ("DELETE", &item.delete),
        ];
        for (method, operation) in methods {
            let Some(operation) = operation else { continue };
            if operation.tags.iter().flatten().any(|name| name == tag) {
                found.push(operation_view(described, method, path, operation));
            }
        }
    }
    found
}

fn operation_view(described: &OpenApi, method: &'static str, path: &str, operation: &Operation) -> OperationView {
    let (title, rest) = title_and_rest(operation);
    let (mut answers, mut problems) = (Vec::new(), Vec::new());
    for (status, response) in &operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        if status.starts_with('2') {
            answers.push(answer(described, status, response));
        } else if status != "default" {
            problems.push(Status {
                code: status.clone(),
                said: reason(status),
            });
        }
    }
    OperationView {
        anchor: operation.operation_id.clone().unwrap_or_default(),
        method,
        path: path_parts(path),
        title: RichText::read(title),
        about: RichText::read(&rest),
        parameters: parameters(described, operation),
        request: request(described, operation),
        answers,
        problems,
    }
}

/// Splits an operation's description into its first sentence, used as title, and the rest.
fn title_and_rest(operation: &Operation) -> (&str, String) {
    let summary = operation.summary.as_deref().unwrap_or_default();
    let (title, more) = summary.split_once(". ").unwrap_or((summary.trim_end_matches('.'), ""));
    let rest = [more, operation.description.as_deref().unwrap_or_default()];
    (title, rest.join(" ").trim().to_owned())
}

/// Splits `/v1/users/{id}` into `/v1`, `/users`, `/{id}`.
fn path_parts(path: &str) -> Vec<PathPart> {
    let steps = path.split('/').skip(1);
    steps
        .map(|step| PathPart {
            text: format!("/{step}"),
            is_variable: step.starts_with('{'),
        })
        .collect()
}

fn parameters(described: &OpenApi, operation: &Operation) -> Vec<Parameters> {
    let places = [
        ("path", ParameterIn::Path),
        ("query", ParameterIn::Query),
        ("header", ParameterIn::Header),
    ];
    let of_place = |(place, wanted): (&'static str, ParameterIn)| {
        let all = operation
            .parameters
            .iter()
            .flatten()
            .filter_map(|parameter| match parameter {
                RefOr::T(parameter) if parameter.parameter_in == wanted => Some(line(described, parameter)),
                _ => None,
            });
        Parameters {
            place,
            lines: all.collect(),
        }
    };
    places
        .into_iter()
        .map(of_place)
        .filter(|parameters| !parameters.lines.is_empty())
        .collect()
}

fn line(described: &OpenApi, parameter: &Parameter) -> Line {
    Line {
        depth: 0,
        name: parameter.name.clone(),
        kind: parameter
            .schema
            .as_ref()
            .map(|schema| kind(described, schema))
            .unwrap_or_default(),
        is_needed: parameter.required == Required::True,
        about: RichText::read(parameter.description.as_deref().unwrap_or_default()),
    }
}

fn request(described: &OpenApi, operation: &Operation) -> Option<Body> {
    let Some(RefOr::T(request)) = &operation.request_body else {
        return None;
    };
    let media: Vec<&str> = request.content.keys().rev().map(String::as_str).collect();
    let body = body(described, request.content.values().next());
    let said = RichText::read(request.description.as_deref().unwrap_or_default());
    Some(Body {
        said,
        media: media.join(" or "),
        is_open: true,
        ..body
    })
}

fn answer(described: &OpenApi, status: &str, response: &Response) -> Body {
    let (media, content) = response.content.iter().next().unzip();
    let body = body(described, content);
    Body {
        status: status.to_owned(),
        said: RichText::read(&response.description),
        media: media.cloned().unwrap_or_default(),
        is_open: body.lines.len() <= MAX_EXPANDED_FIELDS,
        ..body
    }
}

fn body(described: &OpenApi, content: Option<&RefOr<Content>>) -> Body {
    let schema = match content {
        Some(RefOr::T(content)) => content.schema.as_ref(),
        _ => None,
    };
    Body {
        status: String::new(),
        said: RichText(Vec::new()),
        media: String::new(),
        kind: schema.map(|schema| kind(described, schema)).unwrap_or_default(),
        lines: schema.map(|schema| lines(described, schema)).unwrap_or_default(),
        is_open: false,
    }
}

fn reason(status: &str) -> String {
    let code = status
        .parse()
        .ok()
        .and_then(|code: u16| StatusCode::from_u16(code).ok());
    code.and_then(|code| code.canonical_reason())
        .unwrap_or_default()
        .to_owned()
}
