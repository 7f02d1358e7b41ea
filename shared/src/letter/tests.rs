use std::sync::LazyLock;

use crate::password::{Password, os_randomness};
use crate::system_email::{CustomFields, Template};
use serde_json::{Map, Value};

use super::*;

/// Compiles a shipped email.
fn shipped(kind: SystemEmailKind) -> Compiled {
    Template::shipped(kind).compile(kind, CustomFields::Any).unwrap()
}

fn ada(fields: &Map<String, Value>) -> LetterValues<'_> {
    LetterValues {
        first_name: "Ada",
        last_name: "Lovelace",
        email: "ada.lovelace@example.org",
        language: "en",
        fields,
        organisation: "Northfield College",
        sign_in_url: "https://learn.northfield.example/sign-in",
        password: None,
        password_expires: Some("26 November 2026, 14:00 UTC"),
    }
}

fn without_fields() -> &'static Map<String, Value> {
    static NONE: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
    &NONE
}

#[test]
fn a_password_mail_has_the_password_alone_on_the_line_after_its_label() {
    let password = Password::generate(&mut os_randomness()).unwrap();
    let values = LetterValues {
        password: Some(ShownPassword::Secret(&password)),
        ..ada(without_fields())
    };

    let letter = write(&shipped(SystemEmailKind::PasswordReset), &values);

    let lines: Vec<&str> = letter.text.lines().collect();
    let label = lines.iter().position(|line| *line == "Password:").unwrap();
    assert_eq!(lines[label + 1], password.expose_for_mail());
    assert_eq!(letter.html.matches(password.expose_for_mail()).count(), 1);
    assert!(letter.missing.is_empty());
}

#[test]
fn a_password_is_in_no_subject_link_or_preview_line() {
    let password = Password::generate(&mut os_randomness()).unwrap();
    let values = LetterValues {
        password: Some(ShownPassword::Secret(&password)),
        ..ada(without_fields())
    };

    let letter = write(&shipped(SystemEmailKind::PasswordReset), &values);

    let shown_before_body = letter.html.split_once("role=\"article\"").unwrap().0;
    assert!(!letter.subject.contains(password.expose_for_mail()));
    assert!(!shown_before_body.contains(password.expose_for_mail()));
    assert!(shown_before_body.contains("Here is everything you need"));
    assert_eq!(format!("{letter:?}"), "Letter(…)");
}

#[test]
fn a_preview_marks_values_and_gaps_and_masks_the_password() {
    let values = LetterValues {
        password: Some(ShownPassword::Masked),
        password_expires: None,
        ..ada(without_fields())
    };

    let letter = preview(&shipped(SystemEmailKind::PasswordReset), &values);

    assert!(letter.html.contains(MASKED_PASSWORD));
    assert!(letter.html.contains(">Ada</mark>"));
    assert!(letter.html.contains(">password_expires</mark>"));
    assert_eq!(letter.missing, ["password_expires"]);
}

#[test]
fn the_shell_loads_nothing_and_has_no_script() {
    for kind in SystemEmailKind::ALL {
        let html = write(&shipped(kind), &ada(without_fields())).html;
        for forbidden in [
            "<img", "<script", "src=", "url(", "@import", "<link", "<iframe", "<form",
        ] {
            assert!(!html.contains(forbidden), "{kind} contains {forbidden}");
        }
    }
}

#[test]
fn names_in_the_shell_are_escaped() {
    let values = LetterValues {
        organisation: "<b>A & B</b>\r\nBcc: x@y.example",
        email: "\"<i>@example.org",
        ..ada(without_fields())
    };

    let letter = write(&shipped(SystemEmailKind::Invite), &values);

    assert!(!letter.html.contains("<b>") && !letter.html.contains("<i>"));
    assert_eq!(letter.subject.lines().count(), 1);
}

#[test]
fn the_longest_values_fit_the_buffers() {
    let long = "<&\"'>".repeat(200);
    let password = Password::generate(&mut os_randomness()).unwrap();
    let values = LetterValues {
        first_name: &long,
        organisation: &long,
        email: &long,
        sign_in_url: &long,
        password_expires: None,
        password: Some(ShownPassword::Secret(&password)),
        ..ada(without_fields())
    };

    // Both functions assert that no buffer moved.
    write(&shipped(SystemEmailKind::PasswordReset), &values);
    let letter = preview(&shipped(SystemEmailKind::PasswordReset), &values);

    assert!(letter.text.ends_with("for you.\n") && !letter.text.contains('\r'));
}

