//! Three RabbitMQ nodes: some of them late, partitioned, killed or restarted.

use crate::a_limit_of_deliveries::die_in_a_circle;
use crate::{figure, json};
use harness::broker_cluster::{BrokerCluster, Release};
use harness::stack::Stop;
use harness::world::PATIENCE;
use harness::{HarnessError, Setup, World};
use std::time::{Duration, Instant};
use uuid::Uuid;

const PEOPLE: usize = 2_000;
const QUEUES: usize = 4;

fn usual(brokers: &BrokerCluster) -> Setup {
    Setup::default()
        .workers(2)
        .api_setting("BECKON_MAIL_RATE", "40")
        .on_brokers(&brokers.urls())
}

async fn begin(world: &World) -> Uuid {
    let import = world.people(PEOPLE).await;
    let batch = world.invite(json!({ "import": import })).await;
    world.relay.wait_for(40, PATIENCE).await.unwrap();
    batch
}

/// The time from now until mail flows again: until ten more mails are sent after a moment without any.
async fn until_mail_flows(world: &World, what: &str) -> Duration {
    let began = Instant::now();
    // Mails in progress at that moment are sent within two seconds.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = world.relay.accepted_count();
    world.relay.wait_for(before + 10, 4 * PATIENCE).await.unwrap();
    figure(what, began)
}

/// Asserts that everything was sent, and that every duplicate is recorded as unsure.
async fn ends_well(world: World, batch: Uuid) {
    let finished = world.finished(batch).await;
    assert_eq!(finished["counts"]["sent"], PEOPLE, "{finished}");
    assert_eq!(world.relay.accepted_count(), PEOPLE, "{finished}");
    world.assert_promises_kept().await;
    world.end().await;
}

