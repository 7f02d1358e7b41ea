//! The settings that scripts rely on, and the errors for wrong ones.

use std::process::{Command, Output};

use harness::program::binary_path;

/// The exit code of either program for invalid settings.
const EXIT_CONFIG: i32 = 78;

/// Every setting of the contract, and the programs that have it.
const SETTINGS: &[(&str, &[&str])] = &[
    ("DATABASE_URL", BOTH),
    ("BECKON_ALLOW_PLAINTEXT_DATABASE", BOTH),
    ("AMQP_URL", BOTH),
    ("BECKON_ALLOW_PLAINTEXT_AMQP", BOTH),
    ("SMTP_URL", &["beckon-worker"]),
    ("BECKON_ALLOW_PLAINTEXT_SMTP", &["beckon-worker"]),
    ("BECKON_MAIL_FROM", BOTH),
    ("BECKON_PUBLIC_URL", BOTH),
    ("BECKON_ORGANISATION", BOTH),
    ("BECKON_SIGN_IN_URL", BOTH),
    ("BECKON_LISTEN", &["beckon-api"]),
    ("BECKON_PROBES_LISTEN", BOTH),
    ("BECKON_TRUSTED_PROXIES", &["beckon-api"]),
    ("BECKON_FORWARDED_HEADER", &["beckon-api"]),
    ("BECKON_MAILED_PASSWORD_COST", BOTH),
    ("BECKON_MAIL_RATE", &["beckon-api"]),
    ("BECKON_HOLD", &["beckon-api"]),
    ("BECKON_BRAKE_BOUNCES", &["beckon-api"]),
    ("BECKON_HOLD_AFTER_PROMOTION", &["beckon-api"]),
    ("BECKON_SMTP_CONNECTIONS", &["beckon-worker"]),
    ("BECKON_JOURNAL", &["beckon-worker"]),
    ("BECKON_HASH_THREADS", &["beckon-api"]),
    ("BECKON_FIRST_PASSWORD_LIFETIME", BOTH),
    ("BECKON_RESET_PASSWORD_LIFETIME", BOTH),
    ("BECKON_LOG", BOTH),
    ("BECKON_LOG_FORMAT", BOTH),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", BOTH),
];

/// The two programs.
pub(crate) const BOTH: &[&str] = &["beckon-api", "beckon-worker"];

/// Settings with which either program can start.
pub(crate) const GOOD: &[(&str, &str)] = &[
    ("DATABASE_URL", "postgres://beckon:geheim@127.0.0.1/beckon"),
    ("AMQP_URL", "amqp://beckon:geheim@127.0.0.1/beckon"),
    ("SMTP_URL", "smtps://beckon:geheim@relay.example"),
    ("BECKON_MAIL_FROM", "Lerna Academy <invites@lerna.example>"),
    ("BECKON_PUBLIC_URL", "https://lerna.example"),
    ("BECKON_SIGN_IN_URL", "https://lerna.example/sign-in"),
];

/// Runs one of our programs to completion.
pub(crate) fn run(program: &str, arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    Command::new(binary_path(program).unwrap())
        .args(arguments)
        .env_clear()
        .envs(settings.iter().copied())
        .output()
        .unwrap()
}

/// The lines on standard error; standard output must be empty.
pub(crate) fn complaint(program: &str, settings: &[(&str, &str)]) -> Vec<String> {
    let output = run(program, &["check-config"], settings);
    let printed = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(EXIT_CONFIG), "{program}: {printed}");
    assert!(output.stdout.is_empty(), "{program} wrote to standard output");
    printed.lines().map(str::to_owned).collect()
}

/// The good settings with this one replaced, or removed when the value is empty.
pub(crate) fn with<'v>(name: &'v str, value: &'v str) -> Vec<(&'v str, &'v str)> {
    let others = GOOD.iter().copied().filter(|(other, _)| *other != name);
    others.chain((!value.is_empty()).then_some((name, value))).collect()
}

#[test]
fn every_setting_of_the_contract_is_in_the_help_of_its_program() {
    for program in BOTH {
        let help = String::from_utf8(run(program, &["--help"], &[]).stdout).unwrap();

        let mut unknown = Vec::new();
        for (name, programs) in SETTINGS {
            let flag = format!("--{}", name.to_lowercase().replace('_', "-"));
            // A secret's help shows no value, and so no `=`.
            let is_there = ["=", "]"]
                .iter()
                .any(|end| help.contains(&format!("[env: {name}{end}")));
            let is_there = is_there && help.contains(&format!("{flag} <"));
            if programs.contains(program) != is_there {
                unknown.push(*name);
            }
        }

        assert!(
            unknown.is_empty(),
            "{program} --help is wrong about {unknown:?}\n{help}"
        );
    }
}

