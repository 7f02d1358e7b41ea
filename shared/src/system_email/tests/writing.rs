//! The output of a checked email.

use super::*;

/// Values that try to be more than text.
const HOSTILE: [&str; 19] = [
    "<script>alert(1)</script>",
    "</p></div><a href=\"http://evil.example\">",
    "\"onmouseover=\"x\" '",
    "{{ password }}",
    "{{ first_name }}",
    "{% include 'x' %}",
    "**x** _y_ `z` ~~s~~",
    "](http://evil.example)",
    "[x](javascript:alert(1))",
    "\r\nBcc: x@y.example\r\n\r\nbody",
    "a\u{2028}b\u{2029}c\0d",
    "\u{202E}evil\u{2066}x",
    "# heading",
    "- item\n- item",
    "> quote",
    "zq0v0y zq1v0y zq0v",
    "&lt;b&gt; &amp;",
    "../../..?x=1&y=2#z",
    "שלום مرحبا 你好 👩‍👩‍👧",
];

/// The tags of a page with their attributes, without the text.
fn structure_of(html: &str) -> Vec<String> {
    html.split('<')
        .skip(1)
        .map(|tag| tag.split('>').next().unwrap().to_owned())
        .collect()
}

#[test]
fn names_are_matched_however_they_are_spelled() {
    let compiled = invite("{{first_name}} {{ First Name }} {{ FIRST-NAME }} {{ costcentre }} {{ e-mail }}");

    assert_eq!(*fill_with(&compiled, "X").text_body, "X X X X ada@example.org");
    assert_eq!(
        compiled.fields(),
        [Field::FirstName, Field::Email, Field::Custom("Cost Centre".into())]
    );
}

#[test]
fn a_default_replaces_a_missing_value_and_the_rest_is_reported() {
    let compiled =
        invite("{{ first_name | default(\"there\") }}{{last_name|default('')}}{{ site }}{{ site | default(“x”) }}");

    let filled = fill_with(&compiled, " \u{A0}\n");

    assert_eq!(*filled.text_body, "therex");
    assert_eq!(filled.missing, ["site"]);
}

#[test]
fn line_breaks_are_kept_in_both_parts() {
    assert_eq!(
        html_of("a\nb\r\nc"),
        "<p style=\"margin:0 0 16px\">a<br>\nb<br>\nc</p>\n"
    );
    assert_eq!(text_of("a\nb\r\nc\n\n\nd"), "a\nb\nc\n\nd");
}

#[test]
fn a_link_alone_in_its_paragraph_is_a_button_and_an_address_is_not() {
    assert!(html_of("x\n\n[Sign **in**]({{ sign_in_url }})").contains("<td class=\"button\""));
    for body in [
        "x [a](https://b.example)",
        "https://b.example",
        "{{ sign_in_url }}",
        "<x@b.example>",
    ] {
        let html = html_of(body);
        assert!(html.contains("<a class=\"link\"") && !html.contains("button"), "{html}");
    }
}

#[test]
fn bare_addresses_become_links_without_the_punctuation_behind_them() {
    let html = html_of("See https://b.example/x_y_z?a=1&b=2. Or ({{ sign_in_url }}).");

    assert!(
        html.contains("href=\"https://b.example/x_y_z?a=1&amp;b=2\">https://b.example/x_y_z?a=1&amp;b=2</a>."),
        "{html}"
    );
    assert!(
        html.contains("href=\"https://northfield.example/sign-in?a=1&amp;b=2\">https://northfield"),
        "{html}"
    );
    assert!(html.contains("</a>)."), "{html}");
}

#[test]
fn the_text_part_is_readable() {
    let text = text_of(
        "# Hello {{ first_name }}\n\n**Bold** and `code` and ~~gone~~ &amp; done.\n\n\
         * one\n* two\n  1. first\n  2. second\n* three\n\n3. three\n4. four\n\n\
         > quoted\n> again\n>\n> end\n\n[a](https://b.example) <https://c.example> <x@y.example> {{ sign_in_url }}\n\n\
         | A | B |\n|---|---|\n| 1 | {{ email }} |\n\n---\n\n```\ncode\n  here\n```\n\nbye",
    );

    assert_eq!(
        text,
        "Hello Ada\n\nBold and code and ~~gone~~ & done.\n\n- one\n- two\n  1. first\n  2. second\n- three\n\n\
         3. three\n4. four\n\n> quoted\n> again\n>\n> end\n\n\
         a: https://b.example https://c.example x@y.example https://northfield.example/sign-in?a=1&b=2\n\n\
         A | B\n1 | ada@example.org\n\n----------\n\ncode\n  here\n\nbye"
    );
}

