//! A mail between composing and the relay's answer.

use crate::claim::Held;
use crate::compose::Mail;
use crate::outcome::{self, Retries};
use crate::pipeline::Pipeline;
use crate::send::{Answer, Envelope, Permit, Shipment};
use crate::settle::{Finished, Settler};
use crate::spans::{Step, Steps, Times};
use shared::batch::Lane;
use shared::password::Password;
use shared::trace::now;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use uuid::Uuid;

/// A mail that is being sent.
pub struct Sending {
    held: Held,
    mail: Mail,
    /// The password in the mail, to detect it in the relay's words.
    password: Option<Password>,
    password_lifetime: Option<Duration>,
    steps: Steps,
    began: SystemTime,
    retries: Retries,
    metrics: Arc<crate::metrics::WorkerMetrics>,
    settler: Settler,
    permit: Option<Permit<Self>>,
}

impl Sending {
    /// Creates a mail that is ready to be sent.
    pub(crate) fn new(
        pipeline: &Pipeline,
        held: Held,
        mail: Mail,
        password: Option<Password>,
        steps: Steps,
        permit: Permit<Self>,
    ) -> Self {
        Self {
            password_lifetime: pipeline.password_lifetime(&held),
            held,
            mail,
            password,
            steps,
            began: now(),
            retries: pipeline.retries,
            metrics: Arc::clone(&pipeline.metrics),
            settler: pipeline.settler.clone(),
            permit: Some(permit),
        }
    }
}

impl Shipment for Sending {
    fn envelope(&self) -> &Envelope {
        &self.mail.envelope
    }

    fn wire(&self) -> &[u8] {
        &self.mail.wire
    }

    fn size(&self) -> usize {
        self.mail.size
    }

    fn lane(&self) -> Lane {
        self.held.work.lane
    }

    fn batch(&self) -> Uuid {
        self.held.claim.batch
    }

    fn take_place(&mut self) -> Option<Permit<Self>> {
        self.permit.take()
    }

    fn may_start_body(&self) -> bool {
        self.held.lease.holds()
    }

    fn finish(self, mut answer: Answer) {
        let Self {
            held,
            mail,
            mut steps,
            permit,
            ..
        } = self;
        // Wipes the mail and frees its permit before waiting for Postgres.
        drop((mail, permit));
        steps.add(&self.metrics, Step::Send, Times::since(self.began));
        if self.password.is_some_and(|password| password.appears_in(&answer.reply)) {
            answer.withhold_words();
        }
        let token = held.lease.token();
        let outcome = outcome::of_answer(&held.claim, token, &answer, self.password_lifetime, &self.retries);
        self.settler.push(Finished { held, outcome, steps });
    }
}
