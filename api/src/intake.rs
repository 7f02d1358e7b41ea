//! Accepting a batch: `POST /v1/invites` and `POST /v1/password-resets`.
//!
//! The key, the batch and a delivery for every person are one transaction, so a batch is there as
//! a whole or not at all, and 202 means that it will be sent whatever happens to us. Who is chosen
//! twice, unknown, signed in or written to already is left out and counted, never dropped.

use crate::body::{JsonBody, without_controls};
use crate::caller::Caller;
use crate::idempotent::{IdempotencyKey, Once};
use crate::listed::Listed;
use crate::problem::{FieldError, Problem};
use crate::spans;
use crate::state::Api;
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use shared::address::EmailAddress;
use shared::failpoint::{Point, reach};
use shared::store::imports::ImportEffect;
use shared::store::intake::{Accepted, NewBatch, Selection, accept};
use shared::store::users::UserFilter;
use shared::store::{StoreResult, Transaction, begin, despite_deadlocks, imports};
use shared::system_email::SystemEmailKind;
use shared::trace::{TraceContext, now};
use std::collections::BTreeMap;
use std::time::Duration;
use time::OffsetDateTime;
use tracing::info;
use utoipa::ToSchema;
use uuid::Uuid;

/// More people than these are chosen by import or filter, without sending their ids.
const LISTED_MOST: usize = 400_000;

/// A hold is an undo, not a calendar; `start_at` is for later.
const HOLD_MOST_SECONDS: u32 = 86_400;

/// A later start is a slip of the keyboard, and further on are years that Postgres cannot hold.
const START_LATEST: OffsetDateTime = time::macros::datetime!(2100-01-01 00:00 UTC);

/// Whom to send to, and when. One of `users`, `emails`, `import` and `filter` is needed.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SendRequest {
    /// Ids of users.
    #[serde(default)]
    #[schema(value_type = Vec<Uuid>)]
    pub users: Listed<Uuid, LISTED_MOST>,
    /// Addresses of users.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub emails: Listed<String, LISTED_MOST>,
    /// Everybody an import brought in.
    pub import: Option<Uuid>,
    /// Everybody who matches.
    pub filter: Option<FilterRequest>,
    /// Seconds in which the batch can be undone before it starts.
    #[serde(default)]
    pub hold_seconds: u32,
    /// Start no earlier than this.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub start_at: Option<OffsetDateTime>,
    /// Password mails: also to people who have signed in already.
    #[serde(default)]
    pub include_signed_in: bool,
    /// Also to people who got this kind of mail in the last 24 hours.
    #[serde(default)]
    pub include_recent: bool,
}

/// Which users match; absent parts match everybody.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FilterRequest {
    /// Part of the address or name.
    pub q: Option<String>,
    /// Brought in by this import.
    pub import: Option<Uuid>,
    /// `created`, `updated` or left `unchanged` by an import; by this one, with `import`.
    #[schema(value_type = Option<String>)]
    pub effect: Option<ImportEffect>,
    /// Got an invite.
    pub invited: Option<bool>,
    /// Has signed in.
    pub signed_in: Option<bool>,
}

impl From<FilterRequest> for UserFilter {
    fn from(filter: FilterRequest) -> Self {
        Self {
            search: filter.q,
            import: filter.import,
            effect: filter.effect,
            invited: filter.invited,
            signed_in: filter.signed_in,
            failed: None,
        }
    }
}

/// A batch as it was accepted. `selected` = `accepted` + the sum of `left_out`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AcceptedBatch {
    /// Its id.
    pub batch: Uuid,
    /// Which system email.
    #[schema(value_type = String)]
    pub kind: SystemEmailKind,
    /// How many were chosen.
    pub selected: i32,
    /// How many mails are owed.
    pub accepted: i32,
    /// How many were left out, by reason: `unknown_user`, `duplicate`, `signed_in`,
    /// `already_waiting`, `mailed_recently`, `too_many_passwords`, `user_locked`.
    pub left_out: BTreeMap<String, i64>,
}

