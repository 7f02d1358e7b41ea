//! System emails written by administrators, filled with imported values.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use shared::letter::{LetterValues, ShownPassword, preview};
use shared::system_email::{CustomFields, SystemEmailKind, Template};

use crate::engine::Target;

const TARGET: Target = Target {
    name: "template_filling",
    words: &[
        b"{{",
        b"}}",
        b"{{ first_name }}",
        b"{{ password }}",
        b"{{ cost_centre | default(\"x\") }}",
        b"{{ sign_in_url }}",
        b"| default(",
        b"\"",
        b"<script>alert(1)</script>",
        b"<img src=x onerror=y>",
        b"](",
        b"[",
        b"javascript:",
        b"# ",
        b"* ",
        b"> ",
        b"```",
        b"\n\n",
        b"\n",
        b"&",
        b"&#0;",
        b"\xE2\x80\xAE",
        b"\\",
        b"|",
        b"<!--",
        b"~~~",
    ],
};

/// Shows up literally wherever a value is not escaped.
const EVIL: &str = "\"><script>evil</script>{{ password }}\r\nBcc: all";

#[test]
fn any_template_is_refused_with_a_position_or_can_be_sent() {
    let custom: BTreeSet<String> = ["Cost Centre".to_owned()].into();
    TARGET.run(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        let (subject, body) = text.split_once('\n').unwrap_or((&text, ""));
        let template = Template {
            subject: subject.to_owned(),
            body: body.to_owned(),
        };
        for kind in SystemEmailKind::ALL {
            match template.compile(kind, CustomFields::Known(&custom)) {
                Ok(compiled) => assert_sound(&preview(&compiled, &values(&fields()))),
                Err(faults) => {
                    for fault in faults {
                        let shown = format!("{} {}", fault.code, fault.message);
                        assert!(shown.len() < 1_000 && !shown.contains(char::is_control), "{shown:?}");
                    }
                }
            }
        }
    });
}

fn fields() -> Map<String, Value> {
    Map::from_iter([("cost_centre".to_owned(), Value::from(EVIL))])
}

fn values(fields: &Map<String, Value>) -> LetterValues<'_> {
    LetterValues {
        first_name: EVIL,
        last_name: EVIL,
        email: "ada@example.org",
        language: "en",
        fields,
        organisation: EVIL,
        sign_in_url: "https://lerna.example/sign-in",
        password: Some(ShownPassword::Masked),
        password_expires: None,
    }
}

/// Elements of a mail and of its HTML shell.
const ELEMENTS: &[&str] = &[
    "!doctype",
    "!--[if",
    "span",
    "![endif]--",
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "div",
    "table",
    "tr",
    "td",
    "p",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "a",
    "ul",
    "ol",
    "li",
    "strong",
    "em",
    "del",
    "code",
    "pre",
    "blockquote",
    "br",
    "hr",
    "mark",
    "o:officedocumentsettings",
    "o:pixelsperinch",
    "xml",
];

fn assert_sound(letter: &shared::letter::Letter) {
    assert!(!letter.subject.contains(char::is_control), "{:?}", letter.subject);
    assert!(
        !letter.subject.contains(shared::letter::MASKED_PASSWORD),
        "{:?}",
        letter.subject
    );
    let html = letter.html.to_ascii_lowercase();
    // In text and values every < is escaped, so each of these starts an element.
    for element in html.split('<').skip(1) {
        let element = element.split('>').next().unwrap_or_default();
        let name = element
            .trim_start_matches('/')
            .split_whitespace()
            .next()
            .unwrap_or_default();
        assert!(ELEMENTS.contains(&name.trim_end_matches('/')), "<{element}>");
        assert!(!element.contains(" on"), "<{element}>");
        if let Some((_, address)) = element.split_once("href=\"") {
            let is_plain = ["https://", "http://", "mailto:"]
                .iter()
                .any(|start| address.starts_with(start));
            assert!(is_plain, "<{element}>");
        }
    }
}
