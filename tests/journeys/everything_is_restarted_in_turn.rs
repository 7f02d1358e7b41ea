//! A rolling restart under load: no accepted request is lost and no mail goes out twice.

use crate::json;
use harness::world::{AnotherApi, PATIENCE};
use harness::{Setup, World};
use reqwest::StatusCode;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A batch that lasts longer than all restarts together, at this many mails a second.
const PEOPLE: usize = 5_000;
const RATE: &str = "250";

/// How many single mails are requested meanwhile, and at what interval.
const SINGLES: usize = 1_000;
const PACE: Duration = Duration::from_millis(40);

/// A caller behind a load balancer that is unaware of restarts.
struct Caller {
    key: String,
    /// The addresses of both processes, and which of them is being restarted.
    processes: Arc<Mutex<Processes>>,
    stop: CancellationToken,
}

#[derive(Clone)]
struct Processes {
    bases: [String; 2],
    down: Option<usize>,
}

/// The outcomes of the caller's requests.
#[derive(Default)]
struct Calls {
    batches: BTreeSet<String>,
    /// Requests that the restarting process did not accept.
    turned_away: usize,
    /// Any other answer.
    wrong: Vec<String>,
}

impl Caller {
    /// Invites one user at a time; if a process does not answer, retries at the other with the same key.
    async fn run(self) -> Calls {
        // One connection per request, so that none uses a connection that is about to close.
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
        let mut calls = Calls::default();
        let mut pace = tokio::time::interval(PACE);
        for n in 1..=SINGLES {
            pace.tick().await;
            if self.stop.is_cancelled() {
                break;
            }
            for process in (0..2).cycle().skip(n % 2).take(6) {
                let before = self.processes.lock().unwrap().clone();
                let asked = http
                    .post(format!("{}/v1/invites", before.bases[process]))
                    .bearer_auth(&self.key)
                    .header("Idempotency-Key", format!("single-{n}"))
                    .json(&json!({ "emails": [format!("single{n}@example.org")] }))
                    .timeout(PATIENCE);
                let answer = asked.send().await;
                let after = self.processes.lock().unwrap().down;
                let was_down = [before.down, after].contains(&Some(process));
                match answer {
                    Ok(answer) if answer.status() == StatusCode::ACCEPTED => {
                        let accepted: Value = answer.json().await.unwrap();
                        calls.batches.insert(accepted["batch"].as_str().unwrap().to_owned());
                        break;
                    }
                    Ok(answer) if was_down && answer.status() == StatusCode::SERVICE_UNAVAILABLE => {
                        calls.turned_away += 1;
                    }
                    Err(fault) if was_down && !fault.is_timeout() => calls.turned_away += 1,
                    other => calls.wrong.push(format!("single{n} at {process}: {other:?}")),
                }
            }
        }
        calls
    }
}

/// Waits until this many more mails have gone out.
async fn more(world: &World, mails: usize) {
    let wanted = world.relay.accepted_count() + mails;
    world.relay.wait_for(wanted, PATIENCE).await.unwrap();
}

/// Stops and starts every process in turn while mails go out. Returns their exit codes and the second API as it is
/// afterwards.
async fn restart_in_turn(
    world: &mut World,
    second: AnotherApi,
    processes: &Mutex<Processes>,
) -> (Vec<i32>, AnotherApi) {
    let down = |process| processes.lock().unwrap().down = process;
    let mut codes = Vec::new();
    for _ in 0..2 {
        more(world, 200).await;
        codes.push(world.stop_worker(0).await);
        world.start_worker().await.unwrap();
    }
    more(world, 200).await;
    down(Some(0));
    codes.push(world.stop_api().await);
    more(world, 100).await;
    world.start_api().await.unwrap();
    down(None);
    more(world, 200).await;
    down(Some(1));
    codes.push(second.stop().await);
    more(world, 100).await;
    let second = world.another_api(&[]).await.unwrap();
    processes.lock().unwrap().bases[1].clone_from(&second.base);
    down(None);
    more(world, 200).await;
    (codes, second)
}

#[tokio::test]
async fn nothing_is_lost_and_nothing_is_sent_twice() {
    let setup = Setup::default().workers(2).api_setting("BECKON_MAIL_RATE", RATE);
    World::run_with(setup, async |world| {
        let second = world.another_api(&[]).await.unwrap();
        let import = world.people(PEOPLE).await;
        let singles: Vec<String> = (1..=SINGLES).map(|n| format!("single{n}@example.org")).collect();
        let singles = format!("email\n{}", singles.join("\n"));
        world.import(&singles).await.expect(201);
        let processes = Arc::new(Mutex::new(Processes {
            bases: [world.base().to_owned(), second.base.clone()],
            down: None,
        }));
        let caller = Caller {
            key: world.key().to_owned(),
            processes: Arc::clone(&processes),
            stop: CancellationToken::new(),
        };
        let stop = caller.stop.clone();

        let batch = world.invite(json!({ "import": import })).await;
        let calling = tokio::spawn(caller.run());
        let (codes, second) = restart_in_turn(world, second, &processes).await;
        let meanwhile = world.batch(batch).await;
        stop.cancel();
        let calls = calling.await.unwrap();
        let finished = world.finished(batch).await;
        world
            .eventually("the last single mail", async || {
                let open = world.rows("batches").without("finished_at").count().await;
                (open == 0).then_some(())
            })
            .await;

        assert_eq!(codes, [0; 4], "a process left something unfinished");
        assert!(
            meanwhile["finished_at"].is_null(),
            "the batch ended before the last restart"
        );
        assert!(calls.wrong.is_empty(), "{:#?}", calls.wrong);
        assert!(calls.turned_away > 0, "no request met a process that was down");
        let accepted = calls.batches.len();
        assert!(accepted > 50, "{accepted} single mails were accepted");
        let batches = world.rows("batches").count().await;
        assert_eq!(
            usize::try_from(batches).unwrap(),
            accepted + 1,
            "batches that no caller knows"
        );
        assert_eq!(finished["counts"]["sent"], PEOPLE, "{finished}");
        assert_eq!(world.rows("deliveries").with("unsure", true).count().await, 0);
        let unaccepted = world.rows("attempts").other_than("verdict", "accepted").count().await;
        assert_eq!(unaccepted, 0);
        assert_eq!(world.relay.accepted_count(), PEOPLE + accepted);
        world.assert_promises_kept().await;
        drop(second);
    })
    .await;
}
