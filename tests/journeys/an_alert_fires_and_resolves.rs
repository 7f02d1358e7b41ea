//! An alert fires in a real Prometheus, agrees with the console, and resolves afterwards.

use crate::json;
use harness::World;
use harness::prometheus::{Prometheus, rules_in_a_hurry};
use shared::store::stall::{self, Cause};
use shared::trouble::WorkerTrouble;

async fn fires(world: &World, prometheus: &Prometheus, alert: &str) {
    let query = format!("ALERTS{{alertname=\"{alert}\",alertstate=\"firing\"}}");
    prometheus.eventually_finds(world, &query).await;
}

async fn is_quiet(world: &World, prometheus: &Prometheus, alert: &str) {
    let query = format!("count(up == 1) > 3 unless on () ALERTS{{alertname=\"{alert}\",alertstate=\"firing\"}}");
    prometheus.eventually_finds(world, &query).await;
}

#[tokio::test]
async fn an_outage_of_the_relay_reads_the_same_in_alert_page_and_database() {
    let (world, prometheus) = Prometheus::over_a_world(&rules_in_a_hurry()).await.unwrap();
    World::run_in(world, async |world| {
        let import = world.people(30).await;
        is_quiet(world, &prometheus, "BeckonRelayUnreachable").await;

        world.relay.pause_listening().await;
        world.relay.hang_up();
        let batch = world.invite(json!({ "import": import })).await;
        world.let_batch_be_late(batch).await;

        for alert in ["BeckonRelayUnreachable", "BeckonLateDeliveries", "BeckonStalled"] {
            fires(world, &prometheus, alert).await;
        }
        let found = stall::find_stall(&world.db).await.unwrap().unwrap();
        assert!(
            matches!(
                found.cause,
                Cause::Trouble {
                    trouble: WorkerTrouble::RelayUnreachable,
                    ..
                }
            ),
            "{found:?}"
        );
        assert_eq!(found.waiting, 30, "{found:?}");

        world.relay.resume_listening().await.unwrap();
        world.finished(batch).await;
        for alert in ["BeckonRelayUnreachable", "BeckonLateDeliveries", "BeckonStalled"] {
            is_quiet(world, &prometheus, alert).await;
        }

        world.put_message("beckon.bulk", "no job").await;
        fires(world, &prometheus, "BeckonJobsParked").await;
    })
    .await;
}
