//! Decides what an answer means for later mails, and when its own mail is finished.
//!
//! Most answers finish their mail at once. A refusal of unclear scope is held for a moment, until answers to
//! other mails show its scope ([`super::evidence`]): the recipient, or the account, which costs no attempt. A
//! 4xx that many mails get in a row, for domains that accepted mail before, is a rate limit. If the relay
//! throttles every mail for minutes, its quota is used up, and all mail is held back.

use std::sync::Arc;
use std::time::Instant;

use super::evidence::{DEFERRALS, Finished, HeldMail, MAX_ANSWERS, domain_of, without_recipient};
use super::outbox::{Health, Outbox, ROUNDS, State};
use super::phase::Phase;
use super::refusals::{Signature, Subject};
use super::reply_table::Scope;
use super::shipment::{Queued, Shipment};
use super::verdict::{Answer, Verdict};

impl<S: Shipment> Outbox<S> {
    /// Handles the answer to a mail. `was_used` is true if its connection had carried other mails before.
    pub(super) fn finish(self: &Arc<Self>, mut queued: Queued<S>, answer: Answer, was_used: bool) {
        if was_used && queued.rounds < ROUNDS && was_closed_before_mail(&answer) {
            queued.rounds += 1;
            return self.put_back(queued);
        }
        let now = Instant::now();
        let mut state = self.state();
        let seen = |state: &State<S>| (state.flow.has_answered(), state.flow.limit());
        let (before, was_limited) = (seen(&state), state.flow.pace.is_limited());
        let is_relays_own = is_relays_own(&answer);
        let has_code = answer.code.is_some();
        let reported = state.answers.reports.len();
        let mut finished = Finished::new();
        let has_opened = if is_relays_own {
            state.take_trouble(queued, answer, now, &mut finished)
        } else {
            state.take_answer(queued, answer, now, &mut finished)
        };
        // Not if the relay throttles for so long that the answer counts as trouble.
        let is_good = !is_relays_own && has_code && state.flow.has_answered();
        if state.answers.reports.len() > reported || has_opened {
            finished.mails.extend(state.take_set_aside(now));
        }
        if has_opened {
            self.circuit_opened(state, None);
        } else {
            if state.flow.down().is_some() && state.flow.may_connect() {
                self.set_health(Health::Trial);
            }
            if is_good && before != (true, state.flow.limit()) {
                self.set_health(Health::Up);
                state.admissions.wake();
                self.balance(&mut state);
            } else if was_limited {
                self.balance(&mut state);
            }
            drop(state);
        }
        drop(finished.permits);
        self.finish_all(finished.mails);
        if self.lifecycle.is_stopping() {
            self.release_held(true);
        }
    }

    /// Finishes mails whose answer has been held for too long, or all held mails.
    pub(super) fn release_held(&self, all: bool) {
        let now = Instant::now();
        let mut state = self.state();
        if state.answers.held.is_empty() {
            return;
        }
        let is_at_rest = state.is_at_rest();
        let (limit, alone) = (self.settings.hold_limit, self.settings.hold_alone);
        let answers = &mut state.answers;
        let count = answers.count;
        let is_due = |held: &mut HeldMail<S>| {
            let age = now.duration_since(held.since);
            all || age >= limit || (is_at_rest && age >= alone) || count - held.count >= MAX_ANSWERS
        };
        let mut finished: Vec<(S, Answer)> = answers
            .held
            .extract_if(.., is_due)
            .map(|held| (held.mail, held.answer))
            .collect();
        drop(state);
        for (_, answer) in finished.iter_mut().filter(|_| all) {
            answer.become_open();
        }
        self.finish_all(finished);
    }

    fn finish_all(&self, finished: Vec<(S, Answer)>) {
        for (mail, answer) in finished {
            if answer.scope == Scope::Account
                && let Verdict::RelayTrouble { class } = answer.verdict
            {
                self.terms.metrics.account_refused(class);
            }
            mail.finish(answer);
        }
    }
}

impl<S: Shipment> State<S> {
    /// Handles an answer from the relay about a mail. Returns whether it opened the circuit.
    fn take_answer(&mut self, queued: Queued<S>, mut answer: Answer, now: Instant, finished: &mut Finished<S>) -> bool {
        let (mail, began) = (queued.mail, queued.taken_at);
        let subject = Subject::new(mail.batch(), mail.envelope());
        let is_throttled = self.is_throttled(&mail, &answer);
        let lasts = is_throttled && self.flow.pace.throttled(began, now);
        if answer.code.is_some() && !lasts {
            self.flow.answered(now);
            self.answers.count += 1;
            self.answers.end_set_aside(&mail, &answer);
        }
        if is_throttled {
            answer.slow_down(self.flow.pace.retry_after(now) + subject.jitter());
            let has_opened = lasts && self.throttling_lasts(&mail, &answer, now);
            finished.push((mail, answer));
            return has_opened;
        }
        match (answer.verdict, answer.scope) {
            (Verdict::Accepted, _) => {
                self.flow.pace.accepted(began, now);
                self.answers.accepted(&mail, subject, began, now, finished);
            }
            (Verdict::Refused { .. }, Scope::Unclear | Scope::Content) if answer.code.is_some() => {
                self.flow.pace.ended(began);
                self.answers.refused(mail, answer, subject, now, finished);
                return false;
            }
            (Verdict::TryLater { .. }, Scope::Unclear) => {
                self.deferred(mail, answer, (subject, began), now, finished);
                return false;
            }
            _ => {
                self.flow.pace.ended(began);
                if answer.code.is_some() {
                    self.answers.refusals.other(subject, false, now);
                }
            }
        }
        finished.push((mail, answer));
        false
    }

