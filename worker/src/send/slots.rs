//! The mailer: a bounded number of connections, and who gets which.
//!
//! A slot is the right to have one connection open. A mail takes a slot, then the connection that
//! was used last, because the freshest is the likeliest to be alive and the others may grow old and
//! be closed; only if none is idle does it open one. As an idle connection is given to whoever has
//! a slot, there are never more connections than slots.
//!
//! A relay may close an idle connection at any time, and a mail must not pay for that: if a
//! connection that was idle proves dead before it took the mail, the mail goes over another one, and
//! neither an attempt nor anybody's notice is spent. A relay that takes fewer connections than it
//! is offered gets fewer: a slot whose connect fails while others work is put away for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use lettre::transport::smtp::extension::ClientId;
use prometheus::{IntGauge, Registry};
use tokio::time::timeout_at;

use shared::batch::Lane;
use shared::lifecycle::Lifecycle;
use shared::reconnect::Delays;

use super::breaker::{Breaker, Leave, Pause, RelayState, Stumble};
use super::connection::{Connection, Terms};
use super::envelope::Envelope;
use super::idle::IdleConnections;
use super::metrics::SmtpMetrics;
use super::phase::Phase;
use super::relay::{RelayUrl, Security};
use super::settings::Settings;
use super::tls::{TrustError, trust};
use super::transfer::{MayStartBody, Outgoing};
use super::verdict::{Answer, Verdict};
use super::width::{Slot, Width};

/// How often a mail looks for a working connection before it reports trouble.
const ROUNDS: usize = 3;

/// Why a mailer cannot be made; a fault in the installation, seen at start.
#[derive(Debug, thiserror::Error)]
pub enum MailerError {
    /// No certificate could be checked.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// Another mailer is registered already.
    #[error("could not register the metrics of the mailer")]
    Metrics(#[from] prometheus::Error),
    /// The relay would read a different command.
    #[error("the name for EHLO must be a host name or an address, without spaces")]
    HelloName,
}

/// Hands mails to the relay. Clones share connections.
#[derive(Clone)]
pub struct Mailer(Arc<Inner>);

pub(super) struct Inner {
    pub(super) terms: Arc<Terms>,
    pub(super) settings: Settings,
    pub(super) width: Arc<Width>,
    pub(super) breaker: Breaker,
    pub(super) idle: IdleConnections,
    lifecycle: Lifecycle,
    /// Connections that are ready and have a mail on them.
    talking: IntGauge,
}

impl Mailer {
    /// A mailer for this relay. Opens nothing yet; must be called within a tokio runtime, where
    /// it leaves a task that closes connections nobody uses.
    ///
    /// # Errors
    ///
    /// Settings that cannot work. A relay that cannot be reached is no error here: see
    /// [`Mailer::ready`].
    pub fn new(
        relay: RelayUrl,
        settings: Settings,
        registry: &Registry,
        lifecycle: Lifecycle,
    ) -> Result<Self, MailerError> {
        let metrics = SmtpMetrics::register(registry)?;
        let terms = Terms {
            tls: match relay.security() {
                Security::Plaintext => None,
                Security::ImplicitTls | Security::StartTls => Some(trust(relay.extra_root())?),
            },
            hello: hello(&settings.hello_name)?,
            deadlines: settings.deadlines,
            relay,
            metrics,
            opened: AtomicU64::new(0),
        };
        let delays = Delays::between(settings.first_probe, settings.longest_probe);
        let inner = Arc::new(Inner {
            idle: IdleConnections::new(settings.idle_limit, settings.age_limit, terms.metrics.idle.clone()),
            talking: IntGauge::new("talking", "Not shown; counts for others_work.")?,
            width: Width::new(settings.connections.max(1), terms.metrics.allowed.clone()),
            breaker: Breaker::new(delays, terms.metrics.relay_up.clone()),
            terms: Arc::new(terms),
            settings,
            lifecycle,
        });
        super::upkeep::close_the_unused(&inner);
        Ok(Self(inner))
    }

    /// Waits while mails are held back because of the relay. Asked before a delivery is claimed, so
    /// that an outage claims nothing.
    pub async fn ready(&self) {
        self.0.breaker.ready().await;
    }

