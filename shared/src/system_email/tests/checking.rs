//! What is rejected, and with which messages.

use super::*;

#[test]
fn the_shipped_letters_have_no_faults() {
    for kind in SystemEmailKind::ALL {
        let nothing_custom = BTreeSet::new();
        let compiled = Template::shipped(kind).compile(kind, CustomFields::Known(&nothing_custom));
        assert!(compiled.is_ok(), "{kind}: {compiled:?}");
        assert_eq!(kind.as_str().parse(), Ok(kind));
    }
    assert_eq!(
        Template::shipped(SystemEmailKind::Invite).subject,
        "You're invited to join {{ organisation }}"
    );
}

#[test]
fn all_faults_are_reported_together_with_their_positions() {
    assert_eq!(
        faults_of("Hi {{ first_nam }},\nçé {{ password }} }} {{ open\n{% if x %} {{ email | upper }}\u{7}"),
        [
            "1:4 unknown_field",
            "2:4 password_in_invite",
            "2:19 field_not_opened",
            "2:22 field_not_closed",
            "3:1 logic_unsupported",
            "3:12 unknown_filter",
            "3:31 control_character",
        ]
    );
}

#[test]
fn a_default_is_restricted_like_a_value() {
    for sign in ['\0', '\u{7}', '\u{85}', '\u{2028}', '\u{202E}', '\u{2067}'] {
        let field = format!("{{{{ first_name | default(\"a{sign}b\") }}}}");
        assert_eq!(
            faults_of(&format!("x\nDear {field}")),
            ["2:32 control_character"],
            "{sign:?}"
        );
        let in_subject = compile(SystemEmailKind::Invite, &field, "x").unwrap_err();
        assert_eq!(
            (in_subject[0].part, in_subject[0].code),
            (Part::Subject, "control_character"),
            "{sign:?}"
        );
        assert!(!in_subject[0].message.contains(sign));
    }
    assert_eq!(faults_of("{{ first_name |\tdefault(\"you\") }}"), [""; 0]);
}

#[test]
fn the_editors_messages_use_the_consoles_terms() {
    let message = |subject: &str, body: &str, kind| compile(kind, subject, body).unwrap_err()[0].message.clone();
    let invite = SystemEmailKind::Invite;
    let reset = SystemEmailKind::PasswordReset;

    assert_eq!(
        message("x", "{{ first_nam }}", invite),
        "{{ first_nam }} is not a field. Did you mean {{ first_name }}?"
    );
    assert_eq!(message("x", "{{ zzz }}", invite), "{{ zzz }} is not a field.");
    assert_eq!(
        message("x", "Hello", reset),
        "The Reset Password email must contain {{ password }}"
    );
    assert_eq!(
        message("x", "{{ password }}", invite),
        "The invite email must not contain {{ password }}"
    );
    assert_eq!(message(" ", "x", invite), "Subject: enter a subject");
    assert_eq!(
        message(&"x".repeat(201), "x", invite),
        "Subject must be 200 characters or fewer"
    );
    assert_eq!(
        message("x", "[a](http://b.example)", invite),
        "Links must start with https://"
    );
    assert_eq!(message("x", " \n ", invite), "Body: enter the text of the email");
    assert_eq!(
        message("x", &"x".repeat(20_001), invite),
        "Body must be 20,000 characters or fewer"
    );
    assert_eq!(message("a\nb", "x", invite), "Subject must be one line");
}

