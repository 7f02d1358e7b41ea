//! The main path: an invite batch without faults.

use crate::json;
use harness::world::PATIENCE;
use harness::{Setup, World};
use std::collections::BTreeSet;

#[tokio::test]
async fn an_invite_arrives() {
    World::run(async |world| {
        world.person("ada@example.org").await;

        let batch = world.invite(json!({ "emails": ["Ada@EXAMPLE.org"] })).await;
        world.relay.wait_for(1, PATIENCE).await.unwrap();
        let finished = world.finished(batch).await;

        assert_eq!(finished["counts"]["sent"], 1, "{finished}");
        let mails = world.relay.mails_to("ada@example.org").unwrap();
        let mail = &mails[0];
        assert_eq!(mail.from, "invites@lerna.example");
        assert!(mail.subject.contains("Lerna Academy"), "{}", mail.subject);
        assert!(mail.text.contains("Ada") && mail.html.contains("Ada"), "{}", mail.text);
        assert!(mail.text.contains("https://lerna.example/sign-in"), "{}", mail.text);
        assert_eq!(mail.header("Auto-Submitted"), Some("auto-generated"));
        let delivery = &world.deliveries(batch).await[0];
        assert_eq!(mail.header("X-Beckon-Delivery"), delivery["id"].as_str());
        assert_eq!(mail.header("X-Beckon-Batch"), Some(batch.to_string().as_str()));
        let story = world.story(delivery).await;
        assert_eq!(story["attempts"][0]["verdict"], "accepted", "{story}");
        assert_eq!(story["attempts"][0]["code"], 250, "{story}");
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn the_sign_in_address_is_in_the_mail_as_configured() {
    let address = "https://lerna.example/in/?next=%2Fhome&lang=de#top";
    let setup = Setup::default().worker_setting("BECKON_SIGN_IN_URL", address);
    World::run_with(setup, async |world| {
        world.person("ada@example.org").await;

        let batch = world.invite(json!({ "emails": ["ada@example.org"] })).await;
        world.finished(batch).await;

        let mail = world.relay.mails_to("ada@example.org").unwrap().remove(0);
        assert!(
            mail.text.split_whitespace().any(|word| word == address),
            "{}",
            mail.text
        );
        let link = format!("href=\"{}\"", address.replace('&', "&amp;"));
        assert!(mail.html.contains(&link), "{}", mail.html);
    })
    .await;
}

#[tokio::test]
async fn every_user_of_a_large_batch_gets_one_mail() {
    const PEOPLE: usize = 8_000;
    World::run(async |world| {
        let import = world.people(PEOPLE).await;

        let batch = world.invite(json!({ "import": import })).await;
        // As long as mails go out; the end of the batch is awaited below.
        let mut taken = 0;
        while taken < PEOPLE {
            taken = world.relay.wait_for(taken + 1, PATIENCE).await.unwrap().accepted;
        }
        let finished = world.finished(batch).await;

        assert_eq!(finished["counts"]["sent"], PEOPLE, "{finished}");
        assert_eq!(world.relay.accepted_count(), PEOPLE);
        let different: BTreeSet<String> = world.relay.log().into_iter().map(|mail| mail.recipient).collect();
        assert_eq!(different.len(), PEOPLE);
        world.assert_promises_kept().await;
    })
    .await;
}