    /// Whether the relay throttles with this answer, as far as is known.
    fn is_throttled(&self, mail: &S, answer: &Answer) -> bool {
        match (answer.verdict, answer.scope) {
            (Verdict::SlowDown { .. }, _) => true,
            (Verdict::TryLater { .. }, Scope::Unclear) => {
                let known = self.answers.throttling.filter(|_| self.flow.pace.is_limited());
                known.is_some_and(|known| known == Signature::of(answer, mail.envelope()))
            }
            _ => false,
        }
    }

    /// Holds back all mail, because the relay has throttled every mail for minutes. Returns whether it opened
    /// the circuit.
    fn throttling_lasts(&mut self, mail: &S, answer: &Answer, now: Instant) -> bool {
        let mut shown = answer.clone();
        shown.reply = without_recipient(&answer.reply, mail.envelope());
        self.flow.throttling_lasts(&shown, now)
    }

    /// Handles a deferral of unclear scope: greylisting, or a rate limit that is not known yet.
    fn deferred(
        &mut self,
        mail: S,
        answer: Answer,
        (subject, began): (Subject, Instant),
        now: Instant,
        finished: &mut Finished<S>,
    ) {
        let signature = Signature::of(&answer, mail.envelope());
        self.flow.pace.ended(began);
        self.answers.refusals.other(subject, false, now);
        if !self.answers.has_accepted_recently(mail.envelope(), now) {
            return finished.push((mail, answer));
        }
        self.answers.hold(mail, answer, subject, signature, now, finished);
        let is_same = |held: &HeldMail<S>| held.signature == signature;
        if self.answers.held.iter().filter(|held| is_same(held)).count() >= DEFERRALS {
            self.answers.throttling = Some(signature);
            let pace = &mut self.flow.pace;
            pace.throttled(now, now);
            for mut held in self.answers.held.extract_if(.., |held| is_same(held)) {
                held.answer.slow_down(pace.retry_after(now) + held.subject.jitter());
                finished.push((held.mail, held.answer));
            }
        }
    }

    /// Handles trouble of the relay or a refusal of our account. Returns whether it opened the circuit.
    fn take_trouble(
        &mut self,
        queued: Queued<S>,
        mut answer: Answer,
        now: Instant,
        finished: &mut Finished<S>,
    ) -> bool {
        let (mail, began) = (queued.mail, queued.taken_at);
        self.flow.pace.ended(began);
        let (mut is_the_domains, mut may_be_the_domains) = (false, false);
        if answer.scope == Scope::Account {
            self.answers.report(&mail, &answer, false);
        } else if answer.phase >= Phase::Rcpt {
            let domain = domain_of(mail.envelope());
            // A relay that does not answer is judged as a whole.
            may_be_the_domains = !self.flow.has_answered() && answer.code.is_some();
            is_the_domains = self.answers.set_aside.trouble(&domain, may_be_the_domains, now);
            if matches!(answer.verdict, Verdict::RelayTrouble { .. }) {
                answer.retry_after = self.answers.set_aside.remaining(&domain, now);
            }
        }
        let has_opened = match (is_the_domains, may_be_the_domains) {
            (true, _) => false,
            (false, true) => self.flow.domain_trouble(&answer, now),
            (false, false) => self.flow.trouble(&answer, now),
        };
        finished.push((mail, answer));
        has_opened
    }
}

/// Whether an idle connection was closed before the relay processed the mail. Many relays end a connection
/// with a 421 to the first command, after some time or a number of mails.
fn was_closed_before_mail(answer: &Answer) -> bool {
    let is_trouble = matches!(answer.verdict, Verdict::TryLater { .. } | Verdict::RelayTrouble { .. });
    answer.phase == Phase::Mail && is_trouble && matches!(answer.code, None | Some(421))
}

/// Whether the answer is about the relay and not the mail. Silence is, in every phase. If this mail is what
/// the relay fails on, good answers to the others outweigh it.
fn is_relays_own(answer: &Answer) -> bool {
    match answer.verdict {
        Verdict::RelayTrouble { .. } | Verdict::Unsure => true,
        Verdict::TryLater { .. } => matches!(answer.code, None | Some(421)),
        Verdict::Accepted | Verdict::Refused { .. } | Verdict::SlowDown { .. } | Verdict::NotBegun => false,
    }
}
