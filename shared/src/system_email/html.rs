//! The HTML part: written by the Markdown library, cleaned, then styled.
//!
//! Mail programs often drop style sheets, so every element carries its own style. The classes are for the
//! shell's dark mode rules. Styling comes after cleaning and adds only constants, so cleaning can be as
//! strict as possible.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use ammonia::{UrlRelative, UrlRelativeEvaluate};
use pulldown_cmark::{Event, html};

use super::Field;
use super::source::{Piece, Tokenised, ValueContext};

/// Elements that a body may contain: those that our Markdown can produce.
const ELEMENTS: [&str; 24] = [
    "a",
    "blockquote",
    "br",
    "code",
    "del",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "li",
    "ol",
    "p",
    "pre",
    "strong",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
];

/// The style of each element that has one, after its class.
const STYLES: [(&str, &str); 17] = [
    ("p", "style=\"margin:0 0 16px\""),
    ("h1", "style=\"margin:0 0 16px;font-size:24px;line-height:1.3\""),
    ("h2", "style=\"margin:24px 0 12px;font-size:20px;line-height:1.3\""),
    ("h3", "style=\"margin:24px 0 8px;font-size:17px;line-height:1.4\""),
    ("h4", "style=\"margin:24px 0 8px;font-size:16px;line-height:1.4\""),
    ("h5", "style=\"margin:24px 0 8px;font-size:16px;line-height:1.4\""),
    ("h6", "style=\"margin:24px 0 8px;font-size:16px;line-height:1.4\""),
    ("a", "class=\"link\" style=\"color:#1a56b0;text-decoration:underline\""),
    // The same padding on both sides leaves room for list markers in either writing direction.
    ("ul", "style=\"margin:0 0 16px;padding:0 24px;padding-inline:24px 0\""),
    ("ol", "style=\"margin:0 0 16px;padding:0 24px;padding-inline:24px 0\""),
    ("li", "style=\"margin:0 0 6px\""),
    (
        "blockquote",
        "class=\"line\" style=\"margin:0 0 16px;padding:0 16px;border-style:solid;border-color:#c5ccd6;border-width:0 0 0 3px;border-inline-width:3px 0\"",
    ),
    (
        "pre",
        "class=\"panel\" style=\"margin:0 0 16px;padding:12px;border-radius:6px;background:#eef1f5;white-space:pre-wrap;font-size:14px\"",
    ),
    (
        "code",
        "style=\"font-family:ui-monospace,Menlo,Consolas,'Courier New',monospace\"",
    ),
    (
        "table",
        "class=\"line\" style=\"margin:0 0 16px;border-collapse:collapse;border-color:#c5ccd6\"",
    ),
    (
        "hr",
        "class=\"line\" style=\"margin:24px 0;border:0;border-top:1px solid #c5ccd6\"",
    ),
    ("del", "style=\"text-decoration:line-through\""),
];
/// The style of table cells.
const CELL: &str =
    "class=\"line\" style=\"padding:6px 10px;border:1px solid #c5ccd6;text-align:start;vertical-align:top\"";

/// Around a link that is a paragraph of its own. The table is for Outlook, which gives a link no padding.
const BUTTON_START: &str = "<table role=\"presentation\" border=\"0\" cellpadding=\"0\" cellspacing=\"0\" \
    style=\"margin:8px 0 24px\"><tr><td class=\"button\" bgcolor=\"#1a56b0\" \
    style=\"border-radius:8px;background:#1a56b0\"><a class=\"button-text\" \
    style=\"display:inline-block;padding:13px 22px;border-radius:8px;color:#ffffff;font-weight:600;text-decoration:none\"";
const BUTTON_END: &str = "</td></tr></table>";

/// Around the password: distinguishable characters, on one line.
const PASSWORD_START: &str = "<span class=\"panel\" dir=\"ltr\" style=\"display:inline-block;margin:4px 0;\
    padding:4px 8px;border-radius:6px;background:#eef1f5;\
    font-family:ui-monospace,Menlo,Consolas,'Courier New',monospace;font-size:16px;white-space:nowrap\">";
const PASSWORD_END: &str = "</span>";

