//! Names, subjects and domains in any script reach the reader unchanged.

use crate::json;
use harness::World;
use harness::relay::Mail;
use reqwest::Method;

/// Longest line that RFC 5322 allows, without its end.
const LINE_OCTETS: usize = 998;

/// Longest encoded word that RFC 2047 allows.
const WORD_OCTETS: usize = 75;

struct Person {
    typed: &'static str,
    wire: &'static str,
    first: String,
    last: String,
}

fn people() -> Vec<Person> {
    let person = |typed, wire, first: &str, last: &str| Person {
        typed,
        wire,
        first: first.to_owned(),
        last: last.to_owned(),
    };
    vec![
        person(
            "Zoe@München.example",
            "Zoe@xn--mnchen-3ya.example",
            "Zoë",
            "Müller-Lüdenscheidt",
        ),
        person("muhammad@example.org", "muhammad@example.org", "محمد", "الخوارزمي"),
        person("rachel@example.org", "rachel@example.org", "רחל", "כהן"),
        person("haruki@例え.example", "haruki@xn--r8jz45g.example", "春樹", "村上"),
        person("grin@example.org", "grin@example.org", "😀👩‍🚀", "e\u{301}clair"),
        person("quote@example.org", "quote@example.org", "Sam \"Q\"", "O'Brien, Jr."),
        person(
            "long@example.org",
            "long@example.org",
            &"ä".repeat(200),
            &"von und ".repeat(24),
        ),
        person(
            "wide@example.org",
            "wide@example.org",
            &"W".repeat(200),
            &"春".repeat(200),
        ),
    ]
}

fn csv(people: &[Person]) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let rows = people.iter().map(|person| {
        let cells = [person.typed, person.first.as_str(), person.last.as_str()].map(quoted);
        cells.join(",") + "\n"
    });
    std::iter::once("email,first name,last name\n".to_owned())
        .chain(rows)
        .collect()
}

/// Asserts that the mail is pure ASCII and that every line and every encoded word is short enough for any relay.
fn assert_fit_for_any_relay(mail: &Mail) {
    let head = mail.raw.split(|byte| *byte == b'\n');
    let head = head.take_while(|line| !line.trim_ascii().is_empty());
    for line in head {
        let line = String::from_utf8_lossy(line);
        assert!(line.is_ascii(), "{line}");
        for word in line.split_whitespace().filter(|word| word.starts_with("=?")) {
            assert!(word.len() <= WORD_OCTETS, "{word}");
        }
    }
    for line in mail.raw.split(|byte| *byte == b'\n') {
        assert!(line.trim_ascii_end().len() <= LINE_OCTETS, "{}", line.len());
    }
}

#[tokio::test]
async fn names_arrive_as_they_were_written() {
    World::run(async |world| {
        let people = people();
        let import = world.import(&csv(&people)).await.expect(201);
        let letter = json!({
            "subject": "Grüße aus Łódź, {{ full_name }} – שלום",
            "body": "Здравствуйте, {{ first_name }}!\n\nYour address is {{ email }}.",
        });
        world
            .ask(Method::PUT, "/v1/system-emails/invite", Some(letter), None)
            .await
            .expect(200);

        let batch = world.invite(json!({ "import": import["id"] })).await;
        let finished = world.finished(batch).await;

        assert_eq!(import["rejected"], 0, "{import}");
        assert_eq!(finished["counts"]["sent"], people.len(), "{finished}");
        for person in &people {
            let mail = world.relay.mails_to(person.wire).unwrap().remove(0);
            let name = format!("{} {}", person.first, person.last.trim());
            assert_eq!(mail.recipient, person.wire, "the envelope carries A-labels");
            assert_eq!(mail.to, [person.wire]);
            assert_eq!(mail.to_name, name);
            assert_eq!(mail.subject, format!("Grüße aus Łódź, {name} – שלום"));
            let greeting = format!("Здравствуйте, {}!", person.first);
            assert!(mail.text.contains(&greeting), "{}", mail.text);
            let escaped = greeting.replace('"', "&quot;");
            assert!(
                mail.html.contains(&greeting) || mail.html.contains(&escaped),
                "{}",
                mail.html
            );
            let address = format!("Your address is {}.", person.typed);
            assert!(mail.text.contains(&address), "{}", mail.text);
            assert!(mail.html.contains(person.typed), "{}", mail.html);
            // The text direction follows the first strong letter.
            assert!(mail.html.contains("dir=\"auto\""), "{}", mail.html);
            assert_fit_for_any_relay(&mail);
        }
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn an_address_is_one_user_in_either_form_of_its_domain() {
    World::run(async |world| {
        world.import("email\nzoe@MÜNCHEN.example\n").await.expect(201);

        let again = world.import("email\nZoe@xn--mnchen-3ya.example\n").await.expect(201);
        let batch = world
            .invite(json!({ "emails": ["zoe@xn--mnchen-3ya.example", "zoe@münchen.example"] }))
            .await;
        let finished = world.finished(batch).await;

        assert_eq!(again["created"], 0, "{again}");
        assert_eq!(finished["counts"]["sent"], 1, "{finished}");
        assert_eq!(finished["left_out"], json!({ "duplicate": 1 }), "{finished}");
        assert_eq!(world.relay.accepted_count(), 1);
        world.assert_promises_kept().await;
    })
    .await;
}
