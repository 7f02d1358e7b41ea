//! Composing the mails of claims. How readers parse them is tested in `tests/fuzz/mail_composition.rs`.

use super::*;
use serde_json::json;
use shared::config::Lifetimes;
use shared::password::os_randomness;
use shared::store::claims::Recipient;
use shared::system_email::Template;
use time::macros::datetime;
use uuid::Uuid;

const DAY: Duration = Duration::from_hours(24);

fn installation() -> Installation {
    Installation::new(LetterSettings {
        from: shared::config::Sender::parse("Northfield College <no-reply@northfield.example>").unwrap(),
        public_url: "https://learn.northfield.example".to_owned(),
        organisation: "Northfield College".to_owned(),
        sign_in_url: "https://learn.northfield.example/sign-in".to_owned(),
        lifetimes: Lifetimes { first: DAY, reset: DAY },
    })
}

fn template(kind: SystemEmailKind, is_test: bool) -> MessageTemplate {
    let compiled = Template::shipped(kind).compile(kind, CustomFields::Any).unwrap();
    MessageTemplate::new(&compiled, &installation().letters, is_test)
}

fn claim(kind: SystemEmailKind, first_name: &str) -> Claim {
    Claim {
        delivery: Uuid::from_u128(0x0192_f0c1_8f8a_7d3e_9a54_6b1f_f0e1_d2c3),
        attempt: 1,
        batch: Uuid::from_u128(0x0192_f0c1_8f8a_7d3e_9a54_6b1f_0000_0001),
        kind,
        version: 1,
        waited_seconds: 0.0,
        seconds_left: None,
        start_at: datetime!(2026-11-30 09:00 UTC),
        claimed_at: datetime!(2026-11-30 09:00:05 UTC),
        test_address: None,
        language: "en".to_owned(),
        recipient: Some(Recipient {
            user: Uuid::nil(),
            email: "bogdan.andersson.b1@learners.example".to_owned(),
            email_key: "bogdan.andersson.b1@learners.example".to_owned(),
            first_name: first_name.to_owned(),
            last_name: "Andersson".to_owned(),
            fields: json!({ "site": "Main building", "cost_centre": "4711", "team": "Blue" }),
            has_signed_in: false,
        }),
    }
}

fn password() -> Password {
    Password::generate(&mut os_randomness()).unwrap()
}

#[test]
fn the_headers_are_those_of_the_contract() {
    let head = Letterhead {
        password: None,
        lifetime: DAY,
    };
    let mail = installation()
        .mail(
            &claim(SystemEmailKind::Invite, "Bogdan"),
            &head,
            &template(SystemEmailKind::Invite, false),
        )
        .unwrap();

    let wire = String::from_utf8(mail.wire.to_vec()).unwrap();
    let (headers, _) = wire.split_once("\r\n\r\n").unwrap();
    assert_eq!(
        headers,
        "From: Northfield College <no-reply@northfield.example>\r\n\
         To: Bogdan Andersson <bogdan.andersson.b1@learners.example>\r\n\
         Subject: You're invited to join Northfield College\r\n\
         Message-ID: <0192f0c1-8f8a-7d3e-9a54-6b1ff0e1d2c3@northfield.example>\r\n\
         Date: Mon, 30 Nov 2026 09:00:05 +0000\r\n\
         X-Beckon-Delivery: 0192f0c1-8f8a-7d3e-9a54-6b1ff0e1d2c3\r\n\
         X-Beckon-Batch: 0192f0c1-8f8a-7d3e-9a54-6b1f00000001\r\n\
         Auto-Submitted: auto-generated\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: multipart/alternative;\r\n boundary=\"=_0192f0c18f8a7d3e9a546b1ff0e1d2c3\""
    );
    assert_eq!(mail.size, wire.len() - 3);
    assert_eq!(mail.envelope.sender().to_string(), "no-reply@northfield.example");
    assert_eq!(
        mail.envelope.recipient().to_string(),
        "bogdan.andersson.b1@learners.example"
    );
}

#[test]
fn a_test_mail_is_marked_and_contains_no_password() {
    let claim = Claim {
        test_address: Some("priya@northfield.example".to_owned()),
        recipient: None,
        ..claim(SystemEmailKind::PasswordReset, "")
    };
    let head = Letterhead {
        password: None,
        lifetime: DAY,
    };
    let mail = installation()
        .mail(&claim, &head, &template(SystemEmailKind::PasswordReset, true))
        .unwrap();

    let wire = String::from_utf8(mail.wire.to_vec()).unwrap();
    assert!(wire.contains("\r\nTo: priya@northfield.example\r\n"), "{wire}");
    assert!(
        wire.contains("\r\nSubject: [Test] Your password for Northfield College\r\n"),
        "{wire}"
    );
    assert!(
        wire.contains("<title>Your password for Northfield College</title>"),
        "{wire}"
    );
    assert!(wire.contains("\r\nPassword:\r\n=E2=80=A2"), "{wire}");
}

