//! Quoted-printable (RFC 2045, 6.7), in the form in which it goes over the wire.
//!
//! No encoded line begins with a dot, so there is none to double (RFC 5321, 4.5.2), and none begins
//! with `From `, which programs that store mails in one file would change. Each value begins and
//! ends at the beginning of a line, so that what stands around it can be encoded once for all mails.

/// Characters of an encoded line, without its end. One place is kept for the `=` of a soft line break.
const LINE: usize = 76;

/// Bytes that the encoding of `bytes` bytes has at most, soft line breaks included.
///
/// A character takes three signs a byte. A line may end twelve signs early, because a character is
/// never cut, and a soft line break takes three bytes.
pub(super) const fn encoded_most(bytes: usize) -> usize {
    let signs = 3 * bytes;
    signs + 3 * (signs / (LINE - 1 - 12) + 2)
}

/// Writes text in quoted-printable.
pub(super) struct Encoder<'o> {
    out: &'o mut Vec<u8>,
    /// Signs on the present line.
    column: usize,
}

impl<'o> Encoder<'o> {
    /// Goes on in `out`, which ends with a line end.
    pub(super) fn at_line_start(out: &'o mut Vec<u8>) -> Self {
        Self { out, column: 0 }
    }

    /// Encodes text. `\n` is a line end.
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

    /// Ends a stretch: what follows begins on a line of its own, which readers join to this one.
    pub(super) fn end_stretch(self) {
        if self.column > 0 {
            self.out.extend_from_slice(b"=\r\n");
        }
    }

    /// Copies plain characters up to the end of the line; tells how many.
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

    /// Writes a character byte by byte, on one line.
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

    /// Ends the line. White space before the end must be encoded (rule 3), as relays may remove it.
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

/// Whether a character stands for itself (rules 2 and 3).
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
    fn what_mails_must_not_carry_is_encoded() {
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
    fn a_line_is_broken_before_it_is_too_long_and_never_in_a_character() {
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
    fn a_stretch_ends_at_the_beginning_of_a_line() {
        for (text, expected) in [("", ""), ("a ", "a =\r\n"), ("a\n", "a\r\n")] {
            let mut out = Vec::new();
            let mut encoder = Encoder::at_line_start(&mut out);
            encoder.write(text);
            encoder.end_stretch();
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{text:?}");
        }
    }
}
