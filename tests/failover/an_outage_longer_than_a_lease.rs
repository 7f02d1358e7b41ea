//! Postgres is down for longer than a lease while workers have unrecorded outcomes: no mail is sent twice.

use crate::json;
use harness::relay::Behaviour;
use harness::stack::Stop;
use harness::world::PATIENCE;
use harness::{Setup, World};
use std::time::Duration;

const PEOPLE: usize = 400;
const ROUNDS: usize = 10;
/// The default lease of a world is 3 s.
const AWAY: Duration = Duration::from_secs(8);

#[tokio::test]
#[ignore = "nightly: ten rounds of half a minute"]
async fn ten_rounds_send_no_second_mail() {
    World::run_with(Setup::default().own_stack().workers(3), async |world| {
        let import = world.people(PEOPLE).await;
        world.relay.set_default(Behaviour::SlowDot(Duration::from_millis(300)));
        let mut second_mails = Vec::new();
        for round in 1..=ROUNDS {
            let before = world.relay.accepted_count();
            let batch = world.invite(json!({ "import": import, "include_recent": true })).await;
            world.relay.wait_for(before + 60, PATIENCE).await.unwrap();
            let how = if round % 2 == 0 { Stop::Kill } else { Stop::Graceful };
            world.stack().stop_postgres(how).await.unwrap();
            tokio::time::sleep(AWAY).await;
            world.stack().start_postgres().await.unwrap();
            let finished = world.finished(batch).await;
            assert_eq!(finished["counts"]["sent"], PEOPLE, "{finished}");
            second_mails.push(world.relay.accepted_count() - before - PEOPLE);
        }
        println!("figure: Postgres away for {AWAY:?}, lease 3 s, second mails in ten rounds: {second_mails:?}");
        assert_eq!(second_mails, vec![0; ROUNDS]);
        world.assert_promises_kept().await;
    })
    .await;
}
