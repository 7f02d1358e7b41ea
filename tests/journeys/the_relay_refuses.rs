//! A refusal is final for one recipient and affects no other.

use crate::json;
use harness::World;
use harness::relay::Behaviour;

#[tokio::test]
async fn a_refused_address_is_not_retried_and_affects_no_others() {
    World::run(async |world| {
        let people: String = (1..=30)
            .map(|n| {
                if n % 3 == 0 {
                    format!("550+{n}@example.org\n")
                } else {
                    format!("person{n}@example.org\n")
                }
            })
            .collect();
        let import = world.import(&format!("email\n{people}")).await.expect(201);

        let batch = world.invite(json!({ "import": import["id"] })).await;
        let finished = world.finished(batch).await;

        assert_eq!(finished["counts"]["sent"], 20, "{finished}");
        assert_eq!(finished["counts"]["failed"], 10, "{finished}");
        let refused = world
            .deliveries(batch)
            .await
            .into_iter()
            .find(|line| line["state"] == "failed")
            .unwrap();
        assert_eq!(refused["reason"], "address_unknown", "{refused}");
        let story = world.story(&refused).await;
        assert_eq!(story["attempts"].as_array().map(Vec::len), Some(1), "{story}");
        assert_eq!(story["attempts"][0]["code"], 550, "{story}");
        assert!(
            world.relay.connections() <= 21,
            "{} connections for 30 mails",
            world.relay.connections()
        );
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn a_password_in_a_refused_mail_does_not_work() {
    World::run(async |world| {
        world.person("554-after-dot@example.org").await;

        let batch = world
            .reset_passwords(json!({ "emails": ["554-after-dot@example.org"] }))
            .await;
        let finished = world.finished(batch).await;

        assert_eq!(finished["counts"]["failed"], 1, "{finished}");
        let line = &world.deliveries(batch).await[0];
        assert_eq!(line["reason"], "policy", "{line}");
        let live = world.rows("credentials").count().await;
        assert_eq!(live, 0);
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn a_user_keeps_the_old_password_if_the_next_mail_is_refused() {
    let own = "correct horse battery staple";
    World::run(async |world| {
        let people = ["ada@example.org", "bob@example.org"];
        world
            .import(&format!("email\n{}\n", people.join("\n")))
            .await
            .expect(201);
        let recipients = json!({ "emails": people, "include_recent": true, "include_signed_in": true });
        let first = world.reset_passwords(recipients.clone()).await;
        world.finished(first).await;
        let mails = world.relay.mails_to(people[0]).unwrap();
        let choose = json!({ "email": people[0], "password": mails[0].password(), "new_password": own });
        world.post("/v1/credentials/choose", choose).await.expect(200);
        world.relay.set(people[0], Behaviour::no_such_user());

        let batch = world.reset_passwords(recipients).await;
        let finished = world.finished(batch).await;

        assert_eq!(finished["counts"]["failed"], 1, "{finished}");
        assert_eq!(finished["counts"]["sent"], 1, "{finished}");
        world.sign_in(people[0], own).await;
        let mails = world.relay.mails_to(people[1]).unwrap();
        world.sign_in(people[1], mails[1].password().unwrap()).await;
        let first = world.user_id(people[0]).await;
        let left = world
            .rows("credentials")
            .with("user_id", first)
            .with("kind", "generated");
        assert_eq!(left.count().await, 0, "the password of a refused mail is still there");
        world.assert_promises_kept().await;
    })
    .await;
}
