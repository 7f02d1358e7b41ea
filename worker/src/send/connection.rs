//! One connection to the relay: opening it, and asking one question at a time on it.
//!
//! lettre writes the commands and reads the replies. Everything about time is ours, because lettre
//! waits for ever once it is connected (lettre #1027): each step has its deadline, and a step that
//! missed it, was cancelled, or heard something odd leaves the connection marked unclean, which
//! ends it. A late reply thus has nobody left to mislead.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use lettre::transport::smtp::Error as LettreError;
use lettre::transport::smtp::authentication::Mechanism;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Auth, Ehlo, Quit, Starttls};
use lettre::transport::smtp::extension::{ClientId, Extension};
use lettre::transport::smtp::response::Response;
use rustls::ClientConfig;
use tokio::time::{timeout, timeout_at};

use super::line::{dial, encrypt, greet};
use super::metrics::SmtpMetrics;
use super::offers::Offers;
use super::phase::Phase;
use super::relay::{Login, RelayUrl, Security};
use super::reply::{Heard, Lost, Reply, heard};
use super::settings::Deadlines;
use super::verdict::Answer;
use super::wire::Wire;

/// How long a connection we are done with may take to say goodbye. Short, because its slot waits.
const GOODBYE: Duration = Duration::from_secs(2);

/// The most questions a relay may ask before it believes a login; LOGIN needs two.
const CHALLENGES: usize = 4;

/// What all connections of a mailer have in common.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) relay: RelayUrl,
    /// `None` where the URL asks for no privacy.
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) hello: ClientId,
    pub(super) deadlines: Deadlines,
    pub(super) metrics: SmtpMetrics,
    /// How many connections were opened.
    pub(super) opened: AtomicU64,
}

/// A connection that has been greeted, is private as the URL demands, and knows who we are.
pub(super) struct Connection {
    pub(super) smtp: AsyncSmtpConnection,
    pub(super) wire: Wire,
    pub(super) offers: Offers,
    pub(super) terms: Arc<Terms>,
    /// Set only by a complete and fitting exchange; whatever interrupts one leaves it unset.
    pub(super) is_clean: bool,
    /// The relay still holds the beginnings of a refused mail.
    pub(super) needs_reset: bool,
    pub(super) opened_at: Instant,
    /// Counts the connections of this mailer.
    pub(super) number: u64,
}

impl Connection {
    /// Opens a connection and makes it ready for mails.
    ///
    /// # Errors
    ///
    /// The answer is always [`RelayTrouble`](super::Verdict::RelayTrouble): no mail was offered.
    pub(super) async fn open(terms: &Arc<Terms>, ends: Instant) -> Result<Self, Answer> {
        let opened = Self::open_by_steps(terms, ends).await;
        terms.metrics.connected(opened.as_ref().err().and_then(Answer::class));
        opened
    }

    async fn open_by_steps(terms: &Arc<Terms>, ends: Instant) -> Result<Self, Answer> {
        let wire = dial(terms, ends).await?;
        let smtp = greet(terms, &wire, ends).await?;
        let mut connection = Self {
            smtp,
            wire,
            offers: Offers::default(),
            terms: Arc::clone(terms),
            is_clean: true,
            needs_reset: false,
            opened_at: Instant::now(),
            number: terms.opened.fetch_add(1, Ordering::Relaxed),
        };
        if terms.relay.security() == Security::StartTls {
            connection.start_tls(ends).await?;
        }
        // Asked once more although lettre has asked: lettre keeps only the keywords it knows, and
        // PIPELINING is not among them. After STARTTLS the first answer counts for nothing anyway.
        let hello = Ehlo::new(terms.hello.clone()).to_string();
        let reply = expect(Phase::Ehlo, connection.ask(Phase::Ehlo, &hello, ends).await)?;
        connection.offers = Offers::from_ehlo(&reply);
        if let Some(login) = terms.relay.login() {
            connection.log_in(login, ends).await?;
        }
        Ok(connection)
    }

    async fn start_tls(&mut self, ends: Instant) -> Result<(), Answer> {
        let phase = Phase::StartTls;
        if !self.smtp.server_info().supports_feature(Extension::StartTls) {
            let text = "the relay does not offer STARTTLS, which SMTP_URL requires; no mail and no password was sent";
            return Err(Answer::from_lost(phase, &Lost::NotPrivate(text.to_owned())));
        }
        expect(phase, self.ask(phase, &Starttls.to_string(), ends).await)?;
        encrypt(&self.terms, &self.wire, phase, ends).await
    }

