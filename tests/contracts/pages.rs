//! Rules for the source of every console page.

use crate::sources::{Source, files, read};

/// The most lines of the script shared by all pages.
const SCRIPT_LINES: usize = 300;

/// The templates of the console's pages.
fn templates() -> Vec<Source> {
    let mut templates = files(".html");
    templates.retain(|template| template.path.starts_with("api/templates/console/"));
    assert!(templates.len() > 5, "the templates have moved");
    templates
}

/// The occurrences of a text in the templates.
fn places_of(wanted: &[&str]) -> Vec<String> {
    let mut places = Vec::new();
    for template in templates() {
        for (line, number) in template.text.lines().zip(1..) {
            let line = line.to_lowercase();
            let found = wanted.iter().filter(|wanted| line.contains(**wanted));
            places.extend(found.map(|wanted| format!("{}:{number}: {wanted}", template.path)));
        }
    }
    places
}

#[test]
fn the_script_stays_small() {
    let lines = read("api/assets/console.js").lines().count();

    assert!(lines <= SCRIPT_LINES, "{lines} lines");
}

/// Forms that the script submits: the preview of a system email, into a frame, and the code of a one-time link.
const SENT_BY_THE_SCRIPT: [&str; 3] = [
    "code.form.submit()",
    "letter.requestSubmit(button)",
    "letter.requestSubmit(button)",
];

#[test]
fn a_select_does_not_submit_its_form() {
    // WCAG 2.2, 3.2.2: changing a field does not change the page, or each arrow key pressed in a list would load
    // another.
    let script = read("api/assets/console.js");
    let words = script.split([' ', '\n', ';', ',']);
    let mut sent: Vec<&str> = words.filter(|word| word.contains("ubmit(")).collect();
    sent.sort_unstable();

    assert_eq!(sent, SENT_BY_THE_SCRIPT);
    assert!(places_of(&[" autosubmit", "data-auto"]).is_empty());
}

#[test]
fn no_page_has_inline_styles_or_scripts() {
    // The content security policy would block them.
    let within = places_of(&[
        " style=",
        "<style",
        " onclick=",
        " onchange=",
        " onsubmit=",
        "javascript:",
        "<script>",
    ]);

    assert!(within.is_empty(), "{within:#?}");
}

#[test]
fn no_value_is_rendered_unescaped() {
    let unescaped = places_of(&["|safe", "| safe", "escape(\"none\")", "autoescape"]);

    assert!(unescaped.is_empty(), "{unescaped:#?}");
}

#[test]
fn no_page_loads_anything_from_elsewhere() {
    let elsewhere = places_of(&["src=\"http", "href=\"http", "src=\"//", "href=\"//", "@import"]);

    assert!(elsewhere.is_empty(), "{elsewhere:#?}");
}

#[test]
fn every_form_that_changes_something_has_a_csrf_token() {
    let mut without = Vec::new();
    for template in templates() {
        // Before sign-in no session can prove anything. A link has a proof of its own, its token.
        if ["/sign_in.html", "/choose_password.html"]
            .iter()
            .any(|page| template.path.ends_with(page))
        {
            continue;
        }
        for form in template.text.split("<form").skip(1) {
            let form = form.split("</form>").next().unwrap_or_default();
            if form.contains("method=\"post\"") && !form.contains("pieces::csrf_token(frame)") {
                without.push(format!(
                    "{}: {}",
                    template.path,
                    form.lines().next().unwrap_or_default()
                ));
            }
        }
    }

    assert!(without.is_empty(), "{without:#?}");
}