/// Sends an invite to each of the chosen users. One to a blocked address ends as `suppressed`.
#[utoipa::path(post, path = "/v1/invites", tag = "sending", request_body = SendRequest,
    responses((status = 202, body = AcceptedBatch), (status = 422, body = Problem)))]
pub async fn invites(
    State(api): State<Api>,
    caller: Caller,
    key: IdempotencyKey,
    Extension(trace): Extension<TraceContext>,
    body: JsonBody<SendRequest>,
) -> Result<(StatusCode, Json<AcceptedBatch>), Problem> {
    take_in(api, SystemEmailKind::Invite, caller, key, trace, body).await
}

/// Makes a password for each of the chosen users and mails it to them. A mail to a blocked address ends
/// as `suppressed`, and no password is made for it.
#[utoipa::path(post, path = "/v1/password-resets", tag = "sending", request_body = SendRequest,
    responses((status = 202, body = AcceptedBatch), (status = 422, body = Problem)))]
pub async fn password_resets(
    State(api): State<Api>,
    caller: Caller,
    key: IdempotencyKey,
    Extension(trace): Extension<TraceContext>,
    body: JsonBody<SendRequest>,
) -> Result<(StatusCode, Json<AcceptedBatch>), Problem> {
    take_in(api, SystemEmailKind::PasswordReset, caller, key, trace, body).await
}

async fn take_in(
    api: Api,
    kind: SystemEmailKind,
    caller: Caller,
    key: IdempotencyKey,
    trace: TraceContext,
    body: JsonBody<SendRequest>,
) -> Result<(StatusCode, Json<AcceptedBatch>), Problem> {
    reach(Point::RequestRead);
    let once = Once::new(&caller, kind.as_str(), key, body.digest);
    let new = batch_of(kind, body.value, &caller, trace, api.password_stale)?;
    reach(Point::RequestChecked);
    let (this, slot) = (api.clone(), body.slot);
    let accepting = Box::pin(async move {
        // What a client lists stays in memory to the end, also when it hangs up.
        let _slot = slot;
        accept_batch(&this, once, new).await
    });
    let accepted = api.to_the_end(accepting).await?;
    reach(Point::AnswerReady);
    Ok((StatusCode::ACCEPTED, Json(accepted)))
}

/// Accepts a batch once, to the end, whatever becomes of the client.
pub async fn accept_batch(api: &Api, once: Once, new: NewBatch) -> Result<AcceptedBatch, Problem> {
    let (this, began) = (api.clone(), now());
    api.to_the_end(async move {
        if let Some(import) = new.selection.import
            && imports::find(&this.db, import).await?.is_none()
        {
            return Err(Problem::not_found("import"));
        }
        let _room = this.room.for_batch(new.kind).await?;
        let (transaction, accepted) = match despite_deadlocks(|| begin_accepting(&this, &once, &new)).await?? {
            Taken::Before(answer) => return Ok(answer),
            Taken::Now(transaction, accepted) => (transaction, accepted),
        };
        if accepted.selected == 0 {
            return Err(Problem::unprocessable("empty_batch", "Nobody was chosen. Name at least one user, or widen the filter."));
        }
        reach(Point::BatchWritten);
        let answer = AcceptedBatch {
            batch: accepted.batch,
            kind: new.kind,
            selected: accepted.selected,
            accepted: accepted.accepted,
            left_out: accepted.left_out.clone(),
        };
        once.commit(&this.db, transaction, StatusCode::ACCEPTED, &answer).await?;
        reach(Point::BatchCommitted);
        this.metrics.count_accepted(new.kind, &accepted);
        spans::tell_intake(new.trace, answer.batch, new.kind, answer.accepted, began);
        info!(batch.id = %answer.batch, mail = new.kind.as_str(), selected = answer.selected, accepted = answer.accepted, "Accepted a batch");
        Ok(answer)
    })
    .await
}