async fn has_members(brokers: &BrokerCluster, wanted: usize, within: Duration) -> Result<Duration, HarnessError> {
    let began = Instant::now();
    loop {
        let members = brokers.members(0).await?;
        if members.len() == QUEUES && members.iter().all(|(_, members)| *members == wanted) {
            return Ok(began.elapsed());
        }
        if began.elapsed() > within {
            return Err(HarnessError::new(format!("not {wanted} members each: {members:?}")));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// The second and third node join after the API has declared its queues, as in a `StatefulSet`.
async fn late_nodes(release: Release) -> (BrokerCluster, World) {
    let mut brokers = BrokerCluster::strangers(release).await.unwrap();
    brokers.start_node(0).await.unwrap();
    let world = World::with(usual(&brokers)).await;
    has_members(&brokers, 1, Duration::from_secs(20)).await.unwrap();
    for at in 1..3 {
        brokers.start_and_join(at).await.unwrap();
    }
    (brokers, world)
}

#[tokio::test]
#[ignore = "nightly: three nodes"]
async fn queues_declared_on_one_node_are_grown_by_the_command_in_the_readme() {
    let (mut brokers, world) = late_nodes(Release::Installed).await;
    let still = has_members(&brokers, 3, Duration::from_secs(30)).await;
    for at in 1..3 {
        let name = brokers.name(at).to_owned();
        brokers
            .command(0, "rabbitmq-queues", &["grow", &name, "all"])
            .await
            .unwrap();
    }
    let took = has_members(&brokers, 3, Duration::from_secs(30)).await.unwrap();
    println!("figure: 3.10: members after grow: 3 within {took:?}");
    let batch = begin(&world).await;
    brokers.stop_node(0, Stop::Kill).await.unwrap();
    let waited = until_mail_flows(&world, "3.10: the node that declared the queues is killed").await;

    assert!(
        still.is_err(),
        "RabbitMQ 3.10 grows queues automatically; the README states the opposite"
    );
    assert!(waited < Duration::from_secs(30), "{waited:?}");
    ends_well(world, batch).await;
}

#[tokio::test]
#[ignore = "nightly: three nodes of RabbitMQ 4"]
async fn with_rabbitmq_4_queues_declared_on_one_node_grow_within_a_minute() {
    let (mut brokers, world) = late_nodes(Release::Four).await;
    let took = has_members(&brokers, 3, Duration::from_mins(1)).await.unwrap();
    println!("figure: 4: members after the last node joined: 3 within {took:?}");
    let batch = begin(&world).await;
    brokers.stop_node(0, Stop::Kill).await.unwrap();
    let waited = until_mail_flows(&world, "4: the node that declared the queues is killed").await;

    assert!(waited < Duration::from_secs(30), "{waited:?}");
    ends_well(world, batch).await;
}

/// The node that leads the bulk queue is killed.
async fn the_leaders_node_is_killed(release: Release) {
    let mut brokers = BrokerCluster::start(release, &[]).await.unwrap();
    let world = World::with(usual(&brokers)).await;
    let batch = begin(&world).await;
    let leader = brokers.leader_of(0, "beckon.bulk").await.unwrap();
    brokers.stop_node(leader, Stop::Kill).await.unwrap();
    let waited = until_mail_flows(&world, &format!("{release:?}: the leader's node is killed")).await;

    assert!(waited < Duration::from_secs(30), "{waited:?}");
    ends_well(world, batch).await;
}

#[tokio::test]
#[ignore = "nightly: three nodes"]
async fn the_node_of_a_leader_is_killed() {
    the_leaders_node_is_killed(Release::Installed).await;
}

#[tokio::test]
#[ignore = "nightly: three nodes of RabbitMQ 4"]
async fn with_rabbitmq_4_the_node_of_a_leader_is_killed() {
    the_leaders_node_is_killed(Release::Four).await;
}

/// Two of three nodes are down: nothing can be published. Once the second one is back, mail flows.
async fn most_nodes_are_away(release: Release) {
    // Otherwise the remaining node would pause itself, which another test covers.
    let mut brokers = BrokerCluster::start(release, &["cluster_partition_handling = ignore"])
        .await
        .unwrap();
    let world = World::with(usual(&brokers)).await;
    let batch = begin(&world).await;
    for at in 1..3 {
        brokers.stop_node(at, Stop::Kill).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let before = world.relay.accepted_count();
    tokio::time::sleep(Duration::from_secs(15)).await;
    let meanwhile = world.relay.accepted_count() - before;
    brokers.start_node(1).await.unwrap();
    let waited = until_mail_flows(
        &world,
        &format!("{release:?}: two of three nodes away, after the second is back"),
    )
    .await;

    assert_eq!(meanwhile, 0, "a minority carried mail");
    assert!(waited < Duration::from_secs(30), "{waited:?}");
    ends_well(world, batch).await;
}

#[tokio::test]
#[ignore = "nightly: three nodes"]
async fn two_of_three_nodes_are_down() {
    most_nodes_are_away(Release::Installed).await;
}

#[tokio::test]
#[ignore = "nightly: three nodes of RabbitMQ 4"]
async fn with_rabbitmq_4_two_of_three_nodes_are_down() {
    most_nodes_are_away(Release::Four).await;
}

/// The node in use is partitioned from the others.
async fn a_node_is_cut_off(release: Release, handling: &str) {
    let setting = format!("cluster_partition_handling = {handling}");
    let brokers = BrokerCluster::start(release, &[&setting]).await.unwrap();
    let world = World::with(usual(&brokers)).await;
    let batch = begin(&world).await;
    brokers.cut_off(0).await.unwrap();
    let waited = until_mail_flows(&world, &format!("{release:?}: a node is cut off, {handling}")).await;

    assert!(waited < Duration::from_secs(30), "{waited:?}");
    ends_well(world, batch).await;
}

#[tokio::test]
#[ignore = "nightly: three nodes"]
async fn a_partitioned_node_continues() {
    a_node_is_cut_off(Release::Installed, "ignore").await;
}

#[tokio::test]
#[ignore = "nightly: three nodes"]
async fn a_partitioned_node_pauses() {
    a_node_is_cut_off(Release::Installed, "pause_minority").await;
}

#[tokio::test]
#[ignore = "nightly: three nodes of RabbitMQ 4"]
async fn with_rabbitmq_4_a_partitioned_node_continues() {
    a_node_is_cut_off(Release::Four, "ignore").await;
}

#[tokio::test]
#[ignore = "nightly: three nodes of RabbitMQ 4"]
async fn with_rabbitmq_4_a_partitioned_node_pauses() {
    a_node_is_cut_off(Release::Four, "pause_minority").await;
}

/// Each node is restarted in turn while mail flows.
async fn each_is_restarted(release: Release) {
    let mut brokers = BrokerCluster::start(release, &[]).await.unwrap();
    let world = World::with(usual(&brokers)).await;
    let batch = begin(&world).await;
    for at in 0..3 {
        brokers.stop_node(at, Stop::Graceful).await.unwrap();
        let waited = until_mail_flows(&world, &format!("{release:?}: node {at} stopped")).await;
        assert!(waited < Duration::from_secs(30), "{waited:?}");
        brokers.start_node(at).await.unwrap();
    }
    ends_well(world, batch).await;
}

#[tokio::test]
#[ignore = "nightly: three nodes"]
async fn each_node_is_restarted_in_turn() {
    each_is_restarted(Release::Installed).await;
}

#[tokio::test]
#[ignore = "nightly: three nodes of RabbitMQ 4"]
async fn with_rabbitmq_4_each_node_is_restarted_in_turn() {
    each_is_restarted(Release::Four).await;
}

#[tokio::test]
#[ignore = "nightly: RabbitMQ 4"]
async fn with_rabbitmq_4_and_no_policy_workers_are_in_a_crash_loop() {
    let mut brokers = BrokerCluster::strangers(Release::Four).await.unwrap();
    brokers.start_node(0).await.unwrap();
    let mut world = World::with(Setup::default().workers(0).on_brokers(&brokers.url(0))).await;
    let import = world.people(150).await;
    let batch = world.invite(json!({ "import": import })).await;

    die_in_a_circle(&mut world, 26).await;
    world.relay.set_mode(harness::relay::Mode::Normal);
    let began = Instant::now();
    world.start_worker().await.unwrap();
    let finished = world.finished(batch).await;
    let waited = figure(
        "Four, no policy: 26 workers died with their jobs, until the last mail",
        began,
    );

    assert!(waited < Duration::from_secs(30), "{waited:?}");
    assert_eq!(finished["counts"]["sent"], 150, "{finished}");
    world.assert_promises_kept().await;
    world.end().await;
}
