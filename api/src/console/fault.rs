//! Problems as pages: what happened, whether anything was changed, and what to do next.

use super::assets;
use super::frame::{Frame, Section};
use super::letter::framed;
use super::respond::page_as;
use super::session::Administrator;
use crate::app::problem::{Problem, ProblemKind};
use crate::app::state::AppState;
use crate::http::problem::status_of;
use askama::Template;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
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
pub(super) async fn render_problems(State(api): State<AppState>, request: Request, next: Next) -> Response {
    let is_shown = is_navigation(request.headers());
    let is_framed = is_for_frame(request.headers());
    let trace = request.extensions().get::<shared::trace::TraceContext>().copied();
    let response = next.run(request).await;
    let Some(problem) = response.extensions().get::<Problem>().cloned() else {
        return response;
    };
    if !is_shown {
        return response;
    }
    let (heading, status) = (heading(problem.kind), status_of(problem.kind));
    if is_framed {
        let [sheet, ..] = assets::names();
        let page = FramedFault {
            sheet,
            status: status.as_u16(),
            heading,
            detail: problem.detail,
        };
        let mut dressed = framed(&page).unwrap_or(response);
        *dressed.status_mut() = status;
        return dressed;
    }
    let frame = match response.extensions().get::<Administrator>() {
        Some(administrator) => administrator.frame(&api, Section::Users, heading).await,
        None => Frame::open(heading),
    };
    let page = FaultPage {
        frame: Frame {
            flash: None,
            place: None,
            ..frame
        },
        status: status.as_u16(),
        heading,
        detail: problem.detail,
        errors: problem.errors.into_iter().map(|error| error.message).collect(),
        trace: trace
            .filter(|_| status.is_server_error())
            .map(|trace| trace.trace_id().to_string()),
    };
    let mut dressed = page_as(status, &page).unwrap_or(response);
    if let Some(seconds) = problem.retry_after {
        dressed.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    dressed
}

/// Whether the browser shows the response, as far as it says so: scripts get theirs for themselves.
pub(super) fn is_navigation(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-mode").is_none_or(|mode| mode == "navigate")
}

/// Whether the browser shows the response in a frame.
pub(super) fn is_for_frame(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-dest").is_some_and(|to| to == "iframe")
}

const fn heading(kind: ProblemKind) -> &'static str {
    match kind {
        ProblemKind::NotFound => "Page not found",
        ProblemKind::Forbidden => "This form was not accepted",
        ProblemKind::UnsupportedMethod => "This action is not available here",
        ProblemKind::Unauthenticated => "You are signed out",
        ProblemKind::Conflict => "That is no longer possible",
        ProblemKind::TimedOut => "That took too long",
        ProblemKind::LimitReached => "Too many attempts",
        ProblemKind::Malformed | ProblemKind::TooLarge | ProblemKind::UnsupportedFormat | ProblemKind::Invalid => {
            "This request cannot be processed"
        }
        ProblemKind::Unavailable => "The service is temporarily unavailable",
        ProblemKind::Internal | ProblemKind::StorageFull => "Sorry, something went wrong",
    }
}
