//! Header fields with user-supplied text: names, addresses and subjects.
//!
//! Words of printable ASCII are written as they are. All others become encoded words (RFC 2047): words in
//! other scripts, words that readers would take for encoded words, and words too long to fold. lettre's
//! encoder handles neither of the last two, and appends an address to a full line of encoded words.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Maximum length of a line in characters, without its line ending, as recommended by RFC 5322, 2.1.1.
const LINE: usize = 78;

/// Maximum length of a line with an encoded word (RFC 2047, section 2).
const ENCODED_LINE: usize = 76;

/// Delimiters of an encoded word.
const WORD_START: &str = "=?utf-8?b?";
const WORD_END: &str = "?=";

/// Bytes of text in an encoded word on a line of its own: 60 characters of base64.
const WORD_BYTES: usize = 45;

/// Maximum length of a field whose words and address have `bytes` bytes together. An encoded word of 45 bytes
/// takes 72 and a fold of three; one holds only 42 bytes if the next character of four bytes does not fit.
pub(super) const fn max_field(bytes: usize) -> usize {
    2 * bytes + 3 * 76
}

/// Writes a mailbox field such as `To`. An empty name is left out.
pub(super) fn write_mailbox(out: &mut Vec<u8>, field: &str, name: &str, address: &str) {
    let mut line = Line::begin(out, field);
    if name.is_empty() {
        line.push(address);
    } else {
        if is_phrase(name) && line.can_fold(name) {
            line.fold(name);
        } else if is_printable(name) && line.has_room(name.len() + 2 + name.matches(['"', '\\']).count()) {
            line.quote(name);
        } else {
            line.encode(name);
        }
        line.next_word(address.len() + 2);
        line.push("<");
        line.push(address);
        line.push(">");
    }
    line.end();
}

/// Writes a text field such as `Subject`.
pub(super) fn write_text(out: &mut Vec<u8>, field: &str, text: &str) {
    let mut line = Line::begin(out, field);
    if is_printable(text) && line.can_fold(text) {
        line.fold(text);
    } else {
        line.encode(text);
    }
    line.end();
}

/// Whether text can be written as it is: printable ASCII that no reader takes for an encoded word.
fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~')) && !text.contains("=?")
}

/// Whether a name needs no quotation marks: words of `atext` (RFC 5322, 3.2.3) separated by single spaces.
fn is_phrase(name: &str) -> bool {
    let is_atom = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&c);
    name.split(' ')
        .all(|word| !word.is_empty() && word.bytes().all(is_atom))
        && is_printable(name)
}

/// The current line of a header.
struct Line<'o> {
    out: &'o mut Vec<u8>,
    column: usize,
    /// Whether it contains an encoded word.
    is_encoded: bool,
}

impl<'o> Line<'o> {
    fn begin(out: &'o mut Vec<u8>, field: &str) -> Self {
        let mut line = Self {
            out,
            column: 0,
            is_encoded: false,
        };
        line.push(field);
        line.push(": ");
        line
    }

    fn push(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
        self.column += text.len();
    }

    fn end(self) {
        self.out.extend_from_slice(b"\r\n");
    }

    fn has_room(&self, length: usize) -> bool {
        self.column + length <= if self.is_encoded { ENCODED_LINE } else { LINE }
    }

    /// Writes a space before the next word, after a fold if this line has no room for both.
    fn next_word(&mut self, length: usize) {
        if !self.has_room(1 + length) {
            self.out.extend_from_slice(b"\r\n");
            self.column = 0;
            self.is_encoded = false;
        }
        self.push(" ");
    }

    /// Whether the text can be written with folds between its words. This requires single spaces: some
    /// readers take a line of only spaces for the end of the header.
    fn can_fold(&self, text: &str) -> bool {
        self.has_room(text.len())
            || text.split(' ').enumerate().all(|(n, word)| {
                let before = if n == 0 { self.column } else { 1 };
                !word.is_empty() && before + word.len() <= LINE
            })
    }

