//! Problems as pages: what happened, whether anything was changed, and what to do next.

use super::assets;
use super::frame::{Frame, Place};
use super::letter::framed;
use super::respond::page_as;
use super::session::Administrator;
use crate::problem::Problem;
use crate::state::Api;
use askama::Template;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

/// A page that shows a problem.
#[derive(Template)]
#[template(path = "console/fault.html")]
struct FaultPage {
    frame: Frame,
    status: u16,
    heading: &'static str,
    detail: String,
    errors: Vec<String>,
    trace: Option<String>,
}

/// The same inside a frame, where there is little space.
#[derive(Template)]
#[template(path = "console/framed_fault.html")]
struct FramedFault {
    sheet: &'static str,
    status: u16,
    heading: &'static str,
    detail: String,
}

/// Renders a problem as a page, unless a script made the request.
pub(super) async fn dress(State(api): State<Api>, request: Request, next: Next) -> Response {
    let mode = request.headers().get("sec-fetch-mode").cloned();
    let is_framed = is_for_frame(request.headers());
    let trace = request.extensions().get::<shared::trace::TraceContext>().copied();
    let response = next.run(request).await;
    let Some(problem) = response.extensions().get::<Problem>().cloned() else {
        return response;
    };
    if mode.is_some_and(|mode| mode != "navigate") {
        return response;
    }
    let heading = heading(problem.status);
    if is_framed {
        let [sheet, ..] = assets::names();
        let page = FramedFault {
            sheet,
            status: problem.status,
            heading,
            detail: problem.detail,
        };
        let mut dressed = framed(&page).unwrap_or(response);
        *dressed.status_mut() = StatusCode::from_u16(problem.status).unwrap_or_default();
        return dressed;
    }
    let frame = match response.extensions().get::<Administrator>() {
        Some(administrator) => administrator.frame(&api, Place::Users, heading).await,
        None => Frame::open(heading),
    };
    let page = FaultPage {
        frame: Frame {
            flash: None,
            place: None,
            ..frame
        },
        status: problem.status,
        heading,
        detail: problem.detail,
        errors: problem.errors.into_iter().map(|error| error.message).collect(),
        trace: trace
            .filter(|_| problem.status >= 500)
            .map(|trace| trace.trace_id().to_string()),
    };
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut dressed = page_as(status, &page).unwrap_or(response);
    if let Some(seconds) = problem.retry_after {
        dressed.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    dressed
}

/// Whether the browser shows the response in a frame.
pub(super) fn is_for_frame(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-dest").is_some_and(|to| to == "iframe")
}

fn heading(status: u16) -> &'static str {
    match status {
        404 => "Page not found",
        403 => "This form was not accepted",
        405 => "This action is not available here",
        401 => "You are signed out",
        409 => "That is no longer possible",
        408 => "That took too long",
        429 => "Too many attempts",
        400..500 => "This request cannot be processed",
        503 => "The service is temporarily unavailable",
        _ => "Sorry, something went wrong",
    }
}
