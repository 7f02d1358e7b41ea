//! Users and their state.

use harness::World;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use reqwest::Method;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

/// A condition that holds for a user from the start, or later.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fact {
    SignedIn,
    Locked,
    Unlocked,
    Blocked,
    Unblocked,
    InviteWaits,
    PasswordWaits,
    InvitedToday,
    InvitedLongAgo,
    PasswordToday,
    FivePasswords,
    Deleted,
}

const AT_FIRST: [Fact; 10] = [
    Fact::SignedIn,
    Fact::Locked,
    Fact::Blocked,
    Fact::InviteWaits,
    Fact::PasswordWaits,
    Fact::InvitedToday,
    Fact::InvitedLongAgo,
    Fact::PasswordToday,
    Fact::FivePasswords,
    Fact::SignedIn,
];

const LATER: [Fact; 10] = [
    Fact::SignedIn,
    Fact::Locked,
    Fact::Unlocked,
    Fact::Blocked,
    Fact::Unblocked,
    Fact::InviteWaits,
    Fact::PasswordWaits,
    Fact::InvitedToday,
    Fact::PasswordToday,
    Fact::Deleted,
];

/// Conditions that can arise while a batch is held.
const WHILE_HELD: [Fact; 4] = [Fact::SignedIn, Fact::Locked, Fact::Blocked, Fact::Deleted];

/// The conditions of one user.
pub(super) fn facts() -> impl Strategy<Value = Vec<Fact>> {
    // Most users get several reasons to be left out, because there the sums could disagree.
    subsequence(AT_FIRST.to_vec(), 0..=4)
}

/// Conditions that arise for some users, by number.
pub(super) fn later() -> impl Strategy<Value = Vec<(usize, Fact)>> {
    prop::collection::vec((0..12_usize, select(LATER.to_vec())), 0..3)
}

/// Conditions that arise for some users while the batch is held.
pub(super) fn while_held() -> impl Strategy<Value = Vec<(usize, Fact)>> {
    prop::collection::vec((0..12_usize, select(WHILE_HELD.to_vec())), 0..4)
}

/// Makes the condition hold.
pub(super) async fn make(world: &World, waiting: [Uuid; 2], user: Uuid, fact: Fact) {
    let [invites, passwords] = waiting;
    let owed = |batch: Uuid| {
        format!("insert into deliveries (batch_id, user_id) select '{batch}', id from users where id = $1")
    };
    let mailed = |kind: &str, at: &str| {
        format!(
            "insert into last_sent (user_id, kind, sent_at) select id, '{kind}', {at} from users where id = $1
             on conflict (user_id, kind) do update set sent_at = excluded.sent_at"
        )
    };
    let statement = match fact {
        Fact::SignedIn => "update users set signed_in_at = now() where id = $1".to_owned(),
        Fact::Locked => "update users set locked_at = now() where id = $1".to_owned(),
        Fact::Unlocked => "update users set locked_at = null where id = $1".to_owned(),
        Fact::Blocked => "insert into blocked_addresses (email_key, email, reason, delivery_id, user_id)
             select email_key, email, 'address_unknown', gen_random_uuid(), id from users where id = $1
             on conflict do nothing"
            .to_owned(),
        Fact::Unblocked => "delete from blocked_addresses where user_id = $1".to_owned(),
        Fact::InviteWaits => owed(invites),
        Fact::PasswordWaits => owed(passwords),
        Fact::InvitedToday => mailed("invite", "now() - interval '1 hour'"),
        Fact::InvitedLongAgo => mailed("invite", "now() - interval '30 days'"),
        Fact::PasswordToday => mailed("password_reset", "now() - interval '1 hour'"),
        Fact::FivePasswords => "insert into credentials (user_id, kind, verifier, delivery_id, attempt, expires_at)
             select id, 'generated', 'none', gen_random_uuid(), 1, now() + interval '1 day'
             from users, generate_series(1, 5) where id = $1"
            .to_owned(),
        Fact::Deleted => {
            let path = format!("/v1/users/{user}");
            world.ask(Method::DELETE, &path, None, None).await;
            return;
        }
    };
    let made = sqlx::query(AssertSqlSafe(statement)).bind(user);
    made.execute(&world.db).await.unwrap();
}
