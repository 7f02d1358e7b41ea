//! The plain text part: the same Markdown for users who read mails as text.
//!
//! Lines are as long as the administrator wrote them; mail programs wrap them. Lines end with `\n`.

use pulldown_cmark::{Event, Tag, TagEnd};

use super::html::is_same_address;
use super::source::Tokenised;

/// A horizontal rule. Not `-- `, which begins a signature.
const RULE: &str = "----------";

/// The prefix of each line of a quotation.
const QUOTE: &str = "> ";

/// Writes the plain text of a body, with tokens.
pub(super) fn write(events: &[Event<'_>], tokenised: &Tokenised<'_>) -> String {
    let mut writer = Writer {
        tokenised,
        out: String::new(),
        gap: Gap::None,
        is_block_start: false,
        margins: Vec::new(),
        links: Vec::new(),
        next_numbers: Vec::new(),
    };
    for event in events {
        match event {
            Event::Start(tag) => writer.start(tag),
            Event::End(tag) => writer.end(*tag),
            Event::Text(text) => writer.lines(text),
            Event::Code(text) => writer.words(text),
            Event::SoftBreak | Event::HardBreak => writer.need(Gap::Line),
            Event::Rule => {
                writer.need(Gap::Blank);
                writer.words(RULE);
                writer.need(Gap::Blank);
            }
            _ => {}
        }
    }
    writer.out
}

/// What must precede the next words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    None,
    /// A line end.
    Line,
    /// A line end and an empty line.
    Blank,
}

/// The prefix of each line of a block.
enum Margin {
    /// For a quotation.
    Quote,
    /// For a list item: the marker once, then as many spaces.
    Item { mark: String, is_shown: bool },
}

struct Writer<'t, 's> {
    tokenised: &'t Tokenised<'s>,
    out: String,
    gap: Gap,
    /// Whether a quotation has begun without any words: its first block needs no gap.
    is_block_start: bool,
    margins: Vec<Margin>,
    /// The start of each open link's text in `out`, and its destination.
    links: Vec<(usize, String)>,
    /// The number of the next item for each open list, if it is numbered.
    next_numbers: Vec<Option<u64>>,
}

impl Writer<'_, '_> {
    fn start(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::Paragraph | Tag::Heading { .. } | Tag::CodeBlock(_) | Tag::Table(_) => {
                self.need(Gap::Blank);
            }
            Tag::BlockQuote(_) => {
                self.need(Gap::Blank);
                // Written now, because the blank line before a quotation is not part of it.
                self.write_gap();
                self.margins.push(Margin::Quote);
                self.out.push_str(QUOTE);
                self.is_block_start = true;
            }
            Tag::List(first) => {
                self.need(if self.next_numbers.is_empty() {
                    Gap::Blank
                } else {
                    Gap::Line
                });
                self.next_numbers.push(*first);
            }
            Tag::Item => {
                self.need(Gap::Line);
                let mark = match self.next_numbers.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{}. ", *number - 1)
                    }
                    _ => "- ".to_owned(),
                };
                self.margins.push(Margin::Item { mark, is_shown: false });
            }
            Tag::TableRow => self.need(Gap::Line),
            Tag::Strikethrough => self.words("~~"),
            Tag::Link { dest_url, .. } => {
                self.words("");
                self.links.push((self.out.len(), dest_url.to_string()));
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::CodeBlock | TagEnd::Table => {
                self.need(Gap::Blank);
            }
            TagEnd::BlockQuote(_) => {
                self.margins.pop();
                self.need(Gap::Blank);
            }
            TagEnd::Item => {
                self.margins.pop();
                self.need(Gap::Line);
            }
            TagEnd::List(_) => {
                self.next_numbers.pop();
                self.need(if self.next_numbers.is_empty() {
                    Gap::Blank
                } else {
                    Gap::Line
                });
            }
            // Removed again at the end of the row, where nothing follows.
            TagEnd::TableCell => self.words(" | "),
            TagEnd::TableRow | TagEnd::TableHead => {
                self.out.truncate(self.out.trim_end_matches([' ', '|']).len());
                self.need(Gap::Line);
            }
            TagEnd::Strikethrough => self.words("~~"),
            TagEnd::Link => self.end_link(),
            _ => {}
        }
    }

    /// Completes a link as `words: address`, or as the address alone if that is its text.
    fn end_link(&mut self) {
        let Some((start, address)) = self.links.pop() else {
            return;
        };
        let words = self.out.get(start..).unwrap_or_default();
        let address_shown = address.strip_prefix("mailto:").unwrap_or(&address);
        if words.is_empty() || is_same_address(self.tokenised, words, &address) {
            self.out.truncate(start);
            self.words(address_shown);
        } else {
            self.words(&format!(": {address_shown}"));
        }
    }

    /// Requires a gap before the next words. The wider of two gaps wins.
    fn need(&mut self, gap: Gap) {
        if !self.is_block_start {
            self.gap = self.gap.max(gap);
        }
    }

    /// Writes text that may contain line ends, such as a code block.
    fn lines(&mut self, text: &str) {
        for (n, line) in text.split('\n').enumerate() {
            if n > 0 {
                self.need(Gap::Line);
            }
            if !line.is_empty() {
                self.words(line);
            }
        }
    }

    fn words(&mut self, words: &str) {
        self.write_gap();
        self.is_block_start = false;
        self.out.push_str(words);
    }

    fn write_gap(&mut self) {
        let gap = std::mem::replace(&mut self.gap, Gap::None);
        let is_start = self.out.is_empty();
        if gap == Gap::None && !is_start {
            return;
        }
        if !is_start {
            self.out.push('\n');
        }
        if gap == Gap::Blank && !is_start {
            self.write_margins(false);
            self.out.truncate(self.out.trim_end_matches(' ').len());
            self.out.push('\n');
        }
        self.write_margins(true);
    }

    /// Writes the prefix of a line; item markers only if words follow.
    fn write_margins(&mut self, shows_marks: bool) {
        for margin in &mut self.margins {
            match margin {
                Margin::Quote => self.out.push_str(QUOTE),
                Margin::Item { mark, is_shown } if shows_marks && !*is_shown => {
                    self.out.push_str(mark);
                    *is_shown = true;
                }
                Margin::Item { mark, .. } => self.out.extend(std::iter::repeat_n(' ', mark.len())),
            }
        }
    }
}
