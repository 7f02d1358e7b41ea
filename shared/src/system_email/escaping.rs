//! Escapes values according to their context.

/// The escaping that a context requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escaping {
    /// Nothing: plain text.
    None,
    /// Character references for the characters that are special in HTML text and attributes.
    Html,
    /// Percent-encoding, so that the value stays one component of a URL.
    Percent,
}

impl Escaping {
    /// Maximum number of bytes that one byte of a value becomes: `"` becomes `&quot;`.
    pub const GROWTH: usize = 6;

    /// Passes the escaped value to `out`, piece by piece.
    pub fn write(self, value: &str, out: &mut impl FnMut(&str)) {
        match self {
            Self::None => out(value),
            Self::Html => write_html(value, out),
            Self::Percent => write_percent(value, out),
        }
    }
}

fn write_html(value: &str, out: &mut impl FnMut(&str)) {
    let mut rest = value;
    while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
        let (plain, special) = rest.split_at(at);
        out(plain);
        out(match special.as_bytes().first() {
            Some(b'&') => "&amp;",
            Some(b'<') => "&lt;",
            Some(b'>') => "&gt;",
            Some(b'"') => "&quot;",
            _ => "&#39;",
        });
        rest = special.get(1..).unwrap_or_default();
    }
    out(rest);
}

/// Encodes all but RFC 3986's unreserved characters.
fn write_percent(value: &str, out: &mut impl FnMut(&str)) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |n: u8| DIGITS.get(usize::from(n)).copied().unwrap_or_default();
    let is_unreserved = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~');
    let mut rest = value;
    while let Some(at) = rest.find(|c: char| !is_unreserved(c)) {
        let (plain, special) = rest.split_at(at);
        out(plain);
        let length = special.chars().next().map_or(0, char::len_utf8);
        for byte in special.bytes().take(length) {
            let encoded = [b'%', digit(byte >> 4), digit(byte & 15)];
            out(std::str::from_utf8(&encoded).unwrap_or_default());
        }
        rest = special.get(length..).unwrap_or_default();
    }
    out(rest);
}
