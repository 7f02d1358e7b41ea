//! Facts about users, as they arise while other programs run.

use std::time::Duration;

use uuid::Uuid;

use super::World;

impl World {
    /// The user with this address.
    pub async fn user_id(&self, email: &str) -> Uuid {
        self.rows("users")
            .with("email_key", email.to_lowercase())
            .only("id")
            .await
    }

    /// Blocks the address of a user, as after a mail to an unknown mailbox.
    pub async fn block_address(&self, user: Uuid) {
        let block = "insert into blocked_addresses (email_key, email, reason, delivery_id, user_id)
                     select email_key, email, 'address_unknown', gen_random_uuid(), id from users where id = $1
                     on conflict do nothing";
        self.change(sqlx::query(block).bind(user)).await;
    }

    /// Records that a user was last sent a mail of this kind so long ago.
    pub async fn sent_before(&self, user: Uuid, kind: &str, ago: Duration) {
        let sent = "insert into last_sent (user_id, kind, sent_at)
                    select id, $2::mail_kind, now() - make_interval(secs => $3) from users where id = $1
                    on conflict (user_id, kind) do update set sent_at = excluded.sent_at";
        self.change(sqlx::query(sent).bind(user).bind(kind).bind(ago.as_secs_f64()))
            .await;
    }

    /// Adds a mail to a batch.
    pub async fn owe(&self, batch: Uuid, user: Uuid) {
        let owe = "insert into deliveries (batch_id, user_id) select $1, id from users where id = $2";
        self.change(sqlx::query(owe).bind(batch).bind(user)).await;
    }

    /// Stores the verifier of a password: a mailed one, valid for this long, or a chosen one.
    pub async fn store_verifier(&self, user: Uuid, verifier: &str, mailed: Option<Duration>) {
        let store = "insert into credentials (user_id, kind, verifier, delivery_id, attempt, expires_at)
                     select id, 'generated', $2, gen_random_uuid(), 1, now() + make_interval(secs => $3)
                     from users where id = $1 and $3 is not null
                     union all
                     select id, 'chosen', $2, null, null, null from users where id = $1 and $3 is null";
        let mailed = mailed.map(|lifetime| lifetime.as_secs_f64());
        self.change(sqlx::query(store).bind(user).bind(verifier).bind(mailed))
            .await;
    }
}
