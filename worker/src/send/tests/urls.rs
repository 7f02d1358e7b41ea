//! Parsing `SMTP_URL`, and its errors.

use super::super::{RelayUrl, RelayUrlError as E, Security};

#[test]
fn urls_are_read() {
    use Security::{ImplicitTls, Plaintext, StartTls};
    let example = "smtps://u:p@Relay.Example.net:2465";
    for (text, security, host, port) in [
        ("smtps://relay.example.net", ImplicitTls, "relay.example.net", 465),
        (example, ImplicitTls, "relay.example.net", 2465),
        ("smtp://relay", StartTls, "relay", 587),
        ("smtp://relay/?tls=required", StartTls, "relay", 587),
        ("smtp://relay:25", StartTls, "relay", 25),
        ("smtp://localhost?tls=none", Plaintext, "localhost", 25),
        ("smtp://127.0.0.1:1025?tls=none", Plaintext, "127.0.0.1", 1025),
        ("smtp://[::1]:1025?tls=none", Plaintext, "::1", 1025),
    ] {
        let url = RelayUrl::parse(text, false).unwrap_or_else(|fault| panic!("{text}: {fault}"));
        assert_eq!(
            (url.security(), url.host(), url.port()),
            (security, host, port),
            "{text}"
        );
        let again = RelayUrl::parse(&url.to_string().replace("***", "p"), false).unwrap();
        assert_eq!(again.to_string(), url.to_string(), "{text}");
    }
    let url = RelayUrl::parse(example, false).unwrap();
    assert_eq!(url.to_string(), "smtps://u:***@relay.example.net:2465");
    let far = RelayUrl::parse("smtp://mail.lan?tls=none", true).unwrap();
    assert_eq!((far.security(), far.port()), (Plaintext, 25));
    let rooted = RelayUrl::parse(" smtps://r?ca=/etc/our%20ca.pem\n", false).unwrap();
    assert_eq!(rooted.extra_root().unwrap().to_str(), Some("/etc/our ca.pem"));
}

#[test]
fn a_mechanism_for_tokens_needs_a_login() {
    for (text, fault) in [
        ("smtps://relay?auth=xoauth2", E::MechanismAlone),
        ("smtps://u:t@relay?auth=cram-md5", E::Mechanism),
        ("smtps://u:t@relay?auth=xoauth2&auth=xoauth2", E::Parameter),
    ] {
        assert_eq!(RelayUrl::parse(text, false).unwrap_err(), fault, "{text}");
    }
}

#[test]
fn user_and_password_are_decoded() {
    let url = RelayUrl::parse("smtps://ada%40example.org:p%C3%A4ss%2F+%3a@relay", false).unwrap();
    let login = url.login().unwrap();
    assert!(login.appears_in("… päss/+: …"));
    assert!(!login.appears_in("nothing"));
    assert_eq!(url.to_string(), "smtps://ada@example.org:***@relay:465");
}

#[test]
fn each_fault_has_its_message_and_none_contains_the_password() {
    for (text, fault) in [
        (
            "relay.example.net",
            E::Unreadable(url::ParseError::RelativeUrlWithoutBase),
        ),
        (
            "smtps://u:secret@relay:notaport",
            E::Unreadable(url::ParseError::InvalidPort),
        ),
        ("smtps://u:sec#ret@relay", E::Unreadable(url::ParseError::InvalidPort)),
        ("amqp://u:secret@relay", E::Scheme),
        ("localhost:25", E::Scheme),
        ("smtps://", E::NoHost),
        ("smtps://relay:0", E::Port),
        ("smtps://u:p@relay/secret", E::Path),
        ("smtps://u:p@relay#secret", E::Path),
        ("smtps://u@relay", E::HalfALogin),
        ("smtps://:secret@relay", E::HalfALogin),
        ("smtps://u:secret%zz@relay", E::Encoding),
        ("smtps://u:secret%f@relay", E::Encoding),
        ("smtps://u:secret%ff@relay", E::Encoding),
        ("smtps://u:secret%0d%0aRSET@relay", E::ControlCharacter),
        ("smtps://relay?secret", E::Parameter),
        ("smtps://relay?ca=", E::Parameter),
        ("smtp://relay?tls=none&tls=required", E::Parameter),
        ("smtp://relay?TLS=none", E::Parameter),
        ("smtp://relay?tls=secret", E::Tls),
        ("smtps://relay?tls=none", E::Contradiction),
        ("smtp://u:secret@relay?tls=none", E::Plaintext),
        ("smtp://10.0.0.1?tls=none", E::Plaintext),
        ("smtp://localhost.example.net?tls=none", E::Plaintext),
    ] {
        let shown = RelayUrl::parse(text, false).map(|url| url.to_string()).unwrap_err();
        assert_eq!(shown, fault, "{text}");
        let shown = shown.to_string();
        assert!(
            shown.starts_with("SMTP_URL ") && !shown.contains("secret") && !shown.contains('\n'),
            "{shown}"
        );
    }
    let url = RelayUrl::parse("smtps://u:secret@relay", false).unwrap();
    assert!(!format!("{url} {url:?}").contains("secret"));
}