    async fn log_in(&mut self, login: &Login, ends: Instant) -> Result<(), Answer> {
        let lost = |lost: Lost| Answer::from_lost(Phase::Auth, &lost);
        if !self.wire.is_encrypted() && self.terms.relay.security() != Security::Plaintext {
            return Err(lost(Lost::NotPrivate(
                "the line is not encrypted; the password was kept back".to_owned(),
            )));
        }
        let Some(mechanism) = self.offers.mechanism else {
            let text = "the relay offers neither AUTH PLAIN nor AUTH LOGIN, and SMTP_URL names a user";
            return Err(lost(Lost::NoLogin(text.to_owned())));
        };
        let conversation = converse(&mut self.smtp, &self.wire, &self.terms.metrics, mechanism, login);
        let started = Instant::now();
        let end = ends.min(started + self.terms.deadlines.auth);
        let result = timeout_at(end.into(), conversation).await;
        let heard = result.map_or(Err(Lost::TimedOut), |result| heard(result, self.wire.has_ended()));
        self.note(Phase::Auth, started, &heard);
        expect(Phase::Auth, heard)
            .map(drop)
            .map_err(|answer| withhold(answer, login))
    }

    /// Sends a command, or several at once, and reads the first reply.
    pub(super) async fn ask(&mut self, phase: Phase, command: &str, ends: Instant) -> Heard {
        self.exchange(phase, Some(command), ends).await
    }

    /// Reads one more reply to what was asked before.
    pub(super) async fn hear(&mut self, phase: Phase, ends: Instant) -> Heard {
        self.exchange(phase, None, ends).await
    }

    async fn exchange(&mut self, phase: Phase, command: Option<&str>, ends: Instant) -> Heard {
        let started = Instant::now();
        let end = ends.min(started + self.terms.deadlines.of(phase));
        self.wire.expect_reply();
        let result = match command {
            Some(command) => timeout_at(end.into(), self.smtp.command(command)).await,
            None => timeout_at(end.into(), self.smtp.read_response()).await,
        };
        let heard = result.map_or(Err(Lost::TimedOut), |result| heard(result, self.wire.has_ended()));
        self.note(phase, started, &heard);
        heard
    }

    pub(super) fn note(&self, phase: Phase, started: Instant, heard: &Heard) {
        self.terms.metrics.took(phase, started.elapsed());
        self.terms.metrics.heard(heard);
    }

    /// Whether the next mail may go out on it.
    pub(super) fn is_reusable(&self) -> bool {
        self.is_clean && self.wire.is_quiet()
    }

    /// Closes it as the rules ask, and tells whether the relay answered; what goes wrong now harms
    /// nobody. Until the relay has answered, the connection counts there: whoever calls this holds
    /// a slot for it.
    pub(super) async fn quit(mut self) -> bool {
        timeout(GOODBYE, self.smtp.command(Quit)).await.is_ok()
    }
}

/// AUTH with its challenges, to the reply that decides.
async fn converse(
    smtp: &mut AsyncSmtpConnection,
    wire: &Wire,
    metrics: &SmtpMetrics,
    mechanism: Mechanism,
    login: &Login,
) -> Result<Response, LettreError> {
    let mut command = Auth::new(mechanism, login.for_lettre(), None)?;
    for _ in 0..CHALLENGES {
        wire.expect_reply();
        let response = smtp.command(command).await?;
        if !response.has_code(334) {
            return Ok(response);
        }
        metrics.heard(&Ok(Reply::from(&response)));
        command = Auth::new_from_response(mechanism, login.for_lettre(), &response)?;
    }
    wire.expect_reply();
    smtp.command(command).await
}

/// The reply, if the relay did what it was asked; otherwise what that means.
fn expect(phase: Phase, heard: Heard) -> Result<Reply, Answer> {
    match heard {
        Ok(reply) if reply.is_completion() => Ok(reply),
        Ok(reply) => Err(Answer::from_reply(phase, &reply)),
        Err(lost) => Err(Answer::from_lost(phase, &lost)),
    }
}

/// A relay that does not know AUTH may repeat the line it did not understand, password and all,
/// and its words go to logs and pages.
fn withhold(mut answer: Answer, login: &Login) -> Answer {
    if login.appears_in(&answer.reply) {
        answer.withhold_words();
    }
    answer
}
