//! The HTML shell of every mail: it fits a phone and is readable in dark mode.

use std::collections::BTreeSet;

use crate::sources::read;

const SHELL: &str = "shared/templates/mail/layout.html";

/// The files in which a mail's elements get their classes.
const DRESSED: [&str; 2] = [SHELL, "shared/src/system_email/html.rs"];

/// Classes that look the same in dark mode, each with the reason.
const UNCHANGED: [(&str, &str); 1] = [("button-text", "white on the button, which is blue in the dark too")];

/// The text between the braces after this head, including nested braces.
fn block<'t>(text: &'t str, head: &str) -> &'t str {
    let (_, behind) = text.split_once(head).unwrap_or_else(|| panic!("there is no {head}"));
    let (_, inside) = behind.split_once('{').unwrap();
    let mut open = 1;
    let end = inside.find(|c| {
        open += i32::from(c == '{') - i32::from(c == '}');
        open == 0
    });
    &inside[..end.unwrap()]
}

/// The classes that have a rule in this block.
fn ruled(block: &str) -> BTreeSet<String> {
    let selectors = block.split('}').filter_map(|rule| rule.split('{').next());
    let classes = selectors.flat_map(|selector| selector.split('.').skip(1));
    classes.map(|class| class.trim().to_owned()).collect()
}

/// The classes that elements use.
fn used(text: &str) -> BTreeSet<String> {
    let plain = text.replace("\\\"", "\"");
    let lists = plain.split("class=\"").skip(1);
    let classes = lists.flat_map(|list| list.split('"').next().unwrap().split_whitespace().map(str::to_owned));
    classes.collect()
}

#[test]
fn the_email_shell_fits_a_narrow_screen() {
    let shell = read(SHELL);

    assert!(shell.contains("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"));
    let narrow = block(&shell, "@media (max-width:480px)");
    assert!(ruled(narrow).contains("card"), "{narrow}");
    // An element's inline style overrides a sheet, except for `!important`.
    assert_eq!(
        narrow.matches("!important").count(),
        narrow.matches(':').count(),
        "{narrow}"
    );
}

#[test]
fn every_class_has_a_rule_for_the_dark_or_a_reason_to_have_none() {
    let shell = read(SHELL);
    assert!(shell.contains("<meta name=\"color-scheme\" content=\"light dark\">"));
    let dark = block(&shell, "@media (prefers-color-scheme:dark)");
    let has_rule = ruled(dark);

    let dressed: BTreeSet<String> = DRESSED.iter().flat_map(|path| used(&read(path))).collect();

    assert!(dressed.contains("link") && dressed.contains("card"), "{dressed:?}");
    for class in &dressed {
        let is_exception = UNCHANGED.iter().any(|(name, _)| name == class);
        assert_ne!(has_rule.contains(class), is_exception, "{class} in the dark");
    }
    for class in &has_rule {
        assert!(dressed.contains(class), "nothing has the class {class}");
    }
}
