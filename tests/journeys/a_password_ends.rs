//! Mailed passwords end when they expire, when they are revoked, and when the user chooses one.

use crate::json;
use harness::relay::Behaviour;
use harness::world::PATIENCE;
use harness::{Setup, World};
use serde_json::Value;
use uuid::Uuid;

const ADA: &str = "ada@example.org";
const OWN: &str = "correct horse battery staple";

/// Mails passwords, waits until the batch finishes, and returns it.
async fn mailed(world: &World, emails: &[&str]) -> Uuid {
    let recipients = json!({ "emails": emails, "include_recent": true, "include_signed_in": true });
    let batch = world.reset_passwords(recipients).await;
    world.until(batch, "sent", i64::try_from(emails.len()).unwrap()).await;
    batch
}

/// The passwords mailed to this user, in order.
fn passwords(world: &World, email: &str) -> Vec<String> {
    let mails = world.relay.mails_to(email).unwrap();
    mails.iter().map(|mail| mail.password().unwrap().to_owned()).collect()
}

async fn choose(world: &World, password: &str, new: &str) -> u16 {
    let request = json!({ "email": ADA, "password": password, "new_password": new });
    world.post("/v1/credentials/choose", request).await.status
}

async fn revoke(world: &World, whose: Value) -> Value {
    world.post("/v1/credentials/revoke", whose).await.expect(200)
}

/// How many passwords were revoked, how many had been used and stay, and how many mails were cancelled.
fn sums(revoked: &Value) -> [i64; 3] {
    ["revoked", "already_used", "mails_cancelled"].map(|name| revoked[name].as_i64().unwrap())
}

#[tokio::test]
async fn an_expired_password_is_answered_like_a_wrong_one() {
    World::run(async |world| {
        let user = world.person(ADA).await;
        mailed(world, &[ADA]).await;
        let password = passwords(world, ADA).remove(0);

        world.rows("credentials").set(json!({ "expires_at": "now" })).await;
        let expired = world.verify(ADA, &password).await;
        let wrong = world.verify(ADA, "abcde-fghjk-mnpqr-stuvw").await;

        assert_eq!(
            (&expired.body, &expired.text),
            (&json!({ "valid": false }), &wrong.text)
        );
        assert_eq!(choose(world, &password, OWN).await, 422);
        let shown = world.get(&format!("/v1/users/{user}")).await.expect(200);
        assert_eq!(shown["access"]["state"], "password_expired", "{shown}");
        assert!(shown["access"]["signed_in_at"].is_null(), "{shown}");
        mailed(world, &[ADA]).await;
        world.sign_in(ADA, &passwords(world, ADA)[1]).await;
    })
    .await;
}

#[tokio::test]
async fn a_password_is_valid_for_the_configured_time_after_the_relays_reply() {
    let setup = Setup::default()
        .worker_setting("BECKON_FIRST_PASSWORD_LIFETIME", "2h")
        .worker_setting("BECKON_RESET_PASSWORD_LIFETIME", "90min");
    World::run_with(setup, async |world| {
        world.person(ADA).await;
        let first = world.password_lifetime(mailed(world, &[ADA]).await).await;
        world.sign_in(ADA, &passwords(world, ADA)[0]).await;
        let reset = world.password_lifetime(mailed(world, &[ADA]).await).await;

        assert!((7_200.0..7_260.0).contains(&first), "{first}");
        assert!((5_400.0..5_460.0).contains(&reset), "{reset}");
    })
    .await;
}

#[tokio::test]
async fn a_password_whose_mail_took_long_is_valid_for_its_whole_time() {
    let slow = "slow-dot-62s@example.org";
    World::run_with(Setup::default().worker_setting("BECKON_LEASE", "60s"), async |world| {
        world.person(slow).await;

        let batch = world.reset_passwords(json!({ "emails": [slow] })).await;
        world.relay.wait_for(1, 2 * PATIENCE).await.unwrap();
        world.finished(batch).await;

        let valid = world.password_lifetime(batch).await;
        assert!((valid - 72.0 * 3_600.0).abs() < 0.001, "{valid}");
    })
    .await;
}

