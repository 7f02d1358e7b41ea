//! Secret settings can be read from a file and are never printed.

use std::fs;

use crate::settings::{BOTH, complaint, run, with};

/// Settings that may come from a file, the programs that have them, and a value.
const SECRETS: &[(&str, &[&str], &str)] = &[
    ("DATABASE_URL", BOTH, "postgres://beckon:geheim@127.0.0.1/beckon"),
    ("AMQP_URL", BOTH, "amqp://beckon:geheim@127.0.0.1/beckon"),
    ("SMTP_URL", &["beckon-worker"], "smtps://beckon:geheim@relay.example"),
];

#[test]
fn a_secret_can_be_given_as_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    for (name, programs, value) in SECRETS {
        // As written by `echo`, with a line end.
        fs::write(&path, format!("{value}\n")).unwrap();
        let file = format!("{name}_FILE");
        let mut settings = with(name, "");
        settings.push((&file, path.to_str().unwrap()));
        for program in *programs {
            let output = run(program, &["check-config"], &settings);

            assert_eq!(
                output.status.code(),
                Some(0),
                "{program}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
}

#[test]
fn a_secret_given_twice_or_unreadable_is_reported_and_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let (path, empty) = (folder.path().join("secret"), folder.path().join("empty"));
    fs::write(&path, "geheim").unwrap();
    fs::write(&empty, "\n").unwrap();
    for (name, programs, _) in SECRETS {
        let file = format!("{name}_FILE");
        for program in *programs {
            let mut twice = with("", "");
            twice.push((&file, path.to_str().unwrap()));
            assert_eq!(
                complaint(program, &twice),
                [format!("{name} and {file} are both set; keep one")]
            );

            let mut nowhere = with(name, "");
            nowhere.push((&file, "/nowhere/at/all"));
            let lines = complaint(program, &nowhere);
            assert!(
                lines[0].starts_with(&format!("{name} cannot be read from /nowhere/at/all: ")),
                "{lines:?}"
            );

            let mut blank = with(name, "");
            blank.push((&file, empty.to_str().unwrap()));
            assert_eq!(complaint(program, &blank), [format!("{name} is not set")]);
        }
    }
}

#[test]
fn a_secret_with_a_line_break_inside_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    for (name, programs, value) in SECRETS {
        fs::write(&path, format!("{value}\nand more")).unwrap();
        let file = format!("{name}_FILE");
        let mut settings = with(name, "");
        settings.push((&file, path.to_str().unwrap()));
        for program in *programs {
            let lines = complaint(program, &settings);

            assert_eq!(lines.len(), 1, "{program}: {lines:?}");
            assert!(
                lines[0].starts_with(name) && !lines[0].contains("geheim"),
                "{program}: {lines:?}"
            );
        }
    }
}

#[test]
fn an_unusable_collector_is_reported_and_not_repeated() {
    let lines = "OTEL_EXPORTER_OTLP_ENDPOINT cannot be used; write the address of a collector for OTLP over HTTP, \
                like http://127.0.0.1:4318";
    for value in ["https://otel.example", "otel:4317", "http://beckon:geheim@otel.example"] {
        for program in BOTH {
            let settings = with("OTEL_EXPORTER_OTLP_ENDPOINT", value);
            assert_eq!(complaint(program, &settings), [lines], "{program}");
        }
    }
}
