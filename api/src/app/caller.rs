//! Who calls: a use case does the same for the API and the console.

use shared::store::audit::Actor;
use uuid::Uuid;

/// An authenticated caller: an API key or an administrator.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The caller as recorded in the audit log.
    pub actor: Actor,
    /// Whether the caller may read the audit log.
    pub may_read_audit_log: bool,
}

impl Caller {
    /// The id of the key or the administrator. Idempotency keys and limits are separate for each.
    pub fn id(&self) -> Uuid {
        self.actor.kind.id().unwrap_or_default()
    }
}
