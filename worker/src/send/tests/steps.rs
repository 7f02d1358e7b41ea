//! Opening a connection: each step can hang, break or be refused without costing a mail an attempt.

use super::script::reply_line;
use super::*;

async fn opening_when(verb: &'static str, act: Act, url: impl Fn(&Relay) -> String) -> (Answer, Relay) {
    let settings = waiting_for(verb, &act);
    let relay = Relay::following(move |moment| {
        if moment.verb == verb {
            act.clone()
        } else {
            usual(moment)
        }
    })
    .await;
    let answer = send(&mailer_with(&url(&relay), settings), "ada@example.com").await;
    (answer, relay)
}

#[tokio::test]
async fn no_step_before_mail_uses_an_attempt() {
    use Phase::{Auth, Ehlo, Greeting};
    use TroubleClass::{ConnectionLost, Policy, Protocol, Throttled, Timeout};
    let with_login = |relay: &Relay| format!("smtp://ada:secret@127.0.0.1:{}?tls=none", relay.port);
    for (verb, phase) in [("GREETING", Greeting), ("EHLO", Ehlo), ("AUTH", Auth)] {
        let of_reply = |class| if phase == Auth { TroubleClass::Auth } else { class };
        for (act, class) in [
            (Act::Freeze, Timeout),
            (Act::Close, ConnectionLost),
            (reply_line("hello"), Protocol),
            (Act::Forever("220-wait\r\n".to_owned()), Protocol),
            (
                Act::SayAndClose("421 too many connections\r\n".to_owned()),
                of_reply(Throttled),
            ),
            (
                Act::SayAndClose("454 4.7.0 not now\r\n".to_owned()),
                of_reply(Throttled),
            ),
            (Act::SayAndClose("535 5.7.8 no\r\n".to_owned()), of_reply(Policy)),
        ] {
            let (answer, relay) = opening_when(verb, act.clone(), with_login).await;
            assert_eq!(at(&answer), (trouble(class), phase), "{act:?} at {verb}");
            assert_eq!(relay.count("MAIL"), 0);
        }
    }
}

#[tokio::test]
async fn an_unreachable_relay_is_trouble_of_the_relay() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let gone = mailer_with(&format!("smtp://127.0.0.1:{free}?tls=none"), quick());
    let nameless = mailer_with("smtp://nowhere.invalid:25?tls=required", quick());

    assert_eq!(
        at(&send(&gone, "a@example.com").await),
        (trouble(TroubleClass::Connect), Phase::Connect)
    );
    let answer = send(&nameless, "a@example.com").await;
    assert_eq!(answer.phase, Phase::Connect);
    assert!(matches!(answer.verdict, Verdict::RelayTrouble { .. }), "{answer:?}");
}

#[tokio::test]
async fn both_login_mechanisms_are_supported() {
    let login = |relay: &Relay| format!("smtp://ada:s%40crt@127.0.0.1:{}?tls=none", relay.port);
    let by_plain = Relay::following(usual).await;
    let by_login = Relay::following(|moment| match moment.verb {
        "EHLO" => Act::Line("250-relay\r\n250 AUTH LOGIN\r\n".to_owned()),
        "AUTH" => reply_line("334 VXNlcm5hbWU6"),
        "YWRH" => reply_line("334 UGFzc3dvcmQ6"),
        "C0BJCNQ=" => reply_line("235 welcome"),
        _ => usual(moment),
    })
    .await;

    assert_eq!(
        send(&mailer_with(&login(&by_plain), quick()), "a@example.com")
            .await
            .verdict,
        Verdict::Accepted
    );
    assert_eq!(
        send(&mailer_with(&login(&by_login), quick()), "a@example.com")
            .await
            .verdict,
        Verdict::Accepted
    );

    assert!(
        by_plain
            .received()
            .contains(&"0: AUTH PLAIN AGFkYQBzQGNydA==".to_owned()),
        "{:?}",
        by_plain.received()
    );
    assert_eq!(by_login.count("c0BjcnQ="), 1, "{:?}", by_login.received());
}

#[tokio::test]
async fn a_relay_without_a_known_login_mechanism_gets_no_password() {
    let (answer, relay) = opening_when("EHLO", reply_line("250 relay"), |relay| {
        format!("smtp://ada:secret@127.0.0.1:{}?tls=none", relay.port)
    })
    .await;
    assert_eq!(at(&answer), (trouble(TroubleClass::Auth), Phase::Auth));
    assert_eq!(relay.count("AUTH"), 0);
}