#[test]
fn every_command_of_the_contract_is_in_the_help_of_its_program() {
    let commands: [(&str, &[&str]); 2] = [
        (
            "beckon-api",
            &[
                "serve",
                "migrate",
                "check-config",
                "healthcheck",
                "create-key",
                "add-administrator",
            ],
        ),
        ("beckon-worker", &["run", "check-config", "healthcheck"]),
    ];
    for (program, commands) in commands {
        let help = String::from_utf8(run(program, &["--help"], &[]).stdout).unwrap();

        let missing: Vec<_> = commands
            .iter()
            .filter(|name| !help.contains(&format!("\n  {name} ")))
            .collect();

        assert!(missing.is_empty(), "{program} has no {missing:?}");
    }
}

#[test]
fn help_shows_no_secret_that_is_set() {
    for program in BOTH {
        let help = run(program, &["--help"], GOOD);

        let printed = String::from_utf8(help.stdout).unwrap();
        assert!(!printed.contains("geheim"), "{program}: {printed}");
    }
}

#[test]
fn with_nothing_set_all_missing_settings_are_reported_together() {
    let api = complaint("beckon-api", &[]);
    let worker = complaint("beckon-worker", &[]);

    let mut missing: Vec<String> = ["DATABASE_URL", "AMQP_URL", "BECKON_MAIL_FROM", "BECKON_PUBLIC_URL"]
        .map(|name| format!("{name} is not set"))
        .to_vec();
    missing.push(crate::lines::NO_SIGN_IN_URL.to_owned());
    assert_eq!(api, missing);
    missing.push("SMTP_URL is not set".to_owned());
    assert_eq!(worker, missing);
}

#[test]
fn valid_settings_are_accepted() {
    for program in BOTH {
        let output = run(program, &["check-config"], GOOD);

        assert_eq!(
            output.status.code(),
            Some(0),
            "{program}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(String::from_utf8_lossy(&output.stdout), "The settings are valid.\n");
    }
}

#[test]
fn each_wrong_setting_is_reported_in_one_line_that_names_it() {
    let wrong = [
        (
            "DATABASE_URL",
            "mysql://geheim@x",
            "DATABASE_URL does not start with postgres://",
        ),
        (
            "AMQP_URL",
            "http://geheim@x",
            "AMQP_URL has an entry that does not start with amqp:// or amqps://",
        ),
        (
            "AMQP_URL",
            "amqp://127.0.0.1,geheim",
            "AMQP_URL has an entry that does not start with amqp:// or amqps://",
        ),
        (
            "BECKON_MAIL_FROM",
            "Lerna",
            "BECKON_MAIL_FROM is \"Lerna\"; write Name <address>. Not a valid email address: it has no @",
        ),
        (
            "BECKON_PUBLIC_URL",
            "lerna",
            "BECKON_PUBLIC_URL is \"lerna\"; write an address like https://invite.example.org",
        ),
        (
            "BECKON_PUBLIC_URL",
            "ftp://lerna.example",
            "BECKON_PUBLIC_URL is \"ftp://lerna.example\"; it must start with https://",
        ),
        (
            "BECKON_SIGN_IN_URL",
            "javascript:alert(1)",
            "BECKON_SIGN_IN_URL is \"javascript:alert(1)\"; it must start with https://",
        ),
        (
            "BECKON_DATABASE_CONNECTIONS",
            "1",
            "BECKON_DATABASE_CONNECTIONS is \"1\"; write a whole number from 2 to 1000",
        ),
        (
            "BECKON_FIRST_PASSWORD_LIFETIME",
            "30d",
            "BECKON_FIRST_PASSWORD_LIFETIME is \"30d\"; write a time from 1min to 7d",
        ),
        (
            "BECKON_LOG_FORMAT",
            "xml",
            "BECKON_LOG_FORMAT is \"xml\"; write json or text",
        ),
    ];

    for (name, value, expected) in wrong {
        for program in BOTH {
            assert_eq!(complaint(program, &with(name, value)), [expected], "{program}");
        }
    }
}

#[test]
fn settings_of_one_program_are_checked_by_it() {
    let wrong = [
        (
            "beckon-api",
            "BECKON_LISTEN",
            "8080",
            "BECKON_LISTEN is \"8080\"; write an IP address and a port, like 127.0.0.1:8080",
        ),
        (
            "beckon-api",
            "BECKON_MAIL_RATE",
            "0",
            "BECKON_MAIL_RATE is \"0\"; write mails per second, like 50 or 0.5, or unlimited",
        ),
        (
            "beckon-api",
            "BECKON_MAIL_RATE",
            "NaN",
            "BECKON_MAIL_RATE is \"NaN\"; write mails per second, like 50 or 0.5, or unlimited",
        ),
        (
            "beckon-api",
            "BECKON_HOLD",
            "601s",
            "BECKON_HOLD is \"601s\"; write a time from 0s to 10min",
        ),
        (
            "beckon-api",
            "BECKON_HASH_THREADS",
            "0",
            "BECKON_HASH_THREADS is \"0\"; write a whole number from 1 to 256",
        ),
        (
            "beckon-worker",
            "BECKON_SMTP_CONNECTIONS",
            "-1",
            "BECKON_SMTP_CONNECTIONS is \"-1\"; write a whole number from 1 to 1000",
        ),
        (
            "beckon-worker",
            "BECKON_LEASE",
            "30",
            "BECKON_LEASE is \"30\"; write a time with its unit, like 30s, 5min, 4h or 3d, up to 365d",
        ),
        (
            "beckon-worker",
            "BECKON_LEASE",
            "1h",
            "BECKON_LEASE is \"1h\"; write a time from 1s to 10min",
        ),
        (
            "beckon-worker",
            "BECKON_RETRY_FIRST",
            "5h",
            "BECKON_RETRY_FIRST is longer than BECKON_RETRY_LONGEST",
        ),
    ];

    for (program, name, value, expected) in wrong {
        assert_eq!(complaint(program, &with(name, value)), [expected], "{name}={value}");
    }
}

#[test]
fn an_unreadable_server_address_is_reported_and_not_repeated() {
    for (name, value) in [
        ("DATABASE_URL", "postgres://beckon:geheim@:x/beckon"),
        ("DATABASE_URL", "postgres://beckon:geheim@db:99999/beckon"),
        ("AMQP_URL", "amqp://beckon:geheim@:x/beckon"),
        ("AMQP_URL", "amqp://beckon:geheim@mq:99999/beckon"),
        ("AMQP_URL", "amqp://beckon:geheim@127.0.0.1/beckon,"),
    ] {
        for program in BOTH {
            let lines = complaint(program, &with(name, value));

            assert_eq!(lines.len(), 1, "{program}: {lines:?}");
            assert!(
                lines[0].starts_with(name) && !lines[0].contains("geheim"),
                "{program}: {lines:?}"
            );
        }
    }
}

#[test]
fn an_address_without_a_port_to_listen_on_is_refused() {
    let lines = complaint("beckon-api", &with("BECKON_LISTEN", "127.0.0.1:0"));

    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("BECKON_LISTEN "), "{lines:?}");
}

