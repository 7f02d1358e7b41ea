use super::{AddressFault, EmailAddress};

fn code_of(input: &str) -> &'static str {
    EmailAddress::parse(input).map_or_else(AddressFault::code, |_| "valid")
}

#[test]
fn usual_and_unusual_addresses_are_accepted() {
    for input in [
        "ada@example.org",
        "Ada.Lovelace+invites@Example.ORG",
        "o'brien@example.ie",
        "a@b.co",
        "x_y-z@sub.domain.example.com",
        "!#$%&'*+-/=?^_`{|}~@example.com",
        "1234567890@example.com",
        "-@example.com",
        "a@my--shop.com",
        "a@1and1.com",
        "a@123.de",
        "ada@xn--mnchen-3ya.de",
        "ada@münchen.de",
        "ada@例え.jp",
        "ada@пример.рф",
        "ada@straße.de",
        "ada@example.museum",
        "ada@ex。ample.com",
    ] {
        assert_eq!(code_of(input), "valid", "{input}");
    }
    assert_eq!(code_of(&format!("{}@example.org", "a".repeat(64))), "valid");
    assert_eq!(code_of(&format!("a@{}.org", "b".repeat(63))), "valid");
}

#[test]
fn each_fault_has_its_code() {
    for (input, code) in [
        ("", "address_missing"),
        (" \u{200B}\t", "address_missing"),
        ("a@b", "domain_not_public"),
        ("a@localhost", "domain_not_public"),
        ("a@mail.localhost", "domain_not_public"),
        ("a@[127.0.0.1]", "domain_not_public"),
        ("a@[IPv6:::1]", "domain_not_public"),
        ("a@127.0.0.1", "domain_not_public"),
        ("\"a b\"@c.com", "quoted_local_part_unsupported"),
        ("\"a@b\"@c.com", "quoted_local_part_unsupported"),
        ("a\"b\"@c.com", "quoted_local_part_unsupported"),
        ("a..b@c.com", "local_part_invalid"),
        (".a@c.com", "local_part_invalid"),
        ("a.@c.com", "local_part_invalid"),
        ("a,b@c.com", "local_part_invalid"),
        ("a(b)@c.com", "local_part_invalid"),
        ("a\\b@c.com", "local_part_invalid"),
        ("a@c..com", "domain_invalid"),
        ("a@.c.com", "domain_invalid"),
        ("a@-c.com", "domain_invalid"),
        ("a@c-.com", "domain_invalid"),
        ("a@c.com.", "domain_invalid"),
        ("a@c_d.com", "domain_invalid"),
        ("a@c!d.com", "domain_invalid"),
        ("a@c.com,", "domain_invalid"),
        ("a@c.com:25", "domain_invalid"),
        ("a@xn--zzzzzzzz--.de", "domain_punycode_invalid"),
        ("a@xn--a.de", "domain_punycode_invalid"),
        ("a@xn--99999999999.de", "domain_punycode_invalid"),
        ("@c.com", "local_part_missing"),
        ("a@", "domain_missing"),
        ("a.c.com", "at_sign_missing"),
        ("a@@c.com", "several_at_signs"),
        ("a b@c.com", "space_in_address"),
        ("a@c .com", "space_in_address"),
        ("a\u{00A0}b@c.com", "space_in_address"),
        ("<a@c.com>", "angle_brackets"),
        ("Ada <a@c.com>", "angle_brackets"),
        ("mailto:a@c.com", "mailto_prefix"),
        ("MAILTO:a@c.com", "mailto_prefix"),
        ("a@c.com, b@c.com", "several_addresses"),
        ("a@c.com;b@c.com", "several_addresses"),
        ("a@c.com b@c.com", "several_addresses"),
        ("a@c.com>\r\nRCPT TO:<x@y.com", "control_character"),
        ("a@c.com\nb@c.com", "control_character"),
        ("a\0@c.com", "control_character"),
        ("a@c\u{85}.com", "control_character"),
        ("a\u{202E}b@c.com", "control_character"),
        ("\u{200E}a@c.com", "control_character"),
        ("a\u{200B}b@c.com", "control_character"),
        ("a@c\u{00AD}d.com", "control_character"),
        ("ü@c.com", "smtputf8_unsupported"),
        ("İ@x.com", "smtputf8_unsupported"),
        ("a\u{200D}b@c.com", "smtputf8_unsupported"),
    ] {
        assert_eq!(code_of(input), code, "{input:?}");
    }
}

