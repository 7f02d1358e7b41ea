//! Accepting a batch: invites or password emails for the users whom a request selects.
//!
//! The idempotency key, the batch and a delivery for every person are written in one transaction. So a batch exists as
//! a whole or not at all, and an accepted one is sent whatever happens to this process. Users who are left out
//! (`store/left_out.rs`) are counted by reason, never dropped silently.

pub(crate) mod missing;
mod selector;
pub mod start_time;

use crate::app::caller::Caller;
use crate::app::concurrency_limit::Slot;
use crate::app::exclusion::{self, ExcludeRequest};
use crate::app::idempotent::{IdempotentRequest, Success};
use crate::app::listed::Listed;
use crate::app::problem::{FieldError, Problem, ProblemKind};
use crate::app::saved_filters::conditions_of;
use crate::app::state::AppState;
use crate::app::user_filter::{FilterRequest, require_known_fields};
use crate::app::validation::not_null;
use crate::app::wording::{self, WordingRequest};
use crate::spans;
use serde::{Deserialize, Serialize};
use shared::failpoint::{Point, reach};
use shared::store::exclusion::Exclusion;
use shared::store::intake::{Accepted, NewBatch, accept};
use shared::store::left_out::Inclusions;
use shared::store::{StoreResult, Transaction, begin, despite_deadlocks, imports, system_emails};
use shared::system_email::SystemEmailKind;
use shared::trace::{TraceContext, now};
use std::collections::BTreeMap;
use std::time::Duration;
use time::OffsetDateTime;
use tracing::info;
use utoipa::ToSchema;
use uuid::Uuid;

pub use missing::MissingValue;

/// Maximum number of ids in a request. Larger sets are selected by import or filter.
const MAX_IDS: usize = 400_000;

/// Maximum hold. A hold is for undoing a batch; `start_at` is for starting it later.
const HOLD_MOST_SECONDS: u32 = 86_400;

/// Recipients and start of a batch. Exactly one of `users`, `emails`, `import`, `filter`, `saved_filter` and `everyone`
/// is required.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SendRequest {
    /// Ids of users.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Vec<Uuid>, required = false, min_items = 1)]
    pub users: Option<Listed<Uuid, MAX_IDS>>,
    /// Addresses of users.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Vec<String>, required = false, min_items = 1)]
    pub emails: Option<Listed<String, MAX_IDS>>,
    /// The users in this import.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Uuid, required = false)]
    pub import: Option<Uuid>,
    /// The users who match these conditions; at least one condition.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = FilterRequest, required = false)]
    pub filter: Option<FilterRequest>,
    /// The users who match this saved filter now.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Uuid, required = false)]
    pub saved_filter: Option<Uuid>,
    /// `true` selects all users. There is no other way to select all users.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = bool, required = false)]
    pub everyone: Option<bool>,
    /// Users to leave out although they are selected.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = ExcludeRequest, required = false)]
    pub exclude: Option<ExcludeRequest>,
    /// Wording for this batch only, in the place of the shared text.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = WordingRequest, required = false)]
    pub wording: Option<WordingRequest>,
    /// Seconds before the start in which the batch can be undone.
    #[serde(default)]
    pub hold_seconds: u32,
    /// The earliest start: not in the past, and within a year.
    #[serde(default, deserialize_with = "start_time::given")]
    #[schema(value_type = String, format = DateTime, required = false)]
    pub start_at: Option<OffsetDateTime>,
    /// Include users who have signed in.
    #[serde(default)]
    pub include_signed_in: bool,
    /// Include users who were sent this email in the last 24 hours.
    #[serde(default)]
    pub include_recent: bool,
}

/// An accepted batch. `selected` = `accepted` + the sum of `left_out`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AcceptedBatch {
    /// The id of the batch.
    pub batch: Uuid,
    /// The system email.
    #[schema(value_type = String)]
    pub kind: SystemEmailKind,
    /// Number of selected users.
    pub selected: i32,
    /// Number of emails that will be sent.
    pub accepted: i32,
    /// Numbers of users left out, by reason: `unknown_user`, `duplicate`, `address_blocked`, `do_not_mail`,
    /// `excluded_by_filter`, `user_locked`, `already_waiting`, `too_many_passwords`, `signed_in`, `mailed_recently`. A
    /// user with several reasons is counted once, under the first of them.
    pub left_out: BTreeMap<String, i64>,
    /// Merge fields of the email for which some accepted users have no value. Fields without a default text come first.
    /// The emails are sent all the same.
    #[serde(default)]
    pub missing: Vec<MissingValue>,
}

/// Accepts a batch for the users whom a request selects.
///
/// The slot of a large request is held as long as its lists are in memory.
///
/// # Errors
///
/// If the request is invalid, or names something that does not exist.
pub async fn send(
    api: &AppState,
    once: IdempotentRequest,
    kind: SystemEmailKind,
    mut request: SendRequest,
    caller: &Caller,
    trace: TraceContext,
    slot: Option<Slot>,
) -> Result<AcceptedBatch, Problem> {
    let _slot = slot;
    reach(Point::RequestRead);
    let (saved_filter, exclude, own) = (request.saved_filter, request.exclude.take(), request.wording.take());
    let mut new = batch_of(kind, request, caller, trace, api.password_stale)?;
    // What the request names may have been deleted since it was accepted.
    if let Some(answer) = once.answered_before(&api.db).await? {
        return Ok(answer);
    }
    new.exclusion = exclusion::read(api, exclude).await?;
    new.wording = wording::read(api, kind, own).await?;
    if let Some(saved) = saved_filter {
        new.selection.filter = Some(conditions_of(api, saved).await?);
    }
    if let Some(filter) = &new.selection.filter {
        require_known_fields(api, filter, ProblemKind::Invalid).await?;
    }
    reach(Point::RequestChecked);
    accept_batch(api, once, new).await
}

