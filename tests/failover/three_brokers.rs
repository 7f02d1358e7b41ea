//! Three RabbitMQ nodes: some of them late, partitioned, killed or restarted.

use crate::a_limit_of_deliveries::{die_in_a_circle, the_relay_is_busy};
use crate::{figure, json};
use harness::broker_cluster::{BrokerCluster, Release};
use harness::prometheus::{Prometheus, rules_in_a_hurry};
use harness::stack::Stop;
use harness::world::PATIENCE;
use harness::{HarnessError, Setup, World};
use std::time::{Duration, Instant};
use uuid::Uuid;

const PEOPLE: usize = 2_000;
const QUEUES: usize = 4;

/// Where the command that grows queues is documented.
const PAGES: [&str; 2] = [
    include_str!("../../deploy/README.md"),
    include_str!("../../deploy/runbooks/BeckonQueueMembersMissing.md"),
];

/// The longest time without mail.
const MAX_OUTAGE: Duration = Duration::from_secs(30);

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

/// The time from a fault until mail flows: until ten more mails are sent, two seconds after it at the earliest, because
/// mails in progress are still sent. A pause that begins later is found by [`ends_well`].
async fn until_mail_flows(world: &World, began: Instant, what: &str) -> Duration {
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = world.relay.accepted_count();
    assert!(
        before + 10 <= PEOPLE,
        "{before} of {PEOPLE} mails were sent before: nothing was measured"
    );
    let flowing = world.relay.wait_for(before + 10, 4 * PATIENCE).await;
    assert!(flowing.is_ok(), "{flowing:?}\n{}", world.logs());
    figure(what, began)
}