#[tokio::test]
async fn a_relay_that_repeats_the_password_is_not_quoted() {
    let echo = |moment: &Moment<'_>| match moment.verb {
        "AUTH" => reply_line(&format!("500 5.5.2 unrecognized command: {}", moment.line)),
        _ => usual(moment),
    };
    let relay = Relay::following(echo).await;
    let mailer = mailer_with(&format!("smtp://ada:secret@127.0.0.1:{}?tls=none", relay.port), quick());

    let answer = send(&mailer, "a@example.com").await;

    assert_eq!(at(&answer), (trouble(TroubleClass::Auth), Phase::Auth));
    assert!(
        !format!("{answer:?} {:?}", mailer.relay_state()).contains("AGFkYQBzZWNyZXQ"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn the_text_of_challenges_does_not_matter() {
    let relay = Relay::following(|moment| match moment.verb {
        "EHLO" => Act::Line("250-relay\r\n250 AUTH LOGIN\r\n".to_owned()),
        "AUTH" => reply_line("334 QmVudXR6ZXI/"),
        "YWRH" => reply_line("334"),
        "C2VJCMV0" => reply_line("235 welcome"),
        _ => usual(moment),
    })
    .await;
    let mailer = mailer_with(&format!("smtp://ada:secret@127.0.0.1:{}?tls=none", relay.port), quick());

    let answer = send(&mailer, "a@example.com").await;

    assert_eq!(answer.verdict, Verdict::Accepted, "{answer:?}");
    assert_eq!(relay.count("c2VjcmV0"), 1, "{:?}", relay.received());
}

#[tokio::test]
async fn an_access_token_is_sent_with_the_mechanism_in_the_url() {
    for (name, offered, command) in [
        (
            "xoauth2",
            "XOAUTH2",
            // user=ada@example.org, auth=Bearer ya29.t-1
            "AUTH XOAUTH2 dXNlcj1hZGFAZXhhbXBsZS5vcmcBYXV0aD1CZWFyZXIgeWEyOS50LTEBAQ==",
        ),
        (
            "oauthbearer",
            "OAUTHBEARER",
            "AUTH OAUTHBEARER bixhPWFkYUBleGFtcGxlLm9yZy",
        ),
    ] {
        let ehlo = format!("250-relay\r\n250 AUTH PLAIN LOGIN {offered}\r\n");
        let relay = Relay::following(move |moment| match moment.verb {
            "EHLO" => Act::Line(ehlo.clone()),
            _ => usual(moment),
        })
        .await;
        let url = format!(
            "smtp://ada%40example.org:ya29.t-1@127.0.0.1:{}?tls=none&auth={name}",
            relay.port
        );

        let answer = send(&mailer_with(&url, quick()), "a@example.com").await;

        assert_eq!(answer.verdict, Verdict::Accepted, "{answer:?}");
        let received = relay.received();
        assert!(received.iter().any(|line| line.contains(command)), "{received:?}");
    }
}

#[tokio::test]
async fn a_refused_token_is_reported_with_the_reply_after_the_challenge() {
    for (name, response) in [("xoauth2", ""), ("oauthbearer", "AQ==")] {
        let relay = Relay::following(|moment| match moment.verb {
            "EHLO" => Act::Line("250-relay\r\n250 AUTH XOAUTH2 OAUTHBEARER\r\n".to_owned()),
            "AUTH" => reply_line("334 eyJzdGF0dXMiOiI0MDEifQ=="),
            "" | "AQ==" => reply_line("535 5.7.8 no longer valid"),
            _ => usual(moment),
        })
        .await;
        let url = format!("smtp://ada:token@127.0.0.1:{}?tls=none&auth={name}", relay.port);

        let answer = send(&mailer_with(&url, quick()), "a@example.com").await;

        assert_eq!(at(&answer), (trouble(TroubleClass::Auth), Phase::Auth));
        assert_eq!(
            (answer.code, answer.reply.as_str()),
            (Some(535), "5.7.8 no longer valid")
        );
        assert!(
            relay.received().contains(&format!("0: {response}")),
            "{:?}",
            relay.received()
        );
    }
    let without = Relay::following(usual).await;
    let url = format!("smtp://ada:token@127.0.0.1:{}?tls=none&auth=xoauth2", without.port);
    let answer = send(&mailer_with(&url, quick()), "a@example.com").await;
    assert_eq!(at(&answer), (trouble(TroubleClass::Auth), Phase::Auth));
    assert!(answer.reply.contains("does not offer AUTH XOAUTH2"), "{answer:?}");
    assert_eq!(without.count("AUTH"), 0, "the token was sent as a password");
}

/// `OpenSMTPD` answers 503 to a second EHLO in the same state of the connection (RFC 5321, 4.1.4 allows it).
#[tokio::test]
async fn each_state_of_a_connection_has_one_ehlo() {
    let relay = Relay::following(usual).await;
    let mailer = mailer(&relay);
    for _ in 0..3 {
        assert_eq!(send(&mailer, "a@example.com").await.verdict, Verdict::Accepted);
    }
    assert_eq!((relay.connections(), relay.count("EHLO")), (1, 1));
}
