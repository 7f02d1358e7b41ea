//! Accepting a batch: resolving the selection and writing a delivery for each user who is not left out (see
//! [`left_out`]).
//!
//! [`left_out`]: super::left_out

mod write;

use super::audit::{Action, Actor, AuditEntry};
use super::exclusion::Exclusion;
use super::intake_lock::lock_intake;
use super::left_out::{Inclusions, reasons};
use super::system_emails::{Wording, store_wording};
use super::{StoreResult, Transaction, seconds, until_moved, users_in_bulk, within};
use crate::batch::{BatchState, MAX_INTERACTIVE, PROMISED_BULK, PROMISED_INTERACTIVE, PROMISED_RATE, PROMISED_SHARE};
use crate::system_email::SystemEmailKind;
use crate::trace::TraceContext;
use crate::user_filter::UserFilter;
use serde_json::json;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// The users of a batch, selected in one of these ways.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// By id.
    pub users: Vec<Uuid>,
    /// By address: the keys, in the same order as `emails_given`.
    pub email_keys: Vec<String>,
    /// The addresses as given.
    pub emails_given: Vec<String>,
    /// All users of an import.
    pub import: Option<Uuid>,
    /// All users that match a filter.
    pub filter: Option<UserFilter>,
    /// All users in a stored selection.
    pub chosen: Option<Uuid>,
}

/// A batch to accept.
#[derive(Clone, Debug)]
pub struct NewBatch {
    /// The system email.
    pub kind: SystemEmailKind,
    /// The selected users.
    pub selection: Selection,
    /// How long the batch is held before any mail is sent.
    pub hold: Duration,
    /// The earliest time at which mail is sent.
    pub start_at: Option<OffsetDateTime>,
    /// Which users are included although they are usually left out.
    pub including: Inclusions,
    /// Which users the sender leaves out.
    pub exclusion: Exclusion,
    /// Wording for this batch only; `None` for the shared text.
    pub wording: Option<Wording>,
    /// How long after its start a mail that was never attempted expires; `None` for invites.
    pub stale_after: Option<Duration>,
    /// Who creates it.
    pub created_by: Actor,
    /// The trace of the request.
    pub trace: TraceContext,
}

/// An accepted batch.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// Its id.
    pub batch: Uuid,
    /// Number of selected users.
    pub selected: i32,
    /// Number of deliveries written.
    pub accepted: i32,
    /// Number of users left out, by reason.
    pub left_out: BTreeMap<String, i64>,
    /// Held, running, or finished if all users were left out.
    pub state: BatchState,
}

/// Writes a batch and its deliveries in one statement and wakes the dispatcher at commit. `mail_rate` is the
/// configured limit in mails per second, or `None`.
pub async fn accept(transaction: &mut Transaction, new: &NewBatch, mail_rate: Option<f64>) -> StoreResult<Accepted> {
    lock_intake(transaction, new.kind).await?;
    let chosen = &new.selection;
    let users = match &chosen.filter {
        Some(filter) => Cow::Owned(users_in_bulk::ids(transaction, filter).await?),
        None => Cow::Borrowed(&chosen.users),
    };
    let excluded = new.exclusion.find_users(transaction).await?;
    let version = own_version(transaction, new.kind, new.wording.as_ref(), &new.created_by).await?;
    let rate = mail_rate.unwrap_or(PROMISED_RATE).min(PROMISED_RATE);
    let writing = write::write_batch!(
        new,
        &users[..],
        &excluded,
        &reasons(new.kind, new.including),
        rate,
        version
    );
    let row = until_moved(writing.fetch_one(&mut **transaction)).await?;
    if let Some(selection) = chosen.chosen {
        super::selections::link_batch(transaction, selection, row.id).await?;
    }
    within(sqlx::query!("select pg_notify('beckon_work', '')").execute(&mut **transaction)).await?;
    let mut details = json!({ "mail": new.kind.as_str(), "selected": row.selected_count, "accepted": row.accepted_count,
                              "left_out": row.selected_count - row.accepted_count });
    if version.is_some()
        && let Some(details) = details.as_object_mut()
    {
        details.insert("own_wording".to_owned(), true.into());
    }
    AuditEntry::new(&new.created_by, Action::BatchAccepted)
        .subject("batch", row.id)
        .details(details)
        .record(transaction)
        .await?;
    Ok(Accepted {
        batch: row.id,
        selected: row.selected_count,
        accepted: row.accepted_count,
        left_out: serde_json::from_value(row.left_out).unwrap_or_default(),
        state: row.state,
    })
}

/// The version of a batch that has its own wording.
async fn own_version(
    transaction: &mut Transaction,
    kind: SystemEmailKind,
    wording: Option<&Wording>,
    author: &Actor,
) -> StoreResult<Option<i32>> {
    match wording {
        Some(wording) => Ok(Some(store_wording(transaction, kind, wording, &author.name).await?)),
        None => Ok(None),
    }
}

/// Writes a test mail: a batch of one address in the interactive lane.
pub async fn accept_test(
    transaction: &mut Transaction,
    kind: SystemEmailKind,
    wording: Option<&Wording>,
    address: &str,
    language: &str,
    actor: &Actor,
    trace: TraceContext,
) -> StoreResult<Uuid> {
    let version = own_version(transaction, kind, wording, actor).await?;
    let writing = sqlx::query!(
        "with new_batch as (
             insert into batches (kind, version, lane, state, is_test, created_by, start_at, deadline_at,
                                  selected_count, accepted_count, trace_id, test_language)
             select $1, coalesce($6::integer, max(version)), 'interactive', 'running', true, $3, now(),
                    now() + make_interval(secs => $5), 1, 1, $4, $7
             from system_email_versions where kind = $1
             returning id
         ), new_delivery as (
             insert into deliveries (batch_id, test_address) select id, $2 from new_batch
         )
         select id, pg_notify('beckon_work', '') is null as told from new_batch",
        kind as _,
        address,
        actor.name,
        trace.trace_id().to_string(),
        seconds(PROMISED_INTERACTIVE),
        version,
        language,
    );
    let row = within(writing.fetch_one(&mut **transaction)).await?;
    AuditEntry::new(actor, Action::TestMailSent)
        .subject("batch", row.id)
        .details(json!({ "mail": kind.as_str() }))
        .record(transaction)
        .await?;
    Ok(row.id)
}
