//! One email: its history, in the relay's own words, and available actions.

pub(super) mod actions;
pub(super) mod letter;
mod story;

use super::batch::{batch_word, name_of};
use super::format::{Moment, moment};
use super::frame::{Frame, Section};
use super::respond::page;
use super::session::Administrator;
use super::user::address_of;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::status_labels::{NextStep, Status, status};
use crate::app::token::make_token;
use crate::app::{batches, deliveries};
use crate::http::query::Path;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use shared::batch::BatchState;
use shared::delivery::{DeliveryState, MAX_ATTEMPTS};
use shared::store::attempts;
use shared::store::batches::Batch;
use shared::store::blocked;
use shared::store::deliveries::Delivery;
use shared::system_email::SystemEmailKind;
use story::Event;
use uuid::Uuid;

#[derive(Template)]
#[template(path = "console/delivery.html")]
struct DeliveryPage {
    frame: Frame,
    delivery: Delivery,
    batch: Batch,
    name: String,
    email: String,
    status: Status,
    /// When the person's address was blocked.
    blocked: Option<Moment>,
    due: Option<Moment>,
    events: Vec<Event>,
    message_id: String,
    /// Idempotency key for sending it again.
    token: String,
    /// Why a request to send it again was refused.
    refused: Option<&'static str>,
}

impl DeliveryPage {
    /// Whether it is not being sent and has not ended.
    fn is_open(&self) -> bool {
        let state = self.delivery.state;
        matches!(
            state,
            DeliveryState::Waiting | DeliveryState::Queued | DeliveryState::Retrying
        )
    }

    fn is_held(&self) -> bool {
        self.batch.state == BatchState::Held
    }

    fn is_paused(&self) -> bool {
        self.batch.state == BatchState::Paused && self.is_open()
    }

    fn can_be_retried_now(&self) -> bool {
        let is_later = self.delivery.due_at.is_some_and(|due| due > self.batch.read_at);
        is_later && self.batch.state == BatchState::Running
    }

    fn can_be_sent_again(&self) -> bool {
        self.delivery.state.has_ended() && self.delivery.user.is_some()
    }

    fn has_wrong_address(&self) -> bool {
        self.status.next == NextStep::CorrectAddress
            && self.delivery.user.is_some()
            && self.delivery.corrected_to.is_none()
    }

    /// Whether another attempt follows, to the current address.
    fn is_tried_again(&self) -> bool {
        self.delivery.state == DeliveryState::Retrying
    }

    fn is_password_mail(&self) -> bool {
        self.batch.kind == SystemEmailKind::PasswordReset
    }

    /// Number of other recipients in the batch.
    fn others(&self) -> i32 {
        self.batch.accepted - 1
    }

    fn others_shown(&self) -> String {
        super::format::some(self.others(), "other email", "other emails")
    }

    fn author(&self) -> String {
        super::format::author(&self.batch.created_by)
    }

    fn next_attempt(&self) -> String {
        format!("attempt {} of {MAX_ATTEMPTS}", self.delivery.attempts + 1)
    }

    /// Whether the problem should be reported to the operators.
    fn is_our_fault(&self) -> bool {
        self.delivery.reason.as_deref() == Some("unbuildable")
    }

    /// Label of the button that sends it again.
    fn again(&self) -> &'static str {
        match (self.is_password_mail(), self.blocked.is_some()) {
            (true, false) => "Send a new password",
            (true, true) => "Unblock and send a new password",
            (false, false) => "Send again",
            (false, true) => "Unblock and send again",
        }
    }
}

/// Shows an email.
pub(super) async fn show(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    page(&written(&api, &administrator, id).await?)
}

async fn written(api: &AppState, administrator: &Administrator, id: Uuid) -> Result<DeliveryPage, Problem> {
    let delivery = deliveries::get(api, id).await?;
    let batch = batches::get(api, delivery.batch).await?;
    let attempts = attempts::of_delivery(&api.db, id).await?;
    let blocked = match delivery.user {
        Some(user) => blocked::find(&api.db, &address_of(user)).await?,
        None => None,
    };
    let name = name_of(&delivery);
    let title = format!("{} to {name}", batch_word(batch.kind));
    Ok(DeliveryPage {
        frame: administrator.frame(api, Section::Activity, title).await,
        email: delivery.email.clone().unwrap_or_default(),
        status: status(delivery.state, delivery.reason.as_deref(), batch.state),
        blocked: blocked.map(|blocked| moment(blocked.blocked_at)),
        due: delivery
            .due_at
            .filter(|_| delivery.state == DeliveryState::Retrying)
            .map(moment),
        events: story::of(&delivery, &batch, &attempts),
        message_id: format!("<{id}@{}>", api.letters.from.domain()),
        token: make_token()?.0,
        refused: None,
        name,
        delivery,
        batch,
    })
}