#[test]
fn no_value_changes_the_structure_of_a_letter() {
    let compiled = invite(
        "Hello {{ first_name }}\n\n- {{ first_name }}\n\n**{{ first_name }}** `{{ cost centre }}` \
         [{{ first_name }}](https://b.example/{{ first_name }}?x={{ cost_centre }})\n\n{{ sign_in_url }}?a={{ first_name }}",
    );
    let plain = fill_with(&compiled, "Ada");
    let long = "x".repeat(10_000);
    for hostile in HOSTILE.into_iter().chain([long.as_str()]) {
        let filled = fill_with(&compiled, hostile);
        let words_only = |tags: Vec<String>| -> Vec<String> {
            tags.into_iter()
                .map(|tag| tag.split("href=").next().unwrap().to_owned())
                .collect()
        };
        assert_eq!(
            words_only(structure_of(&filled.html_body)),
            words_only(structure_of(&plain.html_body)),
            "{hostile}"
        );
        assert_eq!(
            filled.text_body.lines().count(),
            plain.text_body.lines().count(),
            "{hostile}"
        );
        for href in filled
            .html_body
            .split("href=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap())
        {
            let known = [
                "https://b.example/",
                "https://northfield.example/sign-in?a=1&amp;b=2?a=",
            ];
            let behind = known.iter().find_map(|start| href.strip_prefix(start)).unwrap();
            assert!(
                behind
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-._~%?=".contains(&b)),
                "{href}"
            );
        }
        assert!(!filled.html_body.contains("<script"), "{hostile}");
        for forbidden in ["\u{202E}", "\u{2066}", "\u{2028}", "\0"] {
            assert!(
                !filled.html_body.contains(forbidden) && !filled.text_body.contains(forbidden),
                "{hostile}"
            );
        }
    }
}

#[test]
fn a_value_in_the_text_part_is_as_it_was_given() {
    let filled = fill_with(&invite("Hello {{ first_name }}"), "<b> & \"{{ email }}\" **x** 👩‍👩‍👧");

    assert_eq!(*filled.text_body, "Hello <b> & \"{{ email }}\" **x** 👩‍👩‍👧");
}

#[test]
fn text_that_looks_like_a_placeholder_stays_text() {
    let body = "zq0v0y {{ first_name }}q0v0y z{{ first_name }} zq1v1y &#122;q2v1y zq2v{{ first_name }}";

    assert_eq!(text_of(body), "zq0v0y Adaq0v0y zAda zq1v1y zq2v1y zq2vAda");
}

#[test]
fn the_preview_line_is_the_first_paragraph_with_text() {
    let filled = fill_with(
        &invite(
            "Hello {{ first_name }},\n\nhttps://b.example/a-long-address-of-a-page\n\nThis paragraph\nis for {{ first_name }} alone.",
        ),
        "Ada",
    );

    assert_eq!(filled.preheader, "This paragraph is for Ada alone.");
}

#[test]
fn a_saved_email_survives_the_removal_of_its_custom_fields() {
    let template = Template {
        subject: "{{ gone }}".into(),
        body: "x{{ Gone }}".into(),
    };
    let compiled = template.compile(SystemEmailKind::Invite, CustomFields::Any).unwrap();

    let filled = fill_with(&compiled, "Ada");

    assert_eq!((filled.subject.as_str(), filled.text_body.as_str()), ("", "x"));
    assert_eq!(filled.missing, ["gone", "Gone"]);
}

#[test]
fn a_subject_is_merged_to_one_line() {
    let compiled = compile(SystemEmailKind::Invite, " Hi {{ first_name }} <{{ email }}> ", "x").unwrap();

    assert_eq!(
        fill_with(&compiled, "A\r\nBcc: x").subject,
        "Hi A  Bcc: x <ada@example.org>"
    );
}
