//! No user is mailed twice unless requested, and users left out are counted.

use crate::json;
use harness::{Setup, World};
use std::time::Duration;
use uuid::Uuid;

#[tokio::test]
async fn users_waiting_for_the_same_mail_are_left_out() {
    World::run_with(Setup::default().workers(0), async |world| {
        let import = world.people(3).await;
        let two = json!({ "emails": ["person1@example.org", "person2@example.org"], "hold_seconds": 600 });
        world.invite(two).await;

        let invites = world
            .post(
                "/v1/invites",
                json!({ "import": import, "include_recent": true, "hold_seconds": 600 }),
            )
            .await
            .expect(202);
        let passwords = world
            .post("/v1/password-resets", json!({ "import": import, "hold_seconds": 600 }))
            .await
            .expect(202);

        assert_eq!(invites["selected"], 3, "{invites}");
        assert_eq!(invites["accepted"], 1, "{invites}");
        assert_eq!(invites["left_out"], json!({ "already_waiting": 2 }), "{invites}");
        assert_eq!(
            passwords["accepted"], 3,
            "another kind of mail waits for no user: {passwords}"
        );
        assert_eq!(passwords["left_out"], json!({}), "{passwords}");
        let batch: Uuid = invites["batch"].as_str().unwrap().parse().unwrap();
        let shown = world.batch(batch).await;
        assert_eq!(shown["left_out"], json!({ "already_waiting": 2 }), "{shown}");
        assert_eq!(shown["counts"]["left_out"], 2, "{shown}");
        let file = world.get(&format!("/v1/batches/{batch}/deliveries.csv")).await.text;
        let listed = file
            .lines()
            .filter(|line| line.contains(",\"left_out\",\"already_waiting\","));
        assert_eq!(listed.count(), 2, "{file}");
        world.assert_sums().await;
    })
    .await;
}

#[tokio::test]
async fn users_who_got_the_same_mail_within_a_day_are_left_out_unless_included() {
    World::run(async |world| {
        let import = world.people(3).await;
        let first = world.invite(json!({ "emails": ["person1@example.org"] })).await;
        world.finished(first).await;

        let left_out = world.post("/v1/invites", json!({ "import": import })).await.expect(202);
        let batch = left_out["batch"].as_str().unwrap().parse().unwrap();
        world.finished(batch).await;
        let response = world.post("/v1/invites", json!({ "import": import })).await.expect(202);
        let asked_for = world
            .invite(json!({ "emails": ["person1@example.org"], "include_recent": true }))
            .await;
        world.finished(asked_for).await;
        world
            .rows("last_sent")
            .age(&["sent_at"], Duration::from_hours(25))
            .await;
        let a_day_later = world.invite(json!({ "import": import })).await;
        let finished = world.finished(a_day_later).await;

        assert_eq!(left_out["accepted"], 2, "{left_out}");
        assert_eq!(left_out["left_out"], json!({ "mailed_recently": 1 }), "{left_out}");
        assert_eq!(response["accepted"], 0, "{response}");
        assert_eq!(response["left_out"], json!({ "mailed_recently": 3 }), "{response}");
        let empty = world.batch(response["batch"].as_str().unwrap().parse().unwrap()).await;
        assert_eq!(empty["state"], "finished", "{empty}");
        assert_eq!(finished["counts"]["sent"], 3, "{finished}");
        assert_eq!(world.relay.mails_to("person1@example.org").unwrap().len(), 3);
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn users_who_have_signed_in_are_left_out_of_either_email_unless_included() {
    World::run(async |world| {
        let import = world.people(3).await;
        let first = world
            .reset_passwords(json!({ "emails": ["person1@example.org"] }))
            .await;
        world.finished(first).await;
        let mails = world.relay.mails_to("person1@example.org").unwrap();
        world.sign_in("person1@example.org", mails[0].password().unwrap()).await;

        for route in ["/v1/invites", "/v1/password-resets"] {
            let mut recipients = json!({ "import": import, "include_recent": true });
            let usual = world.post(route, recipients.clone()).await.expect(202);
            let batch: Uuid = usual["batch"].as_str().unwrap().parse().unwrap();
            world.finished(batch).await;
            recipients["include_signed_in"] = json!(true);
            let response = world.post(route, recipients).await.expect(202);
            let sent: Uuid = response["batch"].as_str().unwrap().parse().unwrap();
            world.finished(sent).await;

            assert_eq!(usual["accepted"], 2, "{usual}");
            assert_eq!(usual["left_out"], json!({ "signed_in": 1 }), "{usual}");
            let file = world.get(&format!("/v1/batches/{batch}/deliveries.csv")).await.text;
            assert!(file.contains("Left out: Has already signed in"), "{file}");
            assert_eq!(response["accepted"], 3, "{response}");
            sending_again_asks_too(world, sent).await;
        }
        world.assert_promises_kept().await;
    })
    .await;
}

/// Sends a batch again that went to three users, one of whom has signed in.
async fn sending_again_asks_too(world: &World, batch: Uuid) {
    let path = format!("/v1/batches/{batch}/send-again");
    let mut recipients = json!({ "outcomes": ["sent"], "include_recent": true });
    let usual = world.post(&path, recipients.clone()).await.expect(202);
    world.finished(usual["batch"].as_str().unwrap().parse().unwrap()).await;
    recipients["include_signed_in"] = json!(true);
    let response = world.post(&path, recipients).await.expect(202);
    world
        .finished(response["batch"].as_str().unwrap().parse().unwrap())
        .await;

    assert_eq!(usual["left_out"], json!({ "signed_in": 1 }), "{usual}");
    assert_eq!(response["accepted"], 3, "{response}");
}

#[tokio::test]
async fn users_with_five_unused_passwords_get_no_sixth() {
    World::run(async |world| {
        world.person("ada@example.org").await;
        world.person("bob@example.org").await;
        let recipients = json!({ "emails": ["ada@example.org", "bob@example.org"], "include_recent": true });
        for n in 1..=5 {
            let ada = json!({ "emails": ["ada@example.org"], "include_recent": true });
            let batch = world.reset_passwords(ada).await;
            world.until(batch, "sent", 1).await;
            assert_eq!(world.relay.accepted_count(), n);
        }

        let sixth = world.post("/v1/password-resets", recipients.clone()).await.expect(202);
        let batch = sixth["batch"].as_str().unwrap().parse().unwrap();
        world.finished(batch).await;
        let mails = world.relay.mails_to("ada@example.org").unwrap();
        // The first of the five passwords works as well as the last.
        world.sign_in("ada@example.org", mails[0].password().unwrap()).await;
        let seventh = world.post("/v1/password-resets", recipients).await.expect(202);
        let again = world
            .post(
                "/v1/password-resets",
                json!({ "emails": ["ada@example.org"], "include_recent": true, "include_signed_in": true }),
            )
            .await
            .expect(202);

        assert_eq!(sixth["accepted"], 1, "{sixth}");
        assert_eq!(sixth["left_out"], json!({ "too_many_passwords": 1 }), "{sixth}");
        assert_eq!(mails.len(), 5);
        assert_eq!(
            seventh["left_out"],
            json!({ "too_many_passwords": 1 }),
            "a reason that can be waived comes last: {seventh}"
        );
        assert_eq!(
            again["left_out"],
            json!({ "too_many_passwords": 1 }),
            "one that was used still works and counts: {again}"
        );
        for batch in [seventh, again] {
            world.finished(batch["batch"].as_str().unwrap().parse().unwrap()).await;
        }
        world.assert_promises_kept().await;
    })
    .await;
}
