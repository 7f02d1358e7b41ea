//! A scripted SMTP server on a real socket, and the mailbox behind it.
//!
//! Its behaviour is set per recipient ([`Behaviour`]) and for the relay as a whole ([`Mode`]), and can change while it
//! runs. Its log is the ground truth: a delivery that is recorded as sent must be in the log, and a failed one must
//! not.
//!
//! The bench also uses it as its sink, so it does little work per mail.

mod certificate;
mod command;
mod handshake;
mod ledger;
mod mail;
mod reply_mode;
mod rules;
mod script;
mod session;
mod wire;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use self::ledger::{Counts, LoginAttempt, Transaction};
pub use self::mail::Mail;
pub use self::script::{Behaviour, HangUp, Keep, Limit, Login, Mode, Offer, Script, Step, Tls};

use self::certificate::Certificate;
pub(crate) use self::certificate::issue;
use self::ledger::Ledger;
use self::rules::Rules;
use self::session::Session;
use crate::error::Result;
use crate::ports::Port;

/// A running relay. Dropping it ends it and all its connections.
#[derive(Debug)]
pub struct Relay {
    shared: Arc<Shared>,
    port: Port,
    listening: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

/// State that all connections share.
#[derive(Debug)]
struct Shared {
    script: Script,
    rules: Rules,
    ledger: Ledger,
    certificate: Option<Certificate>,
    /// Cancels all connections; replaced after each use.
    hang_up: Mutex<CancellationToken>,
}

impl Relay {
    /// Starts a relay on a free port of the loopback address.
    pub async fn start(script: Script) -> Result<Self> {
        let certificate = match script.tls {
            Tls::None => None,
            Tls::StartTls | Tls::Implicit => Some(Certificate::for_names(&script.certificate_names)?),
        };
        let port = Port::claim()?;
        let listener = port.listen().await?;
        let shared = Arc::new(Shared {
            rules: Rules::new(&script),
            ledger: Ledger::new(script.keep),
            certificate,
            hang_up: Mutex::default(),
            script,
        });
        let listening = tokio::spawn(listen(Arc::clone(&shared), listener));
        Ok(Self {
            shared,
            port,
            listening: tokio::sync::Mutex::new(Some(listening)),
        })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// The PEM certificate of the authority that signed its certificate; only with TLS.
    pub fn authority_pem(&self) -> Option<&Path> {
        let certificate = self.shared.certificate.as_ref()?;
        Some(certificate.authority.path())
    }

    /// Sets the behaviour for recipients without a rule of their own.
    pub fn set_default(&self, behaviour: Behaviour) {
        self.shared.rules.set_default(behaviour);
    }

    /// Sets the behaviour for this address.
    pub fn set(&self, recipient: &str, behaviour: Behaviour) {
        self.shared.rules.set(recipient, behaviour);
    }

    /// Sets the behaviour for all addresses that match the predicate. The latest matching predicate applies.
    pub fn set_where(&self, holds: impl Fn(&str) -> bool + Send + Sync + 'static, behaviour: Behaviour) {
        self.shared.rules.set_where(Box::new(holds), behaviour);
    }

    /// Sets the mode of the relay as a whole.
    pub fn set_mode(&self, mode: Mode) {
        self.shared.rules.set_mode(mode);
    }

    /// Sets how many mails the relay takes in a time window, instead of all limits so far; `None` removes them.
    pub fn set_limit(&self, limit: Option<Limit>) {
        self.set_limits(limit.into_iter().collect());
    }

    /// Sets several limits, which all apply, instead of those so far.
    pub fn set_limits(&self, limits: Vec<Limit>) {
        self.shared.rules.set_limits(limits);
    }

    /// Closes the port, so connections are refused. Open connections continue.
    pub async fn pause_listening(&self) {
        if let Some(listening) = self.listening.lock().await.take() {
            listening.abort();
            // Once the task has ended the port is closed; its result does not matter.
            let _ = listening.await;
        }
    }

    /// Opens the same port again.
    ///
    /// # Errors
    ///
    /// When another process has taken it meanwhile.
    pub async fn resume_listening(&self) -> Result<()> {
        let mut listening = self.listening.lock().await;
        if listening.is_some() {
            return Ok(());
        }
        let listener = self.port.listen().await?;
        *listening = Some(tokio::spawn(listen(Arc::clone(&self.shared), listener)));
        Ok(())
    }

    /// Closes all open connections, whatever their state.
    pub fn hang_up(&self) {
        self.shared.end_connections();
    }

    /// The outcome of every mail, in the order of completion.
    pub fn log(&self) -> Vec<Transaction> {
        self.shared.ledger.transactions()
    }

    /// All login attempts.
    pub fn logins(&self) -> Vec<LoginAttempt> {
        self.shared.ledger.logins()
    }

    /// The counts so far.
    pub fn counts(&self) -> Counts {
        self.shared.ledger.counts()
    }

    /// Number of accepted connections.
    pub fn connections(&self) -> usize {
        self.counts().connections
    }

    /// Number of mails the relay took responsibility for, whether or not the client got the reply.
    pub fn accepted_count(&self) -> usize {
        self.counts().accepted
    }

    /// The mails in this address's mailbox, in order of arrival.
    ///
    /// # Errors
    ///
    /// When one of them cannot be parsed, or the relay keeps no mails.
    pub fn mails_to(&self, recipient: &str) -> Result<Vec<Mail>> {
        self.mails(|transaction| transaction.recipient.eq_ignore_ascii_case(recipient))
    }

    /// The mails in all mailboxes, in order of arrival.
    ///
    /// # Errors
    ///
    /// As [`Relay::mails_to`].
    pub fn all_mails(&self) -> Result<Vec<Mail>> {
        self.mails(|_| true)
    }

    fn mails(&self, wanted: impl Fn(&Transaction) -> bool) -> Result<Vec<Mail>> {
        let log = self.log();
        let kept = log.iter().filter(|transaction| transaction.kept);
        kept.filter(|transaction| wanted(transaction)).map(Mail::read).collect()
    }

    /// Waits until the relay has accepted this many mails since its start.
    ///
    /// # Errors
    ///
    /// When it has not within that time; the text gives the counts.
    pub async fn wait_for(&self, accepted: usize, within: Duration) -> Result<Counts> {
        self.wait_until(&format!("{accepted} accepted mails"), within, |counts| {
            counts.accepted >= accepted
        })
        .await
    }

    /// Waits until the predicate holds for the counts; `wish` names it in the error.
    ///
    /// # Errors
    ///
    /// As [`Relay::wait_for`].
    pub async fn wait_until(&self, wish: &str, within: Duration, holds: impl Fn(&Counts) -> bool) -> Result<Counts> {
        self.shared.ledger.wait_until(wish, within, holds).await
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(listening) = self.listening.get_mut().take() {
            listening.abort();
        }
        self.shared.end_connections();
    }
}

impl Shared {
    fn end_connections(&self) {
        let mut hang_up = self.hang_up.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *hang_up).cancel();
    }

    fn hang_up(&self) -> CancellationToken {
        let hang_up = self.hang_up.lock().unwrap_or_else(PoisonError::into_inner);
        hang_up.clone()
    }
}

async fn listen(shared: Arc<Shared>, listener: TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // A temporary problem of the system, such as too many open files.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        tokio::spawn(attend(Arc::clone(&shared), stream));
    }
}

async fn attend(shared: Arc<Shared>, stream: TcpStream) {
    let hang_up = shared.hang_up();
    let number = shared.ledger.opened();
    // Small replies must not be delayed; otherwise each costs 40 ms.
    let _ = stream.set_nodelay(true);
    let mut session = Session::new(Arc::clone(&shared), number, stream);
    tokio::select! {
        () = hang_up.cancelled() => {}
        // The client sees any error as the end of the connection.
        _ = session.converse() => {}
    }
    session.end();
    drop(session);
    shared.ledger.closed();
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;
