//! A user whose data produces no valid mail, as may come from a restored or foreign database, fails alone.

use crate::json;
use harness::World;

#[tokio::test]
async fn it_fails_at_once_and_the_others_are_sent() {
    World::run(async |world| {
        let import = world.people(40).await;
        for (email, poison) in [
            ("person7@example.org", json!({ "email": "no address at all" })),
            ("person9@example.org", json!({ "fields": { "team": [1, 2] } })),
            (
                "person11@example.org",
                json!({ "first_name": "Eve\r\nBcc: all@example.org" }),
            ),
        ] {
            let poisoned = world.rows("users").with("email", email).set(poison).await;
            assert_eq!(poisoned, 1, "{email}");
        }

        let batch = world.reset_passwords(json!({ "import": import })).await;
        let finished = world.finished(batch).await;

        assert_eq!(finished["counts"]["sent"], 38, "{finished}");
        assert_eq!(finished["counts"]["failed"], 2, "{finished}");
        for line in world
            .deliveries(batch)
            .await
            .iter()
            .filter(|line| line["state"] == "failed")
        {
            let story = world.story(line).await;
            assert_eq!(story["reason"], "unbuildable", "{story}");
            assert_eq!(story["attempts"].as_array().map(Vec::len), Some(1), "{story}");
        }
        let eve = world.relay.mails_to("person11@example.org").unwrap().remove(0);
        assert_eq!((eve.to.len(), eve.header("Bcc")), (1, None));
        assert!(eve.to_name.starts_with("Eve  Bcc: all"), "{}", eve.to_name);
        let live = world.rows("credentials").count().await;
        assert_eq!(live, 38, "a mail that was never made left a password");
        assert_eq!(world.message_count("beckon.bulk").await, 0);
        assert_eq!(world.workers[0].exit_code(), None);
        world.assert_promises_kept().await;
    })
    .await;
}
