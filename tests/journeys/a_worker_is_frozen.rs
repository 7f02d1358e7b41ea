//! A worker is frozen for longer than its leases, as on a suspended machine, and then continues.

use crate::json;
use harness::relay::{Behaviour, Step};
use harness::world::PATIENCE;
use harness::{Setup, World};
use nix::sys::signal::Signal;
use std::time::Duration;

/// The worker is frozen before one mail's body, after another's dot, and before the third's password is stored.
const BEFORE: &str = "before@example.org";
const AFTER: &str = "after@example.org";
const STORING: &str = "storing@example.org";

/// How long the relay delays two of them, so that the worker can be frozen meanwhile.
const SOME_TIME: Duration = Duration::from_secs(2);

/// Whether a session waits to store a verifier.
async fn is_storing(world: &World) -> bool {
    world.waiting_for_locks("with one as materialized").await > 0
}

/// A world whose worker starts three mails at once; the broker and Postgres notice its absence equally soon.
async fn a_world() -> World {
    let mut world = World::with(Setup::default().workers(0)).await;
    let amqp = format!("{}?heartbeat=1", world.amqp_url());
    let own = [
        ("AMQP_URL", amqp.as_str()),
        ("BECKON_LEASE", "2s"),
        ("BECKON_SMTP_CONNECTIONS", "40"),
    ];
    world.start_worker_with(&own).await.unwrap();
    for person in [BEFORE, AFTER, STORING] {
        world.person(person).await;
    }
    world
}

#[tokio::test]
async fn it_starts_no_mail_of_another_worker_and_overwrites_no_record() {
    World::run_in(a_world().await, async |world| {
        let slowly = |at, wait| Behaviour::Slow { at, wait };
        world.relay.set(BEFORE, slowly(Step::Rcpt, 3 * SOME_TIME));
        world.relay.set(AFTER, slowly(Step::Dot, SOME_TIME));
        let stored = world.block_writes("credentials").await;

        let password = world.reset_passwords(json!({ "emails": [STORING] })).await;
        world
            .eventually("a verifier about to be stored", async || {
                is_storing(world).await.then_some(())
            })
            .await;
        let invites = world.invite(json!({ "emails": [BEFORE, AFTER] })).await;
        let dot = world.relay.wait_until("a dot", PATIENCE, |counts| counts.dots == 1);
        dot.await.unwrap();
        world.workers[0].signal(Signal::SIGSTOP);
        stored.release().await;
        for person in [BEFORE, AFTER] {
            world.relay.set(person, Behaviour::Accept);
        }
        world.relay.wait_for(1, PATIENCE).await.unwrap();
        world.start_worker().await.unwrap();
        for batch in [invites, password] {
            world.finished(batch).await;
        }
        let by_the_other = world.relay.accepted_count();
        world.workers[0].signal(Signal::SIGCONT);
        world
            .eventually("the frozen worker to be done with its three mails", async || {
                let log = world.workers[0].log();
                let ends = ["Dropped an outcome", "Gave an email back that", "Sent an email"];
                let done: usize = ends.iter().map(|end| log.matches(end).count()).sum();
                (done == 3).then_some(())
            })
            .await;

        for (person, mails) in [(BEFORE, 1), (AFTER, 2), (STORING, 1)] {
            let taken = world.relay.mails_to(person).unwrap();
            assert_eq!(taken.len(), mails, "{person}");
        }
        assert_eq!(
            by_the_other,
            world.relay.accepted_count(),
            "the frozen worker sent one more"
        );
        for (batch, mails) in [(invites, 2), (password, 1)] {
            let finished = world.batch(batch).await;
            assert_eq!(finished["counts"]["sent"], mails, "{finished}");
            assert_eq!(finished["counts"]["unsure"], mails, "{finished}");
        }
        let mails = world.relay.mails_to(STORING).unwrap();
        world.sign_in(STORING, mails[0].password().unwrap()).await;
        world.assert_promises_kept().await;
    })
    .await;
}
