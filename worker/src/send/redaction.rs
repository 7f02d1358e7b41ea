//! Descriptions of trouble with the relay, for logs, pages and mails that were held back.
//!
//! Until a mail has been announced to the relay, its words cannot name a recipient, and they help the
//! operator to fix the cause. From MAIL on they may (`421 <ada@example.org> …`), and they are stored with the
//! one attempt they belong to. So from MAIL on a description has only phase, codes and class. Pages show even
//! less at AUTH, where a relay may repeat the rejected login, and more of throttling that lasts.

use std::time::Duration;

use shared::trouble::WorkerTrouble;

use super::phase::Phase;
use super::reply_table::Scope;
use super::trouble::TroubleClass;
use super::verdict::{Answer, Verdict};

/// Describes the trouble in words that may be shown and logged.
pub(super) fn describe(answer: &Answer) -> String {
    let phase = answer.phase;
    if phase.is_before_mail() {
        return match answer.code {
            Some(code) => format!("{code} {} (at {phase})", answer.reply),
            None => format!("{} (at {phase})", answer.reply),
        };
    }
    codes(answer)
}

/// Describes the trouble in words that every administrator may read.
///
/// If throttling lasts, only the words tell a used-up quota from a rate. The recipient has been removed from
/// them ([`super::evidence::without_recipient`]).
pub(super) fn describe_for_pages(answer: &Answer) -> String {
    match (answer.verdict, answer.code) {
        (Verdict::SlowDown { .. }, Some(code)) => format!("{code} {} (at {})", answer.reply, answer.phase),
        _ if answer.phase == Phase::Auth => codes(answer),
        _ => describe(answer),
    }
}

fn codes(answer: &Answer) -> String {
    let phase = answer.phase;
    let class = class_of(answer);
    match (answer.code, answer.enhanced_code.as_deref()) {
        (Some(code), Some(enhanced)) => format!("{code} {enhanced} ({class}, at {phase})"),
        (Some(code), None) => format!("{code} ({class}, at {phase})"),
        (None, _) => format!("no usable answer ({class}, at {phase})"),
    }
}

fn class_of(answer: &Answer) -> &'static str {
    match answer.verdict {
        Verdict::Unsure => "unsure",
        _ => answer.class().map_or("none", TroubleClass::as_str),
    }
}

/// The kind of trouble as reported to operators.
pub(super) fn trouble(answer: &Answer) -> WorkerTrouble {
    use TroubleClass::{
        Auth, Connect, ConnectionLost, Policy, Protocol, Quota, RelayingDenied, SenderRefused, Throttled, Timeout, Tls,
    };
    match answer.class() {
        Some(Connect) => WorkerTrouble::RelayUnreachable,
        Some(Timeout) if answer.phase == Phase::Connect => WorkerTrouble::RelayUnreachable,
        Some(ConnectionLost) => WorkerTrouble::RelayHangsUp,
        Some(Tls) => WorkerTrouble::RelayNotPrivate,
        Some(Auth) => WorkerTrouble::RelayRefusesLogin,
        Some(SenderRefused) => WorkerTrouble::RelayRefusesSender,
        // Both end by themselves. `refusal` distinguishes a used-up quota from throttling.
        Some(Throttled | Quota) => WorkerTrouble::RelayAsksToWait,
        Some(Policy | RelayingDenied) => WorkerTrouble::RelayTurnsAway,
        Some(Protocol) => WorkerTrouble::RelayUnreadable,
        // Without a class it is silence after a final dot. The other classes are about one mail, never about
        // the relay.
        Some(Timeout | _) | None => WorkerTrouble::RelaySilent,
    }
}

/// The class of refusals of our sender, login or account that affect every mail. A login refused at AUTH is
/// not among them: it affects no mail. Throttling is not either, because it ends by itself.
pub(super) fn refusal(answer: &Answer) -> Option<&'static str> {
    let Verdict::RelayTrouble { class } = answer.verdict else {
        return None;
    };
    if answer.scope != Scope::Account {
        return None;
    }
    (answer.phase >= Phase::Mail).then(|| class.as_str())
}

/// Logs that the circuit has opened.
pub(super) fn log_circuit_opened(answer: &Answer, pause: Duration) {
    let description = describe(answer);
    tracing::warn!(
        smtp.phase = answer.phase.as_str(),
        smtp.code = answer.code,
        smtp.enhanced_code = answer.enhanced_code,
        smtp.class = class_of(answer),
        next_probe_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
        "The relay is in trouble: {description}. Emails are held back and use no attempt; one connection at a time probes the relay until it recovers"
    );
}

#[cfg(test)]
mod tests {
    use super::super::reply::{Reply, ReplyError};
    use super::*;

    fn reply(phase: Phase, code: u16, words: &str) -> String {
        let text = words.to_owned();
        describe(&Answer::from_reply(phase, &Reply { code, text }))
    }

