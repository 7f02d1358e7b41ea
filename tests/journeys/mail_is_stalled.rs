//! When mail waits for a problem that an administrator may have to fix, Beckon reports the cause and its start.

use crate::json;
use api::app::stall_banner::StallBanner;
use harness::relay::{Behaviour, Step};
use harness::{Setup, World};
use shared::store::stall::{self, Cause, Stall};
use shared::store::workers;
use shared::trouble::WorkerTrouble;
use time::Duration;

/// No server listens there.
const NOWHERE: &str = "smtp://127.0.0.1:1?tls=none";

/// So slow that a small batch lasts long: it waits, but nothing is wrong.
const SLOWLY: (&str, &str) = ("BECKON_MAIL_RATE", "2");

async fn find_stall(world: &World) -> Option<Stall> {
    stall::find_stall(&world.db).await.unwrap()
}

async fn stalled(world: &World, wish: &str, is_it: impl Fn(&Stall) -> bool) -> Stall {
    world
        .eventually(wish, async || find_stall(world).await.filter(|stall| is_it(stall)))
        .await
}

async fn moves_again(world: &World) {
    world
        .eventually("mail to move again", async || {
            find_stall(world).await.is_none().then_some(())
        })
        .await;
}

/// Ages the last reports of workers and dispatcher by half a minute.
async fn silence_passes(world: &World) {
    for table in ["workers", "dispatching"] {
        world
            .rows(table)
            .age(&["seen_at"], std::time::Duration::from_secs(30))
            .await;
    }
}

fn trouble(stall: &Stall) -> Option<(WorkerTrouble, i64, i64)> {
    match stall.cause {
        Cause::Trouble {
            trouble,
            troubled,
            live,
            ..
        } => Some((trouble, troubled, live)),
        Cause::NoWorker | Cause::NoDispatch | Cause::Held => None,
    }
}

#[tokio::test]
async fn an_outage_of_the_relay_is_reported_until_it_ends() {
    World::run_with(Setup::default().api_setting(SLOWLY.0, SLOWLY.1), async |world| {
        let import = world.people(200).await;
        world.relay.pause_listening().await;
        world.relay.hang_up();
        let before = world.now().await;

        let batch = world.invite(json!({ "import": import })).await;
        let found = stalled(world, "the outage to be reported", |_| true).await;
        let after = world.now().await;

        assert_eq!(
            trouble(&found),
            Some((WorkerTrouble::RelayUnreachable, 1, 1)),
            "{found:?}"
        );
        assert_eq!(found.waiting, 200, "{found:?}");
        let since = found.since.unwrap();
        assert!(
            before < since && since + Duration::seconds(5) <= after,
            "{before} {since} {after}"
        );

        // A paused batch waits only for the administrator, so it is not stalled.
        world.post(&format!("/v1/batches/{batch}/pause"), json!({})).await;
        assert_eq!(find_stall(world).await, None);
        world.post(&format!("/v1/batches/{batch}/resume"), json!({})).await;
        let again = stalled(world, "the outage to be reported again", |_| true).await;
        let drift = again.since.unwrap() - since;
        assert!(drift.abs() < Duration::seconds(1), "{since} became {again:?}");

        world.relay.resume_listening().await.unwrap();
        moves_again(world).await;
        let waiting = world.count(batch, "waiting").await + world.count(batch, "retrying").await;
        assert!(waiting > 0, "the batch finished before the test could check");

        world.post(&format!("/v1/batches/{batch}/stop"), json!({})).await;
        world.finished(batch).await;
        assert_eq!(find_stall(world).await, None);
    })
    .await;
}

#[tokio::test]
async fn a_used_up_quota_is_named_and_a_resume_is_noticed() {
    World::run(async |world| {
        let words = "550 5.4.5 Daily user sending quota exceeded";
        world.relay.set_default(Behaviour::answer(Step::Dot, words));
        let import = world.people(10).await;

        let batch = world.invite(json!({ "import": import })).await;
        let found = stalled(world, "the used-up quota to be reported", |_| true).await;
        let before = workers::last_resumed(&world.db).await.unwrap();
        for action in ["pause", "resume"] {
            let path = format!("/v1/batches/{batch}/{action}");
            world.post(&path, json!({})).await.expect(200);
        }
        let after = workers::last_resumed(&world.db).await.unwrap();

        assert_eq!(
            trouble(&found),
            Some((WorkerTrouble::RelayAsksToWait, 1, 1)),
            "{found:?}"
        );
        let shown = StallBanner::of(found);
        assert!(
            shown.cause.ends_with("refusing further email from our account"),
            "{shown:?}"
        );
        assert_eq!(shown.reply.as_deref(), Some("550 5.4.5 (quota, at dot)"));
        assert!(after > before, "{before:?} {after:?}");

        world.post(&format!("/v1/batches/{batch}/stop"), json!({})).await;
    })
    .await;
}

