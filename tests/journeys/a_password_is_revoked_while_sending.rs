//! A password is revoked while a worker handles its mail: afterwards it does not work, whichever happens first.
//!
//! Triggers in the database hold the worker's statement that stores the verifier, either before it has read what it
//! checks, or between inserting the verifier and committing. Meanwhile the password is revoked through the API.

use crate::json;
use harness::relay::{Behaviour, Step};
use harness::world::PATIENCE;
use harness::{Setup, World};
use reqwest::Method;
use serde_json::Value;
use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Postgres};
use uuid::Uuid;

const OWN: &str = "correct horse battery staple";

/// The moment at which the worker's statement is held.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Moment {
    /// Its snapshot is taken; nothing is read or locked yet.
    BeforeItReads,
    /// The verifier is inserted but not committed.
    BeforeItCommits,
}

impl Moment {
    const fn key(self) -> i64 {
        match self {
            Self::BeforeItReads => 7_001,
            Self::BeforeItCommits => 7_002,
        }
    }
}

/// How passwords are revoked.
#[derive(Clone, Copy, Debug)]
enum End {
    BatchStopped,
    BatchRevoked,
    UserRevoked,
    UserLocked,
    OwnChosen,
    AddressChanged,
}

impl End {
    const ALL: [Self; 6] = [
        Self::BatchStopped,
        Self::BatchRevoked,
        Self::UserRevoked,
        Self::UserLocked,
        Self::OwnChosen,
        Self::AddressChanged,
    ];

    const fn reason(self) -> &'static str {
        match self {
            Self::BatchStopped | Self::BatchRevoked => "stopped",
            Self::UserRevoked => "revoked",
            Self::UserLocked => "user_locked",
            Self::OwnChosen => "superseded",
            Self::AddressChanged => "address_changed",
        }
    }
}

/// A user whose mail is with a worker.
struct Person {
    id: Uuid,
    email: String,
    /// The password mailed to them before.
    earlier: String,
    batch: Uuid,
}

/// Makes workers wait for [`Moment::key`] at both moments.
async fn set_traps(world: &World) {
    let traps = format!(
        "create function hold() returns trigger language plpgsql as $$ begin
             if current_setting('application_name') not like 'beckon-api%' then
                 perform pg_advisory_xact_lock_shared(tg_argv[0]::bigint);
             end if;
             return null;
         end $$;
         create trigger hold_before before insert on credentials for each statement execute function hold('{}');
         create trigger hold_after after insert on credentials for each statement execute function hold('{}');",
        Moment::BeforeItReads.key(),
        Moment::BeforeItCommits.key(),
    );
    sqlx::raw_sql(AssertSqlSafe(traps)).execute(&world.db).await.unwrap();
}

/// Holds the next worker that reaches a moment, until [`release`].
async fn hold(world: &World, moment: Moment) -> PoolConnection<Postgres> {
    let mut held = world.db.acquire().await.unwrap();
    sqlx::query("select pg_advisory_lock($1)")
        .bind(moment.key())
        .execute(&mut *held)
        .await
        .unwrap();
    held
}

async fn release(mut held: PoolConnection<Postgres>, moment: Moment) {
    sqlx::query("select pg_advisory_unlock($1)")
        .bind(moment.key())
        .execute(&mut *held)
        .await
        .unwrap();
}

/// Waits until this many statements wait for locks of this kind: `advisory`, or of a row.
async fn waits(world: &World, advisory: bool) {
    let question = "select count(*) from pg_locks l join pg_stat_activity a using (pid)
                    where not l.granted and a.datname = current_database() and (l.locktype = 'advisory') = $1";
    world
        .eventually("a transaction to wait for a lock", async || {
            let waiting: i64 = sqlx::query_scalar(question)
                .bind(advisory)
                .fetch_one(&world.db)
                .await
                .unwrap();
            (waiting > 0).then_some(())
        })
        .await;
}

/// Mails a user a password, then lets a worker process another mail to them up to this moment.
async fn in_hand(world: &World, email: String, moment: Moment) -> (Person, PoolConnection<Postgres>) {
    let id = world.person(&email).await;
    let first = world.reset_passwords(json!({ "users": [id] })).await;
    world.finished(first).await;
    let earlier = world.relay.mails_to(&email).unwrap()[0].password().unwrap().to_owned();
    let held = hold(world, moment).await;
    let batch = world
        .reset_passwords(json!({ "users": [id], "include_recent": true }))
        .await;
    waits(world, true).await;
    let person = Person {
        id,
        email,
        earlier,
        batch,
    };
    (person, held)
}

/// Revokes the password and returns the answer.
async fn end(world: &World, person: &Person, how: End) -> Value {
    let (id, batch) = (person.id, person.batch);
    let answer = match how {
        End::BatchStopped => world.post(&format!("/v1/batches/{batch}/stop"), json!({})).await,
        End::BatchRevoked => world.post("/v1/credentials/revoke", json!({ "batch": batch })).await,
        End::UserRevoked => world.post("/v1/credentials/revoke", json!({ "users": [id] })).await,
        End::UserLocked => world.post(&format!("/v1/users/{id}/lock"), json!({})).await,
        End::OwnChosen => {
            let choice = json!({ "email": person.email, "password": person.earlier, "new_password": OWN });
            world.post("/v1/credentials/choose", choice).await
        }
        End::AddressChanged => {
            let change = json!({ "email": format!("other-{}", person.email) });
            let path = format!("/v1/users/{id}");
            world.ask(Method::PATCH, &path, Some(change), None).await
        }
    };
    answer.expect(200)
}