#[tokio::test]
async fn revoking_a_batch_ends_unused_passwords() {
    World::run(async |world| {
        let [bob, cleo] = ["bob@example.org", "cleo@example.org"];
        for email in [ADA, bob, cleo] {
            world.person(email).await;
        }
        let first = mailed(world, &[ADA, bob, cleo]).await;
        world.sign_in(ADA, &passwords(world, ADA)[0]).await;
        mailed(world, &[bob]).await;

        let revoked = revoke(world, json!({ "batch": first })).await;
        let again = revoke(world, json!({ "batch": first })).await;

        assert_eq!(sums(&revoked), [2, 1, 0]);
        assert_eq!(sums(&again), [0, 1, 0]);
        assert!(!world.signs_in(cleo, &passwords(world, cleo)[0]).await);
        world.sign_in(ADA, &passwords(world, ADA)[0]).await;
        let of_bob = passwords(world, bob);
        assert!(!world.signs_in(bob, &of_bob[0]).await);
        world.sign_in(bob, &of_bob[1]).await;
    })
    .await;
}

#[tokio::test]
async fn revoking_passwords_keeps_chosen_ones_and_those_of_other_users() {
    World::run(async |world| {
        let ada = world.person(ADA).await;
        world.person("bob@example.org").await;
        mailed(world, &[ADA, "bob@example.org"]).await;
        assert_eq!(choose(world, &passwords(world, ADA)[0], OWN).await, 200);
        mailed(world, &[ADA]).await;

        let revoked = revoke(world, json!({ "users": [ada] })).await;

        assert_eq!(sums(&revoked), [1, 1, 0]);
        assert!(!world.signs_in(ADA, &passwords(world, ADA)[1]).await);
        world.sign_in(ADA, OWN).await;
        let of_bob = passwords(world, "bob@example.org");
        world.sign_in("bob@example.org", &of_bob[0]).await;
    })
    .await;
}

#[tokio::test]
async fn a_used_password_is_revoked_if_requested() {
    World::run(async |world| {
        let (ada, bob) = (world.person(ADA).await, "bob@example.org");
        world.person(bob).await;
        let batch = mailed(world, &[ADA, bob]).await;
        for email in [ADA, bob] {
            world.sign_in(email, &passwords(world, email)[0]).await;
        }

        let without = revoke(world, json!({ "users": [ada] })).await;
        let of_ada = revoke(world, json!({ "users": [ada], "include_used": true })).await;
        let of_batch = revoke(world, json!({ "batch": batch, "include_used": true })).await;

        assert_eq!(sums(&without), [0, 1, 0]);
        assert_eq!(sums(&of_ada), [1, 0, 0]);
        assert_eq!(sums(&of_batch), [1, 0, 0]);
        for email in [ADA, bob] {
            assert!(!world.signs_in(email, &passwords(world, email)[0]).await, "{email}");
        }
        let on_record = world.audited("passwords_revoked").await;
        let on_record: Vec<&Value> = on_record.iter().map(|entry| &entry.details["include_used"]).collect();
        assert_eq!(on_record, [false, true, true]);
    })
    .await;
}

#[tokio::test]
async fn a_revocation_with_an_unknown_selector_or_two_of_them_ends_nothing() {
    World::run(async |world| {
        let ada = world.person(ADA).await;
        let batch = mailed(world, &[ADA]).await;
        let no_one = Uuid::nil();

        for (whose, status, word) in [
            (json!({ "batch": batch, "users": [no_one] }), 422, "several_selectors"),
            (json!({ "batch": batch, "users": [ada] }), 422, "several_selectors"),
            (json!({ "batch": no_one }), 404, "not_found"),
            (json!({ "users": [no_one] }), 404, "not_found"),
            (json!({ "users": [ada, no_one] }), 404, "not_found"),
        ] {
            let refused = world.post("/v1/credentials/revoke", whose.clone()).await;
            assert_eq!(refused.status, status, "{whose}: {}", refused.text);
            assert_eq!(refused.body["type"], format!("/problems/{word}"), "{whose}");
        }
        let unknown = world
            .post("/v1/credentials/revoke", json!({ "users": [ada, no_one] }))
            .await;
        assert_eq!(
            unknown.body["errors"],
            json!([{ "field": "users", "code": "unknown_user", "message": format!("No user has the id {no_one}.") }])
        );
        world.sign_in(ADA, &passwords(world, ADA)[0]).await;
    })
    .await;
}

