//! Executes the same steps with Beckon's own statements on a real Postgres.

use std::sync::LazyLock;
use std::time::Duration;

use harness::stack::Stack;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};
use shared::batch::Lane;
use shared::delivery::DeliveryState;
use shared::store::claims::{Claimant, claim, renew};
use shared::store::dispatch::{self, Due, LastServed, Round};
use shared::store::dispatcher_lease::DispatcherLease;
use shared::store::settle::{Ending, Group, Outcome as Recorded, settle};
use shared::store::{Db, batches, begin, commit, schema, sweeps};
use sqlx::postgres::PgPoolOptions;
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::life::{BATCHES, DELIVERIES, Job, Lease, Life, MAX_ATTEMPTS, batch_of};
use crate::step::{Outcome, Step};

/// How long claims, marks and back-offs last; longer than any test.
const LONG: Duration = Duration::from_hours(1);

/// The turn of a database in which no process has dispatched yet.
const TURN: DispatcherLease = DispatcherLease { epoch: 0 };

/// One server and one database for all cases, which run one after the other.
static SERVER: LazyLock<(Runtime, Db)> = LazyLock::new(|| {
    let runtime = Runtime::new().unwrap();
    let db = runtime.block_on(async {
        let stack = Stack::shared().await.unwrap();
        let url = stack.create_database("model", None).await.unwrap();
        let db = PgPoolOptions::new().max_connections(2).connect(&url).await.unwrap();
        schema::migrate(&db).await.unwrap();
        sqlx::raw_sql(
            "insert into system_email_versions (kind, version, subject, body, created_by)
             values ('invite', 1, 'Welcome', 'Come in.', 'the model')",
        )
        .execute(&db)
        .await
        .unwrap();
        db
    });
    (runtime, db)
});

/// Finds unfinished batches whose counts differ from their deliveries.
const UNEVEN: &str = "
    with counted as (
        select s.batch_id, s.state, s.reason, s.count, s.unsure
        from batch_states s join batches b on b.id = s.batch_id where b.finished_at is null
    ),
    real as (
        select d.batch_id, shown_state(d.batch_id, d.id, d.state, d.retry_at) as state, d.reason, count(*) as count,
               count(*) filter (where d.unsure) as unsure
        from deliveries d join batches b on b.id = d.batch_id
        where b.finished_at is null group by 1, 2, 3
    )
    (select 'counted ' || counted::text from (table counted except table real) counted)
    union all
    (select 'real ' || real::text from (table real except table counted) real)";

pub(crate) struct Ledger {
    batches: Vec<Uuid>,
    deliveries: Vec<Uuid>,
    /// The deliveries that each dispatcher round read.
    rounds: Vec<Vec<Due>>,
    /// The token of each claim.
    tokens: Vec<Uuid>,
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    SERVER.0.block_on(work)
}

fn db() -> &'static Db {
    &SERVER.1
}

async fn begun() -> Ledger {
    sqlx::raw_sql(
        "truncate deliveries, attempts, batches, last_sent, users, dispatcher, claims, batch_progress, published_ranges,
                  batch_counts, count_changes cascade;
         insert into dispatcher default values",
    )
    .execute(db())
    .await
    .unwrap();
    let mut ledger = Ledger {
        batches: Vec::new(),
        deliveries: Vec::new(),
        rounds: Vec::new(),
        tokens: Vec::new(),
    };
    for _ in 0..BATCHES {
        let batch = sqlx::query_scalar(
            "insert into batches (kind, version, lane, state, created_by, start_at, selected_count, accepted_count, trace_id)
             values ('invite', 1, 'interactive', 'running', 'the model', now(), 1, 1, '') returning id",
        );
        ledger.batches.push(batch.fetch_one(db()).await.unwrap());
    }
    for n in 0..DELIVERIES {
        let delivery = sqlx::query_scalar(
            "with person as (
                 insert into users (email, email_key) values ('person' || $1 || '@example.org', 'person' || $1)
                 returning id
             )
             insert into deliveries (batch_id, user_id) select $2, id from person returning id",
        );
        let delivery = delivery.bind(n.to_string()).bind(ledger.batches[batch_of(n)]);
        ledger.deliveries.push(delivery.fetch_one(db()).await.unwrap());
    }
    ledger
}

impl Ledger {
    fn job(&self, job: Job) -> shared::job::Job {
        shared::job::Job {
            delivery: self.deliveries[job.delivery],
            attempt: job.attempt,
        }
    }