    /// Whether mails are not held back at this moment.
    pub fn is_ready(&self) -> bool {
        self.0.breaker.is_ready()
    }

    /// Waits until mails are held back.
    pub async fn in_trouble(&self) {
        self.0.breaker.in_trouble().await;
    }

    /// Whether the relay takes mails.
    pub fn relay_state(&self) -> RelayState {
        self.0.breaker.state()
    }

    /// Hands one mail to the relay and reports what became of it.
    ///
    /// Mails of the bulk `lane` leave some connections to the others: see [`for_bulk`](super::for_bulk).
    /// `may_start_body` is asked once everything but the body is done; `false` ends the attempt as
    /// [`Verdict::NotBegun`]. So does the process's wish to stop, at whatever step before the body:
    /// no body begins after it, for nobody may be left to hear the answer. A body that has begun
    /// goes on. Dropping the future in the middle closes the connection; whether the mail arrived
    /// is then unknown if the body had begun.
    pub async fn send(
        &self,
        envelope: &Envelope,
        message: &[u8],
        lane: Lane,
        may_start_body: MayStartBody<'_>,
    ) -> Answer {
        let has_begun = AtomicBool::new(false);
        let may_start_body = || {
            let may = !self.0.lifecycle.is_stopping() && may_start_body();
            has_begun.fetch_or(may, Ordering::Relaxed);
            may
        };
        let mail = Outgoing {
            envelope,
            message,
            may_start_body: &may_start_body,
            ends: Instant::now() + self.0.settings.deadlines.attempt,
        };
        let stopped_before_the_body = async {
            self.0.lifecycle.stopping().cancelled().await;
            if has_begun.load(Ordering::Relaxed) {
                std::future::pending().await
            }
        };
        tokio::select! {
            biased;
            () = stopped_before_the_body => {
                Answer::not_begun(Phase::Connect, "the worker stops, and the body had not begun")
            }
            answer = self.0.send_in_rounds(mail, lane) => answer,
        }
    }

    /// Says goodbye on all idle connections. Those still in use do so after their mail.
    pub async fn close(&self) {
        let goodbyes = self.0.idle.close().into_iter().map(async |connection| {
            // Where all slots are in use there is none for a goodbye, and it ends without.
            if let Some(_slot) = self.0.width.try_slot() {
                connection.quit().await;
            }
        });
        futures_util::future::join_all(goodbyes).await;
    }
}

/// Lets the next mail go first if this one, which did, comes to no decision.
struct Trial<'a>(&'a Breaker);

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        self.0.trial_ended();
    }
}

impl Inner {
    async fn send_in_rounds(self: &Arc<Self>, mail: Outgoing<'_>, lane: Lane) -> Answer {
        let mut answer = Answer::not_begun(Phase::Connect, "no connection was free in time");
        for _ in 0..ROUNDS {
            if let Some(held_back) = self.breaker.refusal_while_down() {
                return held_back;
            }
            let Some(slot) = self.slot(lane, mail.ends).await else {
                return answer;
            };
            let leave = match self.breaker.leave().await {
                Ok(leave) => matches!(leave, Leave::Trial).then(|| Trial(&self.breaker)),
                Err(held_back) => return held_back,
            };
            answer = self.send_in_slot(mail).await;
            let is_worth_another = self.learn(&answer);
            drop(leave);
            if !is_worth_another {
                return answer;
            }
            slot.put_away(Instant::now());
        }
        answer
    }

    async fn slot(&self, lane: Lane, ends: Instant) -> Option<Slot> {
        let started = Instant::now();
        let slot = timeout_at(ends.into(), self.width.slot(lane)).await.ok().flatten();
        self.terms.metrics.wait.observe(started.elapsed().as_secs_f64());
        slot
    }

