//! Distinguishes a web address in a name from a name with full stops.
//!
//! Anyone who can invite people can send mail to strangers, and a link in place of a name is how such forms are abused
//! for spam: "Hello win-a-phone.com, you are invited". Mail programs turn bare domains into links, so `http://` cannot
//! be the only indicator.
//!
//! Names with full stops must be accepted: "St. John", "J.R.", "Maria-J.Lopez", "M.Sc". The rule is therefore not "a
//! dot between letters" but "ends as web addresses do".

/// Endings that mail programs turn into links and that spam uses, except those that are also titles or ends of names
/// (`.sc`, `.ing`, `.med`, `.phil`).
const ENDINGS: &[&str] = &[
    "com", "net", "org", "info", "biz", "edu", "gov", "xyz", "top", "online", "site", "shop", "store", "club", "app",
    "dev", "live", "link", "click", "icu", "vip", "win", "bid", "loan", "work", "space", "website", "tech", "cloud",
    "page", "pro", "mobi", "asia", "buzz", "fun", "gle", "io", "co", "me", "ru", "cn", "su", "ua", "by", "kz", "tk",
    "ml", "ga", "cf", "gq", "pw", "cc", "ws", "ly", "gg", "gl", "gd", "ai", "tv", "us", "uk", "eu", "de", "fr", "nl",
    "be", "ch", "at", "it", "es", "pt", "pl", "cz", "se", "no", "dk", "fi", "ie", "br", "mx", "ar", "in", "id", "vn",
    "tr", "ng", "za", "jp", "kr", "tw", "hk", "au", "nz", "ca", "рф",
];

/// Titles and occupations that have a form with ".in", whole or abbreviated.
const TITLES: [&str; 57] = [
    "dr",
    "prof",
    "professor",
    "priv",
    "doz",
    "dozent",
    "doktor",
    "doktorand",
    "assist",
    "ass",
    "wiss",
    "stud",
    "student",
    "lehrer",
    "stb",
    "ref",
    "referent",
    "referendar",
    "ing",
    "ingenieur",
    "dipl",
    "mag",
    "päd",
    "psych",
    "soz",
    "inf",
    "phys",
    "chem",
    "biol",
    "math",
    "arch",
    "architekt",
    "betriebsw",
    "volksw",
    "jur",
    "rechtsanw",
    "rechtsanwält",
    "anw",
    "anwält",
    "notar",
    "steuerb",
    "steuerber",
    "steuerberater",
    "wirtschaftspr",
    "dir",
    "direktor",
    "leiter",
    "präs",
    "vors",
    "stellv",
    "stv",
    "min",
    "abg",
    "bgm",
    "bürgerm",
    "bürgermeister",
    "pfarrer",
];

/// Whether mail programs would turn a part of `name` into a link, or nearly so.
pub(super) fn looks_like_a_link(name: &str) -> bool {
    // Without any of these there is no link; most names end here.
    if !name.contains(['.', ':', '。', '．', '｡']) {
        return false;
    }
    let lower = name.to_lowercase().replace(['。', '．', '｡'], ".");
    lower.contains("://")
        || lower.contains("www.")
        || lower.contains("mailto:")
        || lower.contains("javascript:")
        || lower
            .split(|c: char| c.is_whitespace() || "()[]{}<>,;\"'’‘“”|".contains(c))
            .any(|word| is_web_address(word.rsplit('@').next().unwrap_or(word)))
}

