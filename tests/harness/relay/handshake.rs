//! The start of a session, before any mail: capabilities, TLS and login.

use std::io;

use mail_parser::decoders::base64::base64_decode;

use super::ledger::LoginAttempt;
use super::script::{Mode, Offer, Tls};
use super::session::{Flow, Session};

impl Session {
    /// Lists the relay's extensions, which a client must know before it sends.
    pub(super) fn ehlo(&mut self) {
        self.forget();
        let script = &self.relay.script;
        let size = format!("SIZE {}", script.size);
        let offers = |offer| script.offers.contains(&offer);
        let lines = [
            (true, "relay.test"),
            (offers(Offer::Pipelining), "PIPELINING"),
            (offers(Offer::EightBit), "8BITMIME"),
            (offers(Offer::Utf8Addresses), "SMTPUTF8"),
            (self.offers_start_tls(), "STARTTLS"),
            (self.offers_auth(), "AUTH PLAIN LOGIN"),
            (true, "ENHANCEDSTATUSCODES"),
        ];
        for (_, line) in lines.iter().filter(|(is_offered, _)| *is_offered) {
            self.send_line(&format!("250-{line}"));
        }
        self.send_line(&format!("250 {size}"));
    }

    pub(super) async fn start_tls(&mut self) -> io::Result<Flow> {
        let relay = std::sync::Arc::clone(&self.relay);
        let Some(certificate) = relay.certificate.as_ref().filter(|_| self.offers_start_tls()) else {
            self.send_line("502 5.5.1 no TLS here");
            return Ok(Flow::Go);
        };
        self.send_line("220 2.0.0 go ahead");
        self.flush().await?;
        if relay.rules.mode() == Mode::BreaksTls {
            self.send_line("this is no TLS");
            return Ok(Flow::Close);
        }
        self.wire.encrypt(&certificate.acceptor).await?;
        self.forget();
        Ok(Flow::Go)
    }

    pub(super) async fn auth_plain(&mut self, initial: Option<String>) -> io::Result<Flow> {
        let Some(answer) = self.answer_to("334 ", initial).await? else {
            return Ok(Flow::Close);
        };
        // Authorisation identity, user name and password, separated by NUL.
        let mut parts = answer.split('\0').skip(1).map(str::to_owned);
        let user = parts.next().unwrap_or_default();
        let password = parts.next().unwrap_or_default();
        self.log_in(user, &password);
        Ok(Flow::Go)
    }

    pub(super) async fn auth_login(&mut self, initial: Option<String>) -> io::Result<Flow> {
        let Some(user) = self.answer_to("334 VXNlcm5hbWU6", initial).await? else {
            return Ok(Flow::Close);
        };
        let Some(password) = self.answer_to("334 UGFzc3dvcmQ6", None).await? else {
            return Ok(Flow::Close);
        };
        self.log_in(user, &password);
        Ok(Flow::Go)
    }

    fn log_in(&mut self, user: String, password: &str) {
        let is_known = self
            .relay
            .script
            .login
            .as_ref()
            .is_some_and(|login| login.user == user && login.password == password);
        self.is_logged_in = is_known && self.relay.rules.mode() != Mode::RefusesLogin;
        self.relay.ledger.record_login(LoginAttempt {
            connection: self.number,
            user,
            is_encrypted: self.wire.is_encrypted(),
            is_accepted: self.is_logged_in,
        });
        self.send_line(if self.is_logged_in {
            "235 2.7.0 welcome"
        } else {
            "535 5.7.8 authentication failed"
        });
    }

    /// The client's base64 response, requested unless it came with the command; `None` when the client has
    /// disconnected.
    async fn answer_to(&mut self, question: &str, initial: Option<String>) -> io::Result<Option<String>> {
        let encoded = if let Some(initial) = initial {
            initial.into_bytes()
        } else {
            self.send_line(question);
            match self.next_line().await? {
                Some(line) => self.wire.bytes(line).to_vec(),
                None => return Ok(None),
            }
        };
        let decoded = base64_decode(&encoded).unwrap_or_default();
        Ok(Some(String::from_utf8_lossy(&decoded).into_owned()))
    }

    fn offers_start_tls(&self) -> bool {
        self.relay.script.tls == Tls::StartTls
            && !self.wire.is_encrypted()
            && self.relay.rules.mode() != Mode::StripsStartTls
    }

    /// A relay with TLS accepts no password before TLS is established.
    fn offers_auth(&self) -> bool {
        self.relay.script.login.is_some() && (self.wire.is_encrypted() || self.relay.script.tls == Tls::None)
    }
}
