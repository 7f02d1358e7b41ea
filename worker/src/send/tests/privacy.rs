//! No mail and no password crosses a connection less private than `SMTP_URL` demands.

use std::io::Write as _;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;

use super::script::reply_line;
use super::*;

/// A certificate for this name: for the relay, and as a file to trust.
fn certificate(name: &str) -> (TlsAcceptor, tempfile::NamedTempFile) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(made.cert.pem().as_bytes()).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), file)
}

fn offering_starttls(moment: &Moment<'_>) -> Act {
    match moment.verb {
        "EHLO" => Act::Line("250-relay\r\n250-STARTTLS\r\n250-PIPELINING\r\n250 AUTH PLAIN\r\n".to_owned()),
        _ => usual(moment),
    }
}

fn url(scheme: &str, relay: &Relay, ca: Option<&tempfile::NamedTempFile>) -> String {
    let ca = ca.map_or(String::new(), |file| format!("?ca={}", file.path().display()));
    format!("{scheme}://ada:secret@localhost:{}{ca}", relay.port)
}

#[tokio::test]
async fn mails_are_encrypted_with_implicit_tls_and_starttls() {
    let (acceptor, file) = certificate("localhost");
    for (scheme, from_the_start) in [("smtp", false), ("smtps", true)] {
        let relay = Relay::start(offering_starttls, Some(acceptor.clone()), from_the_start).await;
        let mailer = mailer_with(&url(scheme, &relay, Some(&file)), quick());

        let first = send(&mailer, "ada@example.com").await;
        let second = send(&mailer, "bob@example.com").await;

        assert_eq!(
            (first.verdict, second.verdict),
            (Verdict::Accepted, Verdict::Accepted),
            "{first:?} {second:?}"
        );
        assert_eq!(
            (relay.connections(), relay.count("AUTH"), relay.mails().len()),
            (1, 1, 2),
            "{scheme}"
        );
        let starttls = relay.received().iter().position(|line| line == "0: STARTTLS");
        let auth = relay.received().iter().position(|line| line.starts_with("0: AUTH"));
        assert!(from_the_start || (starttls.is_some() && starttls < auth));
    }
}

#[tokio::test]
async fn without_starttls_nothing_is_sent() {
    let relay = Relay::following(usual).await;
    let answer = send(&mailer_with(&url("smtp", &relay, None), quick()), "ada@example.com").await;

    assert_eq!(at(&answer), (trouble(TroubleClass::Tls), Phase::StartTls));
    assert!(answer.reply.contains("does not offer STARTTLS"), "{}", answer.reply);
    assert_eq!((relay.count("AUTH"), relay.count("MAIL")), (0, 0));
}

#[tokio::test]
async fn an_unverifiable_certificate_ends_the_session() {
    let (acceptor, _) = certificate("localhost");
    let (stranger, trusted) = certificate("elsewhere.example.net");
    for (scheme, from_the_start, acceptor, ca) in [
        ("smtp", false, &acceptor, None),
        ("smtps", true, &acceptor, None),
        // Trusted, but issued for another name.
        ("smtp", false, &stranger, Some(&trusted)),
        ("smtps", true, &stranger, Some(&trusted)),
    ] {
        let relay = Relay::start(offering_starttls, Some(acceptor.clone()), from_the_start).await;
        let answer = send(&mailer_with(&url(scheme, &relay, ca), quick()), "ada@example.com").await;

        let phase = if from_the_start {
            Phase::Connect
        } else {
            Phase::StartTls
        };
        assert_eq!(at(&answer), (trouble(TroubleClass::Tls), phase), "{answer:?}");
        assert!(answer.reply.contains("certificate"), "{}", answer.reply);
        assert_eq!((relay.count("AUTH"), relay.count("MAIL")), (0, 0));
    }
}

