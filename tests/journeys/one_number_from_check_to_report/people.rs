//! Users and their state.

use crate::json;
use harness::World;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use reqwest::Method;
use std::time::Duration;
use uuid::Uuid;

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

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
    let set = async |columns| {
        world.rows("users").with("id", user).set(columns).await;
    };
    match fact {
        Fact::SignedIn => set(json!({ "signed_in_at": "now" })).await,
        Fact::Locked => set(json!({ "locked_at": "now" })).await,
        Fact::Unlocked => set(json!({ "locked_at": null })).await,
        Fact::Blocked => world.block_address(user).await,
        Fact::Unblocked => {
            world.rows("blocked_addresses").with("user_id", user).delete().await;
        }
        Fact::InviteWaits => world.owe(invites, user).await,
        Fact::PasswordWaits => world.owe(passwords, user).await,
        Fact::InvitedToday => world.sent_before(user, "invite", HOUR).await,
        Fact::InvitedLongAgo => world.sent_before(user, "invite", 30 * DAY).await,
        Fact::PasswordToday => world.sent_before(user, "password_reset", HOUR).await,
        Fact::FivePasswords => {
            for _ in 0..5 {
                world.store_verifier(user, "none", Some(DAY)).await;
            }
        }
        Fact::Deleted => {
            let path = format!("/v1/users/{user}");
            world.ask(Method::DELETE, &path, None, None).await;
        }
    }
}
