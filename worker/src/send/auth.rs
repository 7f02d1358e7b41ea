//! Authentication (RFC 4954): PLAIN, LOGIN, XOAUTH2 and OAUTHBEARER.

use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use tokio::time::timeout_at;

use super::dialogue::{Dialogue, expect};
use super::login::{Login, Mechanism};
use super::phase::Phase;
use super::relay::Security;
use super::reply::{ReplyError, ReplyResult};
use super::verdict::Answer;

/// Logs in.
pub(super) async fn log_in(
    dialogue: &mut Dialogue,
    login: &Login,
    mechanism: Option<Mechanism>,
    ends: Instant,
) -> Result<(), Answer> {
    let lost = |lost: ReplyError| Answer::from_reply_error(Phase::Auth, &lost);
    if !dialogue.stream.is_encrypted() && dialogue.terms.relay.security() != Security::Plaintext {
        let text = "the connection is not encrypted; the password was not sent";
        return Err(lost(ReplyError::NotPrivate(text.to_owned())));
    }
    let Some(mechanism) = mechanism else {
        return Err(lost(ReplyError::NoLogin(not_offered(login))));
    };
    let started = Instant::now();
    let end = ends.min(started + dialogue.terms.deadlines.auth);
    let exchange = exchange(dialogue, mechanism, login);
    let received = timeout_at(end.into(), exchange)
        .await
        .unwrap_or(Err(ReplyError::TimedOut));
    dialogue.observe_reply(Phase::Auth, started, &received);
    expect(Phase::Auth, received)
        .map(drop)
        .map_err(|answer| redact_words(answer, login))
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
        written.map_err(|fault| ReplyError::Broken(fault.to_string()))?;
        let reply = dialogue.stream.read_reply().await?;
        let next = responses.next();
        match next {
            Some(response) if reply.code == 334 => {
                dialogue.terms.metrics.count_reply(&Ok(reply));
                command = format!("{}\r\n", BASE64.encode(response));
            }
            None if reply.code == 334 => {
                return Err(ReplyError::Garbled(
                    "the relay asks for more than a user and a password".to_owned(),
                ));
            }
            _ => return Ok(reply),
        }
    }
}

/// Removes the relay's words if they contain the password. A relay that does not support AUTH may repeat the
/// whole line that it did not understand, and its words go to logs and pages.
fn redact_words(mut answer: Answer, login: &Login) -> Answer {
    if login.appears_in(&answer.reply) {
        answer.redact_words();
    }
    answer
}
