//! What is told of a relay in trouble, in logs, on pages and beside mails that were held back.
//!
//! Until the relay has heard of a mail, its words cannot name a recipient, and they tell the operator
//! what to mend. From MAIL on they may (`421 <ada@example.org> …`), and what they say stands in the
//! one attempt it was said to. So from there on only phase, codes and class are told.

use std::time::Duration;

use super::trouble::TroubleClass;
use super::verdict::{Answer, Verdict};

/// The trouble in words that may be shown and logged.
pub(super) fn told(answer: &Answer) -> String {
    let phase = answer.phase;
    if phase.is_before_mail() {
        return match answer.code {
            Some(code) => format!("{code} {} (at {phase})", answer.reply),
            None => format!("{} (at {phase})", answer.reply),
        };
    }
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

/// Says in the log that the way is closed.
pub(super) fn warn_of(answer: &Answer, pause: Duration) {
    let told = told(answer);
    tracing::warn!(
        smtp.phase = answer.phase.as_str(),
        smtp.code = answer.code,
        smtp.enhanced_code = answer.enhanced_code,
        smtp.class = class_of(answer),
        next_probe_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
        "The relay is in trouble: {told}. Mails are held back, which spends nobody's attempt; one connection at a time tries again until it is well"
    );
}

#[cfg(test)]
mod tests {
    use super::super::phase::Phase;
    use super::super::reply::{Lost, Reply};
    use super::*;

    fn reply(phase: Phase, code: u16, words: &str) -> String {
        let lines = vec![words.to_owned()];
        told(&Answer::from_reply(phase, &Reply { code, lines }))
    }

    #[test]
    fn words_are_told_until_the_relay_has_heard_of_a_mail() {
        assert_eq!(
            reply(Phase::Greeting, 421, "4.3.2 down for an hour"),
            "421 4.3.2 down for an hour (at greeting)"
        );
        assert_eq!(reply(Phase::Auth, 535, "5.7.8 no"), "535 5.7.8 no (at auth)");
        let refused = Answer::from_lost(Phase::Connect, &Lost::Broken("Connection refused".to_owned()));
        assert_eq!(told(&refused), "Connection refused (at connect)");
    }

    #[test]
    fn from_mail_on_no_word_of_the_relay_is_told() {
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
            let garbled = Answer::from_lost(phase, &Lost::Garbled(bare.to_owned()));
            assert_eq!(told(&garbled), format!("no usable answer ({class}, at {phase})"));
        }
    }
}
