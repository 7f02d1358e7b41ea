//! Actions on one email.

use crate::batches;
use crate::blocked::unblock_those;
use crate::console::fields::Fields;
use crate::console::respond::{page_as, redirect, redirect_with_flash};
use crate::console::session::Administrator;
use crate::console::user::address_of;
use crate::deliveries;
use crate::idempotent::{IdempotencyKey, Once};
use crate::intake::accept_batch;
use crate::problem::Problem;
use crate::query::Path;
use crate::state::Api;
use crate::status_words;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use shared::store::audit::{self, Act, Action};
use shared::store::left_out::Including;
use shared::store::{begin, commit, deliveries as rows};
use shared::trace::TraceContext;
use uuid::Uuid;

/// An action on an email that has not ended.
#[derive(Clone, Copy)]
enum Wish {
    Hurry,
    Withdraw,
}

/// Makes an email due now.
pub(in crate::console) async fn hurry(
    State(api): State<Api>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    fulfil(&api, &administrator, id, Wish::Hurry).await
}

/// Cancels an email before it is sent.
pub(in crate::console) async fn withdraw(
    State(api): State<Api>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    fulfil(&api, &administrator, id, Wish::Withdraw).await
}

/// Performs an action. If it comes too late, nothing changes and the page shows the current state.
async fn fulfil(api: &Api, administrator: &Administrator, id: Uuid, wish: Wish) -> Result<Response, Problem> {
    deliveries::get(api, id).await?;
    let (db, actor) = (api.db.clone(), administrator.actor.clone());
    api.to_the_end(async move {
        let mut transaction = begin(&db).await?;
        let (is_moved, action) = match wish {
            Wish::Hurry => (rows::hurry(&mut transaction, id).await?, Action::DeliveryHurried),
            Wish::Withdraw => (rows::withdraw(&mut transaction, id).await?, Action::DeliveryStopped),
        };
        if is_moved {
            let act = Act {
                actor: &actor,
                action,
                subject: Some(format!("delivery {id}")),
                details: serde_json::json!({}),
            };
            audit::note(&mut transaction, &act).await?;
            commit(transaction).await?;
        }
        Ok(())
    })
    .await?;
    Ok(redirect(&format!("/console/deliveries/{id}")))
}

/// Sends the same system email to the same person again, without a hold: someone is waiting for it, and a hold would
/// delay more than it could prevent in a single email. A repeated submission leads to the email that the first one
/// created.
pub(in crate::console) async fn send_again(
    State(api): State<Api>,
    administrator: Administrator,
    Extension(trace): Extension<TraceContext>,
    Path(id): Path<Uuid>,
    fields: Fields,
) -> Result<Response, Problem> {
    let delivery = deliveries::get(&api, id).await?;
    let back = format!("/console/deliveries/{id}");
    let Some(user) = delivery.user else {
        return Ok(redirect(&back));
    };
    let batch = batches::get(&api, delivery.batch).await?;
    if fields.is_set("unblock") {
        unblock_those(&api, &administrator.actor, address_of(user)).await?;
    }
    let caller = administrator.caller();
    let new = batches::again(&api, batch.kind, vec![user], Including::ALL, &caller, trace);
    let key = IdempotencyKey::of(fields.trimmed("token"));
    let once = Once::new(&caller, &format!("send-again {id}"), key, Vec::new());
    let accepted = accept_batch(&api, once, new).await?;
    if let Some(reason) = accepted.left_out.keys().next() {
        let mut page = super::written(&api, &administrator, id).await?;
        page.refused = Some(status_words::left_out(reason));
        page.frame = page.frame.with_faults();
        return page_as(StatusCode::CONFLICT, &page);
    }
    let sent = rows::of_batch(&api.db, accepted.batch, None, None, 1).await?;
    let to = sent.first().map_or_else(
        || format!("/console/batches/{}", accepted.batch),
        |sent| format!("/console/deliveries/{}", sent.id),
    );
    Ok(redirect_with_flash(&to, "The email is on its way."))
}
