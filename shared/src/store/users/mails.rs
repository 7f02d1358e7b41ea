//! The mails of one user.

use crate::batch::BatchState;
use crate::delivery::DeliveryState;
use crate::store::{Db, StoreResult, within};
use crate::system_email::SystemEmailKind;
use time::OffsetDateTime;
use uuid::Uuid;

/// A mail.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Its delivery.
    pub delivery: Uuid,
    /// Which system email.
    pub kind: SystemEmailKind,
    /// Its state.
    pub state: DeliveryState,
    /// The reason for its state.
    pub reason: Option<String>,
    /// The state of its batch.
    pub batch_state: BatchState,
    /// The address it was sent to, if it is not the user's current one.
    pub former_email: Option<String>,
    /// When it was requested.
    pub created_at: OffsetDateTime,
    /// Who requested it.
    pub created_by: String,
    /// When the relay accepted it.
    pub sent_at: Option<OffsetDateTime>,
}

impl Mail {
    /// Whether it is a pending password mail.
    pub fn is_owed_password(&self) -> bool {
        self.kind == SystemEmailKind::PasswordReset && !self.state.has_ended()
    }
}

/// The mails of a user, newest first, at most `limit`.
pub async fn of_user(db: &Db, user: Uuid, limit: i64) -> StoreResult<Vec<Mail>> {
    let reading = sqlx::query_as!(
        Mail,
        r#"select d.id as delivery, b.kind as "kind: SystemEmailKind", shown_state(d.batch_id, d.id, d.state, d.retry_at) as "state!: DeliveryState", d.reason,
                  b.state as "batch_state: BatchState", former.email as "former_email?", b.created_at, b.created_by,
                  d.sent_at
           from (select * from deliveries where user_id = $1 offset 0) d join batches b on b.id = d.batch_id
           left join lateral former_address_of(d.user_id, d.id, d.attempt, d.state, d.moved_at) former on true
           order by d.id desc limit $2"#,
        user,
        limit,
    );
    within(reading.fetch_all(db)).await
}
