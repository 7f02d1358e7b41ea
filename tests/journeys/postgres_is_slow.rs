//! Every answer of Postgres takes seconds: requests soon get an answer, and no claim is lost.

use crate::json;
use harness::World;
use harness::relay::Behaviour;
use harness::{Setup, world::PATIENCE};
use std::time::{Duration, Instant};

/// Latency in each direction.
const SLOW: Duration = Duration::from_millis(2_500);

/// A caller gets an answer within this time. Acquiring a connection takes up to five seconds, and a request runs a few
/// queries.
const HEARD: Duration = Duration::from_secs(45);

#[tokio::test]
async fn more_callers_than_connections_get_retry_after() {
    World::run_with(Setup::default().workers(0), async |world| {
        let (proxy, url) = world.detour("DATABASE_URL").await;
        let api = world.another_api(&[("DATABASE_URL", &url)]).await.unwrap();
        world.turn_to(&api.base, &api.probes);
        world.get("/v1/batches").await.expect(200);

        proxy.latency(SLOW);
        let began = Instant::now();
        let asked = (0..24).map(|_| async {
            let answer = world.get("/v1/batches").await;
            (answer.status, answer.text, began.elapsed())
        });
        let answers = futures_util::future::join_all(asked).await;
        let alive = world.probe("/healthz").await.status;
        proxy.restore().await.unwrap();
        let later = world.get("/v1/batches").await;

        let refused: Vec<&(u16, String, Duration)> = answers.iter().filter(|answer| answer.0 == 503).collect();
        assert!(
            answers
                .iter()
                .all(|answer| matches!(answer.0, 200 | 503) && answer.2 < HEARD),
            "{answers:?}"
        );
        assert!(refused.len() >= 12, "{answers:?}");
        assert!(
            refused.iter().any(|answer| answer.2 < Duration::from_secs(8)),
            "{refused:?}"
        );
        assert!(
            refused.iter().all(|answer| answer.1.contains("/problems/unavailable")),
            "{refused:?}"
        );
        assert_eq!((alive, later.status), (200, 200), "{}", later.text);
        drop(api);
    })
    .await;
}

/// Latency in each direction. A connection is then open after two and a half seconds, half the time to acquire one.
const ANSWER: Duration = Duration::from_millis(250);

/// Longer than a claim and its first renewal take with a new connection each, and shorter than the relay's answer to
/// the final dot.
const LEASE: &str = "12s";

#[tokio::test]
async fn leases_are_renewed_in_time() {
    World::run_with(Setup::default().workers(0), async |world| {
        world.person("slow-dot-20s@example.org").await;
        let (proxy, url) = world.detour("DATABASE_URL").await;
        let own = [("DATABASE_URL", url.as_str()), ("BECKON_LEASE", LEASE)];
        world.start_worker_with(&own).await.unwrap();
        proxy.latency(ANSWER);

        let batch = world
            .reset_passwords(json!({ "emails": ["slow-dot-20s@example.org"] }))
            .await;
        world.relay.wait_for(1, PATIENCE).await.unwrap();
        let finished = world.finished(batch).await;

        assert_eq!(finished["counts"]["sent"], 1, "{finished}");
        assert_eq!(finished["counts"]["unsure"], 0, "{finished}");
        world.relay.set_default(Behaviour::Accept);
        assert_eq!(world.relay.accepted_count(), 1);
        world.assert_promises_kept().await;
    })
    .await;
}
