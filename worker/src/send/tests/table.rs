//! The decision table, row by row.

use super::super::reply::{Reply, ReplyError};
use super::*;
use Phase::{Auth, Body, Connect, Data, Dot, Ehlo, Greeting, Mail, Rcpt, StartTls};
use TroubleClass as T;

fn of(phase: Phase, text: &str) -> Verdict {
    let (code, words) = text.split_at(3);
    let reply = Reply {
        code: code.parse().unwrap(),
        text: words.trim().to_owned(),
    };
    Answer::from_reply(phase, &reply).verdict
}

type Row = (&'static [Phase], &'static str, Verdict);

fn hold(rows: &[Row]) {
    for (phases, text, expected) in rows {
        for phase in *phases {
            assert_eq!(of(*phase, text), *expected, "{phase}: {text}");
        }
    }
}

#[test]
fn replies_before_the_recipient() {
    hold(&[
        // Before any mail, it is never about one.
        (
            &[Greeting, Ehlo],
            "421 4.7.0 too many connections",
            trouble(T::Throttled),
        ),
        (&[Greeting, Ehlo], "450 busy", trouble(T::Throttled)),
        (&[Greeting, Ehlo], "554 5.7.1 go away", trouble(T::Policy)),
        (&[Greeting, Ehlo], "502 what", trouble(T::Policy)),
        (&[StartTls], "454 4.7.0 TLS not available", trouble(T::Tls)),
        (&[StartTls], "501 no", trouble(T::Tls)),
        (&[Auth], "535 5.7.8 bad credentials", trouble(T::Auth)),
        (&[Auth], "454 4.7.0 temporary", trouble(T::Auth)),
        (&[Auth], "530 5.7.0 TLS first", trouble(T::Auth)),
        (&[Auth], "538 5.7.11 TLS first", trouble(T::Auth)),
        (&[Auth], "421 closing", trouble(T::Auth)),
        // MAIL: about the sender and hence all mails, except for the size.
        (&[Mail], "421 4.3.2 closing", trouble(T::Throttled)),
        (&[Mail], "450 4.1.8 no such domain", trouble(T::SenderRefused)),
        (&[Mail], "451 4.3.0 later", trouble(T::Throttled)),
        (&[Mail], "452 4.3.1 disk full", trouble(T::Throttled)),
        (&[Mail], "550 5.1.8 sender unknown", trouble(T::SenderRefused)),
        (&[Mail], "550 no", trouble(T::SenderRefused)),
        (&[Mail], "553 5.7.1 not yours", trouble(T::SenderRefused)),
        (&[Mail], "554 5.7.1 policy", trouble(T::SenderRefused)),
        (&[Mail], "530 5.7.0 authentication required", trouble(T::Auth)),
        (&[Mail], "501 5.5.4 syntax", trouble(T::Protocol)),
        (&[Mail], "503 5.5.1 nested MAIL", trouble(T::Protocol)),
        (&[Mail], "555 5.5.4 unknown parameter", trouble(T::Protocol)),
        (&[Mail], "552 too large", refused(T::ContentTooLarge)),
        (&[Mail], "552 5.3.4 too large", refused(T::ContentTooLarge)),
        (&[Mail], "550 5.3.4 too large", refused(T::ContentTooLarge)),
        (&[Mail], "550 5.6.7 non-ASCII", refused(T::AddressUnsupported)),
    ]);
}

#[test]
fn replies_to_the_recipient() {
    hold(&[
        (&[Rcpt], "421 4.3.2 closing", trouble(T::Throttled)),
        (&[Rcpt], "450 4.2.0 greylisted", later(T::Throttled)),
        (&[Rcpt], "451 4.7.1 greylisted", later(T::Throttled)),
        (&[Rcpt], "452 4.5.3 too many", slow_down(T::Throttled)),
        (&[Data, Body, Dot], "454 rate", slow_down(T::Throttled)),
        (&[Rcpt], "454 4.7.1 relaying denied", trouble(T::RelayingDenied)),
        (&[Dot], "550 5.4.5 daily quota", trouble(T::Quota)),
        (&[Rcpt], "450 4.2.1 disabled for now", later(T::Throttled)),
        (&[Rcpt], "452 4.2.2 over quota", later(T::MailboxFull)),
        (&[Rcpt], "550 5.1.1 unknown", refused(T::AddressUnknown)),
        (&[Rcpt], "550 5.1.2 no such host", refused(T::AddressUnknown)),
        (&[Rcpt], "501 5.1.3 syntax", refused(T::AddressUnknown)),
        (&[Rcpt], "550 5.1.6 moved", refused(T::AddressUnknown)),
        (&[Rcpt], "556 5.1.10 null MX", refused(T::AddressUnknown)),
        (&[Rcpt], "550 5.2.1 disabled", refused(T::Refused)),
        (&[Rcpt], "552 5.2.2 full", refused(T::MailboxFull)),
        (&[Rcpt], "552 full", refused(T::MailboxFull)),
        (&[Rcpt], "550 5.7.1 not allowed", refused(T::Policy)),
        (&[Rcpt], "554 5.7.26 unauthenticated", refused(T::Policy)),
        (&[Rcpt], "550 no", refused(T::Refused)),
        (&[Rcpt], "551 not local", refused(T::Refused)),
        (&[Rcpt], "553 bad name", refused(T::Refused)),
        (&[Rcpt], "554 5.4.14 loop", refused(T::Refused)),
        // An enhanced code whose class differs from the code's is ignored.
        (&[Rcpt], "550 4.1.1 odd", refused(T::Refused)),
        (&[Rcpt], "450 5.1.1 odd", later(T::Throttled)),
        (&[Rcpt], "550 5.1.1.1 odd", refused(T::Refused)),
        (&[Rcpt], "550 5.6.7 non-ASCII", refused(T::AddressUnsupported)),
        (&[Rcpt], "550 5.1.8 sender unknown", trouble(T::SenderRefused)),
        (&[Rcpt], "550 5.1.7 sender's form", trouble(T::SenderRefused)),
        (&[Rcpt, Data], "530 5.7.0 authentication required", trouble(T::Auth)),
        (&[Rcpt, Data], "503 5.5.1 bad sequence", later(T::Protocol)),
        (&[Rcpt, Data], "500 what", later(T::Protocol)),
    ]);
}

