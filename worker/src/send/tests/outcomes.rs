//! The outcome of a mail, from MAIL to the reply to the final dot.

use super::script::{plain, reply_line};
use super::*;

/// The answer to one mail from a relay that runs `act` at `verb` and otherwise works normally.
async fn answer_when(verb: &'static str, act: Act) -> (Answer, Relay) {
    let settings = waiting_for(verb, &act);
    let relay = Relay::following(move |moment| {
        if moment.verb == verb {
            act.clone()
        } else {
            usual(moment)
        }
    })
    .await;
    let answer = send(&mailer_with(&relay.plain_url(), settings), "ada@example.com").await;
    (answer, relay)
}

#[tokio::test]
async fn an_accepted_mail_carries_the_relays_words() {
    let (answer, relay) = answer_when("NEVER", Act::Close).await;

    assert_eq!(at(&answer), (Verdict::Accepted, Phase::Dot));
    assert_eq!(
        (answer.code, answer.enhanced_code.as_deref()),
        (Some(250), Some("2.0.0"))
    );
    assert_eq!(answer.reply, "2.0.0 queued as 4711");
    assert_eq!(relay.mails(), ["Subject: Welcome\r\n\r\nHello Ada\r\n.\r\n"]);
    assert!(
        relay
            .received()
            .contains(&"0: MAIL FROM:<beckon@example.org> SIZE=31".to_owned())
    );
    assert!(relay.received().contains(&"0: RCPT TO:<ada@example.com>".to_owned()));
    assert!(relay.received().contains(&"0: EHLO beckon.example.org".to_owned()));
}

#[tokio::test]
async fn silence_before_the_dot_means_not_delivered() {
    use Phase::{Data, Mail, Rcpt};
    use TroubleClass::{ConnectionLost, Protocol, Timeout};
    for (verb, phase) in [("MAIL", Mail), ("RCPT", Rcpt), ("DATA", Data)] {
        for (act, class) in [
            (Act::Freeze, Timeout),
            (Act::Close, ConnectionLost),
            (reply_line("good morning"), Protocol),
            (Act::Line("250-one\r\n550 two\r\n".to_owned()), Protocol),
            (Act::Line(format!("250 {}\r\n", "x".repeat(64 * 1024))), Protocol),
            (Act::Forever("250-more\r\n".to_owned()), Protocol),
            (Act::Forever("250 a line without end ".to_owned()), Protocol),
        ] {
            let (answer, relay) = answer_when(verb, act.clone()).await;
            assert_eq!(at(&answer), (later(class), phase), "{act:?} after {verb}");
            assert_eq!(relay.mails(), Vec::<String>::new());
        }
    }
}

#[tokio::test]
async fn any_silence_after_the_dot_is_unsure() {
    for act in [
        Act::Freeze,
        Act::Close,
        reply_line("354 more please"),
        reply_line("334 challenge"),
        reply_line("yes"),
        Act::Line("25".to_owned()),
        Act::Line("250-first\r\n".to_owned()),
        Act::SayAndClose("250 cut off".to_owned()),
        Act::Line(format!("250 {}\r\n", "x".repeat(64 * 1024))),
        Act::Forever("250-more\r\n".to_owned()),
        Act::Forever("250 a line without end ".to_owned()),
    ] {
        let (answer, relay) = answer_when("DOT", act.clone()).await;
        assert_eq!(at(&answer), (Verdict::Unsure, Phase::Dot), "{act:?}");
        assert_eq!(relay.mails().len(), 1);
        until("the connection is closed", || {
            relay.open() == 0 || matches!(act, Act::Freeze | Act::Forever(_))
        })
        .await;
    }
}

#[tokio::test]
async fn a_code_without_text_is_a_reply() {
    for (verb, text, verdict) in [
        ("DOT", "250\r\n", Verdict::Accepted),
        ("DOT", "250-\r\n250\r\n", Verdict::Accepted),
        ("DOT", "451\r\n", later(TroubleClass::Throttled)),
        ("RCPT", "250\r\n", Verdict::Accepted),
        ("RCPT", "550\r\n", refused(TroubleClass::Refused)),
    ] {
        let (answer, _) = answer_when(verb, Act::Line(text.to_owned())).await;
        assert_eq!(answer.verdict, verdict, "{text:?} to {verb}");
    }
}

