//! Suggests the domain that was probably meant when one looks mistyped.
//!
//! A wrong hint costs an administrator's trust in all the others. So a hint requires a near miss of one of
//! the few domains that host most private mailboxes, or a top-level domain that does not exist. Short names
//! (`aol`, `gmx`, `live`, `me`) get none: too many real domains are one letter away.

/// Large mailbox providers with names long enough to be recognised when mistyped.
const LARGE: [&str; 19] = [
    "gmail.com",
    "googlemail.com",
    "yahoo.com",
    "yahoo.co.uk",
    "yahoo.fr",
    "yahoo.de",
    "hotmail.com",
    "hotmail.co.uk",
    "hotmail.fr",
    "hotmail.de",
    "hotmail.it",
    "outlook.com",
    "outlook.de",
    "outlook.fr",
    "icloud.com",
    "protonmail.com",
    "comcast.net",
    "verizon.net",
    "yandex.ru",
];

/// Real domains that look like a mistyped large one.
const REAL: [&str; 10] = [
    "mail.com",
    "email.com",
    "ymail.com",
    "gmx.com",
    "fastmail.com",
    "rocketmail.com",
    "vmail.com",
    "tmail.com",
    "inmail.com",
    "cloud.com",
];

/// Top-level domains that do not exist, with the one that was meant.
///
/// A doubled last letter is listed only for large top-level domains whose doubled form is neither delegated nor a word
/// or an abbreviation that may be: not `.bee`, `.see` or `.att`.
const ENDINGS: [(&str, &str); 30] = [
    ("con", "com"),
    ("cmo", "com"),
    ("ocm", "com"),
    ("comm", "com"),
    ("coom", "com"),
    ("vom", "com"),
    ("xom", "com"),
    ("cpm", "com"),
    ("clm", "com"),
    ("c0m", "com"),
    ("nte", "net"),
    ("nett", "net"),
    ("ogr", "org"),
    ("orgg", "org"),
    ("couk", "co.uk"),
    ("eduu", "edu"),
    ("govv", "gov"),
    ("infoo", "info"),
    ("dee", "de"),
    ("frr", "fr"),
    ("itt", "it"),
    ("ess", "es"),
    ("nll", "nl"),
    ("ukk", "uk"),
    ("chh", "ch"),
    ("pll", "pl"),
    ("euu", "eu"),
    ("dkk", "dk"),
    ("czz", "cz"),
    ("auu", "au"),
];

/// Top-level domains that exist, but not under the name of a large provider.
const ENDINGS_OF_LARGE: [(&str, &str); 4] = [("co", "com"), ("cm", "com"), ("om", "com"), ("cam", "com")];

/// Finds the domain that was probably meant by `domain`, if that one looks mistyped.
///
/// Takes the domain in any case and returns lower case.
pub fn suggest_domain(domain: &str) -> Option<String> {
    let domain = domain.to_ascii_lowercase();
    if LARGE.contains(&domain.as_str()) || REAL.contains(&domain.as_str()) {
        return None;
    }
    let (name, ending) = domain.split_once('.')?;
    let suggested = suggest_ending(ending);
    let large = LARGE.iter().find(|large| {
        large.split_once('.').is_some_and(|(large_name, large_ending)| {
            if name == large_name {
                let ending = suggested.or_else(|| listed(&ENDINGS_OF_LARGE, ending));
                ending == Some(large_ending)
            } else {
                suggested.unwrap_or(ending) == large_ending && is_near(name, large_name)
            }
        })
    });
    if let Some(large) = large {
        return Some((*large).to_owned());
    }
    let (rest, top) = domain.rsplit_once('.')?;
    suggest_ending(top).map(|top| format!("{rest}.{top}"))
}

/// Finds the top-level domain that was probably meant by one that does not exist, in lower case.
pub fn suggest_ending(ending: &str) -> Option<&'static str> {
    listed(&ENDINGS, ending)
}

fn listed(list: &[(&str, &'static str)], ending: &str) -> Option<&'static str> {
    list.iter().find(|(slip, _)| *slip == ending).map(|(_, meant)| *meant)
}

/// True for one typo, or for two in a name long enough to be recognised anyway.
fn is_near(name: &str, large: &str) -> bool {
    match edit_distance(name, large) {
        0 | 1 => true,
        2 => large.len() >= 7 && name.as_bytes().first() == large.as_bytes().first(),
        _ => false,
    }
}

/// Counts omitted, added, replaced and transposed letters: the optimal string alignment distance.
///
/// Returns 3 without comparing if the lengths differ by more than two bytes, so that long names cost nothing.
pub(crate) fn edit_distance(a: &str, b: &str) -> usize {
    if a.len().abs_diff(b.len()) > 2 {
        return 3;
    }
    strsim::osa_distance(a, b)
}

#[cfg(test)]
mod tests {
    use super::suggest_domain;

    #[test]
    fn near_misses_of_large_providers_are_recognised() {
        for (typed, meant) in [
            ("gmial.com", "gmail.com"),
            ("gmai.com", "gmail.com"),
            ("gmaill.com", "gmail.com"),
            ("GMAIL.CON", "gmail.com"),
            ("gmail.co", "gmail.com"),
            ("gmail.cm", "gmail.com"),
            ("gamil.con", "gmail.com"),
            ("hotmial.com", "hotmail.com"),
            ("hotmal.co.uk", "hotmail.co.uk"),
            ("hotmail.couk", "hotmail.co.uk"),
            ("outlok.com", "outlook.com"),
            ("outllok.com", "outlook.com"),
            ("yaho.com", "yahoo.com"),
            ("yahooo.fr", "yahoo.fr"),
            ("iclod.com", "icloud.com"),
            ("protonmial.com", "protonmail.com"),
            ("example.con", "example.com"),
            ("mail.school.ogr", "mail.school.org"),
            ("uni-hamburg.dee", "uni-hamburg.de"),
            ("mit.eduu", "mit.edu"),
            ("example.co.ukk", "example.co.uk"),
            ("yahoo.frr", "yahoo.fr"),
        ] {
            assert_eq!(suggest_domain(typed).as_deref(), Some(meant), "{typed}");
        }
    }

    #[test]
    fn real_domains_get_no_hint() {
        for domain in [
            "gmail.com",
            "googlemail.com",
            "mail.com",
            "email.com",
            "ymail.com",
            "live.com",
            "love.com",
            "aol.com",
            "abc.com",
            "me.com",
            "gmx.de",
            "gmx.net",
            "yahoo.it",
            "outlook.cz",
            "hotmail.es",
            "postmail.com",
            "example.co",
            "example.cm",
            "example.org",
            "beckon.example",
            "xn--mnchen-3ya.de",
            "uni-hamburg.de",
            "example.bee",
            "example.see",
            "example.cc",
            "example.ee",
            "example.att",
            "a.b.c.d",
            "outback.com",
            "localhost",
            "",
        ] {
            assert_eq!(suggest_domain(domain), None, "{domain}");
        }
    }
}