    async fn publish(&mut self, expected: &[Job]) {
        let none = LastServed::default();
        let due = dispatch::due(db(), Lane::Interactive, 100, &none).await.unwrap().due;
        let mut jobs: Vec<_> = due.iter().map(Due::job).collect();
        let mut expected: Vec<_> = expected.iter().map(|job| self.job(*job)).collect();
        jobs.sort_by_key(|job| job.delivery);
        expected.sort_by_key(|job| job.delivery);
        assert_eq!(jobs, expected, "what is due");
        self.rounds.push(due);
    }

    async fn claim(&mut self, job: Job, token: Uuid) -> u64 {
        let claimant = Claimant {
            worker: "the model",
            token,
            lease: LONG,
            invites_give_up_after: LONG * 100,
            passwords_give_up_after: LONG * 100,
        };
        let taken = claim(db(), &[self.job(job)], claimant).await.unwrap().taken;
        taken.len() as u64
    }

    async fn settle(&self, claim: usize, job: Job, outcome: Outcome, is_repeated: bool) -> Vec<DeliveryState> {
        let reason = "throttled";
        let retry = |is_unsure| Ending::Retry {
            reason,
            after: LONG,
            is_unsure,
            max_attempts: MAX_ATTEMPTS,
        };
        let recorded = Recorded {
            delivery: self.deliveries[job.delivery],
            attempt: job.attempt,
            token: self.tokens[claim],
            began_at: time::OffsetDateTime::UNIX_EPOCH,
            ending: match outcome {
                Outcome::Accepted => Ending::Sent {
                    password_lifetime: None,
                },
                Outcome::Refused => Ending::Failed { reason: "refused" },
                Outcome::TryLater => retry(false),
                Outcome::Unsure => retry(true),
                Outcome::GivenBack => Ending::GivenBack { after: LONG },
            },
            phase: "dot",
            code: None,
            enhanced_code: None,
            reply: String::new(),
            unknown: None,
        };
        let group = Group {
            outcomes: &[recorded],
            worker: "the model",
            released: &[],
            is_repeated,
        };
        let settled = settle(db(), group).await.unwrap();
        settled.into_iter().map(|one| one.state).collect()
    }

    async fn control(&self, step: &Step) -> u64 {
        let mut transaction = begin(db()).await.unwrap();
        let moved = match step {
            Step::Pause(batch) => batches::pause(&mut transaction, self.batches[*batch], "the model").await,
            Step::Resume(batch) => batches::resume(&mut transaction, self.batches[*batch], None).await,
            Step::Stop(batch) => batches::stop(&mut transaction, self.batches[*batch], "the model").await,
            other => panic!("{other:?} is not an action of a person"),
        };
        commit(transaction).await.unwrap();
        u64::from(moved.unwrap())
    }

    /// Lets an hour pass for one delivery.
    async fn pass_time(&self, delivery: usize, statement: &'static str) {
        let passed = sqlx::query(statement).bind(self.deliveries[delivery]).execute(db());
        passed.await.unwrap();
    }

