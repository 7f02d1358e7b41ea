//! An SMTP server on a real socket that follows a script, and the mailbox behind it.
//!
//! What it does is decided per recipient ([`Behaviour`]) and for the relay as a whole
//! ([`Mode`]), and can be changed while it runs. What it saw is its log, which judges: a
//! delivery that claims to be sent must be found here, and one that failed must not.
//!
//! It is also the sink of the bench, so it does little per mail.

mod certificate;
mod command;
mod ledger;
mod mail;
mod manner;
mod rules;
mod script;
mod session;
mod welcome;
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
use self::ledger::Ledger;
use self::rules::Rules;
use self::session::Session;
use crate::error::Result;
use crate::ports::Port;

/// A running relay. It ends, with all its connections, when it is dropped.
#[derive(Debug)]
pub struct Relay {
    shared: Arc<Shared>,
    port: Port,
    listening: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

/// What all connections know.
#[derive(Debug)]
struct Shared {
    script: Script,
    rules: Rules,
    ledger: Ledger,
    certificate: Option<Certificate>,
    /// Ends all connections; replaced when used.
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

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// The certificate, in PEM, of the authority that vouches for it; only with TLS.
    pub fn authority_pem(&self) -> Option<&Path> {
        let certificate = self.shared.certificate.as_ref()?;
        Some(certificate.authority.path())
    }

    /// From now on, recipients without a rule of their own meet this.
    pub fn set_default(&self, behaviour: Behaviour) {
        self.shared.rules.set_default(behaviour);
    }

    /// From now on, this address meets this.
    pub fn set(&self, recipient: &str, behaviour: Behaviour) {
        self.shared.rules.set(recipient, behaviour);
    }

    /// From now on, addresses for which the predicate holds meet this; of several predicates
    /// the latest counts.
    pub fn set_where(&self, holds: impl Fn(&str) -> bool + Send + Sync + 'static, behaviour: Behaviour) {
        self.shared.rules.set_where(Box::new(holds), behaviour);
    }

    /// From now on, the relay as a whole is like this.
    pub fn set_mode(&self, mode: Mode) {
        self.shared.rules.set_mode(mode);
    }

    /// From now on, the relay takes so many mails in a time; any number where there is no limit.
    pub fn set_limit(&self, limit: Option<Limit>) {
        self.shared.rules.set_limit(limit);
    }

    /// Closes the port: connections are refused. Those already open go on.
    pub async fn pause_listening(&self) {
        if let Some(listening) = self.listening.lock().await.take() {
            listening.abort();
            // Its end is the moment the port is closed; how it ended says nothing.
            let _ = listening.await;
        }
    }

    /// Opens the same port again.
    ///
    /// # Errors
    ///
    /// When a stranger has taken it meanwhile.
    pub async fn resume_listening(&self) -> Result<()> {
        let mut listening = self.listening.lock().await;
        if listening.is_some() {
            return Ok(());
        }
        let listener = self.port.listen().await?;
        *listening = Some(tokio::spawn(listen(Arc::clone(&self.shared), listener)));
        Ok(())
    }

    /// Closes all open connections in the middle of whatever they do.
    pub fn hang_up(&self) {
        self.shared.end_connections();
    }

    /// Everything that came of every mail, in the order in which it was settled.
    pub fn log(&self) -> Vec<Transaction> {
        self.shared.ledger.transactions()
    }

    /// Every try to log in.
    pub fn logins(&self) -> Vec<LoginAttempt> {
        self.shared.ledger.logins()
    }

    /// How much has happened so far.
    pub fn counts(&self) -> Counts {
        self.shared.ledger.counts()
    }

    /// How many connections were taken.
    pub fn connections(&self) -> usize {
        self.counts().connections
    }

    /// How many mails the relay took responsibility for, told or untold.
    pub fn accepted_count(&self) -> usize {
        self.counts().accepted
    }

    /// The mails in this address's mailbox, in order of arrival.
    ///
    /// # Errors
    ///
    /// When one of them cannot be read as a mail, or the relay keeps none.
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

    /// Waits until the relay has taken so many mails since its start.
    ///
    /// # Errors
    ///
    /// When it hasn't within that time; the text says what it saw.
    pub async fn wait_for(&self, accepted: usize, within: Duration) -> Result<Counts> {
        self.wait_until(&format!("{accepted} accepted mails"), within, |counts| {
            counts.accepted >= accepted
        })
        .await
    }

    /// Waits until the counts are as wished; `wish` names that in the error.
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
            // The system's trouble, such as too many open files, and it passes.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        tokio::spawn(attend(Arc::clone(&shared), stream));
    }
}

async fn attend(shared: Arc<Shared>, stream: TcpStream) {
    let hang_up = shared.hang_up();
    let number = shared.ledger.opened();
    // Small replies must not wait for more; without it each costs 40 ms.
    let _ = stream.set_nodelay(true);
    let mut session = Session::new(Arc::clone(&shared), number, stream);
    tokio::select! {
        () = hang_up.cancelled() => {}
        // Whatever ended it, the client sees it as the end of the connection.
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
