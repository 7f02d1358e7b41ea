//! The relay answers one mail in twenty at one byte a second. The others do not wait.

use crate::json;
use harness::World;
use harness::relay::{Behaviour, Step};

const PEOPLE: i64 = 200;

/// Number of mails answered so; fewer than there are connections.
const SLOW: i64 = 10;

#[tokio::test]
async fn all_others_are_done_before_the_first_of_them() {
    World::run(async |world| {
        let rows: Vec<String> = (0..PEOPLE)
            .map(|n| {
                let domain = if n % (PEOPLE / SLOW) == 0 { "drip" } else { "quick" };
                format!("person{n}@{domain}.example")
            })
            .collect();
        let import = world.import(&format!("email\n{}\n", rows.join("\n"))).await.expect(201);
        let drips = |address: &str| address.ends_with("@drip.example");
        world.relay.set_where(drips, Behaviour::Trickle { at: Step::Dot });

        let batch = world.invite(json!({ "import": import["id"] })).await;
        let quick = world.until(batch, "sent", PEOPLE - SLOW).await;
        let taken = world.relay.log();
        world.relay.set_where(drips, Behaviour::Accept);
        world.relay.hang_up();
        world.until(batch, "sending", 0).await;
        world.let_pauses_pass().await;
        let finished = world.finished(batch).await;

        assert_eq!(quick["counts"]["sending"], SLOW, "{quick}");
        assert!(
            !taken.iter().any(|mail| drips(&mail.recipient)),
            "one finished before the test could check"
        );
        assert_eq!(finished["counts"]["sent"], PEOPLE, "{finished}");
        world.assert_promises_kept().await;
    })
    .await;
}
