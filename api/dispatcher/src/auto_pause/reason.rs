//! The reason of an automatic pause, in an administrator's words, followed by the relay's own reply.

use shared::store::relay_refusals::RelayRefusal;
use shared::trouble::WorkerTrouble;

/// Describes why the relay accepts no mail: the class of its refusals of mails, or the trouble of all workers if it
/// refuses their connections. Ends with the latest refusal's words.
pub(super) fn of_relay(trouble: WorkerTrouble, class: Option<&str>, latest: Option<&RelayRefusal>) -> String {
    let names_relaying = latest.is_some_and(|refusal| is_about_relaying(&refusal.words));
    let cause = match (trouble, class) {
        (WorkerTrouble::RelayRefusesSender, _) => of_class("sender_refused"),
        (_, Some("policy")) if names_relaying => of_class("relaying_denied"),
        (_, Some(class)) => of_class(class),
        (_, None) => "your mail server rejects our connections",
    };
    format!("{cause}{}", latest.map(reply).unwrap_or_default())
}

/// Describes a class of refusals to the administrator.
fn of_class(class: &str) -> &'static str {
    match class {
        "sender_refused" => "your mail server refuses our sender address",
        "auth" => "your mail server requires a login, or another one than Beckon has",
        "relaying_denied" => "your mail server does not relay our mail to other domains",
        "quota" => {
            "your mail server accepts no more mail from this account for now; its sending quota is probably used up"
        }
        _ => "your mail server refuses all email from our account",
    }
}

/// Describes a refusal.
pub(super) fn of_refusal(refusal: &RelayRefusal) -> String {
    let cause = match refusal.class.as_str() {
        class @ ("sender_refused" | "auth" | "relaying_denied" | "quota") => of_class(class),
        _ if is_about_relaying(&refusal.words) => of_class("relaying_denied"),
        _ => "your mail server refuses nearly all recipients with the same reply",
    };
    format!("{cause}{}", reply(refusal))
}

/// Whether a reply whose code fits any policy names relaying, as those of Postfix, Exim, sendmail and Exchange do. This
/// only chooses the words for the administrator; what Beckon does depends on the codes.
fn is_about_relaying(words: &str) -> bool {
    let words = words.to_lowercase();
    ["relay access denied", "relaying", "to relay", "relay not permitted"]
        .iter()
        .any(|phrase| words.contains(phrase))
}

/// The relay's own words, as a sentence to follow the cause.
fn reply(refusal: &RelayRefusal) -> String {
    let codes = [refusal.code.map(|code| code.to_string()), refusal.enhanced_code.clone()];
    let codes = codes.into_iter().flatten().collect::<Vec<_>>().join(" ");
    // The words may already begin with the enhanced code.
    let reply = match &refusal.enhanced_code {
        Some(enhanced) => refusal.words.trim_start_matches(enhanced.as_str()).trim(),
        None => refusal.words.trim(),
    };
    format!(". Its reply: “{codes} {reply}”")
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn only_a_relay_that_refuses_no_mail_rejects_connections() {
        let of = |class| of_relay(WorkerTrouble::RelayTurnsAway, class, None);

        assert_eq!(of(None), "your mail server rejects our connections");
        assert_eq!(
            of(Some("policy")),
            "your mail server refuses all email from our account"
        );
        let quota = of_relay(WorkerTrouble::RelayAsksToWait, Some("quota"), None);
        assert!(quota.ends_with("its sending quota is probably used up"), "{quota}");
    }

    #[test]
    fn a_policy_reply_that_names_relaying_is_described_as_such() {
        let refusal = |words: &str| RelayRefusal {
            batch: Uuid::nil(),
            class: "policy".to_owned(),
            phase: "rcpt".to_owned(),
            code: Some(554),
            enhanced_code: Some("5.7.1".to_owned()),
            words: words.to_owned(),
            affected: 20,
            is_everybodys: true,
        };
        let cause_of = |words: &str| of_refusal(&refusal(words));
        let of_all = |words: &str| of_relay(WorkerTrouble::RelayTurnsAway, Some("policy"), Some(&refusal(words)));

        for words in [
            "… Relay access denied",
            "relay not permitted",
            "Unable to relay",
            "sorry, relaying of that recipient denied",
        ] {
            assert!(
                cause_of(words).starts_with("your mail server does not relay"),
                "{words}"
            );
            assert!(of_all(words).starts_with("your mail server does not relay"), "{words}");
        }
        let spam = cause_of("blocked by relay.example.com, see our policy");
        assert!(spam.contains("refuses nearly all recipients"), "{spam}");
    }
}
