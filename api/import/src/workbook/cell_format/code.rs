//! The signs of a number format (ECMA-376, part 1, section 18.8.31).

/// One sign of a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    /// A character with a meaning, such as `0`, `d` or `.`.
    Sign(char),
    /// A character that is shown as it is: after a backslash, or in quotation marks.
    Shown(char),
    /// The text in square brackets: a colour, a condition, a language, or a unit that is counted beyond its limit.
    Bracket(String),
    /// A character that fills the width of the cell.
    Fill,
}

/// The signs of one part of a format. Blanks as wide as another character (`_x`) are left out.
pub(crate) fn tokens(code: &str) -> impl Iterator<Item = Token> {
    let mut chars = code.chars();
    let mut is_quoted = false;
    std::iter::from_fn(move || {
        loop {
            let c = chars.next()?;
            return Some(match c {
                '"' => {
                    is_quoted = !is_quoted;
                    continue;
                }
                _ if is_quoted => Token::Shown(c),
                '\\' => Token::Shown(chars.next()?),
                '_' => {
                    chars.next();
                    continue;
                }
                '*' => {
                    chars.next();
                    Token::Fill
                }
                '[' => Token::Bracket(chars.by_ref().take_while(|&c| c != ']').collect()),
                _ => Token::Sign(c),
            });
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_and_escaped_characters_are_shown() {
        let found: Vec<Token> = tokens("[Red]_-* 0\\d\"y]\"m").collect();

        assert_eq!(
            found,
            [
                Token::Bracket("Red".to_owned()),
                Token::Fill,
                Token::Sign('0'),
                Token::Shown('d'),
                Token::Shown('y'),
                Token::Shown(']'),
                Token::Sign('m')
            ]
        );
        assert_eq!(tokens("0\\").count(), 1);
        assert_eq!(tokens("\"open").count(), 4);
    }
}