    /// Executes a step and returns how many rows it changed.
    async fn take(&mut self, life: &Life, step: &Step) -> u64 {
        match step {
            Step::Publish => {
                self.publish(life.rounds.last().unwrap()).await;
                0
            }
            Step::Mark(round) => {
                self.mark(*round).await;
                0
            }
            Step::Claim(job) => {
                let token = Uuid::new_v4();
                let taken = self.claim(life.jobs()[*job], token).await;
                if taken > 0 {
                    self.tokens.push(token);
                }
                taken
            }
            Step::ClaimAgain(claim) => self.claim(life.claims[*claim].job, self.tokens[*claim]).await,
            Step::Send(_) => 0,
            Step::Settle(claim, outcome, is_repeated) => {
                let states = self
                    .settle(*claim, life.claims[*claim].job, *outcome, *is_repeated)
                    .await;
                assert_eq!(states, life.answer, "what settling answers");
                states.len() as u64
            }
            Step::Renew(claim) => {
                renew(db(), &[self.tokens[*claim]], LONG).await.unwrap();
                u64::from(life.holds(*claim))
            }
            Step::LeaseEnds(at) => {
                let ends = "with old as (
                                update published_ranges set published_at = now() - interval '1 day'
                                where through_id = $1)
                            update claims set lease_until = now() - interval '1 second'
                            where token = (select lease_token from deliveries where id = $1)";
                self.pass_time(*at, ends).await;
                0
            }
            Step::FallsDue(at) => {
                let falls_due = "update deliveries set retry_at = now()
                                 where id = $1 and retry_at > now() and state in ('waiting', 'queued', 'retrying')";
                self.pass_time(*at, falls_due).await;
                0
            }
            Step::Pause(_) | Step::Resume(_) | Step::Stop(_) => self.control(step).await,
            sweep => swept(sweep).await,
        }
    }

    async fn mark(&self, round: usize) {
        let published: Vec<&Due> = self.rounds[round].iter().collect();
        let round = Round {
            batches: published.iter().map(|due| due.batch).collect(),
            published,
            refused: Vec::new(),
        };
        dispatch::mark_published(db(), TURN, &round, LONG).await.unwrap();
    }

    async fn assert_agrees(&self, life: &Life) {
        for (at, expected) in life.deliveries.iter().enumerate() {
            let (state, attempt, unsure, lease, token): (DeliveryState, i32, bool, Option<bool>, Option<Uuid>) =
                sqlx::query_as(
                    "select shown_state(batch_id, id, state, retry_at), attempt, unsure,
                            case when state = 'sending' then
                                (select lease_until > now() from claims where token = lease_token) end,
                            lease_token
                     from deliveries where id = $1",
                )
                .bind(self.deliveries[at])
                .fetch_one(db())
                .await
                .unwrap();
            let record: Vec<Option<String>> =
                sqlx::query_scalar("select verdict from attempts where delivery_id = $1 order by n")
                    .bind(self.deliveries[at])
                    .fetch_all(db())
                    .await
                    .unwrap();
            let lease = lease.map_or(Lease::None, |holds| if holds { Lease::Holds } else { Lease::HasEnded });
            let record: Vec<Option<&str>> = record.iter().map(Option::as_deref).collect();
            let stored = (state, attempt, unsure, lease, token, record);
            let holder = expected.holder.map(|claim| self.tokens[claim]);
            let ended = expected.record.iter().copied().flatten().map(Some);
            let expected = (
                expected.shown_state(),
                expected.attempt,
                expected.unsure,
                expected.lease,
                holder,
                ended.collect(),
            );
            assert_eq!(stored, expected, "delivery {at}");
        }
        let differ: Vec<String> = sqlx::query_scalar(UNEVEN).fetch_all(db()).await.unwrap();
        assert!(
            differ.is_empty(),
            "the counts of batches differ from their deliveries: {differ:?}"
        );
        for (batch, id) in self.batches.iter().enumerate() {
            let found = batches::find(db(), *id).await.unwrap().unwrap();
            let stored = (found.state, found.finished_at.is_some());
            assert_eq!(stored, (life.batches[batch], life.is_finished[batch]), "batch {batch}");
        }
    }
}

/// Number of published ranges.
async fn ranges() -> u64 {
    let count: i64 = sqlx::query_scalar("select count(*) from published_ranges")
        .fetch_one(db())
        .await
        .unwrap();
    u64::try_from(count).unwrap()
}

/// Executes one of the dispatcher's periodic tasks and returns how many rows it changed.
async fn swept(step: &Step) -> u64 {
    match step {
        Step::RequeueLost => sweeps::requeue_lost(db(), TURN, LONG).await.unwrap(),
        Step::ForgetRanges => {
            let before = ranges().await;
            let mut queued = 0;
            for lane in Lane::ALL {
                queued += dispatch::queued(db(), TURN, lane).await.unwrap();
            }
            let shown = "select count(*) from deliveries where shown_state(batch_id, id, state, retry_at) = 'queued'";
            let shown: i64 = sqlx::query_scalar(shown).fetch_one(db()).await.unwrap();
            assert_eq!(
                queued, shown,
                "the dispatcher counts other deliveries as queued than readers see"
            );
            before - ranges().await
        }
        Step::RequeueAll => sweeps::requeue_all(db(), TURN).await.unwrap(),
        Step::EndExpiredLeases => sweeps::end_expired_leases(db(), TURN, MAX_ATTEMPTS).await.unwrap(),
        Step::EndUseless => {
            let swept = sweeps::end_useless(db(), None, 100).await.unwrap();
            u64::try_from(swept.ended).unwrap()
        }
        Step::TakeBack => sweeps::take_back(db()).await.unwrap(),
        Step::Finish => {
            sweeps::add_up(db(), TURN).await.unwrap();
            let finished = sweeps::finish(db()).await.unwrap();
            assert!(finished.iter().all(|one| one.is_consistent), "{finished:?}");
            finished.len() as u64
        }
        other => panic!("{other:?} is no sweep"),
    }
}

impl StateMachineTest for Ledger {
    type SystemUnderTest = Self;
    type Reference = Life;

    fn init_test(_: &Life) -> Self {
        wait(begun())
    }

    fn apply(mut ledger: Self, life: &<Life as ReferenceStateMachine>::State, step: Step) -> Self {
        let moved = wait(ledger.take(life, &step));
        assert_eq!(moved, life.answer.len() as u64, "rows that {step:?} moved");
        ledger
    }

    fn check_invariants(ledger: &Self, life: &Life) {
        life.assert_promise();
        wait(ledger.assert_agrees(life));
    }
}