/// How a request was taken in.
enum Taken {
    /// It had been before, with this answer.
    Before(AcceptedBatch),
    /// In this transaction, which is yet to be committed.
    Now(Transaction, Accepted),
}

/// Takes a request in. The inner error is what to answer, the outer one what Postgres did.
async fn begin_accepting(api: &Api, once: &Once, new: &NewBatch) -> StoreResult<Result<Taken, Problem>> {
    let mut transaction = begin(&api.db).await?;
    reach(Point::TransactionBegun);
    match once.answered(&mut transaction).await {
        Ok(None) => {}
        Ok(Some(answer)) => return Ok(Ok(Taken::Before(answer))),
        Err(problem) => return Ok(Err(problem)),
    }
    let accepted = accept(&mut transaction, new, api.mail_rate).await?;
    Ok(Ok(Taken::Now(transaction, accepted)))
}

fn batch_of(
    kind: SystemEmailKind,
    request: SendRequest,
    caller: &Caller,
    trace: TraceContext,
    password_stale: Duration,
) -> Result<NewBatch, Problem> {
    let listed = request.users.len() + request.emails.len();
    if listed == 0 && request.import.is_none() && request.filter.is_none() {
        return Err(Problem::unprocessable(
            "empty_batch",
            "Nobody was chosen. Send one of users, emails, import and filter.",
        ));
    }
    if listed > LISTED_MOST {
        return Err(Problem::unprocessable(
            "too_many_recipients",
            format!(
                "{listed} people are listed, and one request takes {LISTED_MOST}. Choose them by import or filter instead."
            ),
        ));
    }
    let mut errors = faults_of(&request);
    let (email_keys, mut faults) = keys_of(request.emails.kept());
    errors.append(&mut faults);
    if !errors.is_empty() {
        return Err(
            Problem::unprocessable("invalid_request", "Some of the request cannot be used; see errors.")
                .with_errors(errors),
        );
    }
    Ok(NewBatch {
        kind,
        selection: Selection {
            users: request.users.into_kept(),
            email_keys,
            emails_given: request.emails.into_kept(),
            import: request.import,
            filter: request.filter.map(UserFilter::from),
            chosen: None,
        },
        hold: Duration::from_secs(u64::from(request.hold_seconds)),
        start_at: request.start_at,
        include_signed_in: request.include_signed_in,
        include_recent: request.include_recent,
        stale_after: (kind == SystemEmailKind::PasswordReset).then_some(password_stale),
        created_by: caller.actor.clone(),
        trace,
    })
}

/// What is wrong with its simple fields.
fn faults_of(request: &SendRequest) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if request.hold_seconds > HOLD_MOST_SECONDS {
        errors.push(FieldError::in_field(
            "hold_seconds",
            "too_long",
            "A hold is at most 86400 seconds; use start_at to send later.",
        ));
    }
    if let Some(search) = request.filter.as_ref().and_then(|filter| filter.q.as_deref()) {
        errors.extend(without_controls("filter.q", search).err());
    }
    if request
        .start_at
        .is_some_and(|start| start.unix_timestamp() > START_LATEST.unix_timestamp())
    {
        errors.push(FieldError::in_field(
            "start_at",
            "too_late",
            "Start before the year 2100.",
        ));
    }
    errors
}

/// The first hundred faults are enough to see what is wrong with a list.
const FAULTS_MOST: usize = 100;

fn keys_of(emails: &[String]) -> (Vec<String>, Vec<FieldError>) {
    let mut faults = Vec::new();
    let mut keys = Vec::with_capacity(emails.len());
    for (email, row) in emails.iter().zip(1_u32..) {
        match EmailAddress::parse(email) {
            Ok(address) => keys.push(address.key()),
            Err(fault) if faults.len() < FAULTS_MOST => {
                let mut error = FieldError::in_field("emails", fault.code(), fault.to_string());
                error.row = Some(row);
                faults.push(error);
            }
            Err(_) => {}
        }
    }
    (keys, faults)
}