#[test]
fn limits_are_counted_in_octets_of_the_wire_form() {
    let label = "b".repeat(60);
    let longest = format!("{}@{label}.{label}.{label}.co", "a".repeat(64));
    assert_eq!(longest.len(), 64 + 1 + 185);
    assert_eq!(code_of(&longest), "valid");
    assert_eq!(
        code_of(&format!("{}@{label}.{label}.{label}.community", "a".repeat(64))),
        "address_too_long"
    );
    assert_eq!(code_of(&format!("{}@c.com", "a".repeat(65))), "address_too_long");
    assert_eq!(code_of(&format!("a@{}.com", "b".repeat(64))), "address_too_long");
    assert_eq!(code_of(&format!("a@{}com", "b.".repeat(126))), "address_too_long");
    assert_eq!(code_of(&format!("a@{}", "b".repeat(1_000_000))), "address_too_long");
    assert_eq!(code_of(&format!("a@{}.de", "ü".repeat(60))), "address_too_long");
}

#[test]
fn white_space_around_an_address_is_dropped() {
    for input in [
        "  ada@example.org\t",
        "\u{FEFF}ada@example.org",
        "\u{A0}ada@example.org\u{200B}\u{2060} ",
        "ada@example.org\r\n",
    ] {
        assert_eq!(EmailAddress::parse(input).unwrap().as_typed(), "ada@example.org");
    }
}

#[test]
fn a_domain_in_another_script_has_one_wire_form_and_one_key() {
    let typed = EmailAddress::parse("Ada@MÜNCHEN.de").unwrap();
    let wire = EmailAddress::parse("ada@xn--mnchen-3ya.DE").unwrap();

    assert_eq!(typed.as_wire(), "Ada@xn--mnchen-3ya.de");
    assert_eq!(typed.as_typed(), "Ada@MÜNCHEN.de");
    assert_eq!((typed.local_part(), typed.domain()), ("Ada", "xn--mnchen-3ya.de"));
    assert_eq!(typed.key(), wire.key());
}

#[test]
fn normalising_a_key_again_changes_nothing() {
    for input in [
        "Ada@Example.ORG",
        "ada@münchen.de",
        "ADA@ＥＸＡＭＰＬＥ.com",
        "a+B@straße.de",
        "x@пример.РФ",
        "!#$%&'*+-/=?^_`{|}~@A.b",
    ] {
        let key = EmailAddress::parse(input).unwrap().key();
        let again = EmailAddress::parse(&key).unwrap();
        assert_eq!(again.key(), key, "{input}");
        assert_eq!(again.as_wire(), key, "{input}");
    }
}

#[test]
fn printing_masks_the_local_part_and_keeps_the_domain() {
    let address = EmailAddress::parse("ada.lovelace@münchen.de").unwrap();

    assert_eq!(address.to_string(), "a***@xn--mnchen-3ya.de");
    assert_eq!(format!("{address:?}"), "EmailAddress(a***@xn--mnchen-3ya.de)");
}

#[test]
fn a_fault_has_a_message_that_does_not_repeat_the_address() {
    let fault = EmailAddress::parse("ada@intranet").unwrap_err();

    assert_eq!(
        fault.to_string(),
        "Not a valid email address: the part after @ has no dot"
    );
}

#[test]
fn a_mistyped_domain_gets_a_hint() {
    let hint = |input| EmailAddress::parse(input).unwrap().suggestion();

    assert_eq!(hint("ada@gmial.com").as_deref(), Some("gmail.com"));
    assert_eq!(hint("ada@example.org"), None);
}