    #[test]
    fn the_relays_words_are_shown_before_a_mail_is_announced() {
        assert_eq!(
            reply(Phase::Greeting, 421, "4.3.2 down for an hour"),
            "421 4.3.2 down for an hour (at greeting)"
        );
        assert_eq!(reply(Phase::Auth, 535, "5.7.8 no"), "535 5.7.8 no (at auth)");
        let refused = Answer::from_reply_error(Phase::Connect, &ReplyError::Broken("Connection refused".to_owned()));
        assert_eq!(describe(&refused), "Connection refused (at connect)");
    }

    #[test]
    fn descriptions_on_pages_repeat_no_login() {
        let words = "5.7.8 who is invites@lerna.example?";
        let refused = Answer::from_reply(
            Phase::Auth,
            &Reply {
                code: 535,
                text: words.to_owned(),
            },
        );
        assert_eq!(describe_for_pages(&refused), "535 5.7.8 (auth, at auth)");
        let garbled = Answer::from_reply_error(Phase::Auth, &ReplyError::Garbled("secret".to_owned()));
        assert_eq!(describe_for_pages(&garbled), "no usable answer (protocol, at auth)");
        let away = Answer::from_reply_error(Phase::Connect, &ReplyError::Broken("Connection refused".to_owned()));
        assert_eq!(describe_for_pages(&away), "Connection refused (at connect)");
    }

    #[test]
    fn throttling_that_lasts_is_shown_with_its_words_and_is_no_refusal() {
        let reply = |code, words: &str| {
            let text = words.to_owned();
            Answer::from_reply(Phase::Dot, &Reply { code, text })
        };
        let throttled = reply(454, "4.7.0 Daily message quota exceeded");
        assert_eq!(
            describe_for_pages(&throttled),
            "454 4.7.0 Daily message quota exceeded (at dot)"
        );
        assert_eq!(
            (refusal(&throttled), trouble(&throttled)),
            (None, WorkerTrouble::RelayAsksToWait)
        );
        let used_up = reply(550, "5.4.5 Daily limit exceeded");
        assert_eq!(
            (refusal(&used_up), trouble(&used_up)),
            (Some("quota"), WorkerTrouble::RelayAsksToWait)
        );
    }

    #[test]
    fn trouble_is_classified_by_the_required_action() {
        use WorkerTrouble as Is;
        let of = |phase, code, words: &str| {
            let text = words.to_owned();
            trouble(&Answer::from_reply(phase, &Reply { code, text }))
        };
        let lost = |phase, lost: ReplyError| trouble(&Answer::from_reply_error(phase, &lost));

        assert_eq!(of(Phase::Greeting, 421, "busy"), Is::RelayAsksToWait);
        assert_eq!(of(Phase::Greeting, 554, "go away"), Is::RelayTurnsAway);
        assert_eq!(of(Phase::StartTls, 454, "no"), Is::RelayNotPrivate);
        assert_eq!(of(Phase::Auth, 535, "no"), Is::RelayRefusesLogin);
        assert_eq!(of(Phase::Mail, 550, "no"), Is::RelayRefusesSender);
        assert_eq!(of(Phase::Mail, 451, "later"), Is::RelayAsksToWait);
        assert_eq!(of(Phase::Mail, 503, "what"), Is::RelayUnreadable);
        assert_eq!(of(Phase::Rcpt, 530, "login first"), Is::RelayRefusesLogin);
        assert_eq!(of(Phase::Dot, 554, "5.7.705 too much"), Is::RelayTurnsAway);
        assert_eq!(
            lost(Phase::Connect, ReplyError::Broken("refused".to_owned())),
            Is::RelayUnreachable
        );
        assert_eq!(lost(Phase::Connect, ReplyError::TimedOut), Is::RelayUnreachable);
        assert_eq!(lost(Phase::Greeting, ReplyError::TimedOut), Is::RelaySilent);
        assert_eq!(lost(Phase::Dot, ReplyError::TimedOut), Is::RelaySilent);
        assert_eq!(
            lost(Phase::Ehlo, ReplyError::Broken("reset".to_owned())),
            Is::RelayHangsUp
        );
        assert_eq!(
            lost(Phase::StartTls, ReplyError::NotPrivate("expired".to_owned())),
            Is::RelayNotPrivate
        );
        assert_eq!(
            lost(Phase::Ehlo, ReplyError::Garbled("?".to_owned())),
            Is::RelayUnreadable
        );
    }

    #[test]
    fn from_mail_on_none_of_the_relays_words_are_shown() {
        let words = "4.3.2 <ada@example.org> try later";
        let bare = "<ada@example.org> try later";
        for phase in [Phase::Mail, Phase::Rcpt, Phase::Data] {
            assert_eq!(reply(phase, 421, words), format!("421 4.3.2 (throttled, at {phase})"));
            assert_eq!(reply(phase, 421, bare), format!("421 (throttled, at {phase})"));
        }
        for (phase, class) in [
            (Phase::Rcpt, "protocol"),
            (Phase::Body, "protocol"),
            (Phase::Dot, "unsure"),
        ] {
            let garbled = Answer::from_reply_error(phase, &ReplyError::Garbled(bare.to_owned()));
            assert_eq!(describe(&garbled), format!("no usable answer ({class}, at {phase})"));
        }
    }
}