#[test]
fn all_faults_are_reported_together_and_no_secret_is_repeated() {
    let settings = [
        ("DATABASE_URL", "beckon:geheim@db"),
        ("AMQP_URL", "geheim"),
        ("SMTP_URL", "smtp://user:ge%heim@relay.example"),
        ("BECKON_MAIL_FROM", "x"),
        ("BECKON_PUBLIC_URL", "x"),
        ("BECKON_SIGN_IN_URL", "x"),
        ("BECKON_LEASE", "x"),
        ("BECKON_LOG", "beckon=loud,,=,"),
    ];

    let lines = complaint("beckon-worker", &settings);

    let names: Vec<&str> = lines.iter().filter_map(|line| line.split(' ').next()).collect();
    for (name, _) in settings {
        assert_eq!(
            names.iter().filter(|found| **found == name).count(),
            1,
            "{name} in {lines:#?}"
        );
    }
    assert_eq!(lines.len(), settings.len(), "{lines:#?}");
    assert!(!lines.join("\n").contains("heim"), "{lines:#?}");
}

#[test]
fn an_unencrypted_relay_is_refused() {
    let complaint_about = |url: &str| complaint("beckon-worker", &with("SMTP_URL", url)).join("\n");

    let elsewhere = complaint_about("smtp://relay.example:25?tls=none");
    assert!(
        elsewhere.contains("tls=none for a relay on another machine"),
        "{elsewhere}"
    );
    assert_eq!(elsewhere.lines().count(), 1, "{elsewhere}");
    let private = complaint_about("smtp://user:geheim@192.168.1.5:25?tls=none");
    assert!(
        private.contains("BECKON_ALLOW_PLAINTEXT_SMTP=true") && !private.contains("geheim"),
        "{private}"
    );
    for here in [
        "smtp://localhost:25?tls=none",
        "smtp://[::1]:25?tls=none",
        "smtp://127.0.0.1:25?tls=none",
    ] {
        let output = run("beckon-worker", &["check-config"], &with("SMTP_URL", here));
        assert_eq!(
            output.status.code(),
            Some(0),
            "{here}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let mut allowed = with("SMTP_URL", "smtp://relay.example:25?tls=none");
    allowed.push(("BECKON_ALLOW_PLAINTEXT_SMTP", "true"));
    assert_eq!(run("beckon-worker", &["check-config"], &allowed).status.code(), Some(0));
}

#[test]
fn an_unknown_command_gets_the_list_of_commands() {
    for program in BOTH {
        let output = run(program, &["lauch"], GOOD);

        let printed = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{program}: {printed}");
        assert!(
            printed.contains("unrecognized subcommand 'lauch'") && printed.contains("Usage:"),
            "{program}: {printed}"
        );
    }
}