#[test]
fn a_password_stays_out_of_subjects_links_and_defaults() {
    let codes = |subject: &str, body: &str| {
        let faults = compile(SystemEmailKind::PasswordReset, subject, body)
            .err()
            .unwrap_or_default();
        faults.iter().map(|fault| fault.code).collect::<Vec<_>>()
    };

    assert!(codes("x", "`{{ password }}` **{{password}}**").is_empty());
    assert_eq!(codes("{{ password }}", "{{ password }}"), ["password_in_subject"]);
    assert_eq!(codes("x", "{{ password | default(\"x\") }}"), ["password_default"]);
    assert_eq!(
        codes("x", "[a](https://b.example/?p={{ password }})"),
        ["password_in_link"]
    );
    assert_eq!(
        codes("x", "[a {{ password }}](https://b.example)"),
        ["password_in_link"]
    );
    assert_eq!(
        codes("x", "[`{{ password }}`](https://b.example)"),
        ["password_in_link"]
    );
    assert_eq!(codes("x", "https://b.example/{{ password }}"), ["password_in_link"]);
    assert_eq!(codes("x", "{{ sign_in_url }}?p={{ password }}"), ["password_in_link"]);
    assert_eq!(
        codes("x", "[a][b]\n\n[b]: https://b.example/{{ password }}"),
        ["password_in_link"]
    );
    assert_eq!(
        codes("x", "![{{ password }}](https://b.example)"),
        ["image_unsupported"]
    );
}

#[test]
fn links_lead_to_https_to_mail_and_to_the_sign_in_page() {
    for body in [
        "[a](https://b.example)",
        "[a](HTTPS://b.example/x?y={{ email }}&z={{ site }}#{{ site }})",
        "[a]({{ sign_in_url }})",
        "[a]({{ sign_in_url }}?next={{ site }})",
        "[a](mailto:help@b.example?subject=Hello)",
        "<help@b.example>",
        "<https://b.example>",
    ] {
        assert_eq!(faults_of(body), [""; 0], "{body}");
    }
    for (body, code) in [
        ("[a](http://b.example)", "link_scheme"),
        ("http://b.example", "link_scheme"),
        ("[a](javascript:alert(1))", "link_scheme"),
        ("[a](data:text/html,x)", "link_scheme"),
        ("[a](//b.example)", "link_scheme"),
        ("[a](/sign-in)", "link_scheme"),
        ("[a]()", "link_scheme"),
        ("[a]({{ site }})", "link_scheme"),
        ("[a]({{ first_name }}.example)", "link_scheme"),
        ("[a](https://)", "link_host"),
        ("[a](https://{{ site }})", "link_host"),
        ("[a](https://{{ site }}/x)", "link_host"),
        ("[a](https://b.example{{ site }}/x)", "link_host"),
        ("[a](https://good.example@b.example/)", "link_host"),
        ("[a]({{ sign_in_url }}{{ first_name }})", "link_host"),
        ("[a]({{ sign_in_url }}.b.example)", "link_host"),
        ("{{ sign_in_url }}{{ first_name }}", "link_host"),
        ("[a](mailto:{{ email }})", "link_scheme"),
        ("[a](mailto:x@b.example?subject={{ email }})", "link_field"),
    ] {
        assert_eq!(faults_of(body), [format!("1:1 {code}")], "{body}");
    }
}

#[test]
fn html_images_and_absurd_nesting_are_refused() {
    assert_eq!(faults_of("Hello <b>you</b>"), ["1:7 html_unsupported"]);
    assert_eq!(faults_of("x\n\n<div>\nx\n</div>"), ["3:1 html_unsupported"]);
    assert_eq!(faults_of("{{ site }} <!-- x -->"), ["1:12 html_unsupported"]);
    assert_eq!(faults_of("a < b > c, 1 <2"), [""; 0]);
    assert_eq!(faults_of("x ![y](https://b.example/z.png)"), ["1:3 image_unsupported"]);
    assert_eq!(faults_of(&">".repeat(5_000)), ["1:24 nesting_too_deep"]);
    assert_eq!(faults_of(&"{{ site }}".repeat(201)), ["1:2001 too_many_fields"]);
}

#[test]
fn the_worst_bodies_are_checked_in_bounded_time() {
    for unit in [
        "[", "![", "*a_ ", "`a``", "> ", "- ", "{{", "https://", "[a](", "<a", "&amp;", "| a ", "zq1v", "a\n",
    ] {
        let body = unit.repeat(20_000 / unit.len());
        let started = std::time::Instant::now();
        let _faults_do_not_matter = faults_of(&body);
        println!("{unit:?}: {:?}", started.elapsed());
        assert!(started.elapsed().as_secs() < 5, "{unit}");
    }
}