/// Judges one word, in lower case.
fn is_web_address(word: &str) -> bool {
    let host_end = word.find(['/', '?', '#', ':']).unwrap_or(word.len());
    let (host, rest) = word.split_at(host_end);
    let host = host.trim_matches(|c: char| !c.is_alphanumeric());
    let Some((before, ending)) = host.rsplit_once('.') else {
        return false;
    };
    // "Prof.in/Dr.in" is no path after a host.
    if word.split('/').all(is_feminine_title) {
        return false;
    }
    let letters_of = |label: &str| label.chars().filter(|c| c.is_alphanumeric()).count();
    let letters = before.split('.').map(letters_of).max().unwrap_or_default();
    // A path after a host: "t.me/win". A name may contain a slash, but not after a dot and two letters: "J.R./K.L." has
    // only initials there.
    if rest.len() > 1 && letters > 0 && ending.chars().count() >= 2 {
        return true;
    }
    if is_ip_address(host) {
        return true;
    }
    // An initial or a short title before the dot is a name: "M.de", "Mr.Page", "A.Dev". No family is called Com.
    let fewest = if matches!(ending, "com" | "net" | "org" | "info") {
        1
    } else {
        3
    };
    letters >= fewest && (ENDINGS.contains(&ending) || ending.starts_with("xn--"))
}

/// Whether this is a German title for a woman, which ends like an Indian domain: "Prof.in Anna".
fn is_feminine_title(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    let Some(title) = word.strip_suffix(".in") else {
        return false;
    };
    TITLES.contains(&title.rsplit(['.', '-']).next().unwrap_or(title))
}

fn is_ip_address(host: &str) -> bool {
    host.parse::<std::net::Ipv4Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::looks_like_a_link;

    #[test]
    fn names_with_full_stops_are_names() {
        for name in [
            "Ada",
            "St. John",
            "St.John",
            "J.R.",
            "J.R.R. Tolkien",
            "O'Brien",
            "Jr.",
            "Smith Jr.",
            "Anne-Marie",
            "d.o.o",
            "d.o.o.",
            "M.Sc",
            "B.Sc.",
            "Ph.D.",
            "Dr.med. Anna",
            "Dipl.Ing.",
            "Dr. phil. Weiß",
            "A.Lee",
            "Ma.Teresa",
            "M.de Vries",
            "van der Berg",
            "Nguyễn",
            "李",
            "Ann (Annie) Lee",
            "Ann/Annie",
            "J.R./K.L.",
            "Mr.T",
            "3.14",
            "No. 5",
            "Ltd.",
            "Inc.",
            "Sammy Davis, Jr.",
            "Lee: Ann",
            "…",
            ".",
            "..",
            "A. B. C.",
            "S.p.A.",
            "Co. KG",
            "'t Hooft",
            "De.",
            "María.José",
            "Chr.Andersen",
            "Wm.Shakespeare",
            "A.Dev",
            "Mr.Page",
        ] {
            assert!(!looks_like_a_link(name), "{name}");
        }
    }

    #[test]
    fn german_titles_of_women_are_no_domains() {
        for name in [
            "Prof.in Anna",
            "Dipl.-Ing.in Eva",
            "Univ.-Prof.in Ida",
            "Rechtsanw.in Eva",
            "Rechtsanwält.in Eva",
            "(Notar.in) Eva",
            "Dr.in Eva",
            "Mag.a Dr.in Eva",
            "Mag.Dr.in Eva",
            "Prof.in/Dr.in Eva",
            "Dipl.-Päd.in Ida",
            "Steuerberater.in Ida",
        ] {
            assert!(!looks_like_a_link(name), "{name}");
        }
    }

    #[test]
    fn web_addresses_are_not_names() {
        for name in [
            "http://evil",
            "https://evil.example/x",
            "evil.com",
            "EVIL.COM",
            "Evil.Com",
            "win-a-phone.com",
            "www.evil",
            "WWW.evil.example",
            "bit.ly",
            "t.me/win",
            "t.co/abc",
            "evil.de",
            "Hi evil.com!",
            "(evil.com)",
            "evil.com,",
            "visit evil.xyz now",
            "evil.co.uk",
            "ann@evil.com",
            "mailto:ann",
            "javascript:alert(1)",
            "1.2.3.4",
            "evil.example/path",
            "evil.com:8080",
            "evil。com",
            "evil．com",
            "evil.xn--p1ai",
            "пример.рф",
            "x.com",
            "evil.in",
            "win-a-phone.in",
            "prof.in/win",
            "dr.in/win",
            "evil.in/dr.in",
            "evil.de.in",
        ] {
            assert!(looks_like_a_link(name), "{name}");
        }
    }
}
