//! The mailer, as the pipeline sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use lettre::transport::smtp::extension::ClientId;
use prometheus::{IntGauge, Registry};

use shared::batch::Lane;
use shared::lifecycle::Lifecycle;
use shared::reconnect::Delays;

use super::breaker::{Breaker, RelayState};
use super::connection::{Connection, Terms};
use super::envelope::Envelope;
use super::idle::IdleConnections;
use super::metrics::SmtpMetrics;
use super::phase::Phase;
use super::relay::{RelayUrl, Security};
use super::settings::Settings;
use super::slots::Slots;
use super::tls::{TrustError, trust};
use super::told::told;
use super::transfer::{MayStartBody, Outgoing};
use super::verdict::Answer;
use super::width::Width;

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
pub struct Mailer {
    slots: Arc<Slots>,
    lifecycle: Lifecycle,
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
        let terms = terms(relay, &settings, registry)?;
        let delays = Delays::between(settings.first_probe, settings.longest_probe);
        let slots = Arc::new(Slots {
            idle: IdleConnections::new(settings.idle_limit, settings.age_limit, terms.metrics.idle.clone()),
            talking: IntGauge::new("talking", "Not shown; counts for others_work.")?,
            width: Width::new(settings.connections.max(1), terms.metrics.allowed.clone()),
            breaker: Breaker::new(delays, terms.metrics.relay_up.clone()),
            terms: Arc::new(terms),
            settings,
        });
        super::upkeep::close_the_unused(&slots);
        Ok(Self { slots, lifecycle })
    }

    /// Waits while mails are held back because of the relay. Asked before a delivery is claimed, so
    /// that an outage claims nothing.
    pub async fn ready(&self) {
        self.slots.breaker.ready().await;
    }

    /// Whether mails are not held back at this moment.
    pub fn is_ready(&self) -> bool {
        self.slots.breaker.is_ready()
    }

    /// Waits until mails are held back.
    pub async fn in_trouble(&self) {
        self.slots.breaker.in_trouble().await;
    }

    /// Whether the relay takes mails.
    pub fn relay_state(&self) -> RelayState {
        self.slots.breaker.state()
    }

    /// Waits until the relay is in trouble when it was up, or up when it was in trouble.
    pub async fn relay_changed(&self, was: &RelayState) {
        self.slots.breaker.changed(*was == RelayState::Up).await;
    }

    /// Hands one mail to the relay and reports what became of it.
    ///
    /// `wire` is written as it is: no line of it begins with a dot but the last, which is the final dot.
    /// Mails of the bulk `lane` leave some connections to the others: see [`for_bulk`](super::for_bulk).
    /// `may_start_body` is asked once everything but the body is done; `false` ends the attempt as
    /// [`NotBegun`](super::Verdict::NotBegun). So does the process's wish to stop, at whatever step before the body:
    /// no body begins after it, for nobody may be left to hear the answer. A body that has begun
    /// goes on. Dropping the future in the middle closes the connection; whether the mail arrived
    /// is then unknown if the body had begun.
    pub async fn send(&self, envelope: &Envelope, wire: &[u8], lane: Lane, may_start_body: MayStartBody<'_>) -> Answer {
        let has_begun = AtomicBool::new(false);
        let may_start_body = || {
            let may = !self.lifecycle.is_stopping() && may_start_body();
            has_begun.fetch_or(may, Ordering::Relaxed);
            may
        };
        let mail = Outgoing {
            envelope,
            wire,
            may_start_body: &may_start_body,
            ends: Instant::now() + self.slots.settings.deadlines.attempt,
        };
        let stopped_before_the_body = async {
            self.lifecycle.stopping().cancelled().await;
            if has_begun.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = stopped_before_the_body => {
                Answer::not_begun(Phase::Connect, "the worker stops, and the body had not begun")
            }
            answer = self.slots.send(mail, lane) => answer,
        }
    }

    /// Says goodbye on all idle connections. Those still in use do so after their mail.
    pub async fn close(&self) {
        let goodbyes = self.slots.idle.close().into_iter().map(async |connection| {
            // Where all slots are in use there is none for a goodbye, and it ends without.
            if let Some(_slot) = self.slots.width.try_slot() {
                connection.quit().await;
            }
        });
        futures_util::future::join_all(goodbyes).await;
    }
}

/// What all connections to this relay have in common.
fn terms(relay: RelayUrl, settings: &Settings, registry: &Registry) -> Result<Terms, MailerError> {
    Ok(Terms {
        tls: match relay.security() {
            Security::Plaintext => None,
            Security::ImplicitTls | Security::StartTls => Some(trust(relay.extra_root())?),
        },
        hello: hello(&settings.hello_name)?,
        deadlines: settings.deadlines,
        relay,
        metrics: SmtpMetrics::register(registry)?,
        opened: AtomicU64::new(0),
    })
}

/// How long [`check`] may take.
const CHECK_DEADLINE: Duration = Duration::from_secs(20);

/// Opens one connection to a relay as mails need it, logs in and says goodbye.
///
/// # Errors
///
/// What the relay says, or what became of the line.
pub async fn check(relay: RelayUrl, settings: &Settings) -> Result<(), String> {
    let terms = terms(relay, settings, &Registry::new()).map_err(|fault| fault.to_string())?;
    match Connection::open(&Arc::new(terms), Instant::now() + CHECK_DEADLINE).await {
        Ok(connection) => {
            connection.quit().await;
            Ok(())
        }
        Err(answer) => Err(told(&answer)),
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
