//! The shipped emails as other programs see them after delivery: spam filters, and verifiers of signatures.

use crate::{json, send_to, world};
use harness::World;
use harness::mail_servers::{Exim, Postfix, spam_score, verify_dkim};
use harness::world::PATIENCE;

/// Most points of an email; 5 is spam.
const MAX_SPAM_POINTS: f64 = 0.5;

/// Exim signs them, and Postfix delivers them. Names in other scripts and of any length are in their headers.
#[tokio::test]
#[ignore = "make mail-servers: needs root and Debian's mail servers"]
async fn shipped_emails_are_no_spam_and_keep_their_signature() {
    World::run_in(world().await, async |world| {
        let postfix = Postfix::start(world.relay.address(), &[], &[&[]]).await.unwrap();
        let exim = Exim::start(postfix.address(0), None).await.unwrap();
        let key = exim.public_key();
        send_to(world, &exim.url()).await;
        let long = "Wolfeschlegelsteinhausenbergerdorff ".repeat(3);
        let csv = format!(
            "email,first_name,last_name\nada@example.org,Ada,Lovelace\nzoe@example.org,Zoë,Åström\n\
             haruko@example.org,春子,山田\nhubert@example.org,Hubert,{long}\n"
        );
        let import = world.import(&csv).await.expect(201)["id"].clone();

        for batch in [
            world.invite(json!({ "import": import })).await,
            world.reset_passwords(json!({ "import": import })).await,
        ] {
            let finished = world.finished(batch).await;
            assert_eq!(finished["counts"]["sent"], 4, "{finished}");
        }
        world.relay.wait_for(8, PATIENCE).await.unwrap();

        for transaction in world.relay.log() {
            let message = transaction.message.unwrap();
            let result = verify_dkim(&message, &key).await.unwrap();
            let mut altered = message.to_vec();
            altered.extend_from_slice(b"One more line.\r\n");
            let of_altered = verify_dkim(&altered, &key).await.unwrap();
            let score = spam_score(&message).await.unwrap();
            let text = String::from_utf8_lossy(&message);
            let subject = text
                .lines()
                .find(|line| line.starts_with("Subject:"))
                .unwrap_or_default();
            println!(
                "figure: {subject}, to {}: {} points ({}), DKIM {result}",
                transaction.recipient, score.points, score.rules
            );
            assert!(score.points <= MAX_SPAM_POINTS, "{score:?}\n{text}");
            assert_eq!(result, "pass", "{text}");
            assert!(of_altered.starts_with("fail"), "{of_altered}");
            let encoded = text.lines().filter(|line| line.contains("=?"));
            assert!(
                encoded.clone().all(|line| line.len() <= 76),
                "{:?}",
                encoded.collect::<Vec<_>>()
            );
        }
    })
    .await;
}
