//! Sends a test of the saved text to any address.

use super::super::fields::Fields;
use super::super::respond::redirect_with_flash;
use super::super::session::Administrator;
use super::editor_address;
use super::form::{Answer, Faults, Typed};
use crate::idempotent::{IdempotencyKey, Once};
use crate::problem::Problem;
use crate::query::Path;
use crate::state::Api;
use crate::system_emails::{KindPath, current, send_test};
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use shared::address::EmailAddress;
use shared::trace::TraceContext;

/// Sends a test and returns to the editor, which keeps the typed text.
pub(super) async fn send(
    State(api): State<Api>,
    administrator: Administrator,
    Extension(trace): Extension<TraceContext>,
    Path(kind): KindPath,
    fields: Fields,
) -> Result<Response, Problem> {
    let typed = Typed::read(&fields);
    let address = match EmailAddress::parse(&typed.to) {
        Ok(address) => address,
        Err(fault) => {
            let answer = Answer::plain(typed).with(Faults::of_address(fault.to_string()));
            return answer.page(&api, &administrator, kind).await;
        }
    };
    let now = current(&api, kind).await?;
    // A second click sends no second test. Another address or version is a new test.
    let token = format!("{} {} {}", fields.text("token"), now.version, address.key());
    let route = format!("test {}", kind.as_str());
    let caller = administrator.caller();
    let once = Once::new(&caller, &route, IdempotencyKey::of(&token), address.key().into_bytes());
    let shown = address.as_typed().to_owned();
    send_test(&api, once, kind, address, &caller, trace).await?;
    let message = format!("A test of version {} is on its way to {shown}.", now.version);
    if typed.is(&now) {
        return Ok(redirect_with_flash(
            &editor_address(kind, typed.way_back.as_deref()),
            &message,
        ));
    }
    let message = format!("{message} It does not include your unsaved changes. Submit them first to test them.");
    Answer::plain(typed)
        .with_flash(message)
        .page(&api, &administrator, kind)
        .await
}
