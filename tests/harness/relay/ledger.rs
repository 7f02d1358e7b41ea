//! What the relay received and replied: the ground truth for every promise about mails.

use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::mail::header_of;
use super::script::{Keep, Step};
use crate::error::{HarnessError, Result};

/// The outcome of one recipient of one mail transaction.
#[derive(Debug, Clone)]
pub struct Transaction {
    /// Connections are numbered from 1 in the order they were accepted.
    pub connection: usize,
    /// From `MAIL FROM`.
    pub sender: String,
    /// From `RCPT TO`; empty when the sender was refused.
    pub recipient: String,
    /// The message with dot-stuffing removed; `None` when it did not arrive in full or is not kept.
    pub message: Option<Arc<[u8]>>,
    /// The `Message-ID` header, angle brackets included.
    pub message_id: Option<String>,
    /// The `X-Beckon-Delivery` header.
    pub delivery: Option<String>,
    /// The step it reached.
    pub step: Step,
    /// The last line of the relay's last reply; empty when it sent none.
    pub reply: String,
    /// Whether the whole reply was handed to the system while the client was connected.
    pub reply_written: bool,
    /// Whether the relay took responsibility for the mail, whether or not the client got the reply.
    pub kept: bool,
    /// Time since the relay's start.
    pub after: Duration,
}

/// One login attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginAttempt {
    /// The connection's number.
    pub connection: usize,
    /// The user name.
    pub user: String,
    /// Whether it came over TLS. A password without TLS is a fault of the client.
    pub is_encrypted: bool,
    /// Whether it succeeded.
    pub is_accepted: bool,
}

/// Totals so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections accepted since the start.
    pub connections: usize,
    /// Connections open now.
    pub open: usize,
    /// The most connections open at the same time.
    pub most_open: usize,
    /// Connections greeted with a `421` because too many were open.
    pub turned_away: usize,
    /// Messages that arrived in full, up to their final dot, whatever the outcome.
    pub dots: usize,
    /// Mails the relay took responsibility for.
    pub accepted: usize,
    /// Recipients, senders and mails it refused.
    pub refused: usize,
}

/// The outcome of one mail for all its recipients, as the session sees it.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) connection: usize,
    pub(super) sender: String,
    /// Empty when the sender was refused.
    pub(super) recipients: Vec<String>,
    pub(super) message: Option<Arc<[u8]>>,
    pub(super) step: Step,
    pub(super) reply: Cow<'static, str>,
    pub(super) kept: bool,
}

/// Everything that happened at one relay.
#[derive(Debug)]
pub(super) struct Ledger {
    keep: Keep,
    started: Instant,
    transactions: Mutex<Vec<Transaction>>,
    logins: Mutex<Vec<LoginAttempt>>,
    connections: AtomicUsize,
    open: AtomicUsize,
    most_open: AtomicUsize,
    turned_away: AtomicUsize,
    dots: AtomicUsize,
    accepted: AtomicUsize,
    refused: AtomicUsize,
    changed: Notify,
}

impl Ledger {
    pub(super) fn new(keep: Keep) -> Self {
        Self {
            keep,
            started: Instant::now(),
            transactions: Mutex::default(),
            logins: Mutex::default(),
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            most_open: AtomicUsize::new(0),
            turned_away: AtomicUsize::new(0),
            dots: AtomicUsize::new(0),
            accepted: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
            changed: Notify::new(),
        }
    }

    /// Counts a connection and returns its number; call `closed` when it ends.
    pub(super) fn opened(&self) -> usize {
        let open = self.open.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_open.fetch_max(open, Ordering::Relaxed);
        let number = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        self.changed.notify_waiters();
        number
    }

    pub(super) fn closed(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        self.changed.notify_waiters();
    }

    pub(super) fn turned_away(&self) {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
        self.changed.notify_waiters();
    }

    pub(super) fn dot(&self) {
        self.dots.fetch_add(1, Ordering::Relaxed);
        self.changed.notify_waiters();
    }

    /// Records an outcome once for each recipient, with as much content as `keep` allows.
    pub(super) fn record(&self, outcome: Outcome, reply_written: bool) {
        let mails = outcome.recipients.len().max(1);
        let counter = if outcome.kept { &self.accepted } else { &self.refused };
        if self.keep != Keep::Counts {
            let transactions = self.transactions_of(outcome, reply_written);
            self.transactions
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend(transactions);
        }
        // After the list, so that a caller waiting for the count finds the mail.
        counter.fetch_add(mails, Ordering::Relaxed);
        self.changed.notify_waiters();
    }

    fn transactions_of(&self, outcome: Outcome, reply_written: bool) -> Vec<Transaction> {
        let mut recipients = outcome.recipients;
        if recipients.is_empty() {
            recipients.push(String::new());
        }
        let header = |name| header_of(outcome.message.as_deref().unwrap_or_default(), name);
        let (message_id, delivery) = (header("Message-ID"), header("X-Beckon-Delivery"));
        let after = self.started.elapsed();
        let transactions = recipients.into_iter().map(|recipient| Transaction {
            connection: outcome.connection,
            sender: outcome.sender.clone(),
            recipient,
            message: outcome.message.clone().filter(|_| self.keep == Keep::Mails),
            message_id: message_id.clone(),
            delivery: delivery.clone(),
            step: outcome.step,
            reply: outcome.reply.clone().into_owned(),
            reply_written,
            kept: outcome.kept,
            after,
        });
        transactions.collect()
    }

    pub(super) fn record_login(&self, attempt: LoginAttempt) {
        self.logins.lock().unwrap_or_else(PoisonError::into_inner).push(attempt);
        self.changed.notify_waiters();
    }

    pub(super) fn transactions(&self) -> Vec<Transaction> {
        self.transactions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn logins(&self) -> Vec<LoginAttempt> {
        self.logins.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            connections: self.connections.load(Ordering::Relaxed),
            open: self.open.load(Ordering::Relaxed),
            most_open: self.most_open.load(Ordering::Relaxed),
            turned_away: self.turned_away.load(Ordering::Relaxed),
            dots: self.dots.load(Ordering::Relaxed),
            accepted: self.accepted.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }

    /// Waits until the predicate holds for the counts; `wish` names it in the error.
    pub(super) async fn wait_until(
        &self,
        wish: &str,
        within: Duration,
        holds: impl Fn(&Counts) -> bool,
    ) -> Result<Counts> {
        let wait = async {
            loop {
                let change = self.changed.notified();
                tokio::pin!(change);
                // From here on no change is missed, so the counts are read afterwards.
                change.as_mut().enable();
                let counts = self.counts();
                if holds(&counts) {
                    return counts;
                }
                change.await;
            }
        };
        tokio::time::timeout(within, wait).await.map_err(|_| {
            HarnessError::new(format!(
                "the relay did not see {wish} within {within:?}; it saw {:?}",
                self.counts()
            ))
        })
    }
}
