//! The audit log, as it is stored.

use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use super::World;

/// An entry of the audit log.
#[derive(Clone, Debug, Eq, FromRow, PartialEq)]
pub struct AuditEntry {
    /// Who acted.
    pub who: String,
    /// What they did.
    pub action: String,
    /// To what; empty when the action has no subject.
    pub subject: String,
    /// How.
    pub details: Value,
    /// As what: `administrator`, `key`, …
    pub actor_kind: Option<String>,
    /// The id of the administrator or key.
    pub actor_id: Option<Uuid>,
    /// The address of the client.
    pub client_address: Option<String>,
    /// The trace id of the request.
    pub request_id: Option<String>,
}

impl World {
    /// All entries of the audit log, in the order in which they were written.
    pub async fn audit_log(&self) -> Vec<AuditEntry> {
        let entries = "select who, action, coalesce(subject, '') as subject, details, actor_kind, actor_id,
                              client_address, request_id
                       from audit order by id";
        let entries = sqlx::query_as(entries).fetch_all(&self.db).await;
        entries.unwrap_or_else(|fault| panic!("could not read the audit log: {fault}"))
    }

    /// The entries about one action.
    pub async fn audited(&self, action: &str) -> Vec<AuditEntry> {
        let mut entries = self.audit_log().await;
        entries.retain(|entry| entry.action == action);
        entries
    }
}