    async fn send_in_slot(self: &Arc<Self>, mail: Outgoing<'_>) -> Answer {
        let _counted = Counted::by(&self.terms.metrics.in_use);
        if !mail.has_time_for_the_dot(&self.settings.deadlines) {
            return Answer::not_begun(Phase::Connect, "a connection was free too late");
        }
        if let Some(connection) = self.idle_connection().await {
            let answer = self.converse(connection, mail).await;
            if !had_died(&answer) {
                return answer;
            }
        }
        match Connection::open(&self.terms, mail.ends).await {
            Ok(connection) => self.converse(connection, mail).await,
            Err(answer) => answer,
        }
    }

    /// An idle connection that may carry a mail. Those past their time end on the way, each before
    /// the next is looked at, so that the caller's slot is enough for it.
    async fn idle_connection(&self) -> Option<Connection> {
        let mut answers = true;
        loop {
            let (connection, is_fit) = self.idle.freshest()?;
            if is_fit {
                return Some(connection);
            }
            // Where one goodbye was waited for in vain, the others end without.
            answers = answers && connection.quit().await;
        }
    }

    async fn converse(&self, mut connection: Connection, mail: Outgoing<'_>) -> Answer {
        let answer = {
            let _talking = Counted::by(&self.talking);
            connection.transfer(mail).await
        };
        if let Some(unwanted) = self.idle.park(connection) {
            unwanted.quit().await;
        }
        answer
    }

    /// Tells the breaker. Says whether the mail is worth another connection: it found none, and
    /// others work.
    fn learn(self: &Arc<Self>, answer: &Answer) -> bool {
        if is_relays_own(answer) {
            let has_no_connection = answer.phase.is_before_mail();
            let others_work = has_no_connection && self.others_work();
            self.stumbled(answer, others_work);
            return others_work;
        }
        // Any reply but those says that the relay took the sender and looked at the mail.
        if answer.code.is_some() {
            if self.breaker.worked() {
                self.width.restore();
            }
            self.width.widen(Instant::now());
        }
        false
    }

    fn stumbled(self: &Arc<Self>, answer: &Answer, others_work: bool) {
        match self.breaker.stumbled(answer, others_work) {
            Stumble::Passing => {}
            Stumble::InDoubt(doubt) => super::upkeep::end_doubt(self, doubt, answer.clone()),
            Stumble::Closed(pause) => self.closed(pause),
        }
    }

    /// The way has just been closed.
    pub(super) fn closed(self: &Arc<Self>, pause: Pause) {
        // What is idle belongs to the relay as it was.
        drop(self.idle.take_all());
        super::upkeep::probe_until_well(self, pause);
    }

    /// Whether a connection other than the caller's, which has none, is open and not known dead.
    /// It may hang all the same.
    fn others_work(&self) -> bool {
        self.idle.any_works() || self.talking.get() > 0
    }
}

/// Counts something as long as it lasts, also when its mail is cancelled.
struct Counted<'a>(&'a IntGauge);

impl<'a> Counted<'a> {
    fn by(gauge: &'a IntGauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Whether a connection that had been idle ended before the relay took notice of the mail. A 421 to
/// the first command is how many relays end one, after a time or after a number of mails.
fn had_died(answer: &Answer) -> bool {
    let is_trouble = matches!(answer.verdict, Verdict::TryLater { .. } | Verdict::RelayTrouble { .. });
    answer.phase == Phase::Mail && is_trouble && matches!(answer.code, None | Some(421))
}

/// Whether the answer tells of the relay and not of the mail. Silence does, in whatever phase: if it
/// is this mail that the relay cannot bear, the good answers to the others will outweigh it.
fn is_relays_own(answer: &Answer) -> bool {
    match answer.verdict {
        Verdict::RelayTrouble { .. } | Verdict::Unsure => true,
        Verdict::TryLater { .. } => matches!(answer.code, None | Some(421)),
        Verdict::Accepted | Verdict::Refused { .. } | Verdict::NotBegun => false,
    }
}

fn hello(name: &str) -> Result<ClientId, MailerError> {
    match name.parse() {
        Ok(std::net::IpAddr::V4(address)) => Ok(ClientId::Ipv4(address)),
        Ok(std::net::IpAddr::V6(address)) => Ok(ClientId::Ipv6(address)),
        Err(_) if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Ok(ClientId::Domain(name.to_owned()))
        }
        Err(_) => Err(MailerError::HelloName),
    }
}
