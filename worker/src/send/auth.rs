//! Authentication (RFC 4954): PLAIN, LOGIN, XOAUTH2 and OAUTHBEARER.
//!
//! The responses depend on the mechanism and not on the text of the challenges: LOGIN's first challenge asks
//! for the user and its second for the password, whatever their text (draft-murchison-sasl-login).

use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use tokio::time::timeout_at;

use super::connection::{Dialogue, expect};
use super::phase::Phase;
use super::relay::{Login, Security};
use super::reply::{Lost, ReplyResult};
use super::verdict::Answer;

/// A supported mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mechanism {
    /// RFC 4616.
    Plain,
    /// Obsolete, but the only one that some relays offer.
    Login,
    /// Used by Google and Microsoft, with an access token instead of a password.
    XOauth2,
    /// RFC 7628, also with an access token.
    OauthBearer,
}

impl Mechanism {
    /// Its name in the AUTH command.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::XOauth2 => "XOAUTH2",
            Self::OauthBearer => "OAUTHBEARER",
        }
    }

    /// The response sent with AUTH and the response to each challenge, before base64.
    fn responses(self, login: &Login, server: (&str, u16)) -> (Option<String>, Vec<String>) {
        let (user, password) = (login.user(), login.password());
        match self {
            // A relay that accepts no initial response asks for it in a challenge.
            Self::Plain => {
                let response = format!("\0{user}\0{password}");
                (Some(response.clone()), vec![response])
            }
            Self::Login => (None, vec![user.to_owned(), password.to_owned()]),
            // The challenge after a refusal holds the reason. The reply follows an empty response.
            Self::XOauth2 => (
                Some(format!("user={user}\x01auth=Bearer {password}\x01\x01")),
                vec![String::new()],
            ),
            Self::OauthBearer => {
                let (host, port) = server;
                let user = user.replace('=', "=3D").replace(',', "=2C");
                let response = format!("n,a={user},\x01host={host}\x01port={port}\x01auth=Bearer {password}\x01\x01");
                (Some(response), vec!["\x01".to_owned()])
            }
        }
    }
}

/// Logs in.
pub(super) async fn log_in(
    dialogue: &mut Dialogue,
    login: &Login,
    mechanism: Option<Mechanism>,
    ends: Instant,
) -> Result<(), Answer> {
    let lost = |lost: Lost| Answer::from_lost(Phase::Auth, &lost);
    if !dialogue.stream.is_encrypted() && dialogue.terms.relay.security() != Security::Plaintext {
        let text = "the connection is not encrypted; the password was not sent";
        return Err(lost(Lost::NotPrivate(text.to_owned())));
    }
    let Some(mechanism) = mechanism else {
        return Err(lost(Lost::NoLogin(not_offered(login))));
    };
    let started = Instant::now();
    let end = ends.min(started + dialogue.terms.deadlines.auth);
    let exchange = exchange(dialogue, mechanism, login);
    let received = timeout_at(end.into(), exchange).await.unwrap_or(Err(Lost::TimedOut));
    dialogue.note(Phase::Auth, started, &received);
    expect(Phase::Auth, received)
        .map(drop)
        .map_err(|answer| withhold(answer, login))
}

fn not_offered(login: &Login) -> String {
    login.mechanism().map_or_else(
        || "the relay offers neither AUTH PLAIN nor AUTH LOGIN, and SMTP_URL names a user".to_owned(),
        |wanted| {
            format!(
                "the relay does not offer AUTH {}, which SMTP_URL requests",
                wanted.as_str()
            )
        },
    )
}

/// Runs AUTH and its challenges, up to the final reply.
async fn exchange(dialogue: &mut Dialogue, mechanism: Mechanism, login: &Login) -> ReplyResult {
    let relay = dialogue.terms.relay.clone();
    let (initial, responses) = mechanism.responses(login, (relay.host(), relay.port()));
    let name = mechanism.as_str();
    let mut command = match initial {
        Some(initial) => format!("AUTH {name} {}\r\n", BASE64.encode(initial)),
        None => format!("AUTH {name}\r\n"),
    };
    let mut responses = responses.into_iter();
    loop {
        let written = dialogue.stream.write_command(command.as_bytes()).await;
        written.map_err(|fault| Lost::Broken(fault.to_string()))?;
        let reply = dialogue.stream.read_reply().await?;
        let next = responses.next();
        match next {
            Some(response) if reply.code == 334 => {
                dialogue.terms.metrics.count_reply(&Ok(reply));
                command = format!("{}\r\n", BASE64.encode(response));
            }
            None if reply.code == 334 => {
                return Err(Lost::Garbled(
                    "the relay asks for more than a user and a password".to_owned(),
                ));
            }
            _ => return Ok(reply),
        }
    }
}

/// Removes the relay's words if they contain the password. A relay that does not support AUTH may repeat the
/// whole line that it did not understand, and its words go to logs and pages.
fn withhold(mut answer: Answer, login: &Login) -> Answer {
    if login.appears_in(&answer.reply) {
        answer.withhold_words();
    }
    answer
}

/// The forms in which AUTH transmits the password.
pub(super) fn carried(login: &Login, server: (&str, u16)) -> Vec<String> {
    let mechanisms = [
        Mechanism::Plain,
        Mechanism::Login,
        Mechanism::XOauth2,
        Mechanism::OauthBearer,
    ];
    let forms = mechanisms.into_iter().flat_map(|mechanism| {
        let (initial, responses) = mechanism.responses(login, server);
        initial.into_iter().chain(responses)
    });
    let has_password = |form: &String| form.contains(login.password());
    forms.filter(has_password).map(|form| BASE64.encode(form)).collect()
}