/// Directory for emails to look at.
fn seen() -> std::path::PathBuf {
    let dir = std::env::temp_dir().join("letters-seen");
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

/// Writes the shipped emails to files. Run with `-- --ignored`.
#[test]
#[ignore = "for looking at the letters"]
fn write_the_shipped_letters_to_files() {
    let password = Password::generate(&mut os_randomness()).unwrap();
    let dir = seen();
    for kind in SystemEmailKind::ALL {
        let values = LetterValues {
            password: Some(ShownPassword::Secret(&password)),
            ..ada(without_fields())
        };
        let letter = write(&shipped(kind), &values);
        std::fs::write(dir.join(format!("{kind}.html")), letter.html.as_bytes()).unwrap();
        std::fs::write(dir.join(format!("{kind}.txt")), letter.text.as_bytes()).unwrap();
        let long = LetterValues {
            first_name: "Maximiliane-Alexandrina",
            email: "maximiliane-alexandrina.von-und-zu-hohenstein-waldburg@informatik.universitaet-musterstadt.example",
            organisation: "Landesinstitut für Pädagogik und Schulentwicklung Rheinland-Pfalz",
            sign_in_url: "https://lernplattform.landesinstitut-schulentwicklung.example/anmeldung/sign-in?organisation=rheinland-pfalz",
            password_expires: None,
            ..values
        };
        let letter = preview(
            &shipped(kind),
            &LetterValues {
                password: Some(ShownPassword::Masked),
                ..long
            },
        );
        std::fs::write(dir.join(format!("{kind}_long.html")), letter.html.as_bytes()).unwrap();
    }
}

/// Writes an email with every Markdown feature, in both writing directions.
#[test]
#[ignore = "for looking at the letters"]
fn write_a_letter_with_everything_to_a_file() {
    let latin = "# A heading\n\nHello **{{ first_name }}**, see https://example.org/a-long-address/that-goes-on/and-on?x=1 and \
        ~~this~~ `code`.\n\n## Smaller\n\n- one\n- two\n  1. first\n  2. second\n\n> quoted\n> again\n\n\
        | Where | When |\n|---|---|\n| Main building | Monday, 9:00 |\n| {{ email }} | 10:00 |\n\n---\n\n```\na block\n  of code\n```\n\n\
        [Open the page](https://example.org)\n\nBye 👋";
    let arabic = "مرحبا {{ first_name }}،\n\nلقد تمت دعوتك للانضمام إلى {{ organisation }}.\n\n- واحد\n- اثنان\n\n> اقتباس\n\n[تسجيل الدخول]({{ sign_in_url }})\n\n{{ email }}";
    for (name, body) in [("everything", latin), ("arabic", arabic)] {
        let template = Template {
            subject: "x".into(),
            body: body.into(),
        };
        let compiled = template.compile(SystemEmailKind::Invite, CustomFields::Any).unwrap();
        let letter = write(&compiled, &ada(without_fields()));
        std::fs::write(seen().join(format!("{name}.html")), letter.html.as_bytes()).unwrap();
        println!("{}", *letter.text);
    }
}

/// Run with `--release -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn measure_letters_a_second() {
    let password = Password::generate(&mut os_randomness()).unwrap();
    let started = std::time::Instant::now();
    for _ in 0..200 {
        shipped(SystemEmailKind::PasswordReset);
    }
    println!("compile: {:?}", started.elapsed() / 200);
    for kind in SystemEmailKind::ALL {
        let compiled = shipped(kind);
        let values = LetterValues {
            password: Some(ShownPassword::Secret(&password)),
            ..ada(without_fields())
        };
        let n = 100_000;
        let (mut html, mut text) = (0, 0);
        let started = std::time::Instant::now();
        for _ in 0..n {
            let letter = write(&compiled, &values);
            html += letter.html.len();
            text += letter.text.len();
        }
        println!(
            "{kind}: letter {:?}, html {}, text {}",
            started.elapsed() / n,
            html / n as usize,
            text / n as usize
        );
    }
}

#[test]
fn an_email_has_the_direction_and_the_footer_of_its_language() {
    for (language, document, body, footer) in [
        (
            "",
            "lang=\"en\" dir=\"auto\"",
            "lang=\"\" dir=\"auto\"",
            "you were invited to join.",
        ),
        (
            "ar-EG",
            "lang=\"ar-EG\" dir=\"rtl\"",
            "lang=\"ar-EG\" dir=\"rtl\"",
            "لأنك مدعو للانضمام.",
        ),
        (
            "de-AT",
            "lang=\"de-AT\" dir=\"ltr\"",
            "lang=\"de-AT\" dir=\"ltr\"",
            "weil Sie eingeladen wurden.",
        ),
        // Without a translation, the footer is English and says so.
        (
            "sw",
            "lang=\"sw\" dir=\"ltr\"",
            "lang=\"sw\" dir=\"ltr\"",
            "you were invited to join.",
        ),
    ] {
        let letter = write(
            &shipped(SystemEmailKind::Invite).in_language(language),
            &ada(without_fields()),
        );
        assert!(letter.html.contains(&format!("<html {document}")), "{language}");
        assert!(letter.html.contains(&format!("class=\"card\" {body}")), "{language}");
        assert!(
            letter.html.contains(footer) && letter.text.contains(footer),
            "{language}"
        );
        let is_english = letter.html.contains("class=\"quiet\" lang=\"en\" dir=\"ltr\"");
        assert_eq!(is_english, matches!(language, "" | "sw"), "{language}");
    }
}
