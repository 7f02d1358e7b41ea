//! Invalid addresses in the lists of a request.

use crate::api_request::{a_world, post};
use crate::json;
use harness::World;

/// Invalid addresses, each with its error code and sentence.
const NO_ADDRESSES: &[(&str, &str, &str)] = &[
    ("", "address_missing", "Enter an email address"),
    (
        "a@b",
        "domain_not_public",
        "Not a valid email address: the part after @ has no dot",
    ),
    (
        "a@localhost",
        "domain_not_public",
        "Not a valid email address: the part after @ has no dot",
    ),
    (
        "a@[127.0.0.1]",
        "domain_not_public",
        "Not a valid email address: the part after @ is not a public domain name",
    ),
    (
        "\"a b\"@c.com",
        "quoted_local_part_unsupported",
        "Email addresses with quotation marks are not supported",
    ),
    (
        "a..b@c.com",
        "local_part_invalid",
        "Not a valid email address: a dot in the part before @ is in the wrong place",
    ),
    (
        ".a@c.com",
        "local_part_invalid",
        "Not a valid email address: a dot in the part before @ is in the wrong place",
    ),
    (
        "a@c..com",
        "domain_invalid",
        "Not a valid email address: a dot in the part after @ is in the wrong place",
    ),
    (
        "a@-c.com",
        "domain_invalid",
        "Not a valid email address: a hyphen in the part after @ is in the wrong place",
    ),
    (
        "a@c.com.",
        "domain_invalid",
        "Not a valid email address: it ends with a dot",
    ),
    (
        "@c.com",
        "local_part_missing",
        "Not a valid email address: the part before @ is missing",
    ),
    (
        "a@",
        "domain_missing",
        "Not a valid email address: the part after @ is missing",
    ),
    (
        "a b@c.com",
        "space_in_address",
        "Not a valid email address: it contains a space",
    ),
    (
        "<a@c.com>",
        "angle_brackets",
        "Not a valid email address: leave out the name and the brackets < >",
    ),
    (
        "mailto:a@c.com",
        "mailto_prefix",
        "Not a valid email address: leave out “mailto:”",
    ),
    (
        "a@c.com,b@c.com",
        "several_addresses",
        "Enter one email address only: this looks like several",
    ),
    (
        "a@c.com>\r\nRCPT TO:<x@y.com",
        "control_character",
        "Not a valid email address: it contains a control character or an invisible one",
    ),
    (
        "a\u{202e}b@c.com",
        "control_character",
        "Not a valid email address: it contains a control character or an invisible one",
    ),
    (
        "ü@c.com",
        "smtputf8_unsupported",
        "Email addresses with letters such as “ü” before the @ are not supported",
    ),
    (
        "a@xn--zzzz99999.com",
        "domain_punycode_invalid",
        "Not a valid email address: the part after @ has a wrong “xn--” name",
    ),
];

/// The sentences for a local part and for a domain that exceed the length limits of mail.
const TOO_LONG: [&str; 2] = [
    "Email address is too long: the part before @ must be 64 characters or fewer",
    "Email address is too long: the part after @ is longer than a domain name can be",
];

#[tokio::test]
async fn an_invalid_address_is_reported_with_its_position_and_nothing_is_sent() {
    World::run_in(a_world().await, async |world| {
        world.person("ada@example.org").await;
        let long = format!("{}@c.com", "a".repeat(65));
        let domain = format!("a@{}com", "abcdefghi.".repeat(26));

        let mut emails: Vec<&str> = NO_ADDRESSES.iter().map(|(email, ..)| *email).collect();
        emails.extend([long.as_str(), domain.as_str(), "ada@example.org"]);
        let response = post(world, "/v1/invites", json!({ "emails": emails }).to_string())
            .answer()
            .await;

        response.assert_problem(422, "invalid_request");
        assert_eq!(
            response.body["detail"],
            "Some of the request cannot be used; see errors."
        );
        let found = response.errors();
        for ((row, (email, code, sentence)), found) in (1..).zip(NO_ADDRESSES).zip(&found) {
            assert_eq!(*found, (row, "emails", *code, *sentence), "{email}");
        }
        assert_eq!(found.len(), NO_ADDRESSES.len() + 2, "{}", response.text);
        for ((row, sentence), found) in (NO_ADDRESSES.len() as u64 + 1..)
            .zip(TOO_LONG)
            .zip(&found[NO_ADDRESSES.len()..])
        {
            assert_eq!(
                *found,
                (row, "emails", "address_too_long", sentence),
                "{}",
                response.text
            );
        }
        assert_eq!(world.rows("batches").count().await, 0);
    })
    .await;
}

#[tokio::test]
async fn of_many_faults_the_first_hundred_are_listed() {
    World::run_in(a_world().await, async |world| {
        let response = post(world, "/v1/invites", json!({ "emails": vec!["x"; 5_000] }).to_string())
            .answer()
            .await;

        response.assert_problem(422, "invalid_request");
        assert_eq!(response.errors().len(), 100);
    })
    .await;
}