#[test]
fn replies_to_the_mail_itself() {
    hold(&[
        (&[Data], "421 4.3.2 closing", trouble(T::Throttled)),
        (&[Body, Dot], "421 4.3.2 closing", later(T::Throttled)),
        (&[Data, Body, Dot], "451 4.3.0 later", later(T::Throttled)),
        (&[Data, Body, Dot], "452 4.2.2 over quota", later(T::MailboxFull)),
        (&[Data, Body, Dot], "552 too large", refused(T::ContentTooLarge)),
        (&[Data, Body, Dot], "554 5.3.4 too large", refused(T::ContentTooLarge)),
        (&[Data, Body, Dot], "554 5.7.1 spam", refused(T::Policy)),
        (&[Data, Body, Dot], "554 no", refused(T::Refused)),
        (&[Data, Body, Dot], "550 5.1.1 unknown", refused(T::AddressUnknown)),
        (&[Dot], "552 5.2.2 full", refused(T::MailboxFull)),
        (&[Dot], "250 2.0.0 queued", Verdict::Accepted),
        (&[Dot], "251 forwarded", Verdict::Accepted),
        (&[Dot], "354 more", Verdict::Unsure),
        (&[Dot], "334 VXNlcg", Verdict::Unsure),
        // A positive reply that does not answer the command.
        (&[Data, Body], "250 ok", later(T::Protocol)),
        (&[Mail, Rcpt], "354 go", later(T::Protocol)),
        (&[Greeting, Ehlo], "354 go", trouble(T::Protocol)),
    ]);
}

#[test]
fn silence() {
    let broken = ReplyError::Broken("reset".to_owned());
    let garbled = ReplyError::Garbled("??".to_owned());
    for phase in Phase::ALL {
        for (lost, class) in [
            (&ReplyError::TimedOut, T::Timeout),
            (&broken, T::ConnectionLost),
            (&garbled, T::Protocol),
        ] {
            let class = if phase == Connect && *lost == broken {
                T::Connect
            } else {
                class
            };
            let expected = match phase {
                Connect | Greeting | Ehlo | StartTls | Auth => trouble(class),
                Mail | Rcpt | Data | Body => later(class),
                Dot => Verdict::Unsure,
            };
            let answer = Answer::from_reply_error(phase, lost);
            assert_eq!((answer.verdict, answer.code), (expected, None), "{phase}: {lost:?}");
        }
    }
    let answer = Answer::from_reply_error(Phase::StartTls, &ReplyError::NotPrivate("no".to_owned()));
    assert_eq!(answer.verdict, trouble(T::Tls));
    let answer = Answer::from_reply_error(Phase::Auth, &ReplyError::NoLogin("no".to_owned()));
    assert_eq!(answer.verdict, trouble(T::Auth));
}

#[test]
fn only_a_2xx_to_the_dot_is_accepted() {
    for phase in Phase::ALL {
        for code in 200..600 {
            let verdict = of(phase, &format!("{code} text"));
            let may_be = phase == Dot && (200..300).contains(&code);
            assert_eq!(verdict == Verdict::Accepted, may_be, "{phase}: {code}");
            if phase.is_before_mail() {
                assert!(matches!(verdict, Verdict::RelayTrouble { .. }), "{phase}: {code}");
            }
        }
    }
}

#[test]
fn the_names_of_columns_are_all_different() {
    let classes: std::collections::HashSet<_> = T::ALL.iter().map(|class| class.as_str()).collect();
    assert_eq!(classes.len(), 16);
    let phases: std::collections::HashSet<_> = Phase::ALL.iter().map(|phase| phase.as_str()).collect();
    assert_eq!(phases.len(), 10);
    for (place, phase) in Phase::ALL.iter().enumerate() {
        assert_eq!(*phase as usize, place);
    }
}
