//! The mails one person was owed.

use crate::batch::BatchState;
use crate::delivery::DeliveryState;
use crate::store::{Db, StoreResult};
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
    /// Where it stands,
    pub state: DeliveryState,
    /// why,
    pub reason: Option<String>,
    /// and where its batch stands.
    pub batch_state: BatchState,
    /// The address it went to, where that is not their present one.
    pub former_email: Option<String>,
    /// When it was asked for,
    pub created_at: OffsetDateTime,
    /// and by whom.
    pub created_by: String,
    /// When the relay took it.
    pub sent_at: Option<OffsetDateTime>,
}

impl Mail {
    /// Whether it is a password mail that has not ended.
    pub fn is_owed_password(&self) -> bool {
        self.kind == SystemEmailKind::PasswordReset && !self.state.has_ended()
    }
}

/// Somebody's mails, newest first, `limit` at most.
pub async fn of_user(db: &Db, user: Uuid, limit: i64) -> StoreResult<Vec<Mail>> {
    let mails = sqlx::query_as!(
        Mail,
        r#"select d.id as delivery, b.kind as "kind: SystemEmailKind", shown_state(d.batch_id, d.id, d.state, d.retry_at) as "state!: DeliveryState", d.reason,
                  b.state as "batch_state: BatchState", former.email as "former_email?", b.created_at, b.created_by,
                  d.sent_at
           from (select * from deliveries where user_id = $1 offset 0) d join batches b on b.id = d.batch_id
           left join lateral former_address_of(d.user_id, d.id, d.attempt, d.state, d.moved_at) former on true
           order by d.id desc limit $2"#,
        user,
        limit,
    )
    .fetch_all(db)
    .await?;
    Ok(mails)
}
