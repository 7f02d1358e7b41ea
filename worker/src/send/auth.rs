//! Authentication (RFC 4954). lettre makes the responses.

use std::time::Instant;

use lettre::transport::smtp::authentication::Mechanism;
use lettre::transport::smtp::commands::Auth;
use lettre::transport::smtp::response::Response;
use tokio::time::timeout_at;

use super::connection::{Dialogue, expect};
use super::phase::Phase;
use super::relay::{Login, Security};
use super::reply::{Heard, Lost};
use super::verdict::Answer;

/// The most challenges a relay may send; LOGIN needs two.
const CHALLENGES: usize = 4;

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
        let text = "the relay offers neither AUTH PLAIN nor AUTH LOGIN, and SMTP_URL names a user";
        return Err(lost(Lost::NoLogin(text.to_owned())));
    };
    let started = Instant::now();
    let end = ends.min(started + dialogue.terms.deadlines.auth);
    let exchange = exchange(dialogue, mechanism, login);
    let heard = timeout_at(end.into(), exchange).await.unwrap_or(Err(Lost::TimedOut));
    dialogue.note(Phase::Auth, started, &heard);
    expect(Phase::Auth, heard)
        .map(drop)
        .map_err(|answer| withhold(answer, login))
}

/// AUTH with its challenges, to the reply that decides.
async fn exchange(dialogue: &mut Dialogue, mechanism: Mechanism, login: &Login) -> Heard {
    let unusable = |fault: lettre::transport::smtp::Error| Lost::Garbled(fault.to_string());
    let mut command = Auth::new(mechanism, login.for_lettre(), None).map_err(unusable)?;
    for round in 0..=CHALLENGES {
        let written = dialogue.stream.write_command(command.to_string().as_bytes()).await;
        written.map_err(|fault| Lost::Broken(fault.to_string()))?;
        let reply = dialogue.stream.read_reply().await?;
        if reply.code != 334 || round == CHALLENGES {
            return Ok(reply);
        }
        let challenge = format!("334 {}\r\n", reply.on_one_line());
        dialogue.terms.metrics.heard(&Ok(reply));
        let challenge: Response = challenge
            .parse()
            .map_err(|_| Lost::Garbled("the relay's challenge cannot be read".to_owned()))?;
        command = Auth::new_from_response(mechanism, login.for_lettre(), &challenge).map_err(unusable)?;
    }
    Err(Lost::Garbled("the relay asks without end".to_owned()))
}

/// A relay that does not know AUTH may repeat the line it did not understand, password and all,
/// and its words go to logs and pages.
fn withhold(mut answer: Answer, login: &Login) -> Answer {
    if login.appears_in(&answer.reply) {
        answer.withhold_words();
    }
    answer
}
