//! The password in every mail that arrived works, and so does the password before it.

use crate::json;
use harness::relay::Behaviour;
use harness::world::PATIENCE;
use harness::{Setup, World};
use std::time::Duration;
use time::macros::format_description;

const ADA: &str = "ada@example.org";

const OWN: &str = "correct horse battery staple";

#[tokio::test]
async fn a_mailed_password_signs_in_until_the_person_chooses_their_own() {
    World::run(async |world| {
        let user = world.person("ada@example.org").await;

        world.reset_passwords(json!({ "users": [user] })).await;
        world.relay.wait_for(1, PATIENCE).await.unwrap();

        let mails = world.relay.mails_to("ada@example.org").unwrap();
        let password = mails[0].password().unwrap().to_owned();
        assert_eq!(password.replace('-', "").len(), 23, "{password}");
        assert!(!mails[0].subject.contains(&password));
        let wrong = world.verify("ada@example.org", "abcde-fghjk-mnpqr-stuvw").await;
        assert_eq!(
            (wrong.status, &wrong.body),
            (200, &json!({ "valid": false })),
            "{}",
            wrong.text
        );
        let stranger = world.verify("unknown@example.org", &password).await;
        assert_eq!((stranger.status, &stranger.text), (200, &wrong.text));
        let right = world
            .sign_in("ADA@example.org", &password.replace('-', " ").to_uppercase())
            .await;
        assert_eq!(right["user"], json!(user));
        assert_eq!(right["must_set_password"], true);
        let chosen = world
            .post(
                "/v1/credentials/choose",
                json!({ "email": "ada@example.org", "password": password, "new_password": OWN }),
            )
            .await;
        chosen.expect(200);
        let right = world.sign_in("ada@example.org", OWN).await;
        assert_eq!(right["must_set_password"], false);
        assert!(!world.signs_in("ada@example.org", &password).await);
    })
    .await;
}