/// Writes the HTML of a body, with tokens.
pub(super) fn write(events: &[Event<'_>], tokenised: &Tokenised<'_>) -> String {
    let mut raw = String::new();
    html::push_html(&mut raw, events.iter().cloned());
    let clean = clean(&raw, tokenised);
    let mut styled = add_styles(&clean, tokenised);
    for token in tokenised.words_token_of(&Field::Password) {
        styled = styled.replace(&token, &format!("{PASSWORD_START}{token}{PASSWORD_END}"));
    }
    styled
}

/// Removes everything that no mail may contain, whatever the Markdown library let through.
fn clean(raw: &str, tokenised: &Tokenised<'_>) -> String {
    ammonia::Builder::empty()
        .tags(ELEMENTS.into_iter().chain(["ul"]).collect())
        .tag_attributes(HashMap::from([
            ("a", HashSet::from(["href"])),
            ("ol", HashSet::from(["start"])),
        ]))
        .url_schemes(HashSet::from(["https", "mailto"]))
        .url_relative(UrlRelative::Custom(Box::new(StartsWithToken(tokenised.nonce()))))
        .link_rel(None)
        .clean(raw)
        .to_string()
}

/// Keeps the only link that does not start with a scheme: the one that starts with a token.
struct StartsWithToken<'n>(&'n str);

impl<'n> UrlRelativeEvaluate<'n> for StartsWithToken<'n> {
    fn evaluate<'url>(&self, url: &'url str) -> Option<Cow<'url, str>> {
        url.starts_with(self.0).then_some(Cow::Borrowed(url))
    }
}

/// Gives each element its style, and makes a link that is a whole paragraph a button.
///
/// Relies on the cleaner's output: every `<` begins a tag, attributes contain no `>`. The cleaner could set styles
/// itself, with `set_tag_attribute_values`, but a button's link would then have that of a link within text, and lose it
/// again here.
fn add_styles(clean: &str, tokenised: &Tokenised<'_>) -> String {
    let mut out = String::with_capacity(2 * clean.len());
    let mut rest = clean;
    while let Some((words, tag_on)) = rest.split_once('<') {
        out.push_str(words);
        if let Some((href, label, after)) = button(tag_on, tokenised) {
            // The label has no style of its own, so that it has the button's colour.
            out.extend([BUTTON_START, " href=\"", href, "\">", label, "</a>", BUTTON_END]);
            rest = after;
            continue;
        }
        let name_end = tag_on.find([' ', '>']).unwrap_or(tag_on.len());
        let (name, attributes_on) = tag_on.split_at_checked(name_end).unwrap_or((tag_on, ""));
        out.push('<');
        out.push_str(name);
        if let Some(style) = style_of(name) {
            out.push(' ');
            out.push_str(style);
        }
        rest = attributes_on;
    }
    out.push_str(rest);
    out
}

fn style_of(element: &str) -> Option<&'static str> {
    match element {
        "td" | "th" => Some(CELL),
        _ => STYLES
            .iter()
            .find(|(name, _)| *name == element)
            .map(|(_, style)| *style),
    }
}

/// Parses `p><a href="…">label</a></p>…` into the address, the label and the rest.
fn button<'h>(tag_on: &'h str, tokenised: &Tokenised<'_>) -> Option<(&'h str, &'h str, &'h str)> {
    let (href, rest) = tag_on.strip_prefix("p><a href=\"")?.split_once("\">")?;
    let (label, rest) = rest.split_once("</a>")?;
    let rest = rest.strip_prefix("</p>")?;
    // An address shown as such is meant to be read.
    let is_address = is_same_address(tokenised, label, href) || href.starts_with("mailto:");
    (!is_address).then_some((href, label, rest))
}

/// Whether the text of a link is the address it leads to.
pub(super) fn is_same_address(tokenised: &Tokenised<'_>, words: &str, address: &str) -> bool {
    let as_words = |text: &str| {
        let mut pieces = tokenised.split(text.strip_prefix("mailto:").unwrap_or(text));
        for piece in &mut pieces {
            if let Piece::Slot(_, place) = piece {
                *place = ValueContext::Words;
            }
        }
        pieces
    };
    as_words(words) == as_words(address)
}
