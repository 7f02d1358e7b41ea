//! A message as it must look between DATA and the reply to the final dot.

use zeroize::Zeroizing;

/// The message with CRLF line ends only, dots doubled (RFC 5321 4.5.2), and the final dot.
///
/// A bare CR or LF becomes a line end: relays disagree on what those mean, and a mail that one
/// relay reads as one and the next as two lets its author write a mail of his own (CVE-2023-51764).
/// The copy is wiped when dropped, for it may hold a password.
pub(super) fn on_the_wire(message: &str) -> Zeroizing<String> {
    // Room for doubled dots and a few mended line ends, so that it seldom grows: what grows
    // leaves its former place unwiped.
    let mut out = Zeroizing::new(String::with_capacity(message.len() + message.len() / 16 + 64));
    let mut lines = message.split('\n').peekable();
    while let Some(piece) = lines.next() {
        if lines.peek().is_none() && piece.is_empty() {
            // The message ended with its line end.
            break;
        }
        let line = piece.strip_suffix('\r').unwrap_or(piece);
        for line in line.split('\r') {
            if line.starts_with('.') {
                out.push('.');
            }
            out.push_str(line);
            out.push_str("\r\n");
        }
    }
    out.push_str(".\r\n");
    out
}

/// What of [`on_the_wire`] comes before the final dot.
pub(super) fn length_before_dot(on_the_wire: &str) -> usize {
    on_the_wire.len() - ".\r\n".len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_only_crlf_line_ends_and_doubled_dots() {
        for (message, expected) in [
            ("", ".\r\n"),
            ("a", "a\r\n.\r\n"),
            ("a\r\n", "a\r\n.\r\n"),
            ("a\r\n\r\n", "a\r\n\r\n.\r\n"),
            ("a\nb\n", "a\r\nb\r\n.\r\n"),
            ("a\rb\r", "a\r\nb\r\n.\r\n"),
            (".", "..\r\n.\r\n"),
            ("a\r\n.\r\nb", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\n.\nb", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\r.\rb", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\r\n..b\r\n", "a\r\n...b\r\n.\r\n"),
            ("a.b\r\n", "a.b\r\n.\r\n"),
            ("a\n\r\nb", "a\r\n\r\nb\r\n.\r\n"),
            ("a\r\r\nb", "a\r\n\r\nb\r\n.\r\n"),
        ] {
            assert_eq!(on_the_wire(message).as_str(), expected, "{message:?}");
        }
    }

    #[test]
    fn nothing_in_a_message_ends_it_early() {
        for nasty in ["\r\n.\r\n", "\n.\n", "\r.\r", "\r\n.\n", "\n.\r\n", "\r\n.\r", "\n.\r"] {
            let wire = on_the_wire(&format!("a{nasty}MAIL FROM:<eve@example.org>\r\n"));
            assert_eq!(wire.matches("\r\n.\r\n").count(), 1, "{nasty:?} gave {wire:?}");
            assert_eq!(wire.replace("\r\n", "").matches(['\r', '\n']).count(), 0, "{wire:?}");
            assert!(wire.ends_with("\r\n.\r\n"));
            assert_eq!(&wire[length_before_dot(&wire)..], ".\r\n");
        }
    }
}
