//! The mailer, the pipeline's interface to the relay.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use lettre::transport::smtp::extension::ClientId;
use prometheus::Registry;
use shared::batch::Lane;
use shared::lifecycle::Lifecycle;
use shared::metrics::Metrics;
use shared::trouble::WorkerTrouble;
use tokio::sync::Notify;

use super::connection::Connection;
use super::dialogue::Terms;
use super::evidence::AccountRefusal;
use super::metrics::SmtpMetrics;
use super::outbox::{Health, Outbox};
use super::periodic;
use super::permit::Permit;
use super::redaction::{describe, describe_for_pages, refusal, trouble};
use super::relay::{RelayUrl, Security};
use super::settings::Settings;
use super::shipment::Shipment;
use super::tls::{TrustError, trust};

/// Why a mailer cannot be created: an error in the installation, detected at startup.
#[derive(Debug, thiserror::Error)]
pub enum MailerError {
    /// Certificates cannot be verified.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The name would change the command that the relay reads.
    #[error("the name for EHLO must be a host name or an address, without spaces")]
    HelloName,
}

/// Whether the relay accepts mails, for readiness probes and the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayState {
    /// Mails are sent.
    Up,
    /// Mails are held back and spend no attempts.
    Down {
        /// When the trouble began.
        since: Instant,
        /// The kind of trouble.
        trouble: WorkerTrouble,
        /// What the relay refuses, if it is our sender, login or account.
        refusal: Option<&'static str>,
        /// The relay's words, or what happened to the connection. Never names a recipient or repeats a login.
        reason: String,
    },
}

/// Hands mails to the relay. Clones share connections.
pub struct Mailer<S: Shipment> {
    outbox: Arc<Outbox<S>>,
}

impl<S: Shipment> Clone for Mailer<S> {
    fn clone(&self) -> Self {
        Self {
            outbox: Arc::clone(&self.outbox),
        }
    }
}

impl<S: Shipment> Mailer<S> {
    /// Creates a mailer for this relay, without connecting. Must be called within a tokio runtime: it spawns a
    /// task that ends with the mailer.
    ///
    /// # Errors
    ///
    /// Settings that cannot work. An unreachable relay is not an error here.
    pub fn new(
        relay: RelayUrl,
        settings: Settings,
        registry: &Registry,
        lifecycle: Lifecycle,
    ) -> Result<Self, MailerError> {
        let terms = terms(relay, &settings, registry)?;
        let outbox = Outbox::new(terms, settings, lifecycle.clone());
        tokio::spawn(periodic::maintain(Arc::downgrade(&outbox), lifecycle));
        Ok(Self { outbox })
    }

    /// Returns permits to claim up to `most` mails now.
    ///
    /// If there is no room, returns none; [`Mailer::capacity_notify`] is notified once there may be some. Unless
    /// `is_urgent`, room that is not worth a claim counts as none.
    pub fn admit(&self, lane: Lane, most: usize, is_urgent: bool) -> Vec<Permit> {
        self.outbox.admit(lane, most, is_urgent)
    }

    /// See [`Mailer::admit`].
    pub fn capacity_notify(&self, lane: Lane) -> Arc<Notify> {
        self.outbox.capacity_notify(lane)
    }

    /// Sends mails. The outcome of each is passed to [`Shipment::finish`].
    ///
    /// Bulk mails leave some connections to the interactive lane. A mail whose body has not begun is finished
    /// as [`NotBegun`](super::Verdict::NotBegun) when the process stops or when it has waited too long for a
    /// connection. A body that has begun is completed.
    pub fn send(&self, mails: Vec<S>) {
        self.outbox.push(mails);
    }

    /// Waits while mails are held back because of the relay.
    pub async fn ready(&self) {
        self.wait_for(|health| health != Health::Down).await;
    }

    /// Whether mails are currently not held back.
    pub fn is_ready(&self) -> bool {
        *self.outbox.health.borrow() != Health::Down
    }

    /// Waits until mails are held back.
    pub async fn in_trouble(&self) {
        self.wait_for(|health| health == Health::Down).await;
    }

    /// Waits until the relay's state is no longer `was`: it goes down if it was up, or comes up if it was down.
    pub async fn relay_changed(&self, was: &RelayState) {
        let was_up = *was == RelayState::Up;
        self.wait_for(|health| (health == Health::Up) != was_up).await;
    }

    async fn wait_for(&self, condition: impl Fn(Health) -> bool) {
        // An error would mean that the sender is gone, but `self` owns it.
        let _ = self
            .outbox
            .health
            .subscribe()
            .wait_for(|health| condition(*health))
            .await;
    }

    /// Removes and returns the account-wide refusals since the last call.
    pub fn take_account_refusals(&self) -> Vec<AccountRefusal> {
        self.outbox.state().answers.take_reports()
    }

    /// Probes a relay in trouble at once instead of after the current pause. Without trouble it does nothing.
    pub fn probe_now(&self) {
        self.outbox.state().flow.probe_now(Instant::now());
    }

    /// Whether nothing is sent because the quota of our account at the relay is used up.
    pub fn is_quota_used_up(&self) -> bool {
        self.outbox.state().flow.awaits_quota()
    }

    /// The rate limit in mails per second, or `None` if the relay does not throttle.
    pub fn rate_limit(&self) -> Option<f64> {
        self.outbox.state().flow.pace.rate()
    }

    /// Whether the relay accepts mails.
    pub fn relay_state(&self) -> RelayState {
        match self.outbox.state().flow.down() {
            None => RelayState::Up,
            Some((since, answer)) => RelayState::Down {
                since: *since,
                trouble: trouble(answer),
                refusal: refusal(answer),
                reason: describe_for_pages(answer),
            },
        }
    }
}

/// Time allowed for a check of the relay.
const CHECK_TIMEOUT: Duration = Duration::from_secs(30);

/// Opens a connection to the relay as a worker does, logs in and closes it.
///
/// # Errors
///
/// The relay's words, or what happened to the connection.
pub async fn check(relay: RelayUrl, settings: &Settings) -> Result<(), String> {
    let terms = Arc::new(terms(relay, settings, &Registry::new()).map_err(|fault| fault.to_string())?);
    match tokio::time::timeout(CHECK_TIMEOUT, Connection::open(&terms)).await {
        Ok(Ok(connection)) => {
            connection.quit().await;
            Ok(())
        }
        Ok(Err(answer)) => Err(describe(&answer)),
        Err(_) => Err(format!("no answer within {} s", CHECK_TIMEOUT.as_secs())),
    }
}

fn terms(relay: RelayUrl, settings: &Settings, registry: &Registry) -> Result<Terms, MailerError> {
    Ok(Terms {
        tls: match relay.security() {
            Security::Plaintext => None,
            Security::ImplicitTls | Security::StartTls => Some(trust(relay.extra_root())?),
        },
        hello: hello(&settings.hello_name)?,
        deadlines: settings.deadlines,
        relay,
        metrics: SmtpMetrics::declare(&Metrics::in_registry(registry)),
        opened: AtomicU64::new(0),
    })
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