/// Asserts that everything was sent without a pause of this length, and that every duplicate is recorded as unsure.
async fn ends_well(world: World, batch: Uuid, max_pause: Duration) {
    let finished = world.finished(batch).await;
    let transactions = world.relay.log();
    let mut times: Vec<Duration> = transactions
        .iter()
        .filter(|one| one.kept)
        .map(|one| one.after)
        .collect();
    times.sort_unstable();
    let pauses = times.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
    let longest = pauses.max().unwrap_or_default();
    println!("figure: the longest pause between two mails: {longest:.1?}");
    assert!(longest < max_pause, "{longest:?}");
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

/// The documented command that gives each queue a member on this node.
fn grow_command(node: &str) -> Vec<String> {
    let commands = PAGES.map(|page| {
        let at = page.find("rabbitmq-queues grow").unwrap();
        page[at..].split(['`', '\n']).next().unwrap()
    });
    assert_eq!(commands[0], commands[1], "README and runbook differ");
    let words = commands[0].split_whitespace().skip(1);
    words
        .map(|word| word.replace("rabbit@rabbitmq-2", node).replace('\'', ""))
        .collect()
}

/// A series for each queue and node that has a member of it.
const TERMS: &str = r#"rabbitmq_detailed_raft_term_total{queue=~"beckon[.].*"}"#;
const NODES_UP: &str = r#"count(up{job="rabbitmq"} == 1)"#;
const ALERTS: &str = r#"ALERTS{alertname="BeckonQueueMembersMissing",alertstate="firing",vhost="beckon"}"#;

/// Waits until the shipped alert on missing members fires for this many queues, according to the metrics of all nodes.
///
/// A failure prints what Prometheus has, what each node answers, and how long each scrape takes.
async fn alert_fires(brokers: &BrokerCluster, prometheus: &Prometheus, queues: usize) {
    let members = format!("count(count by (vhost, queue) ({TERMS}) == 3)");
    let query = match queues {
        0 => format!("{members} == {QUEUES} and on () {NODES_UP} == 3 unless on () {ALERTS}"),
        queues => format!("count({ALERTS}) == {queues}"),
    };
    let deadline = Instant::now() + PATIENCE;
    while !prometheus.query(&query).await.is_ok_and(|found| !found.is_empty()) {
        let is_late = Instant::now() > deadline;
        let reported = if is_late {
            reported_members(brokers, prometheus, &[&members]).await
        } else {
            String::new()
        };
        assert!(!is_late, "not within {PATIENCE:?}: {query}\n{reported}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// The parts of the alert as Prometheus has them, and the metrics of each node about members.
async fn reported_members(brokers: &BrokerCluster, prometheus: &Prometheus, queries: &[&str]) -> String {
    let mut lines = Vec::new();
    let scrapes = r#"scrape_duration_seconds{job=~"rabbitmq.*"}"#;
    let parts = [r#"up{job=~"rabbitmq.*"}"#, scrapes, NODES_UP, TERMS, ALERTS];
    for query in parts.iter().chain(queries) {
        let found = prometheus.query(query).await;
        lines.push(format!("{query}: {found:?}"));
    }
    for address in brokers.figures() {
        for path in ["metrics", "metrics/detailed?family=ra_metrics"] {
            let began = Instant::now();
            let url = format!("http://{address}/{path}");
            let read = tokio::time::timeout(Duration::from_secs(10), page(&url)).await;
            let read = read.unwrap_or_else(|_| "no answer".to_owned());
            lines.push(format!("{url} after {:.1?}: {read}", began.elapsed()));
        }
    }
    lines.join("\n")
}

/// The status of a page of metrics, and its lines about Raft terms; of an error, the beginning.
async fn page(url: &str) -> String {
    let answer = match reqwest::get(url).await {
        Ok(answer) => answer,
        Err(fault) => return fault.to_string(),
    };
    let status = answer.status();
    let text = answer.text().await.unwrap_or_default();
    let kept: String = if status.is_success() {
        let about = text.lines().filter(|line| line.contains("raft_term"));
        about.collect::<Vec<_>>().join("\n  ")
    } else {
        text.chars().take(2_000).collect()
    };
    format!("{status}\n  {kept}")
}

#[tokio::test]
#[ignore = "nightly: three nodes"]
async fn queues_declared_on_one_node_are_grown_by_the_command_in_the_readme() {
    let (mut brokers, world) = late_nodes(Release::Installed).await;
    let prometheus = Prometheus::over_brokers(&world, brokers.figures(), &rules_in_a_hurry())
        .await
        .unwrap();
    let still = has_members(&brokers, 3, Duration::from_secs(30)).await;
    alert_fires(&brokers, &prometheus, QUEUES).await;
    for at in 1..3 {
        let command = grow_command(brokers.name(at));
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        brokers.command(0, "rabbitmq-queues", &words).await.unwrap();
    }
    let took = has_members(&brokers, 3, Duration::from_secs(30)).await.unwrap();
    println!("figure: 3.10: members after grow: 3 within {took:?}");
    alert_fires(&brokers, &prometheus, 0).await;
    let batch = begin(&world).await;
    let began = Instant::now();
    brokers.stop_node(0, Stop::Kill).await.unwrap();
    let waited = until_mail_flows(&world, began, "3.10: the node that declared the queues is killed").await;

    assert!(
        still.is_err(),
        "RabbitMQ 3.10 grows queues automatically; the README states the opposite"
    );
    assert!(waited < MAX_OUTAGE, "{waited:?}");
    ends_well(world, batch, MAX_OUTAGE).await;
}

#[tokio::test]
#[ignore = "nightly: three nodes of RabbitMQ 4"]
async fn with_rabbitmq_4_queues_declared_on_one_node_grow_within_a_minute() {
    let (mut brokers, world) = late_nodes(Release::Four).await;
    let took = has_members(&brokers, 3, Duration::from_mins(1)).await.unwrap();
    println!("figure: 4: members after the last node joined: 3 within {took:?}");
    let prometheus = Prometheus::over_brokers(&world, brokers.figures(), &rules_in_a_hurry())
        .await
        .unwrap();
    alert_fires(&brokers, &prometheus, 0).await;
    let batch = begin(&world).await;
    let began = Instant::now();
    brokers.stop_node(0, Stop::Kill).await.unwrap();
    let waited = until_mail_flows(&world, began, "4: the node that declared the queues is killed").await;

    assert!(waited < MAX_OUTAGE, "{waited:?}");
    ends_well(world, batch, MAX_OUTAGE).await;
}

/// The node that leads the bulk queue is killed.
async fn the_leaders_node_is_killed(release: Release) {
    let mut brokers = BrokerCluster::start(release, &[]).await.unwrap();
    let world = World::with(usual(&brokers)).await;
    let batch = begin(&world).await;
    let leader = brokers.leader_of(0, "beckon.bulk").await.unwrap();
    let began = Instant::now();
    brokers.stop_node(leader, Stop::Kill).await.unwrap();
    let waited = until_mail_flows(&world, began, &format!("{release:?}: the leader's node is killed")).await;

    assert!(waited < MAX_OUTAGE, "{waited:?}");
    ends_well(world, batch, MAX_OUTAGE).await;
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
    let began = Instant::now();
    brokers.start_node(1).await.unwrap();
    let waited = until_mail_flows(
        &world,
        began,
        &format!("{release:?}: two of three nodes away, after the second is back"),
    )
    .await;

    assert_eq!(meanwhile, 0, "a minority carried mail");
    assert!(waited < MAX_OUTAGE, "{waited:?}");
    // The outage itself lasted twenty seconds and the start of a node.
    ends_well(world, batch, 3 * MAX_OUTAGE).await;
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
    let began = Instant::now();
    brokers.cut_off(0).await.unwrap();
    let waited = until_mail_flows(&world, began, &format!("{release:?}: a node is cut off, {handling}")).await;

    assert!(waited < MAX_OUTAGE, "{waited:?}");
    ends_well(world, batch, MAX_OUTAGE).await;
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
        let began = Instant::now();
        brokers.stop_node(at, Stop::Graceful).await.unwrap();
        let waited = until_mail_flows(&world, began, &format!("{release:?}: node {at} stopped")).await;
        assert!(waited < MAX_OUTAGE, "{waited:?}");
        brokers.start_node(at).await.unwrap();
    }
    ends_well(world, batch, MAX_OUTAGE).await;
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
    World::run_with(Setup::default().workers(0).on_brokers(&brokers.url(0)), async |world| {
        let import = world.people(150).await;
        let batch = world.invite(json!({ "import": import })).await;

        die_in_a_circle(world, 26).await;
        world.relay.set_mode(harness::relay::Mode::Normal);
        let began = Instant::now();
        world.start_worker().await.unwrap();
        let finished = world.finished(batch).await;
        let waited = figure(
            "Four, no policy: 26 workers died with their jobs, until the last mail",
            began,
        );

        assert!(waited < MAX_OUTAGE, "{waited:?}");
        assert_eq!(finished["counts"]["sent"], 150, "{finished}");
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
#[ignore = "nightly: RabbitMQ 4"]
async fn with_rabbitmq_4_and_no_policy_twelve_workers_return_jobs() {
    let mut brokers = BrokerCluster::strangers(Release::Four).await.unwrap();
    brokers.start_node(0).await.unwrap();
    let world = World::with(Setup::default().workers(0).on_brokers(&brokers.url(0))).await;
    the_relay_is_busy(world, 4_500, 12).await;
}
