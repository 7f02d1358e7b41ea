//! The audit log in the API, for log collectors of security teams.

use crate::app::caller::Caller;
use crate::app::problem::{Problem, ProblemKind};
use crate::app::state::AppState;
use crate::http::pagination::{Page, PageRequest};
use crate::http::problem::ProblemBody;
use crate::http::query::Query;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::store::audit::{self, Entry, Filter};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Who did something.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ActorView {
    /// `administrator`, `key`, `command_line`, `beckon` (on its own) or `unknown` (not signed in). Absent in entries
    /// written before this was recorded.
    pub kind: Option<String>,
    /// The administrator's or the key's id.
    pub id: Option<Uuid>,
    /// The name they had at that time.
    pub name: String,
    /// The address of their client.
    pub client_address: Option<String>,
}

/// An entry of the audit log.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditEntryView {
    /// Sorts by time.
    pub id: Uuid,
    /// When it was written.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Who did it.
    pub actor: ActorView,
    /// What was done, such as `user_deleted`.
    pub action: String,
    /// What it was done to: a kind and an id, such as `user 0190b1f4-…`.
    pub subject: Option<String>,
    /// Counts and ids. `count` is the number of events that the entry stands for.
    pub details: serde_json::Value,
    /// The trace id of the request, as in its log lines.
    pub request_id: Option<String>,
}

impl From<Entry> for AuditEntryView {
    fn from(entry: Entry) -> Self {
        Self {
            id: entry.id,
            at: entry.at,
            actor: ActorView {
                kind: entry.actor_kind,
                id: entry.actor_id,
                name: entry.who,
                client_address: entry.client_address,
            },
            action: entry.action,
            subject: entry.subject,
            details: entry.details,
            request_id: entry.request_id,
        }
    }
}

/// Filter and page.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AuditLogRequest {
    /// Only this action.
    pub action: Option<String>,
    /// Only actions of the administrator or key with this id.
    pub actor: Option<Uuid>,
    /// Only entries at or after this time.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[param(value_type = Option<String>, format = DateTime)]
    pub from: Option<OffsetDateTime>,
    /// Only entries before this time.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[param(value_type = Option<String>, format = DateTime)]
    pub until: Option<OffsetDateTime>,
    /// Maximum number of items: 1 to 1000, default 50.
    pub limit: Option<i64>,
    /// The `next_cursor` of the previous page.
    pub cursor: Option<String>,
}

/// Lists the audit log, newest entries first. Needs a key that may read it.
#[utoipa::path(get, path = "/v1/audit-log", tag = "audit log", params(AuditLogRequest),
    responses((status = 200, body = Page<AuditEntryView>), (status = 400, body = ProblemBody), (status = 403, body = ProblemBody)))]
pub async fn list(
    State(api): State<AppState>,
    caller: Caller,
    Query(request): Query<AuditLogRequest>,
) -> Result<Json<Page<AuditEntryView>>, Problem> {
    if !caller.may_read_audit_log {
        return Err(Problem::new(
            ProblemKind::Forbidden,
            "key_may_not",
            "This API key may not read the audit log. Create one that may, with `beckon-api create-key \
             --read-audit-log` or in the console.",
        ));
    }
    let page = PageRequest {
        limit: request.limit,
        cursor: request.cursor,
    };
    let limit = page.limit()?;
    let filter = Filter {
        who: None,
        actions: request.action.into_iter().collect(),
        actor: request.actor,
        from: request.from,
        until: request.until,
    };
    let entries = audit::list(&api.db, &filter, page.after()?, None, limit + 1).await?;
    let items = entries.into_iter().map(AuditEntryView::from).collect();
    Ok(Json(Page::of(items, limit, |entry: &AuditEntryView| entry.id)))
}