#[tokio::test]
async fn a_revocation_counts_those_who_chose_their_own() {
    World::run(async |world| {
        let (ada, bob, cleo) = (world.person(ADA).await, "bob@example.org", "cleo@example.org");
        world.person(bob).await;
        world.person(cleo).await;
        let first = mailed(world, &[ADA, bob, cleo]).await;
        assert_eq!(choose(world, &passwords(world, ADA)[0], OWN).await, 200);
        world.sign_in(bob, &passwords(world, bob)[0]).await;
        let later = mailed(world, &[ADA, cleo]).await;

        let of_first = revoke(world, json!({ "batch": first })).await;
        let of_later = revoke(world, json!({ "batch": later })).await;
        let of_ada = revoke(world, json!({ "users": [ada] })).await;

        // Bob has used his, and Ada has replaced hers.
        assert_eq!(sums(&of_first), [1, 2, 0]);
        // Ada chose a password before that mail arrived.
        assert_eq!(sums(&of_later), [2, 0, 0]);
        assert_eq!(sums(&of_ada), [0, 1, 0]);
        world.sign_in(ADA, OWN).await;
    })
    .await;
}

#[tokio::test]
async fn revoking_cancels_password_mails_not_yet_sent() {
    World::run(async |world| {
        let (ada, bob) = (world.person(ADA).await, world.person("bob@example.org").await);
        let held = async |recipients: Value| {
            let owed = json!({ "users": recipients, "hold_seconds": 600, "include_recent": true });
            world.reset_passwords(owed).await
        };

        let of_both = held(json!([ada, bob])).await;
        let of_ada = revoke(world, json!({ "users": [ada] })).await;
        let of_batch = revoke(world, json!({ "batch": of_both })).await;
        let stopped = world.batch(of_both).await;

        assert_eq!(sums(&of_ada), [0, 0, 1]);
        assert_eq!(sums(&of_batch), [0, 0, 1]);
        assert_eq!(stopped["state"], "stopped", "{stopped}");
        let mut reasons: Vec<String> = world
            .deliveries(of_both)
            .await
            .iter()
            .map(|line| line["reason"].as_str().unwrap().to_owned())
            .collect();
        reasons.sort();
        assert_eq!(reasons, ["revoked", "stopped"]);
        assert_eq!(world.relay.accepted_count(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_chosen_password_replaces_all_others() {
    World::run(async |world| {
        let user = world.person(ADA).await;
        mailed(world, &[ADA]).await;
        mailed(world, &[ADA]).await;
        let both = passwords(world, ADA);

        assert_eq!(choose(world, &both[0], OWN).await, 200);

        for mailed in &both {
            assert!(!world.signs_in(ADA, mailed).await);
            assert_eq!(choose(world, mailed, "another battery staple").await, 422);
        }
        let own = world.sign_in(ADA, OWN).await;
        assert_eq!(own["must_set_password"], false, "{own}");
        assert!(own["expires_at"].is_null(), "{own}");
        let shown = world.get(&format!("/v1/users/{user}")).await.expect(200);
        assert_eq!(shown["access"]["state"], "own_password", "{shown}");
        assert_eq!(choose(world, OWN, "another battery staple").await, 200);
        assert!(!world.signs_in(ADA, OWN).await);
        world.sign_in(ADA, "another battery staple").await;
    })
    .await;
}

#[tokio::test]
async fn a_user_who_has_chosen_a_password_gets_no_waiting_password_mail() {
    World::run(async |world| {
        world.person(ADA).await;
        mailed(world, &[ADA]).await;
        let password = passwords(world, ADA).remove(0);
        world.relay.set(ADA, Behaviour::try_later());
        let again = json!({ "emails": [ADA], "include_recent": true });
        let owed = world.reset_passwords(again).await;
        world.until(owed, "retrying", 1).await;
        let invited = world.invite(json!({ "emails": [ADA], "hold_seconds": 600 })).await;

        assert_eq!(choose(world, &password, OWN).await, 200);
        world.relay.set(ADA, Behaviour::Accept);
        world.let_pauses_pass().await;
        let finished = world.finished(owed).await;

        assert_eq!(finished["counts"]["cancelled"], 1, "{finished}");
        let line = world.deliveries(owed).await[0].clone();
        assert_eq!(line["reason"], "superseded", "{line}");
        assert_eq!(world.relay.accepted_count(), 1);
        assert_eq!(world.count(invited, "waiting").await, 1, "an invite is still owed");
        world.sign_in(ADA, OWN).await;
        world.assert_sums().await;
    })
    .await;
}
