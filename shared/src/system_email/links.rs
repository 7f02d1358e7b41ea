//! Checks where links lead.
//!
//! Allowed are `https://`, a mail address and the sign-in page. A value may only follow the host and is
//! percent-encoded there: otherwise anyone able to put a name into an import could send every recipient to a
//! host of their own.

use super::Field;
use super::source::{Piece, Tokenised, ValueContext};

/// Why a link is rejected: the code for programs and the message for the administrator.
pub(super) type LinkFault = (&'static str, &'static str);

const SCHEME: LinkFault = ("link_scheme", "Links must start with https://");
const HOST: LinkFault = (
    "link_host",
    "A link needs the name of a site after https://, without fields, spaces or @ in it",
);
const FIELD_TOO_EARLY: LinkFault = (
    "link_host",
    "In a link, put / or ? between {{ sign_in_url }} and what follows it",
);
/// What a link must not contain: every server and proxy on the path logs links.
pub(super) const PASSWORD: LinkFault = (
    "password_in_link",
    "A link must not contain {{ password }}, neither in its text nor in its address",
);
const MAILTO: LinkFault = ("link_field", "A mailto: link must not contain fields");

/// Checks where a link leads and determines how the values in it are escaped.
pub(super) fn destination(tokenised: &Tokenised<'_>, typed: &str) -> Result<String, LinkFault> {
    let mut pieces = tokenised.split(typed.trim());
    let field_of = |piece: &Piece| match piece {
        Piece::Slot(slot, _) => tokenised.slot(*slot).map(|slot| &slot.field),
        Piece::Literal(_) => None,
    };
    if pieces.iter().any(|piece| field_of(piece) == Some(&Field::Password)) {
        return Err(PASSWORD);
    }
    let first_place = match pieces.as_slice() {
        [Piece::Literal(text), rest @ ..] => {
            check_start(text, !rest.is_empty())?;
            ValueContext::InsideLink
        }
        [first, rest @ ..] if field_of(first) == Some(&Field::SignInUrl) => {
            check_behind_sign_in_url(rest)?;
            ValueContext::WholeLink
        }
        _ => return Err(SCHEME),
    };
    for (n, piece) in pieces.iter_mut().enumerate() {
        if let Piece::Slot(_, place) = piece {
            *place = if n == 0 { first_place } else { ValueContext::InsideLink };
        }
    }
    Ok(tokenised.join(&pieces))
}

/// Accepts `https://host…` and `mailto:…` as the start of a link.
fn check_start(text: &str, has_fields: bool) -> Result<(), LinkFault> {
    let starts_with = |scheme: &str| {
        text.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    if starts_with("mailto:") && text.contains('@') {
        return if has_fields { Err(MAILTO) } else { Ok(()) };
    }
    if !starts_with("https://") {
        return Err(SCHEME);
    }
    let behind = text.get("https://".len()..).unwrap_or_default();
    let host = behind.split(['/', '?', '#']).next().unwrap_or_default();
    // Browsers read a backslash as a slash, and what precedes an @ is not the host.
    let is_host = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || "@\\<>\"".contains(c));
    let is_complete = host.len() < behind.len() || !has_fields;
    if is_host && is_complete { Ok(()) } else { Err(HOST) }
}

/// Rejects what could change the host of the sign-in address.
fn check_behind_sign_in_url(rest: &[Piece]) -> Result<(), LinkFault> {
    match rest.first() {
        None => Ok(()),
        Some(Piece::Literal(text)) if text.starts_with(['/', '?', '#', '&']) => Ok(()),
        Some(_) => Err(FIELD_TOO_EARLY),
    }
}

/// Finds the addresses in text that readers expect to be links.
///
/// Returns byte ranges, in order. Trailing punctuation belongs to the sentence.
pub(super) fn find_bare(tokenised: &Tokenised<'_>, words: &str) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some((start, length)) = words.get(at..).and_then(|rest| first_start(tokenised, rest)) {
        let start = at + start;
        let rest = words.get(start..).unwrap_or_default();
        let end = rest
            .find(|c: char| c.is_whitespace() || "<>\"".contains(c))
            .unwrap_or(rest.len());
        let bare = rest
            .get(..end)
            .unwrap_or_default()
            .trim_end_matches(|c| ".,;:!?)]'’”*".contains(c));
        if bare.len() >= length && bare != "https://" {
            found.push(start..start + bare.len());
        }
        at = start + bare.len().max(length);
    }
    found
}

/// Finds where the next address starts and how long its prefix is.
fn first_start(tokenised: &Tokenised<'_>, words: &str) -> Option<(usize, usize)> {
    let typed = ["https://", "http://"]
        .into_iter()
        .filter_map(|s| Some((words.find(s)?, s.len())));
    let sign_in = tokenised
        .words_token_of(&Field::SignInUrl)
        .filter_map(|token| Some((words.find(&token)?, token.len())));
    typed.chain(sign_in).min()
}
