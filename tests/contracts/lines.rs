//! Which server and page URLs are private enough.

use crate::settings::{BOTH, GOOD, complaint, run, with};

#[test]
fn every_plaintext_server_is_reported_together_with_the_remedy() {
    let settings = [
        (
            "DATABASE_URL",
            "postgres://beckon:geheim@db.example/beckon?sslmode=require",
        ),
        (
            "AMQP_URL",
            "amqps://beckon:geheim@a.example/beckon,amqp://beckon:geheim@b.example/beckon,amqp://beckon:geheim@c.example",
        ),
        ("SMTP_URL", "smtp://user:geheim@relay.example?tls=none"),
        ("BECKON_MAIL_FROM", "Lerna Academy <invites@lerna.example>"),
        ("BECKON_PUBLIC_URL", "http://lerna.example"),
        ("BECKON_SIGN_IN_URL", "http://lerna.example/in?next=/a#b"),
    ];

    for program in BOTH {
        let lines = complaint(program, &settings);

        let is_listed = |line: &str| lines.iter().any(|found| found.contains(line));
        for line in [
            "DATABASE_URL reaches Postgres on another machine with sslmode=require, ",
            "write sslmode=verify-full",
            "BECKON_ALLOW_PLAINTEXT_DATABASE=true",
            "AMQP_URL has an entry that reaches RabbitMQ on another machine without TLS; write amqps://",
            "BECKON_ALLOW_PLAINTEXT_AMQP=true",
            "BECKON_PUBLIC_URL is \"http://lerna.example\"; it must start with https://",
            "BECKON_SIGN_IN_URL is \"http://lerna.example/in?next=/a#b\"; it must start with https://",
        ] {
            assert!(is_listed(line), "{program}: {line} is not in {lines:#?}");
        }
        assert!(!is_listed("geheim"), "{program}: {lines:#?}");
        assert_eq!(
            lines.len(),
            if *program == BOTH[0] { 4 } else { 5 },
            "{program}: {lines:#?}"
        );
    }
}

#[test]
fn a_connection_is_private_by_tls_by_location_or_by_setting() {
    let fine = |settings: &[(&str, &str)]| {
        for program in BOTH {
            let output = run(program, &["check-config"], settings);
            let printed = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{program} {settings:?}: {printed}");
        }
    };
    for (name, value) in [
        (
            "DATABASE_URL",
            "postgres://beckon@db.example/beckon?sslmode=verify-full",
        ),
        ("DATABASE_URL", "postgres://beckon@%2Frun%2Fpostgresql/beckon"),
        ("DATABASE_URL", "postgres://beckon@[::1]/beckon"),
        ("AMQP_URL", "amqps://a.example,amqp://localhost"),
        ("BECKON_PUBLIC_URL", "http://localhost:8080"),
    ] {
        fine(&with(name, value));
    }
    let elsewhere = [
        ("DATABASE_URL", "postgres://beckon@db.example/beckon"),
        ("BECKON_ALLOW_PLAINTEXT_DATABASE", "true"),
        ("AMQP_URL", "amqp://a.example"),
        ("BECKON_ALLOW_PLAINTEXT_AMQP", "true"),
    ];
    let others = GOOD
        .iter()
        .filter(|(name, _)| !elsewhere.iter().any(|(own, _)| own == name));
    fine(&others.chain(&elsewhere).copied().collect::<Vec<_>>());
}

/// The warning of both programs when the address of the sign-in page is missing.
pub(crate) const NO_SIGN_IN_URL: &str = "BECKON_SIGN_IN_URL is not set; every email links to the page where people sign in, which \
                              is part of your platform and not of Beckon: write its address, like \
                              https://example.org/sign-in";

#[test]
fn the_page_where_people_sign_in_has_no_default() {
    for program in BOTH {
        assert_eq!(
            complaint(program, &with("BECKON_SIGN_IN_URL", "")),
            [NO_SIGN_IN_URL],
            "{program}"
        );
        assert_eq!(
            complaint(program, &with("BECKON_SIGN_IN_URL", " ")),
            [NO_SIGN_IN_URL],
            "{program}"
        );
    }
}
