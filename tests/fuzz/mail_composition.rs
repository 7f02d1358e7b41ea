//! Composed mails, parsed again by a third-party parser.
//!
//! Whatever the template and the values are, the parts of the mail equal the preview, and its lines are such that every
//! relay carries them unchanged.

use mail_parser::{MessageParser, MessagePart};
use proptest::prelude::*;
use serde_json::{Map, Value};
use shared::config::{LetterSettings, Lifetimes, Sender};
use shared::letter::{LetterValues, ShownPassword, write};
use shared::password::{Password, os_randomness};
use shared::system_email::{CustomFields, Field, SystemEmailKind, Template};
use std::time::Duration;
use time::macros::datetime;
use uuid::Uuid;
use worker::compose::message::{Addressing, Message, MessageTemplate};

use crate::engine::Target;

const TARGET: Target = Target {
    name: "mail_composition",
    words: &[
        b"{{ first_name }}",
        b"{{ full_name }}",
        b"{{ password }}",
        b"{{ cost_centre }}",
        b"{{ cost_centre | default(\".x\") }}",
        b"{{ sign_in_url }}",
        b"{{ organisation }}",
        b"{{ email }}",
        b"[x](https://b.example/{{ first_name }})",
        b"\n====\n",
        b"\n",
        b"\n\n",
        b"\n.",
        b".",
        b"..",
        b"\r\n.\r\n",
        b" \n",
        b"  ",
        b"\t",
        b"=",
        b"=?utf-8?q?x?=",
        b"From ",
        b"--=_",
        b"\0",
        b"\xE2\x80\xAE",
        b"\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x9A\x80",
        b"\xD9\x85\xD8\xB1\xD8\xAD\xD8\xA8\xD8\xA7",
        b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        b"```",
        b"> ",
        b"- ",
        b"\"",
        b"\\",
    ],
};

/// Separates a template from the value that fills its fields.
const BEFORE_VALUE: &str = "\n====\n";

/// Line length limits of RFC 5322 (2.1.1) and RFC 2047 (2).
const LINE: usize = 78;
const ENCODED_LINE: usize = 76;

const ADDRESS: &str = "bogdan.andersson@learners.example";
const DELIVERY: Uuid = Uuid::from_u128(0x0192_f0c1_8f8a_7d3e_9a54_6b1f_f0e1_d2c3);

#[test]
fn any_mail_reads_as_previewed() {
    TARGET.run(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        let (source, value) = text.split_once(BEFORE_VALUE).unwrap_or((&text, "Bogdan"));
        let (subject, body) = source.split_once('\n').unwrap_or((source, ""));
        assert_sound(subject, body, value);
    });
}

/// Values that are significant in a mail or to a mail server.
const NASTY: &[&str] = &[
    "",
    " ",
    ".",
    "..",
    "...a",
    "=",
    "=?utf-8?b?4oKs?=",
    "a=\r\n.\r\nb",
    "a\0b\r\nc\n",
    "trailing \t ",
    "From me",
    "--=_0192f0c18f8a7d3e9a546b1ff0e1d2c3--",
    "<b>&amp;\"'</b>",
    "👩‍👩‍👧‍👦",
    "\u{202e}שלום\u{2066}",
    "e\u{301}\u{2028}x",
];

/// The pieces that bodies are built from.
const PIECES: &[&str] = &[
    "Hello {{ first_name }},",
    "{{ first_name }}",
    ".{{ first_name }}.",
    "{{ full_name }}{{ last_name }}",
    "{{ cost_centre }}",
    "{{ cost_centre | default(\".there\") }}",
    "{{ email }}",
    "{{ organisation }}",
    "{{ sign_in_url }}",
    "[Sign in]({{ sign_in_url }}?for={{ first_name }})",
    "[x](https://b.example/{{ cost_centre }}/é)",
    "**{{ first_name }}** `{{ last_name }}`",
    ". a = b =20",
    "From here on, a paragraph for {{ first_name }} and for all the others",
    "Здравствуйте 你好 👩‍🚀 שלום مرحبا",
    "> quoted {{ first_name }}",
    "- item {{ first_name }}",
    "| a | {{ first_name }} |\n|---|---|\n| {{ email }} | . |",
    "```\n. code \n{{ first_name }} \n```",
    "a-word-without-an-end-a-word-without-an-end-a-word-without-an-end-a-word-without-an-end",
    "\\.",
];

/// A value as an import may contain it.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(NASTY).prop_map(str::to_owned),
        "[A-Za-z' .,-]{1,40}",
        "[\u{e0}-\u{ff}\u{430}-\u{44f} ]{1,60}",
        "[\u{4e00}-\u{4e80}\u{5d0}-\u{5ea}\u{627}-\u{64a} 😀]{1,80}",
        ".{0,120}",
        ("[.=x \u{e9}😀]", 1..10_000_usize).prop_map(|(sign, times)| sign.repeat(times)),
    ]
}