/// Accepts a batch once.
pub async fn accept_batch(api: &AppState, once: IdempotentRequest, new: NewBatch) -> Result<AcceptedBatch, Problem> {
    let accepted = accept_confirmed(api, once, new, None).await?;
    accepted.ok_or_else(Problem::internal)
}

/// Accepts a batch, unless the number of emails differs from the one shown to the sender. In that case nothing is
/// written.
pub async fn accept_confirmed(
    api: &AppState,
    once: IdempotentRequest,
    new: NewBatch,
    shown: Option<i32>,
) -> Result<Option<AcceptedBatch>, Problem> {
    let began = now();
    if let Some(import) = new.selection.import
        && imports::find(&api.db, import).await?.is_none()
    {
        return Err(Problem::not_found("import"));
    }
    let fallbacks = missing::fallbacks(api, new.kind, new.wording.as_ref()).await?;
    let _permit = api.concurrency_limits.for_batch(new.kind).await?;
    let (mut transaction, accepted) = match despite_deadlocks(|| begin_accepting(api, &once, &new)).await?? {
        Processed::Before(answer) => return Ok(Some(answer)),
        Processed::Now(transaction, accepted) => (transaction, accepted),
    };
    if accepted.selected == 0 {
        return Err(Problem::invalid(
            "empty_batch",
            "No user is selected. Name at least one user, or widen the filter.",
        ));
    }
    if shown.is_some_and(|shown| shown != accepted.accepted) {
        return Ok(None);
    }
    reach(Point::BatchWritten);
    let answer = AcceptedBatch {
        batch: accepted.batch,
        kind: new.kind,
        selected: accepted.selected,
        accepted: accepted.accepted,
        left_out: accepted.left_out.clone(),
        missing: missing::of_batch(&mut transaction, accepted.batch, &fallbacks).await?,
    };
    once.commit(&api.db, transaction, Success::Accepted, &answer).await?;
    reach(Point::BatchCommitted);
    api.metrics.count_accepted(new.kind, &accepted);
    spans::emit_intake(new.trace, answer.batch, new.kind, answer.accepted, began);
    info!(
        batch.id = %answer.batch,
        mail = new.kind.as_str(),
        selected = answer.selected,
        accepted = answer.accepted,
        "Accepted a batch"
    );
    Ok(Some(answer))
}

/// How a request was processed.
enum Processed {
    /// It was processed before, with this response.
    Before(AcceptedBatch),
    /// In this transaction, which is not committed yet.
    Now(Transaction, Accepted),
}

/// Processes a request. The inner error is the response, the outer one a failure of Postgres.
async fn begin_accepting(
    api: &AppState,
    once: &IdempotentRequest,
    new: &NewBatch,
) -> StoreResult<Result<Processed, Problem>> {
    let mut transaction = begin(&api.db).await?;
    reach(Point::TransactionBegun);
    match once.answered(&mut transaction).await {
        Ok(None) => {}
        Ok(Some(answer)) => return Ok(Ok(Processed::Before(answer))),
        Err(problem) => return Ok(Err(problem)),
    }
    // Checked after the key, so that a request repeated after its start gets the first response.
    if let Some(start) = new.start_at {
        let now = system_emails::now(&mut *transaction).await?;
        if let Err(fault) = start_time::check(start, now, time::Duration::ZERO) {
            return Ok(Err(start_time::problem(fault, now)));
        }
    }
    let accepted = accept(&mut transaction, new, api.mail_rate).await?;
    Ok(Ok(Processed::Now(transaction, accepted)))
}

fn batch_of(
    kind: SystemEmailKind,
    mut request: SendRequest,
    caller: &Caller,
    trace: TraceContext,
    password_stale: Duration,
) -> Result<NewBatch, Problem> {
    let faults = faults_of(&request);
    if !faults.is_empty() {
        return Err(selector::faulty(faults));
    }
    Ok(NewBatch {
        kind,
        selection: selector::read(&mut request)?,
        hold: Duration::from_secs(u64::from(request.hold_seconds)),
        start_at: request.start_at,
        including: Inclusions {
            signed_in: request.include_signed_in,
            recent: request.include_recent,
        },
        exclusion: Exclusion::default(),
        wording: None,
        stale_after: (kind == SystemEmailKind::PasswordReset).then_some(password_stale),
        created_by: caller.actor.clone(),
        trace,
    })
}

/// Validation errors of the simple fields.
fn faults_of(request: &SendRequest) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if request.hold_seconds > HOLD_MOST_SECONDS {
        errors.push(FieldError::in_field(
            "hold_seconds",
            "too_long",
            "A hold is at most 86400 seconds; use start_at to send later.",
        ));
    }
    errors
}
