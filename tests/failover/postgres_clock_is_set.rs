//! The clock of the machine on which Postgres runs is set forward and back by a day, while mails are sent and programs
//! die.

use crate::postgres_moves::Moving;
use harness::Setup;
use harness::replicated::Replicated;
use std::time::Duration;

/// The longest time without mail.
const MAX_PAUSE: Duration = Duration::from_secs(20);

#[tokio::test]
#[ignore = "nightly: a minute"]
async fn mail_flows_while_the_clock_of_postgres_is_set_and_programs_die() {
    let servers = Replicated::start_with_clock().await.unwrap();
    let setup = Setup::default()
        .workers(2)
        .api_setting("BECKON_MAIL_RATE", "50")
        .worker_setting("BECKON_LEASE", "20s");
    let mut moving = Moving::start_on(servers, setup).await;
    let batch = moving.begin().await;

    for difference in ["+1d", "-1d", "+2h", "-1h", "+0"] {
        moving.servers.set_clock(difference).unwrap();
        // Long enough for sweeps and renewals by the new clock.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let waited = moving
            .next_mail(&format!("clock of Postgres {difference}, until the next mail"))
            .await;
        assert!(waited < MAX_PAUSE, "{difference}: {waited:?}");
    }
    // The turn and the claims of those who die now end a day later by the new clock.
    moving.servers.set_clock("-1d").unwrap();
    moving.world.kill_worker(0).await;
    moving.world.kill_api().await;
    let standby = moving.world.another_api(&[]).await.unwrap();
    moving.world.turn_to(&standby.base, &standby.probes);
    let waited = moving
        .next_mail("clock of Postgres set back, dispatcher killed, until the next mail")
        .await;
    let logs = moving.world.logs();

    assert!(waited < MAX_PAUSE, "{waited:?}");
    assert!(logs.contains("The clock of Postgres jumped"), "{logs}");
    let finished = moving.world.finished(batch).await;
    assert_eq!(finished["counts"]["sent"], 1_500, "{finished}");
    moving.world.assert_promises_kept().await;
    drop(standby);
}