/// Verifiers of the mail that the worker was processing.
async fn live(world: &World, person: &Person) -> i64 {
    world.rows("credentials").with("batch_id", person.batch).count().await
}

#[tokio::test]
async fn a_password_revoked_before_its_verifier_is_stored_is_not_sent() {
    World::run(async |world| {
        set_traps(world).await;

        for (n, how) in End::ALL.into_iter().enumerate() {
            let moment = Moment::BeforeItReads;
            let (person, held) = in_hand(world, format!("person{n}@example.org"), moment).await;

            let answer = end(world, &person, how).await;
            release(held, moment).await;
            let finished = world.finished(person.batch).await;

            assert_eq!(finished["counts"]["cancelled"], 1, "{how:?}: {finished}");
            let line = world.deliveries(person.batch).await[0].clone();
            assert_eq!(line["reason"], how.reason(), "{how:?}: {line}");
            assert_eq!(live(world, &person).await, 0, "{how:?}");
            let mails = world.relay.mails_to(&person.email).unwrap();
            assert_eq!(mails.len(), 1, "{how:?}: the second was sent");
            if let End::UserRevoked | End::UserLocked | End::AddressChanged = how {
                assert_eq!(answer["mails_in_hand"], 1, "{how:?}: {answer}");
            }
        }
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn a_password_revoked_while_its_verifier_is_stored_does_not_work() {
    World::run(async |world| {
        set_traps(world).await;

        for (n, how) in End::ALL.into_iter().enumerate() {
            let moment = Moment::BeforeItCommits;
            let (person, held) = in_hand(world, format!("person{n}@example.org"), moment).await;

            let ending = async {
                let answer = end(world, &person, how).await;
                (answer, live(world, &person).await)
            };
            let releasing = async {
                waits(world, false).await;
                release(held, moment).await;
            };
            let ((answer, live_then), ()) = tokio::join!(ending, releasing);
            world.finished(person.batch).await;

            // Stopping a batch does not revoke the password of a mail that a worker already handles.
            let works = i64::from(matches!(how, End::BatchStopped));
            assert_eq!(live(world, &person).await, works, "{how:?}: {answer}");
            if works == 0 {
                assert_eq!(live_then, 0, "{how:?}: it worked after it was reported as ended");
                let mails = world.relay.mails_to(&person.email).unwrap();
                for mail in mails {
                    let signs_in = world.signs_in(&person.email, mail.password().unwrap()).await;
                    let is_earlier_of_the_batch =
                        matches!(how, End::BatchRevoked) && mail.password() == Some(&*person.earlier);
                    assert_eq!(signs_in, is_earlier_of_the_batch, "{how:?}");
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_worker_that_dies_while_sending_leaves_no_password() {
    let setup = Setup::default().workers(0).worker_setting("BECKON_LEASE", "2s");
    World::run_with(setup, async |world| {
        // Once before the verifier is stored, and once after.
        for (step, stored) in [("W3", 0), ("W4", 1)] {
            let id = world.person(&format!("{step}@example.org")).await;
            let batch = world.reset_passwords(json!({ "users": [id] })).await;
            let sign = world.folder().join(step);
            let failpoint = format!("{step}:1:{}", sign.display());
            world.start_worker_that_stops(&failpoint).await.unwrap();
            world
                .eventually("the worker to stop", async || sign.exists().then_some(()))
                .await;

            let locked = world.post(&format!("/v1/users/{id}/lock"), json!({})).await.expect(200);
            world.kill_worker(0).await;
            let finished = world.finished(batch).await;

            assert_eq!(locked["passwords_ended"], stored, "{step}: {locked}");
            assert_eq!(locked["mails_in_hand"], 1, "{step}: {locked}");
            assert_eq!(finished["counts"]["cancelled"], 1, "{step}: {finished}");
            assert_eq!(world.deliveries(batch).await[0]["reason"], "user_locked", "{step}");
        }
        let left = world.rows("credentials").count().await;
        assert_eq!((left, world.relay.accepted_count()), (0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_mail_that_was_being_sent_is_not_retried() {
    World::run(async |world| {
        let id = world.person("ada@example.org").await;
        world.relay.set("ada@example.org", Behaviour::Silence { at: Step::Dot });
        let batch = world.reset_passwords(json!({ "users": [id] })).await;
        world
            .relay
            .wait_until("a whole message", PATIENCE, |counts| counts.dots == 1)
            .await
            .unwrap();

        let locked = world.post(&format!("/v1/users/{id}/lock"), json!({})).await.expect(200);
        world.relay.hang_up();
        let finished = world.finished(batch).await;

        assert_eq!(
            (&locked["passwords_ended"], &locked["mails_in_hand"]),
            (&json!(1), &json!(1)),
            "{locked}"
        );
        assert_eq!(finished["counts"]["cancelled"], 1, "{finished}");
        assert_eq!(finished["counts"]["unsure"], 1, "{finished}");
        assert_eq!(world.deliveries(batch).await[0]["reason"], "user_locked");
        assert_eq!(world.relay.counts().dots, 1);
        world.assert_sums().await;
    })
    .await;
}
