//! The shipped system emails, with every kind of user data.

use serde_json::{Map, Value};
use shared::letter::{Letter, LetterValues, MASKED_PASSWORD, ShownPassword, preview, write};
use shared::password::{Password, os_randomness};
use shared::system_email::{Compiled, CustomFields, SystemEmailKind, Template};

/// Names that imports could let through.
const HOSTILE: &[&str] = &[
    "",
    "   ",
    "Ada",
    "{{ password }}",
    "{{7*7}}",
    "{% for x in y %}",
    "<script>alert(1)</script>",
    "</title></style><img src=x onerror=alert(1)>",
    "\"><a href=\"https://evil.example\">x</a>",
    "[Click](https://evil.example)",
    "<https://evil.example>",
    "# Heading",
    "Eve\r\nBcc: all@example.org",
    "Eve\u{2028}Password:\u{2029}abc",
    "A\0B\u{7}C\u{85}D",
    "\u{202E}gnirts\u{2066}",
    "=cmd()",
    "O'Brien & Söhne \"GmbH\" \\ `x` *y* _z_ ~~w~~",
    "٣ مرحبا 你好 👩‍👩‍👧‍👦",
    ".",
    "\u{1e9e}\u{130}\u{fb03}",
];

fn shipped(kind: SystemEmailKind) -> Compiled {
    Template::shipped(kind)
        .compile(kind, CustomFields::Known(&std::collections::BTreeSet::new()))
        .unwrap()
}

/// A user whose values are all this one.
fn person<'v>(value: &'v str, fields: &'v Map<String, Value>, password: Option<&'v Password>) -> LetterValues<'v> {
    LetterValues {
        first_name: value,
        last_name: value,
        email: value,
        language: value,
        fields,
        organisation: value,
        sign_in_url: "https://lerna.example/sign-in",
        password: password.map(ShownPassword::Secret),
        password_expires: password.map(|_| "26 November 2026, 14:00 UTC"),
    }
}

/// Asserts what must hold for the email to any user.
fn assert_harmless(letter: &Letter, value: &str) {
    let html = letter.html.to_lowercase();
    for forbidden in ["<script", "<img", "href=\"https://evil"] {
        assert!(!html.contains(forbidden), "{value:?} put {forbidden} into a letter");
    }
    let mut tags = html.split('<').skip(1).map(|tag| tag.split('>').next().unwrap());
    assert!(
        !tags.any(|tag| tag.contains("onerror")),
        "{value:?} put a script into a tag"
    );
    // Values appear literally, and no placeholder is left unfilled.
    for (sign, text) in [("{{", &*letter.html), ("{{", &*letter.text), ("{%", &*letter.text)] {
        assert!(
            value.contains(sign) || !text.contains(sign),
            "{value:?}: {sign} in {text}"
        );
    }
    assert_eq!(html.matches("</html>").count(), 1, "{value:?}");
    assert_eq!(html.matches("<title>").count(), 1, "{value:?}");
    assert!(letter.subject.lines().count() <= 1, "{value:?}: {}", letter.subject);
    for text in [&letter.subject, &*letter.html, &*letter.text] {
        assert!(
            !text.contains(|c: char| c.is_control() && c != '\n' && c != '\t'),
            "{value:?} put a control into {text:?}"
        );
        assert!(
            !text.contains(['\u{2028}', '\u{2029}', '\u{202E}']),
            "{value:?} put a mark into {text:?}"
        );
    }
}

#[test]
fn a_shipped_letter_has_no_fault_and_needs_no_custom_field() {
    for kind in SystemEmailKind::ALL {
        let template = Template::shipped(kind);

        let compiled = template.compile(kind, CustomFields::Known(&std::collections::BTreeSet::new()));

        assert!(compiled.is_ok(), "{kind}: {:?}", compiled.err());
        assert!(
            !template.subject.starts_with("Subject:") && !template.subject.is_empty(),
            "{kind}: {}",
            template.subject
        );
    }
}

#[test]
fn a_shipped_email_can_be_rendered_for_any_user() {
    let fields = Map::new();
    for kind in SystemEmailKind::ALL {
        let compiled = shipped(kind);
        let is_password_mail = kind == SystemEmailKind::PasswordReset;
        for value in HOSTILE {
            let password = is_password_mail.then(|| Password::generate(&mut os_randomness()).unwrap());

            let letter = write(&compiled, &person(value, &fields, password.as_ref()));

            assert_harmless(&letter, value);
            assert!(
                letter.text.len() > 300 && letter.html.len() > 1_000,
                "{kind} for {value:?} is empty"
            );
        }
    }
}

#[test]
fn a_preview_can_be_rendered_for_any_user_and_shows_no_password() {
    let fields = Map::new();
    for kind in SystemEmailKind::ALL {
        let compiled = shipped(kind);
        for value in HOSTILE {
            let masked = LetterValues {
                password: Some(ShownPassword::Masked),
                ..person(value, &fields, None)
            };

            let letter = preview(&compiled, &masked);

            assert_harmless(&letter, value);
            assert_eq!(
                letter.text.contains(MASKED_PASSWORD),
                kind == SystemEmailKind::PasswordReset,
                "{value:?}"
            );
        }
    }
}

#[test]
fn the_password_is_alone_on_its_line_for_every_user() {
    let fields = Map::new();
    let compiled = shipped(SystemEmailKind::PasswordReset);
    for value in HOSTILE {
        let password = Password::generate(&mut os_randomness()).unwrap();

        let letter = write(&compiled, &person(value, &fields, Some(&password)));

        let lines: Vec<&str> = letter.text.lines().collect();
        let labels: Vec<usize> = (0..lines.len()).filter(|at| lines[*at] == "Password:").collect();
        assert_eq!(labels.len(), 1, "{value:?}: {}", *letter.text);
        assert_eq!(lines[labels[0] + 1], password.expose_for_mail(), "{value:?}");
        assert_eq!(letter.text.matches(password.expose_for_mail()).count(), 1, "{value:?}");
        assert_eq!(letter.html.matches(password.expose_for_mail()).count(), 1, "{value:?}");
        assert!(!letter.subject.contains(password.expose_for_mail()), "{value:?}");
    }
}

#[test]
fn an_invite_cannot_contain_a_password() {
    let mut letter = Template::shipped(SystemEmailKind::Invite);
    letter.body.push_str("\n\n{{ password }}");

    let faults = letter.compile(SystemEmailKind::Invite, CustomFields::Any).unwrap_err();

    assert_eq!(faults.len(), 1, "{faults:?}");
}

#[test]
fn a_password_email_must_contain_one() {
    let mut letter = Template::shipped(SystemEmailKind::PasswordReset);
    letter.body = letter.body.replace("{{ password }}", "");

    let faults = letter
        .compile(SystemEmailKind::PasswordReset, CustomFields::Any)
        .unwrap_err();

    assert_eq!(faults[0].code, "password_missing", "{faults:?}");
}
