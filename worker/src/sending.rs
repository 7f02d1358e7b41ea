//! A mail between composing and the relay's answer.

use crate::claim::ClaimedDelivery;
use crate::compose::Mail;
use crate::credential::GRACE;
use crate::outcome::{self, Retries};
use crate::send::{Answer, Envelope, Permit, Shipment};
use crate::settle::{Finished, Settler};
use crate::spans::{Steps, Times};
use crate::step::Step;
use shared::batch::Lane;
use shared::password::Password;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use uuid::Uuid;

/// A mail that is being sent.
pub struct Sending {
    pub(crate) held: ClaimedDelivery,
    pub(crate) mail: Mail,
    /// The password in the mail, to detect it in the relay's words.
    pub(crate) password: Option<Password>,
    pub(crate) password_lifetime: Option<Duration>,
    pub(crate) steps: Steps,
    pub(crate) began: SystemTime,
    pub(crate) retries: Retries,
    pub(crate) metrics: Arc<crate::metrics::WorkerMetrics>,
    pub(crate) settler: Settler,
    pub(crate) permit: Option<Permit>,
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

    fn is_first_attempt(&self) -> bool {
        self.held.claim.attempt <= 1
    }

    fn take_permit(&mut self) -> Option<Permit> {
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
            answer.redact_words();
        }
        let token = held.lease.token();
        // The claim is older than the stored password.
        let extended = self.password_lifetime.filter(|_| held.lease.age() > GRACE);
        let outcome = outcome::of_answer(&held.claim, token, &answer, extended, &self.retries);
        self.settler.push(Finished { held, outcome, steps });
    }
}