    /// Writes words, folding full lines.
    fn fold(&mut self, text: &str) {
        if self.has_room(text.len()) {
            return self.push(text);
        }
        for (n, word) in text.split(' ').enumerate() {
            if n > 0 {
                self.next_word(word.len());
            }
            self.push(word);
        }
    }

    /// Writes a quoted string.
    fn quote(&mut self, text: &str) {
        self.push("\"");
        for c in text.chars() {
            if matches!(c, '"' | '\\') {
                self.push("\\");
            }
            self.push(c.encode_utf8(&mut [0; 4]));
        }
        self.push("\"");
    }

    /// Writes text as encoded words. Each after the first gets a line of its own; readers drop the folds
    /// between them.
    fn encode(&mut self, text: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            self.is_encoded = true;
            let room = ENCODED_LINE.saturating_sub(self.column + WORD_START.len() + WORD_END.len());
            // Four base64 characters encode three bytes.
            let (word, after) = rest.split_at(rest.floor_char_boundary(WORD_BYTES.min(room / 4 * 3)));
            let mut digits = [0_u8; WORD_BYTES / 3 * 4];
            // The buffer fits the encoding of 45 bytes.
            let length = BASE64.encode_slice(word, &mut digits).unwrap_or_default();
            self.push(WORD_START);
            self.out.extend(digits.get(..length).unwrap_or_default());
            self.column += length;
            self.push(WORD_END);
            rest = after;
            if !rest.is_empty() {
                self.next_word(ENCODED_LINE);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(name: &str) -> String {
        let mut out = Vec::new();
        write_mailbox(&mut out, "To", name, "ada@example.org");
        String::from_utf8(out).unwrap()
    }

    fn subject(text: &str) -> String {
        let mut out = Vec::new();
        write_text(&mut out, "Subject", text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_name_is_a_phrase_or_quoted_or_encoded() {
        for (name, expected) in [
            ("", "To: ada@example.org\r\n"),
            ("Ada Lovelace", "To: Ada Lovelace <ada@example.org>\r\n"),
            ("Sean O'Brien", "To: Sean O'Brien <ada@example.org>\r\n"),
            ("Brien, Jr.", "To: \"Brien, Jr.\" <ada@example.org>\r\n"),
            ("a  b", "To: \"a  b\" <ada@example.org>\r\n"),
            ("a \"b\" \\", "To: \"a \\\"b\\\" \\\\\" <ada@example.org>\r\n"),
            ("Zoë", "To: =?utf-8?b?Wm/Dqw==?= <ada@example.org>\r\n"),
            (
                "=?utf-8?q?Eve?=",
                "To: =?utf-8?b?PT91dGYtOD9xP0V2ZT89?= <ada@example.org>\r\n",
            ),
        ] {
            assert_eq!(to(name), expected, "{name:?}");
        }
    }

    #[test]
    fn a_subject_folds_between_its_words() {
        assert_eq!(subject("Hello"), "Subject: Hello\r\n");
        let words = ["word"; 30].join(" ");
        let folded = subject(&words);
        assert_eq!(folded.replace("\r\n ", " "), format!("Subject: {words}\r\n"));
        assert!(folded.lines().all(|line| line.len() <= LINE), "{folded}");
        assert!(subject(&"x".repeat(100)).starts_with("Subject: =?utf-8?b?"));
    }

    #[test]
    fn lines_with_encoded_words_are_short_and_words_end_between_characters() {
        for character in ["ä", "春", "😀", "x"] {
            for length in 1..200 {
                let name = format!("{}\u{e9}", character.repeat(length));
                for field in [to(&name), subject(&name)] {
                    let lines: Vec<&str> = field.split("\r\n").collect();
                    assert!(lines.iter().all(|line| line.len() <= ENCODED_LINE), "{field}");
                    for word in field.split_whitespace().filter(|word| word.starts_with(WORD_START)) {
                        let digits = word.trim_start_matches(WORD_START).trim_end_matches(WORD_END);
                        assert!(String::from_utf8(BASE64.decode(digits).unwrap()).is_ok(), "{field}");
                    }
                    assert!(
                        field.len() <= max_field(name.len() + "ada@example.org".len()),
                        "{field}"
                    );
                }
            }
        }
    }
}