#[tokio::test]
async fn plain_text_replies_do_not_count_after_starttls() {
    let (acceptor, file) = certificate("localhost");
    let relay = Relay::start(
        |moment| match moment.verb {
            "STARTTLS" => Act::Line("220 go\r\n250-relay\r\n250 AUTH PLAIN\r\n".to_owned()),
            _ => offering_starttls(moment),
        },
        Some(acceptor),
        false,
    )
    .await;
    let answer = send(
        &mailer_with(&url("smtp", &relay, Some(&file)), quick()),
        "ada@example.com",
    )
    .await;

    assert_eq!(at(&answer), (trouble(TroubleClass::Tls), Phase::StartTls), "{answer:?}");
    assert_eq!((relay.count("AUTH"), relay.count("MAIL")), (0, 0));
}

#[tokio::test]
async fn a_hanging_or_refused_handshake_ends() {
    for (act, class) in [
        (Act::Freeze, TroubleClass::Timeout),
        (Act::SayAndFreeze("220 go\r\n".to_owned()), TroubleClass::Timeout),
        (reply_line("454 4.7.0 not now"), TroubleClass::Tls),
        (Act::SayAndClose("220 go\r\n".to_owned()), TroubleClass::Tls),
    ] {
        let context = format!("{act:?}");
        let settings = waiting_for("STARTTLS", &act);
        let relay = Relay::following(move |moment| match moment.verb {
            "STARTTLS" => act.clone(),
            _ => offering_starttls(moment),
        })
        .await;
        let answer = send(&mailer_with(&url("smtp", &relay, None), settings), "ada@example.com").await;
        assert_eq!(
            at(&answer),
            (trouble(class), Phase::StartTls),
            "{context} gave {answer:?}"
        );
        assert_eq!(relay.count("AUTH"), 0);
    }
}

#[tokio::test]
async fn a_missing_or_empty_authority_file_is_reported_at_startup() {
    let empty = tempfile::NamedTempFile::new().unwrap();
    for (path, words) in [
        (empty.path().display().to_string(), "holds no usable certificate"),
        (
            "/nowhere/ca.pem".to_owned(),
            "could not read certificates from /nowhere/ca.pem",
        ),
    ] {
        let url = format!("smtps://relay.example.net?ca={path}");
        let fault = shown_in(&Registry::new(), &url, quick()).err().unwrap();
        assert!(fault.to_string().contains(words), "{fault}");
    }
}

#[tokio::test]
async fn an_encrypted_disconnect_in_the_body_means_not_delivered_and_after_it_unsure() {
    let (acceptor, file) = certificate("localhost");
    let message = ("x".repeat(70) + "\r\n").repeat(300_000);
    for (verb, act, expected) in [
        (
            "DATA",
            Act::SayReadAndClose("354 go\r\n".to_owned(), 100_000),
            (later(TroubleClass::ConnectionLost), Phase::Body),
        ),
        (
            "DATA",
            Act::SayAndFreeze("354 go\r\n".to_owned()),
            (later(TroubleClass::Timeout), Phase::Body),
        ),
        ("DOT", Act::Close, (Verdict::Unsure, Phase::Dot)),
        ("DOT", Act::Freeze, (Verdict::Unsure, Phase::Dot)),
    ] {
        // Encryption is slow in debug builds.
        let settings = match (verb, act.is_silent()) {
            ("DATA", true) => with_deadline("BODY", Duration::from_secs(1)),
            _ => waiting_for(verb, &act),
        };
        let relay = Relay::start(
            move |moment| {
                if moment.verb == verb {
                    act.clone()
                } else {
                    offering_starttls(moment)
                }
            },
            Some(acceptor.clone()),
            true,
        )
        .await;
        let message = if verb == "DATA" { message.as_bytes() } else { MESSAGE };
        let mailer = mailer_with(&url("smtps", &relay, Some(&file)), settings);
        let answer = send_message(&mailer, message).await;
        assert_eq!(at(&answer), expected, "{answer:?}");
    }
}
