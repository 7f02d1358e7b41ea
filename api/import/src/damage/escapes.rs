//! Text in the code of emails, web addresses or JSON: `J=C3=B6rg`, `J%C3%B6rg`, `J\u00f6rg`, `=?UTF-8?Q?J=C3=B6rg?=`.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::Damage;
use super::encoding::windows_1252;

/// Finds encoded words (RFC 2047), as the subject and the sender of an email have them.
pub(super) fn encoded_words(text: &str) -> Option<Damage> {
    let (_, behind) = text.split_once("=?")?;
    EncodedWord::parse(behind)?;
    Some(damage(words_decoded(text)))
}

/// Finds the codes of quoted-printable text (RFC 2045), of web addresses (RFC 3986) and of JSON in a name.
///
/// In other values they may belong to a web address.
pub(super) fn in_a_name(text: &str) -> Option<Damage> {
    if !text.contains(['=', '%', '\\']) {
        return None;
    }
    let meant = bytes_decoded(text, b'=').or_else(|| bytes_decoded(text, b'%'));
    Some(damage(Some(meant.or_else(|| units_decoded(text))?)))
}

fn damage(meant: Option<String>) -> Damage {
    match meant {
        Some(meant) => Damage::new("encoded_text", "Contains codes in place of letters").meaning(meant),
        None => Damage::new("encoded_text", "Contains codes in place of letters – write it again"),
    }
}

/// The text of bytes, if a person may have written it.
fn written(bytes: Vec<u8>) -> Option<String> {
    let text = String::from_utf8(bytes).ok()?;
    let text = text.trim();
    (!text.is_empty() && !text.contains(char::is_control)).then(|| text.to_owned())
}

/// Replaces each `mark` followed by two hexadecimal digits by the byte they mean.
///
/// `None` if there is none, or if it is no code: programs encode neither letters nor digits of ASCII.
fn bytes_decoded(text: &str, mark: u8) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    let mut is_encoded = false;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        let code = (byte == mark).then(|| hexadecimal(behind.get(..2)?)).flatten();
        let Some(code) = code.and_then(|code| u8::try_from(code).ok()) else {
            bytes.push(byte);
            continue;
        };
        if code.is_ascii_alphanumeric() {
            return None;
        }
        bytes.push(code);
        rest = behind.get(2..).unwrap_or_default();
        is_encoded = true;
    }
    is_encoded.then(|| written(bytes)).flatten()
}

/// Replaces each `\u` followed by four hexadecimal digits by the letter it means; `None` if there is none.
fn units_decoded(text: &str) -> Option<String> {
    let mut units = Vec::with_capacity(text.len());
    let mut parts = text.split("\\u");
    units.extend(parts.next()?.encode_utf16());
    let mut is_encoded = false;
    for part in parts {
        // Another text with a backslash is not JSON.
        let (code, behind) = part.split_at_checked(4)?;
        units.push(u16::try_from(hexadecimal(code.as_bytes())?).ok()?);
        units.extend(behind.encode_utf16());
        is_encoded = true;
    }
    let text = String::from_utf16(&units).ok().filter(|_| is_encoded)?;
    written(text.into_bytes())
}

fn hexadecimal(digits: &[u8]) -> Option<u32> {
    let is_number = digits.iter().all(u8::is_ascii_hexdigit);
    let digits = std::str::from_utf8(digits).ok().filter(|_| is_number)?;
    u32::from_str_radix(digits, 16).ok()
}

/// An encoded word: `=?charset?encoding?text?=`.
struct EncodedWord<'a> {
    charset: &'a str,
    is_base64: bool,
    text: &'a str,
    behind: &'a str,
}

impl<'a> EncodedWord<'a> {
    /// Parses what follows `=?`.
    fn parse(text: &'a str) -> Option<Self> {
        let (charset, rest) = text.split_once('?')?;
        let (encoding, rest) = rest.split_once('?')?;
        let (text, behind) = rest.split_once("?=")?;
        let is_charset = charset
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_*:.".contains(&b));
        let is_base64 = encoding.eq_ignore_ascii_case("b");
        let is_word = is_charset && !charset.is_empty() && (is_base64 || encoding.eq_ignore_ascii_case("q"));
        is_word.then_some(Self {
            charset,
            is_base64,
            text,
            behind,
        })
    }

