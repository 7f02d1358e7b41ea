//! The life of one job, from the queue to its settled delivery.
//!
//! The order of the steps is the design. A claim is committed before the relay is spoken to, so
//! that no database connection waits on a slow relay. A password's verifier is committed before
//! the mail that carries it, so that nobody receives one that does not work. The job is
//! acknowledged last: if we die at any line the job comes back, and `claim` recognises what was
//! already done.

use crate::acks::Acks;
use crate::claim::{Claims, Held, Taking};
use crate::compose::{ComposeError, Composer, Letterhead};
use crate::credential::{CredentialError, Credentials};
use crate::gate::Permit;
use crate::leases::Leases;
use crate::metrics::WorkerMetrics;
use crate::outcome;
use crate::send::{Answer, Mailer};
use crate::settle::{Recorded, Settling};
use crate::spans::Steps;
use shared::batch::Lane;
use shared::failpoint::{Point, reach};
use shared::job::Job;
use shared::store::settle::{Ending, Outcome};
use shared::system_email::SystemEmailKind;
use shared::trace::TraceContext;
use std::sync::Arc;
use tracing::{Instrument as _, debug, error_span};

/// A job with what it came with.
pub struct Work {
    /// What it asks for.
    pub job: Job,
    /// Its number at the broker.
    pub tag: u64,
    /// Its queue.
    pub lane: Lane,
    /// The span in which it was published.
    pub trace: TraceContext,
    /// Where to say that it is done with.
    pub acks: Acks,
    /// The right to claim it.
    pub permit: Permit,
}

/// Everything a job passes through.
pub struct Pipeline {
    /// Step 6.
    pub claims: Claims,
    /// Step 7: passwords,
    pub credentials: Credentials,
    /// and letters.
    pub composer: Composer,
    /// Step 8.
    pub mailer: Arc<Mailer>,
    /// Step 9.
    pub settling: Settling,
    /// Claims that are held meanwhile.
    pub leases: Arc<Leases>,
    /// How retries are timed.
    pub retries: outcome::Retries,
    /// What is counted.
    pub metrics: Arc<WorkerMetrics>,
}

impl Pipeline {
    /// Waits until a job could be worked on: relay and Postgres are not in trouble.
    pub async fn ready(&self) {
        let mut works = self.claims.works();
        loop {
            self.mailer.ready().await;
            // An error would mean that the sender, which is ours, is gone.
            let _ = works.wait_for(|works| *works).await;
            if self.mailer.is_ready() {
                return;
            }
        }
    }

    /// Waits until a job could not be worked on.
    pub async fn in_trouble(&self) {
        let mut works = self.claims.works();
        tokio::select! {
            () = self.mailer.in_trouble() => {}
            _ = works.wait_for(|works| !*works) => {}
        }
    }

    /// Runs one job to its end.
    pub async fn run(self: Arc<Self>, work: Work) {
        // Of the highest level, so that a line of any level has its ids.
        let span = error_span!(
            "job",
            delivery.id = %work.job.delivery,
            attempt = work.job.attempt,
            trace.id = %work.trace.trace_id(),
        );
        self.run_in_span(work).instrument(span).await;
    }

    async fn run_in_span(&self, work: Work) {
        let _in_progress = self.metrics.in_progress(work.lane);
        let mut steps = Steps::begin(&self.metrics);
        steps.begin_step("claim");
        let taking = self.claims.take(work.job, work.lane).await;
        steps.end_step();
        let held = match taking {
            Taking::Ours(held) => *held,
            Taking::NotOurs => {
                debug!("Dropped a job that is not for this worker");
                return work.acks.done(work.tag);
            }
            // Unacknowledged, it goes to another worker when this one's channel closes.
            Taking::Unknown => return,
        };
        reach(Point::Claimed);
        self.metrics.observe_wait(work.lane, held.0.waited_seconds);
        let sent = self.compose_and_send(&held, work.lane, &mut steps).await;
        drop(work.permit);
        if self.settle(&held, work.lane, work.trace, sent, steps).await {
            work.acks.done(work.tag);
        }
    }

    /// Steps 7 and 8.
    async fn compose_and_send(&self, held: &Held, lane: Lane, steps: &mut Steps<'_>) -> Result<Answer, Unsent> {
        let (claim, lease) = held;
        let password = match &claim.recipient {
            Some(person) if claim.kind == SystemEmailKind::PasswordReset => {
                Some(self.credentials.make(held, person, lane, steps).await?)
            }
            _ => None,
        };
        let letterhead = Letterhead {
            password: password.as_ref(),
            lifetime: self.credentials.lifetime(held),
        };
        steps.begin_step("compose");
        let mail = self.composer.compose(claim, &letterhead).await;
        steps.end_step();
        let mail = mail?;
        reach(Point::MailComposed);
        steps.begin_step("send");
        let mut answer = self
            .mailer
            .send(&mail.envelope, &mail.wire, lane, &|| lease.holds())
            .await;
        steps.end_step();
        if password.is_some_and(|password| password.appears_in(&answer.reply)) {
            answer.withhold_words();
        }
        Ok(answer)
    }

    /// Step 9; tells whether the job is done with.
    async fn settle(
        &self,
        held: &Held,
        lane: Lane,
        trace: TraceContext,
        sent: Result<Answer, Unsent>,
        mut steps: Steps<'_>,
    ) -> bool {
        let (claim, lease) = held;
        let password_lifetime = (claim.kind == SystemEmailKind::PasswordReset).then(|| self.credentials.lifetime(held));
        let outcome = match &sent {
            Ok(answer) => outcome::of_answer(claim, lease.token(), answer, password_lifetime, &self.retries),
            Err(unsent) => unsent.outcome(held),
        };
        let seconds = seconds_since_start(held);
        let is_on_time = claim.seconds_left.map(|left| lease.age().as_secs_f64() <= left);
        steps.begin_step("settle");
        let recorded = self.settling.record(outcome.clone(), lane).await;
        reach(Point::OutcomeRecorded);
        steps.end_step();
        outcome::tell(claim, lane, &outcome, recorded, steps.at_the_relay());
        steps.tell(trace, lane, claim, &outcome);
        if let Recorded::Moved(state) = recorded {
            self.metrics
                .count_attempt(claim.kind, claim.attempt, &outcome.ending, state);
            if matches!(outcome.ending, Ending::Sent { .. }) {
                let is_first = claim.attempt == 1;
                self.metrics.count_sent(lane, claim.kind, is_first, is_on_time);
                if is_first {
                    self.metrics.observe_send(lane, claim.kind, seconds);
                }
            }
        }
        recorded != Recorded::Unknown
    }
}

/// By Postgres's clock until the claim, by ours since.
fn seconds_since_start((claim, lease): &Held) -> f64 {
    (claim.claimed_at - claim.start_at).as_seconds_f64() + lease.age().as_secs_f64()
}

/// Why no mail was offered to the relay.
#[derive(Debug, thiserror::Error)]
pub enum Unsent {
    /// No working password.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// No letter.
    #[error(transparent)]
    Compose(#[from] ComposeError),
}

impl Unsent {
    fn outcome(&self, held: &Held) -> Outcome {
        let (claim, lease) = held;
        match self {
            Self::Compose(fault @ ComposeError::Unbuildable(_)) => {
                outcome::unbuildable(claim, lease.token(), fault.to_string())
            }
            Self::Credential(_) | Self::Compose(_) => outcome::given_back(claim, lease.token(), self.to_string()),
        }
    }
}
