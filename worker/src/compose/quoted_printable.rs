//! Quoted-printable (RFC 2045, 6.7) in wire form.
//!
//! No encoded line begins with a dot, so no dot needs doubling (RFC 5321, 4.5.2), and none begins with `From
//! `, which mbox programs would change. Each value begins and ends at the start of a line, so the text around
//! it can be encoded once for all mails.

/// Maximum length of an encoded line, without its line ending. One character is reserved for the `=` of a
/// soft line break.
const LINE: usize = 76;

/// Maximum length of the encoding of `bytes` bytes, including soft line breaks. Each byte takes up to three
/// characters. A line may end twelve early, because a character is never split, and a soft line break takes
/// three bytes.
pub(super) const fn max_encoded(bytes: usize) -> usize {
    let signs = 3 * bytes;
    signs + 3 * (signs / (LINE - 1 - 12) + 2)
}

/// Writes text in quoted-printable.
pub(super) struct Encoder<'o> {
    out: &'o mut Vec<u8>,
    /// Characters on the current line.
    column: usize,
}

impl<'o> Encoder<'o> {
    /// Appends to `out`, which must end with a line ending.
    pub(super) fn at_line_start(out: &'o mut Vec<u8>) -> Self {
        Self { out, column: 0 }
    }

    /// Encodes text. `\n` is a line ending.
    pub(super) fn write(&mut self, text: &str) {
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let taken = if first == '\n' {
                self.end_line();
                1
            } else if !is_plain(first) || (self.column == 0 && must_not_begin_a_line(rest)) {
                let length = first.len_utf8();
                self.encode(rest.get(..length).unwrap_or_default());
                length
            } else {
                self.copy(rest)
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
    }

    /// Ends the current line softly: what follows starts on a new line, which readers join to this one.
    pub(super) fn soft_break(self) {
        if self.column > 0 {
            self.out.extend_from_slice(b"=\r\n");
        }
    }

    /// Copies plain characters up to the end of the line and returns how many.
    fn copy(&mut self, text: &str) -> usize {
        let room = LINE - 1 - self.column;
        if room == 0 {
            self.break_line();
            return 0;
        }
        let bytes = text.as_bytes();
        let bytes = bytes.get(..room).unwrap_or(bytes);
        let length = bytes
            .iter()
            .position(|byte| !is_plain(char::from(*byte)))
            .unwrap_or(bytes.len());
        self.out.extend(bytes.get(..length).unwrap_or_default());
        self.column += length;
        length
    }

    /// Encodes a character byte by byte, all on one line.
    fn encode(&mut self, character: &str) {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        let digit = |n: u8| DIGITS.get(usize::from(n)).copied().unwrap_or_default();
        if self.column + 3 * character.len() > LINE - 1 {
            self.break_line();
        }
        for byte in character.bytes() {
            self.out.extend([b'=', digit(byte >> 4), digit(byte & 15)]);
        }
        self.column += 3 * character.len();
    }

    fn break_line(&mut self) {
        self.out.extend_from_slice(b"=\r\n");
        self.column = 0;
    }

    /// Ends the line. Trailing white space must be encoded (rule 3), because relays may remove it.
    fn end_line(&mut self) {
        if let Some(space @ (b' ' | b'\t')) = self.out.last().copied()
            && self.column > 0
        {
            self.out.pop();
            self.column -= 1;
            self.encode(if space == b' ' { " " } else { "\t" });
        }
        self.out.extend_from_slice(b"\r\n");
        self.column = 0;
    }
}

/// Whether a character needs no encoding (rules 2 and 3).
const fn is_plain(c: char) -> bool {
    matches!(c, ' '..='~' | '\t') && c != '='
}

fn must_not_begin_a_line(text: &str) -> bool {
    text.starts_with('.') || text.starts_with("From ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &str) -> String {
        let mut out = Vec::new();
        Encoder::at_line_start(&mut out).write(text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn characters_not_allowed_in_mails_are_encoded() {
        for (text, expected) in [
            ("", ""),
            ("a=b", "a=3Db"),
            ("ä €", "=C3=A4 =E2=82=AC"),
            ("a \nb\t\n", "a=20\r\nb=09\r\n"),
            (" \n", "=20\r\n"),
            ("\n\n", "\r\n\r\n"),
            (".\n..\n.a.", "=2E\r\n=2E.\r\n=2Ea."),
            ("From me\nFrom\n", "=46rom me\r\nFrom\r\n"),
            ("a\rb\0\u{7f}", "a=0Db=00=7F"),
        ] {
            assert_eq!(encoded(text), expected, "{text:?}");
        }
    }

    #[test]
    fn lines_are_broken_before_the_limit_and_never_inside_a_character() {
        let plain = "x".repeat(75);

        assert_eq!(encoded(&plain), plain);
        assert_eq!(encoded(&format!("{plain}\n")), format!("{plain}\r\n"));
        assert_eq!(encoded(&format!("{plain}y")), format!("{plain}=\r\ny"));
        assert_eq!(encoded(&format!("{plain}.y")), format!("{plain}=\r\n=2Ey"));
        assert_eq!(
            encoded(&format!("{} \n", "x".repeat(74))),
            format!("{}=\r\n=20\r\n", "x".repeat(74))
        );
        let (start, end) = ("x".repeat(66), "=F0=9F=98=80");
        assert_eq!(encoded(&format!("{start}😀")), format!("{start}=\r\n{end}"));
    }

    #[test]
    fn a_run_ends_at_the_beginning_of_a_line() {
        for (text, expected) in [("", ""), ("a ", "a =\r\n"), ("a\n", "a\r\n")] {
            let mut out = Vec::new();
            let mut encoder = Encoder::at_line_start(&mut out);
            encoder.write(text);
            encoder.soft_break();
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{text:?}");
        }
    }
}