/// A body that usually compiles.
fn body() -> impl Strategy<Value = String> {
    let between = prop::sample::select(&["", " ", "\n", "\n\n", "  \n"]);
    let pieces = prop::collection::vec((prop::sample::select(PIECES), between), 1..14);
    pieces.prop_map(|pieces| pieces.iter().flat_map(|(piece, between)| [*piece, *between]).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_500) })]

    #[test]
    fn every_sample_mail_reads_as_previewed(subject in value(), with_field in any::<bool>(), body in body(), value in value()) {
        let subject = if with_field { format!("{subject} {{{{ full_name }}}}") } else { subject };
        assert_sound(&subject, &format!("{body}\n\n{{{{ password }}}}"), &value);
        assert_sound(&subject, &body, &value);
    }
}

fn settings() -> LetterSettings {
    let day = Duration::from_hours(24);
    LetterSettings {
        from: Sender::parse("Bildung für alle, e. V. <no-reply@bar.example>").unwrap(),
        public_url: "https://learn.example".to_owned(),
        organisation: "A & B <Söhne>".to_owned(),
        sign_in_url: "https://learn.example/sign-in?a=1&b=2".to_owned(),
        lifetimes: Lifetimes { first: day, reset: day },
    }
}

/// Composes a mail of each kind that the template allows, and compares it with the preview's text.
fn assert_sound(subject: &str, body: &str, value: &str) {
    let (subject, body) = (subject.to_owned(), body.to_owned());
    let template = Template { subject, body };
    let settings = settings();
    let password = Password::generate(&mut os_randomness()).unwrap();
    let fields = Map::from_iter([("Cost Centre".to_owned(), Value::from(value))]);
    for kind in SystemEmailKind::ALL {
        let Ok(compiled) = template.compile(kind, CustomFields::Any) else {
            continue;
        };
        let values = LetterValues {
            first_name: value,
            last_name: value,
            email: ADDRESS,
            language: "en",
            fields: &fields,
            organisation: &settings.organisation,
            sign_in_url: &settings.sign_in_url,
            password: (kind == SystemEmailKind::PasswordReset).then_some(ShownPassword::Secret(&password)),
            password_expires: Some("26 November 2026, 14:00 UTC"),
        };
        let name = values.of(&Field::FullName);
        let addressing = Addressing {
            delivery: DELIVERY,
            batch: Uuid::nil(),
            date: datetime!(2026-11-30 09:00 UTC),
            name: &name,
            address: ADDRESS,
        };
        let message = MessageTemplate::new(&compiled, &settings, false)
            .write(&addressing, &values)
            .unwrap();
        assert_fit_for_any_relay(&message);

        let read = MessageParser::default().parse(message.wire.as_slice()).unwrap();
        let expected = write(&compiled, &values);
        let to = read.to().and_then(|to| to.first()).unwrap();
        assert_eq!(to.address(), Some(ADDRESS));
        assert_eq!(to.name().unwrap_or_default(), name, "{value:?}");
        assert_eq!(read.subject().unwrap_or_default().trim(), expected.subject.trim());
        assert_eq!(part(read.text_bodies().next()), *expected.text, "{value:?}");
        assert_eq!(part(read.html_bodies().next()), *expected.html, "{value:?}");
        assert_eq!(
            (read.text_body_count(), read.html_body_count(), read.attachment_count()),
            (1, 1, 0)
        );
    }
}

/// A part's text with line ends normalised to ours.
fn part(part: Option<&MessagePart<'_>>) -> String {
    let text = part.and_then(|part| part.text_contents()).unwrap();
    text.replace("\r\n", "\n")
}

fn assert_fit_for_any_relay(message: &Message) {
    let wire = std::str::from_utf8(&message.wire).unwrap();
    assert!(wire.is_ascii());
    let body = wire.strip_suffix("\r\n.\r\n").unwrap();
    assert_eq!(message.size, body.len() + 2);
    let (head, parts) = body.split_once("\r\n\r\n").unwrap();
    assert_eq!(parts.matches("--=_").count(), 3, "a part contains the boundary");
    for line in body.split("\r\n") {
        assert!(!line.contains(['\r', '\n']), "{line:?}");
        assert!(!line.starts_with('.'), "a dot that a relay would remove: {line:?}");
    }
    for line in head.split("\r\n") {
        let most = if line.contains("=?") { ENCODED_LINE } else { LINE };
        assert!(line.len() <= most, "{line:?}");
        assert!(!line.trim().is_empty(), "{head:?}");
    }
    for line in parts.split("\r\n") {
        assert!(line.len() <= ENCODED_LINE, "{line:?}");
        assert!(!line.ends_with([' ', '\t']) && !line.starts_with("From "), "{line:?}");
    }
}