#[test]
fn a_line_break_in_a_name_is_removed_and_harmless() {
    let head = Letterhead {
        password: None,
        lifetime: DAY,
    };
    let eve = claim(SystemEmailKind::Invite, "Eve\r\nBcc: all@example.org");
    let mail = installation()
        .mail(&eve, &head, &template(SystemEmailKind::Invite, false))
        .unwrap();

    let wire = String::from_utf8(mail.wire.to_vec()).unwrap();
    assert!(
        wire.contains("\r\nTo: \"Eve  Bcc: all@example.org Andersson\"\r\n <bogdan."),
        "{wire}"
    );
    assert!(!wire.contains("\nBcc"), "{wire}");
}

#[test]
fn fields_that_are_not_texts_are_rejected() {
    let mut claim = claim(SystemEmailKind::Invite, "Bogdan");
    if let Some(person) = &mut claim.recipient {
        person.fields = json!({ "team": [1, 2] });
    }
    let head = Letterhead {
        password: None,
        lifetime: DAY,
    };

    let made = installation().mail(&claim, &head, &template(SystemEmailKind::Invite, false));

    assert_eq!(made.err().as_deref(), Some("the person's fields are not texts by name"));
}

#[test]
fn a_mail_states_its_language_and_has_dates_in_it() {
    let text = Template {
        subject: "Ihr Passwort".to_owned(),
        body: "{{ password }}\n\nGültig bis {{ password_expires }}".to_owned(),
    };
    let compiled = text.compile(SystemEmailKind::PasswordReset, CustomFields::Any).unwrap();
    let template = MessageTemplate::new(&compiled.in_language("de-AT"), &installation().letters, false);
    let password = password();
    let head = Letterhead {
        password: Some(&password),
        lifetime: 32 * DAY,
    };

    let mail = installation()
        .mail(&claim(SystemEmailKind::PasswordReset, "Bogdan"), &head, &template)
        .unwrap();

    let wire = String::from_utf8(mail.wire.to_vec()).unwrap();
    assert!(wire.contains("\r\nContent-Language: de-AT\r\n"), "{wire}");
    assert!(wire.contains("\r\n1. J=C3=A4nner 2027, 09:00 UTC"), "{wire}");
    assert!(wire.contains("<html lang=3D\"de-AT\" dir=3D\"ltr\""), "{wire}");
}

/// Allocations per mail: two for parsing the address, and one each for the sender's address, the recipient's
/// name, the resolved values and the message.
const ALLOCATIONS: u64 = 6;

#[test]
fn a_mail_is_composed_with_few_allocations() {
    let installation = installation();
    let password = password();
    for (kind, password, allowed) in [
        (SystemEmailKind::Invite, None, ALLOCATIONS),
        // One more for the expiry of the password.
        (SystemEmailKind::PasswordReset, Some(&password), ALLOCATIONS + 1),
    ] {
        let head = Letterhead {
            password,
            lifetime: DAY,
        };
        let template = template(kind, false);
        for first_name in ["Bogdan", "Zoë", "春樹", ""] {
            let claim = claim(kind, first_name);

            let counted = allocation_counter::measure(|| {
                installation.mail(&claim, &head, &template).unwrap();
            });

            assert!(counted.count_total <= allowed, "{kind} for {first_name:?}: {counted:?}");
        }
    }
}

/// Run with `--release -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn measure_composing() {
    let installation = installation();
    let password = password();
    for (kind, password) in [
        (SystemEmailKind::Invite, None),
        (SystemEmailKind::PasswordReset, Some(&password)),
    ] {
        let head = Letterhead {
            password,
            lifetime: DAY,
        };
        let template = template(kind, false);
        for first_name in ["Bogdan", "Zoë"] {
            let claim = claim(kind, first_name);
            let mail = || installation.mail(&claim, &head, &template).unwrap();
            let counted = allocation_counter::measure(|| drop(mail()));
            let (mut octets, mails) = (0, 200_000_u32);
            let started = std::time::Instant::now();
            for _ in 0..mails {
                octets += mail().size;
            }
            println!(
                "{kind} to {first_name}: {:.2} µs, {} allocations, {} octets",
                started.elapsed().as_secs_f64() * 1e6 / f64::from(mails),
                counted.count_total,
                octets / mails as usize
            );
        }
    }
}