#[tokio::test]
async fn a_slow_reply_after_the_dot_is_awaited() {
    let pause = Duration::from_millis(300);
    let (answer, _) = answer_when("DOT", Act::SayLater(pause, "250 at last\r\n".to_owned())).await;
    assert_eq!(answer.verdict, Verdict::Accepted);
}

#[tokio::test]
async fn a_421_after_the_dot_is_no_delivery_and_uses_the_attempt() {
    let (answer, _) = answer_when("DOT", Act::SayAndClose("421 4.3.2 shutting down\r\n".to_owned())).await;
    assert_eq!(at(&answer), (later(TroubleClass::Throttled), Phase::Dot));
    assert_eq!(answer.code, Some(421));
}

#[tokio::test]
async fn a_421_before_the_body_is_trouble_of_the_relay() {
    for (verb, phase) in [("MAIL", Phase::Mail), ("RCPT", Phase::Rcpt), ("DATA", Phase::Data)] {
        let (answer, relay) = answer_when(verb, Act::SayAndClose("421 4.7.0 too busy\r\n".to_owned())).await;
        assert_eq!(at(&answer), (trouble(TroubleClass::Throttled), phase));
        until("the connection is closed", || relay.open() == 0).await;
    }
}

#[tokio::test]
async fn a_disconnect_in_the_body_means_not_delivered() {
    let message = "x".repeat(70) + "\r\n";
    let message = message.repeat(300_000);
    let relay = Relay::following(|moment| match moment.verb {
        "DATA" => Act::SayReadAndClose("354 go\r\n".to_owned(), 100_000),
        _ => usual(moment),
    })
    .await;

    let answer = send_message(&mailer(&relay), message.as_bytes()).await;

    assert_eq!(
        at(&answer),
        (later(TroubleClass::ConnectionLost), Phase::Body),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_relay_that_stops_reading_the_body_is_not_awaited() {
    let message = ("x".repeat(70) + "\r\n").repeat(300_000);
    let relay = Relay::following(|moment| match moment.verb {
        "DATA" => Act::SayAndFreeze("354 go\r\n".to_owned()),
        _ => usual(moment),
    })
    .await;

    let mailer = mailer_with(&relay.plain_url(), with_deadline("BODY", Duration::from_millis(500)));
    let answer = send_message(&mailer, message.as_bytes()).await;

    assert_eq!(at(&answer), (later(TroubleClass::Timeout), Phase::Body), "{answer:?}");
}

#[tokio::test]
async fn an_early_reply_before_the_body_is_ignored() {
    let (answer, relay) = answer_when("DATA", Act::Line("354 go\r\n250 2.0.0 queued\r\n".to_owned())).await;
    assert_eq!(at(&answer), (later(TroubleClass::Protocol), Phase::Data));
    assert_eq!(relay.mails().len(), 0);
}

#[tokio::test]
async fn a_refused_recipient_costs_no_connection() {
    for script in [usual as fn(&Moment<'_>) -> Act, plain] {
        let relay = Relay::following(move |moment| match moment.verb {
            "RCPT" if moment.line.contains("unknown") => reply_line("550 5.1.1 no such user"),
            // Such a relay also refuses DATA.
            "DATA" if moment.mail == 0 => reply_line("554 5.5.1 no valid recipients"),
            _ => script(moment),
        })
        .await;
        let mailer = mailer(&relay);

        let first = send(&mailer, "unknown@example.com").await;
        let second = send(&mailer, "ada@example.com").await;

        assert_eq!(at(&first), (refused(TroubleClass::AddressUnknown), Phase::Rcpt));
        assert_eq!(first.reply, "5.1.1 no such user");
        assert_eq!(second.verdict, Verdict::Accepted);
        assert_eq!(
            (relay.connections(), relay.count("RSET"), relay.mails().len()),
            (1, 1, 1)
        );
    }
}

#[tokio::test]
async fn a_relay_that_expects_a_body_without_recipients_gets_an_empty_one_and_nothing_counts_as_sent() {
    let relay = Relay::following(|moment| match moment.verb {
        "RCPT" if moment.line.contains("unknown") => reply_line("550 5.1.1 no such user"),
        _ => usual(moment),
    })
    .await;
    let mailer = mailer(&relay);

    let first = send(&mailer, "unknown@example.com").await;
    let second = send(&mailer, "ada@example.com").await;

    assert_eq!(at(&first), (refused(TroubleClass::AddressUnknown), Phase::Rcpt));
    assert_eq!(second.verdict, Verdict::Accepted);
    assert_eq!(relay.mails(), [".\r\n", "Subject: Welcome\r\n\r\nHello Ada\r\n.\r\n"]);
    assert_eq!(relay.connections(), 1);
}

#[tokio::test]
async fn no_empty_mail_is_sent_because_the_sender_was_refused() {
    let (answer, relay) = answer_when("MAIL", reply_line("550 5.1.8 sender unknown")).await;
    assert_eq!(at(&answer), (trouble(TroubleClass::SenderRefused), Phase::Mail));
    until("the connection is closed", || relay.open() == 0).await;
    assert_eq!(relay.mails(), Vec::<String>::new());
}

#[tokio::test]
async fn a_refusal_after_the_dot_keeps_the_connection() {
    let relay = Relay::following(|moment| match moment.verb {
        "DOT" if moment.mail == 0 => reply_line("554 5.7.1 looks like spam"),
        "DOT" if moment.mail == 1 => reply_line("451 4.3.0 later"),
        _ => usual(moment),
    })
    .await;
    let mailer = mailer(&relay);

    let answers = [
        send(&mailer, "a@example.com").await,
        send(&mailer, "b@example.com").await,
        send(&mailer, "c@example.com").await,
    ];

    assert_eq!(
        answers.map(|answer| answer.verdict),
        [
            refused(TroubleClass::Policy),
            later(TroubleClass::Throttled),
            Verdict::Accepted
        ]
    );
    assert_eq!(relay.connections(), 1);
}

#[tokio::test]
async fn a_withdrawn_mail_has_no_body_and_ends_its_connection() {
    let (_, relay) = answer_when("NEVER", Act::Close).await;
    let mailer = mailer(&relay);

    let withdrawn = begin(&mailer, to("ada@example.com"), MESSAGE, Lane::Interactive, false)
        .await
        .unwrap();
    let next = send(&mailer, "ada@example.com").await;

    assert_eq!(at(&withdrawn), (Verdict::NotBegun, Phase::Data));
    assert_eq!(next.verdict, Verdict::Accepted);
    assert_eq!((relay.mails().len(), relay.connections()), (2, 3));
}

#[tokio::test]
async fn mails_that_the_relay_does_not_support_fail_without_a_transaction() {
    let relay = Relay::following(|moment| match moment.verb {
        "EHLO" => Act::Line("250-relay\r\n250 SIZE 40\r\n".to_owned()),
        _ => usual(moment),
    })
    .await;
    let mailer = mailer(&relay);

    let foreign = send(&mailer, "ü@example.com").await;
    let eight_bit = send_message(&mailer, "grüße\r\n".as_bytes()).await;
    let large = send_message(&mailer, &[b'x'; 41]).await;
    let injected = Envelope::new(
        "beckon@example.org".parse().unwrap(),
        lettre::Address::new_dangerous("a@b>\r\nRCPT TO:<eve", "example.com"),
    );
    let injected = begin(&mailer, injected, MESSAGE, Lane::Interactive, true)
        .await
        .unwrap();

    assert_eq!(foreign.verdict, refused(TroubleClass::AddressUnsupported));
    assert_eq!(eight_bit.verdict, refused(TroubleClass::Refused));
    assert_eq!(large.verdict, refused(TroubleClass::ContentTooLarge));
    assert_eq!(injected.verdict, refused(TroubleClass::AddressUnsupported));
    assert_eq!((relay.count("MAIL"), relay.connections()), (0, 1));
}

#[tokio::test]
async fn the_relays_reply_is_shortened_and_cleaned() {
    let words = format!("550 5.7.1 \u{1b}[31mno\u{202e} {}\r\n", "é".repeat(480));
    let (answer, _) = answer_when("RCPT", Act::Line(words)).await;
    assert!(answer.reply.starts_with("5.7.1 [31mno é"), "{}", answer.reply);
    assert_eq!(answer.reply.chars().count(), 493);

    let many = "550-5.7.1 much to say about this\r\n".repeat(30) + "550 5.7.1 end\r\n";
    let (answer, _) = answer_when("RCPT", Act::Line(many)).await;
    assert_eq!(answer.reply.chars().count(), 500);
}
