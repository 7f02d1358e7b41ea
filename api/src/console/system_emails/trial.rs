//! Sends a test of the saved text to any address.

use super::super::fields::Fields;
use super::super::respond::redirect_with_flash;
use super::super::session::Administrator;
use super::editor_address;
use super::form::{Answer, EditorState, Faults};
use crate::app::idempotent::{IdempotencyKey, IdempotentRequest};
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::system_emails::current;
use crate::app::system_emails::texts::read_language;
use crate::app::system_emails::trial::{Trial, send_test};
use crate::http::query::{KindPath, Path};
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use shared::address::EmailAddress;
use shared::trace::TraceContext;

/// Sends a test and returns to the editor, which keeps the typed text.
pub(super) async fn send(
    State(api): State<AppState>,
    administrator: Administrator,
    Extension(trace): Extension<TraceContext>,
    Path(kind): KindPath,
    fields: Fields,
) -> Result<Response, Problem> {
    let typed = EditorState::read(&fields);
    let address = match EmailAddress::parse(&typed.to) {
        Ok(address) => address,
        Err(fault) => {
            let answer = Answer::plain(typed).with(Faults::of_address(fault.to_string()));
            return answer.page(&api, &administrator, kind).await;
        }
    };
    let now = current(&api, kind).await?;
    // A second click sends no second test. Another address or version is a new test.
    let language = read_language("translation", &typed.translation)?;
    let token = format!("{} {} {} {language}", fields.text("token"), now.version, address.key());
    let route = format!("test {}", kind.as_str());
    let caller = administrator.caller();
    let once = IdempotentRequest::new(&caller, &route, IdempotencyKey::of(&token), address.key().into_bytes());
    let shown = address.as_typed().to_owned();
    let trial = Trial {
        kind,
        wording: None,
        address,
        language,
    };
    send_test(&api, once, trial, &caller, trace).await?;
    let message = format!("A test of version {} is on its way to {shown}.", now.version);
    if typed.is_saved(&now) {
        let to = editor_address(kind, &typed.translation, typed.way_back.as_deref());
        return Ok(redirect_with_flash(&to, &message));
    }
    let message = format!("{message} It does not include your unsaved changes. Submit them first to test them.");
    Answer::plain(typed)
        .with_flash(message)
        .page(&api, &administrator, kind)
        .await
}