#[tokio::test]
async fn a_mailed_password_of_full_cost_signs_in() {
    let setting = ("BECKON_MAILED_PASSWORD_COST", "owasp");
    let setup = Setup::default()
        .api_setting(setting.0, setting.1)
        .worker_setting(setting.0, setting.1);
    World::run_with(setup, async |world| {
        let user = world.person(ADA).await;

        world.reset_passwords(json!({ "users": [user] })).await;
        world.relay.wait_for(1, PATIENCE).await.unwrap();

        let verifier: String = world.rows("credentials").with("user_id", user).only("verifier").await;
        assert!(verifier.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{verifier}");
        let password = world.relay.mails_to(ADA).unwrap()[0].password().unwrap().to_owned();
        assert!(!world.signs_in(ADA, "abcde-fghjk-mnpqr-stuvw-xyz").await);
        let right = world.sign_in(ADA, &password.to_uppercase()).await;
        assert_eq!(right["must_set_password"], true);
        let choice = json!({ "email": ADA, "password": password, "new_password": OWN });
        world.post("/v1/credentials/choose", choice).await.expect(200);
        assert!(world.signs_in(ADA, OWN).await);
    })
    .await;
}

#[tokio::test]
async fn the_old_password_works_until_the_new_one_is_used() {
    World::run(async |world| {
        let user = world.person("ada@example.org").await;
        let own = choose_own(world, user).await;

        let left_out = world
            .post("/v1/password-resets", json!({ "users": [user] }))
            .await
            .expect(202);
        assert_eq!(left_out["left_out"], json!({ "signed_in": 1 }), "{left_out}");
        world
            .reset_passwords(json!({ "users": [user], "include_signed_in": true, "include_recent": true }))
            .await;
        world.relay.wait_for(2, PATIENCE).await.unwrap();

        let mails = world.relay.mails_to("ada@example.org").unwrap();
        world.sign_in("ada@example.org", &own).await;
        let mailed = world.sign_in("ada@example.org", mails[1].password().unwrap()).await;
        assert_eq!(mailed["must_set_password"], true);
        world.sign_in("ada@example.org", &own).await;
    })
    .await;
}

#[tokio::test]
async fn unused_passwords_can_be_ended() {
    World::run(async |world| {
        let import = world.people(3).await;
        let batch = world.reset_passwords(json!({ "import": import })).await;
        world.finished(batch).await;
        let password_of = |n: usize| {
            let mails = world.relay.mails_to(&format!("person{n}@example.org")).unwrap();
            mails[0].password().unwrap().to_owned()
        };
        world.sign_in("person1@example.org", &password_of(1)).await;

        let revoked = world
            .post("/v1/credentials/revoke", json!({ "batch": batch }))
            .await
            .expect(200);

        assert_eq!(
            (&revoked["revoked"], &revoked["already_used"]),
            (&json!(2), &json!(1)),
            "{revoked}"
        );
        assert!(!world.signs_in("person2@example.org", &password_of(2)).await);
        world.sign_in("person1@example.org", &password_of(1)).await;
    })
    .await;
}

#[tokio::test]
async fn signing_in_with_an_older_password_keeps_newer_ones() {
    World::run(async |world| {
        world.person(ADA).await;
        let recipients = || json!({ "emails": [ADA], "include_recent": true, "include_signed_in": true });
        for _ in 0..2 {
            let batch = world.reset_passwords(recipients()).await;
            world.finished(batch).await;
        }
        // A third mail is with the relay while the first password is used.
        world.relay.set(ADA, Behaviour::SlowDot(Duration::from_secs(1)));
        let third = world.reset_passwords(recipients()).await;
        let dot = world.relay.wait_until("a dot", PATIENCE, |counts| counts.dots == 3);
        dot.await.unwrap();
        let mailed = |n: usize| world.relay.mails_to(ADA).unwrap()[n].password().unwrap().to_owned();

        world.sign_in(ADA, &mailed(0)).await;
        let on_its_way = world.count(third, "sending").await;
        world.finished(third).await;
        for n in [1, 2, 0] {
            world.sign_in(ADA, &mailed(n)).await;
        }
        let choice = json!({ "email": ADA, "password": mailed(1), "new_password": OWN });
        world.post("/v1/credentials/choose", choice).await.expect(200);

        assert_eq!(on_its_way, 1, "the third had arrived before the first was used");
        for n in 0..3 {
            assert!(!world.signs_in(ADA, &mailed(n)).await, "{n}");
        }
        world.sign_in(ADA, OWN).await;
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn a_currently_valid_password_cannot_be_chosen() {
    World::run(async |world| {
        world.person(ADA).await;
        let recipients = || json!({ "emails": [ADA], "include_recent": true, "include_signed_in": true });
        for _ in 0..2 {
            let batch = world.reset_passwords(recipients()).await;
            world.finished(batch).await;
        }
        let mailed = |n: usize| world.relay.mails_to(ADA).unwrap()[n].password().unwrap().to_owned();
        let choose = async |password: &str, new: &str| {
            let choice = json!({ "email": ADA, "password": password, "new_password": new });
            world.post("/v1/credentials/choose", choice).await
        };
        let (proof, other) = (mailed(0), mailed(1));
        let forms = [
            proof.clone(),
            proof.replace('-', ""),
            proof.to_uppercase(),
            proof.replace('-', "\u{2013}"),
            other.clone(),
            other.replace('-', " "),
        ];

        for new in &forms {
            let refused = choose(&proof, new).await;
            assert_eq!(
                (refused.status, &refused.body["type"]),
                (422, &json!("/problems/password_unfit")),
                "{}",
                refused.text
            );
            assert_eq!(refused.body["errors"][0]["code"], "password_reused", "{}", refused.text);
            assert_eq!(
                refused.body["errors"][0]["message"],
                "Password must not be the current one or one that was mailed"
            );
            // Without proof, the answer does not reveal whether the password works.
            let stranger = choose("a guess that is wrong", new).await;
            assert_eq!(
                (stranger.status, &stranger.body["type"]),
                (422, &json!("/problems/credentials_wrong"))
            );
        }
        let unproven = world.rows("credentials").having("used_at").count().await;
        choose(&proof, OWN).await.expect(200);
        let same = choose(OWN, OWN).await;
        let another = choose(OWN, "another lantern in the orchard").await;

        assert_eq!(unproven, 0, "a refusal counts as no use");
        assert_eq!(same.body["errors"][0]["code"], "password_reused", "{}", same.text);
        another.expect(200);
        world.sign_in(ADA, "another lantern in the orchard").await;
    })
    .await;
}

async fn choose_own(world: &World, user: uuid::Uuid) -> String {
    world.reset_passwords(json!({ "users": [user] })).await;
    world.relay.wait_for(1, PATIENCE).await.unwrap();
    let mails = world.relay.mails_to("ada@example.org").unwrap();
    let mailed = mails[0].password().unwrap();
    let request = json!({ "email": "ada@example.org", "password": mailed, "new_password": OWN });
    world.post("/v1/credentials/choose", request).await.expect(200);
    OWN.to_owned()
}

#[tokio::test]
async fn a_preview_shows_when_the_password_would_expire() {
    let setup = Setup::default()
        .workers(0)
        .api_setting("BECKON_FIRST_PASSWORD_LIFETIME", "50h")
        .api_setting("BECKON_RESET_PASSWORD_LIFETIME", "5h");
    World::run_with(setup, async |world| {
        let (known, fresh) = (
            world.person("ada@example.org").await,
            world.person("bob@example.org").await,
        );
        let signed_in = json!({ "signed_in_at": "now" });
        world.rows("users").with("id", known).set(signed_in).await;

        for (user, hours) in [(known, 5), (fresh, 50)] {
            let preview = world
                .post("/v1/system-emails/password_reset/preview", json!({ "user": user }))
                .await
                .expect(200);

            // The current minute or the one before.
            let expiry = format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC");
            let now = world.now().await;
            let moments = [0, 1].map(|late| {
                let moment = now + time::Duration::hours(hours) - time::Duration::minutes(late);
                moment.format(&expiry).unwrap()
            });
            let text = preview["text"].as_str().unwrap();
            assert!(
                moments.iter().any(|moment| text.contains(moment)),
                "{moments:?}\n{text}"
            );
        }
    })
    .await;
}