    /// The bytes in UTF-8, perhaps with half a letter at their end; `None` if they are unreadable.
    fn decoded(&self) -> Option<Vec<u8>> {
        let bytes = if self.is_base64 {
            let text = self.text.trim_end_matches('=');
            STANDARD_NO_PAD
                .decode(text)
                .or_else(|_| STANDARD.decode(self.text))
                .ok()?
        } else {
            self.unquoted()?
        };
        // A language may follow the charset (RFC 2231).
        let charset = self.charset.split('*').next().unwrap_or_default().to_ascii_lowercase();
        match charset.as_str() {
            "utf-8" | "utf8" | "us-ascii" => Some(bytes),
            "iso-8859-1" | "windows-1252" => {
                let text: String = bytes.iter().map(|&byte| windows_1252(byte)).collect();
                Some(text.into_bytes())
            }
            _ => None,
        }
    }

    fn unquoted(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(self.text.len());
        let mut rest = self.text.as_bytes();
        while let Some((&byte, behind)) = rest.split_first() {
            rest = behind;
            match byte {
                b'_' => bytes.push(b' '),
                b'=' => {
                    bytes.push(u8::try_from(hexadecimal(behind.get(..2)?)?).ok()?);
                    rest = behind.get(2..).unwrap_or_default();
                }
                byte => bytes.push(byte),
            }
        }
        Some(bytes)
    }
}

/// Decodes all encoded words of a text; `None` if one is unreadable.
fn words_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    let mut is_behind_word = false;
    while let Some((before, behind)) = rest.split_once("=?") {
        // Blanks between two words only separate them.
        if !(is_behind_word && before.trim().is_empty()) {
            bytes.extend(before.bytes());
        }
        let word = EncodedWord::parse(behind)?;
        bytes.extend(word.decoded()?);
        rest = word.behind;
        is_behind_word = true;
    }
    bytes.extend(rest.bytes());
    written(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The suggestion, or "?" if there is only a problem.
    fn meant(damage: Option<Damage>) -> Option<String> {
        let damage = damage?;
        assert_eq!(damage.code, "encoded_text");
        Some(damage.suggestion.unwrap_or_else(|| "?".to_owned()))
    }

    #[test]
    fn codes_in_a_name_are_detected_with_their_letters() {
        for (text, name) in [
            ("J=C3=B6rg", "Jörg"),
            ("Ren=c3=a9e", "Renée"),
            ("Ada=20Lovelace", "Ada Lovelace"),
            ("J%C3%B6rg", "Jörg"),
            ("Ada%20Lovelace", "Ada Lovelace"),
            ("O%27Brien", "O'Brien"),
            (r"J\u00f6rg", "Jörg"),
            (r"\u0418\u0432\u0430\u043d", "Иван"),
            (r"O\u0027Brien", "O'Brien"),
            (r"Ada \ud83d\ude00", "Ada 😀"),
        ] {
            assert_eq!(meant(in_a_name(text)).as_deref(), Some(name), "{text}");
        }
        for text in [
            "Ada",
            "Jörg",
            "Anne=Marie",
            "JEAN=EDOUARD",
            "Ann=Ada",
            "アン=マリー",
            "50 % Ada",
            "Ada 100%",
            "100%FEE",
            "Ada=75",
            r"Ada\Bob",
            r"Ada\urs",
            r"\ud83d",
            r"\u0000",
            "=0A",
            "=",
            "%C3",
            "%",
            "=é1",
            r"\uéé",
        ] {
            assert_eq!(meant(in_a_name(text)), None, "{text}");
        }
    }

    #[test]
    fn encoded_words_are_detected_with_their_text() {
        for (text, name) in [
            ("=?UTF-8?Q?J=C3=B6rg?=", "Jörg"),
            ("=?utf-8?B?SsO2cmc=?=", "Jörg"),
            ("=?utf-8?b?SsO2cmc?=", "Jörg"),
            ("=?iso-8859-1?Q?J=F6rg_M=FCller?=", "Jörg Müller"),
            ("=?UTF-8*de?Q?J=C3=B6?= =?UTF-8?Q?rg?=", "Jörg"),
            ("=?UTF-8?Q?J=C3?= =?UTF-8?Q?=B6rg?= Ray", "Jörg Ray"),
            ("Dr. =?UTF-8?Q?J=C3=B6rg?=", "Dr. Jörg"),
        ] {
            assert_eq!(meant(encoded_words(text)).as_deref(), Some(name), "{text}");
        }
        for text in [
            "=?koi8-r?B?6dfBzg==?=",
            "=?UTF-8?Q?J=C3rg?=",
            "=?UTF-8?B?***?=",
            "=?UTF-8?Q??=",
        ] {
            assert_eq!(meant(encoded_words(text)).as_deref(), Some("?"), "{text}");
        }
        for text in ["=?", "a =? b ?=", "=?x?y?z?=", "Why=?", "=??Q?a?=", "=?UTF-8?Q?a"] {
            assert_eq!(meant(encoded_words(text)), None, "{text}");
        }
    }
}
