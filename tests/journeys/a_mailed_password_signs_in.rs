//! Passwords: the one in any mail that arrived works, and the one before it does too.

use crate::json;
use harness::world::PATIENCE;
use harness::{Setup, World};

const OWN: &str = "correct horse battery staple";

#[tokio::test]
async fn a_mailed_password_signs_in_until_the_person_chooses_their_own() {
    let world = World::start().await;
    let user = world.person("ada@example.org").await;

    world.reset_passwords(json!({ "users": [user] })).await;
    world.relay.wait_for(1, PATIENCE).await.unwrap();

    let mails = world.relay.mails_to("ada@example.org").unwrap();
    let password = mails[0].password().unwrap().to_owned();
    assert_eq!(password.replace('-', "").len(), 23, "{password}");
    assert!(!mails[0].subject.contains(&password));
    let wrong = world.sign_in("ada@example.org", "abcde-fghjk-mnpqr-stuvw").await;
    assert_eq!(wrong.status, 401, "{}", wrong.text);
    let stranger = world.sign_in("nobody@example.org", &password).await;
    assert_eq!((stranger.status, &stranger.text), (401, &wrong.text));
    let right = world
        .sign_in("ADA@example.org", &password.replace('-', " ").to_uppercase())
        .await
        .expect(200);
    assert_eq!(right["user"], json!(user));
    assert_eq!(right["must_set_password"], true);
    let chosen = world
        .post(
            "/v1/credentials/choose",
            json!({ "email": "ada@example.org", "password": password, "new_password": OWN }),
        )
        .await;
    chosen.expect(200);
    let right = world.sign_in("ada@example.org", OWN).await.expect(200);
    assert_eq!(right["must_set_password"], false);
    assert_eq!(world.sign_in("ada@example.org", &password).await.status, 401);
    world.end().await;
}

#[tokio::test]
async fn the_old_password_works_until_the_new_one_is_used() {
    let world = World::start().await;
    let user = world.person("ada@example.org").await;
    let own = choose_own(&world, user).await;

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
    world.sign_in("ada@example.org", &own).await.expect(200);
    let mailed = world
        .sign_in("ada@example.org", mails[1].password().unwrap())
        .await
        .expect(200);
    assert_eq!(mailed["must_set_password"], true);
    world.sign_in("ada@example.org", &own).await.expect(200);
    world.end().await;
}

#[tokio::test]
async fn unused_passwords_can_be_ended() {
    let world = World::start().await;
    let import = world.people(3).await;
    let batch = world.reset_passwords(json!({ "import": import })).await;
    world.finished(batch).await;
    let password_of = |n: usize| {
        let mails = world.relay.mails_to(&format!("person{n}@example.org")).unwrap();
        mails[0].password().unwrap().to_owned()
    };
    world.sign_in("person1@example.org", &password_of(1)).await.expect(200);

    let revoked = world
        .post("/v1/credentials/revoke", json!({ "batch": batch }))
        .await
        .expect(200);

    assert_eq!(revoked, json!({ "revoked": 2, "already_used": 1 }));
    assert_eq!(world.sign_in("person2@example.org", &password_of(2)).await.status, 401);
    world.sign_in("person1@example.org", &password_of(1)).await.expect(200);
    world.end().await;
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
async fn a_preview_says_when_the_password_would_end_for_this_person() {
    let setup = Setup::default()
        .workers(0)
        .api_setting("BECKON_FIRST_PASSWORD_LIFETIME", "50h")
        .api_setting("BECKON_RESET_PASSWORD_LIFETIME", "5h");
    let world = World::with(setup).await;
    let (somebody, fresh) = (
        world.person("ada@example.org").await,
        world.person("bob@example.org").await,
    );
    let signed_in = "update users set signed_in_at = now() where id = $1";
    sqlx::query(signed_in).bind(somebody).execute(&world.db).await.unwrap();

    for (user, hours) in [(somebody, 5), (fresh, 50)] {
        let preview = world
            .post("/v1/system-emails/password_reset/preview", json!({ "user": user }))
            .await
            .expect(200);

        // This minute or the one before.
        let moments = "select to_char(now() at time zone 'utc' + make_interval(hours => $1, mins => -late),
                                      'FMDD FMMonth YYYY, HH24:MI \"UTC\"') from generate_series(0, 1) late";
        let moments: Vec<String> = sqlx::query_scalar(moments)
            .bind(hours)
            .fetch_all(&world.db)
            .await
            .unwrap();
        let text = preview["text"].as_str().unwrap();
        assert!(
            moments.iter().any(|moment| text.contains(moment)),
            "{moments:?}\n{text}"
        );
    }
    world.end().await;
}