#[tokio::test]
async fn without_waiting_emails_nothing_is_reported() {
    World::run(async |world| {
        let ada = world.person("ada@example.org").await;
        let batch = world.invite(json!({ "users": [ada] })).await;
        world.finished(batch).await;

        world.kill_worker(0).await;
        silence_passes(world).await;
        assert_eq!(find_stall(world).await, None);

        let held = world
            .invite(json!({ "users": [ada], "include_recent": true, "hold_seconds": 600 }))
            .await;
        assert_eq!(find_stall(world).await, None);
        world.post(&format!("/v1/batches/{held}/stop"), json!({})).await;
    })
    .await;
}

#[tokio::test]
async fn missing_workers_are_reported_until_one_runs() {
    World::run_with(Setup::default().workers(2), async |world| {
        let import = world.people(30).await;
        world.kill_worker(0).await;
        world.stop_worker(0).await;
        let stopped = world.now().await;
        let batch = world.invite(json!({ "import": import })).await;
        // The worker stopped a moment ago, so another may be starting.
        assert_eq!(find_stall(world).await, None);

        silence_passes(world).await;
        let found = stalled(world, "the missing workers to be reported", |_| true).await;

        assert_eq!(found.cause, Cause::NoWorker);
        assert_eq!(found.waiting, 30);
        let since = found.since.unwrap() + Duration::seconds(30);
        assert!(
            (stopped - since).abs() < Duration::seconds(5),
            "{since}, and stopped {stopped}"
        );

        world.start_worker().await.unwrap();
        moves_again(world).await;
        let finished = world.finished(batch).await;
        assert_eq!(finished["counts"]["sent"], 30, "{finished}");
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn one_worker_in_trouble_is_one_of_two() {
    let setup = Setup::default().workers(0).api_setting(SLOWLY.0, SLOWLY.1);
    World::run_with(setup, async |world| {
        world.start_worker_unready(&[("SMTP_URL", NOWHERE)]).await.unwrap();
        world.start_worker().await.unwrap();
        let import = world.people(200).await;

        let batch = world.invite(json!({ "import": import })).await;
        let found = stalled(world, "one of two to be reported", |_| true).await;

        assert_eq!(
            trouble(&found),
            Some((WorkerTrouble::RelayUnreachable, 1, 2)),
            "{found:?}"
        );
        world.kill_worker(1).await;
        silence_passes(world).await;
        // The remaining worker reports again.
        let found = stalled(world, "the other one to be missed", |found| {
            trouble(found).is_some_and(|(_, _, live)| live == 1)
        })
        .await;
        assert_eq!(
            trouble(&found),
            Some((WorkerTrouble::RelayUnreachable, 1, 1)),
            "{found:?}"
        );
        world.post(&format!("/v1/batches/{batch}/stop"), json!({})).await;
    })
    .await;
}

#[tokio::test]
async fn a_broker_that_is_down_or_blocked_is_reported() {
    World::run_with(Setup::default().own_stack(), async |world| {
        let import = world.people(50).await;

        world.stack().broker_alarm(true).await.unwrap();
        let batch = world.invite(json!({ "import": import })).await;
        world
            .eventually("the alarm to be noticed", async || {
                (world.api_metric("beckon_amqp_blocked").await > 0.5).then_some(())
            })
            .await;
        silence_passes(world).await;
        // The worker reports that it is alive; the dispatcher cannot.
        let found = stalled(world, "the alarm to be reported", |found| {
            found.cause != Cause::NoWorker
        })
        .await;
        assert_eq!((found.cause, found.waiting), (Cause::NoDispatch, 50));
        world.stack().broker_alarm(false).await.unwrap();
        world.finished(batch).await;
        assert_eq!(find_stall(world).await, None);

        world.stack().stop_broker(harness::stack::Stop::Kill).await.unwrap();
        let again = world.invite(json!({ "import": import, "include_recent": true })).await;
        // The worker's report takes precedence over the dispatcher's silence, which may be the one simulated above.
        let found = stalled(world, "the broker to be missed", |found| trouble(found).is_some()).await;
        assert_eq!(trouble(&found), Some((WorkerTrouble::BrokerAway, 1, 1)), "{found:?}");
        world.stack().start_broker().await.unwrap();
        moves_again(world).await;
        world.finished(again).await;
        world.assert_promises_kept().await;
        world.kill_api().await;
    })
    .await;
}
