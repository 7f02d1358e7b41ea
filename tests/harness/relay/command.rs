//! Lenient parsing of SMTP commands.

/// One command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    Helo,
    Ehlo,
    Mail {
        sender: String,
        /// The announced `SIZE=`.
        size: Option<usize>,
    },
    Rcpt {
        recipient: String,
    },
    Data,
    Rset,
    Noop,
    Vrfy,
    Quit,
    StartTls,
    /// `AUTH PLAIN`, with its initial response if it is on the same line.
    AuthPlain(Option<String>),
    /// `AUTH LOGIN`, with the user name if it is on the same line.
    AuthLogin(Option<String>),
    Unknown,
}

impl Command {
    /// Parses a line without its line end.
    pub(super) fn read(line: &[u8]) -> Self {
        let (verb, rest) = line.split_at_checked(4).unwrap_or((line, b""));
        let verb: &[u8] = &verb.to_ascii_uppercase();
        match verb {
            b"MAIL" => Self::mail(rest),
            b"RCPT" => match bracketed(rest) {
                Some((recipient, _)) => Self::Rcpt { recipient },
                None => Self::Unknown,
            },
            b"DATA" => Self::Data,
            b"EHLO" => Self::Ehlo,
            b"HELO" => Self::Helo,
            b"RSET" => Self::Rset,
            b"NOOP" => Self::Noop,
            b"VRFY" => Self::Vrfy,
            b"QUIT" => Self::Quit,
            b"STAR" if line.eq_ignore_ascii_case(b"STARTTLS") => Self::StartTls,
            b"AUTH" => Self::auth(rest),
            _ => Self::Unknown,
        }
    }

    fn mail(rest: &[u8]) -> Self {
        let Some((sender, parameters)) = bracketed(rest) else {
            return Self::Unknown;
        };
        let size = parameters.split_ascii_whitespace().find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.eq_ignore_ascii_case("SIZE").then(|| value.parse().ok())?
        });
        Self::Mail { sender, size }
    }

    fn auth(rest: &[u8]) -> Self {
        let rest = String::from_utf8_lossy(rest);
        let mut words = rest.split_ascii_whitespace();
        let mechanism = words.next().unwrap_or_default().to_ascii_uppercase();
        let initial = words.next().map(str::to_owned);
        match mechanism.as_str() {
            "PLAIN" => Self::AuthPlain(initial),
            "LOGIN" => Self::AuthLogin(initial),
            _ => Self::Unknown,
        }
    }
}

/// The address between angle brackets, and the rest of the line.
fn bracketed(rest: &[u8]) -> Option<(String, String)> {
    let rest = String::from_utf8_lossy(rest);
    let (_, address) = rest.split_once('<')?;
    let (address, parameters) = address.split_once('>')?;
    Some((address.to_owned(), parameters.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_in_any_case_with_their_parameters() {
        assert_eq!(
            Command::read(b"mail from:<a@b.example> BODY=8BITMIME size=120"),
            Command::Mail {
                sender: "a@b.example".to_owned(),
                size: Some(120)
            }
        );
        assert_eq!(
            Command::read(b"RCPT TO: <c@d.example>"),
            Command::Rcpt {
                recipient: "c@d.example".to_owned()
            }
        );
        assert_eq!(
            Command::read(b"AUTH PLAIN AGEAYg=="),
            Command::AuthPlain(Some("AGEAYg==".to_owned()))
        );
        assert_eq!(Command::read(b"RCPT TO:ada"), Command::Unknown);
        assert_eq!(Command::read(b"QU"), Command::Unknown);
    }
}
