//! Reads the Markdown of a body and rejects what a mail must not contain.

use std::ops::Range;

use pulldown_cmark::{CowStr, Event, LinkType, Options, Parser, Tag, TagEnd, TextMergeWithOffset};

use super::links::{self, LinkFault};
use super::source::{Piece, Tokenised};
use super::{Field, TemplateFault};

/// Maximum nesting of lists and quotations. Anything deeper is unreadable.
const DEPTH: usize = 12;

/// Parses a body into Markdown events, the common source of the HTML and the text part.
///
/// Differs from plain `CommonMark`: a line break is kept, as people who write emails expect, and a bare
/// `https://` address is a link. HTML is rejected and not escaped, so that tags do not show up in 100,000
/// sent mails. Images are rejected because mail programs do not load them unasked, and because loading one
/// reveals who reads when.
///
/// Returns no events if there are faults.
pub(super) fn read<'t>(tokenised: &'t Tokenised<'_>) -> (Vec<Event<'t>>, Vec<TemplateFault>) {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let mut reader = Reader {
        tokenised,
        events: Vec::new(),
        faults: Vec::new(),
        depth: 0,
        links: 0,
        code: 0,
    };
    let parser = Parser::new_ext(&tokenised.text, options).into_offset_iter();
    for (event, range) in TextMergeWithOffset::new(parser) {
        reader.read(event, &range);
    }
    if !reader.faults.is_empty() {
        reader.events.clear();
    }
    (reader.events, reader.faults)
}

struct Reader<'t, 's> {
    tokenised: &'t Tokenised<'s>,
    events: Vec<Event<'t>>,
    faults: Vec<TemplateFault>,
    /// Number of open lists, items and quotations.
    depth: usize,
    /// Number of open links: 0 or 1.
    links: usize,
    /// Number of open code blocks: 0 or 1.
    code: usize,
}

impl<'t> Reader<'t, '_> {
    fn read(&mut self, event: Event<'t>, range: &Range<usize>) {
        match event {
            Event::Start(tag) => self.start(tag, range),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => self.words(text, range),
            Event::Code(ref text) => {
                self.check_link_text(text, range);
                self.events.push(event);
            }
            Event::SoftBreak => self.events.push(Event::HardBreak),
            Event::Html(html) | Event::InlineHtml(html) => self.refuse_html(&html, range),
            other => self.events.push(other),
        }
    }

    fn start(&mut self, tag: Tag<'t>, range: &Range<usize>) {
        let tag = match tag {
            // Its text follows as a separate event.
            Tag::HtmlBlock => return,
            Tag::Image { .. } => {
                let message = "Images are not supported in these emails";
                self.fault(range.start, ("image_unsupported", message));
                return;
            }
            Tag::Link {
                link_type,
                dest_url,
                id,
                ..
            } => {
                self.links += 1;
                let typed = match link_type {
                    LinkType::Email => CowStr::from(format!("mailto:{dest_url}")),
                    _ => dest_url,
                };
                self.link(&typed, id, range)
            }
            Tag::BlockQuote(_) | Tag::List(_) | Tag::Item => {
                self.depth += 1;
                if self.depth == 2 * DEPTH {
                    let message = "Lists and quotations are nested too deeply";
                    self.fault(range.start, ("nesting_too_deep", message));
                }
                tag
            }
            Tag::CodeBlock(_) => {
                self.code += 1;
                tag
            }
            other => other,
        };
        self.events.push(Event::Start(tag));
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::HtmlBlock | TagEnd::Image => return,
            TagEnd::Link => self.links -= 1,
            TagEnd::BlockQuote(_) | TagEnd::List(_) | TagEnd::Item => self.depth -= 1,
            TagEnd::CodeBlock => self.code -= 1,
            _ => {}
        }
        self.events.push(Event::End(tag));
    }

    /// Handles text, in which bare addresses become links.
    fn words(&mut self, text: CowStr<'t>, range: &Range<usize>) {
        self.check_link_text(&text, range);
        if self.links + self.code > 0 {
            self.events.push(Event::Text(text));
            return;
        }
        let mut at = 0;
        for bare in links::find_bare(self.tokenised, &text) {
            let place = range.start + bare.start..range.start + bare.end;
            let address = text.get(bare.clone()).unwrap_or_default().to_owned();
            let link = self.link(&address, CowStr::Borrowed(""), &place);
            self.push_words(text.get(at..bare.start));
            self.events.push(Event::Start(link));
            self.push_words(Some(&address));
            self.events.push(Event::End(TagEnd::Link));
            at = bare.end;
        }
        self.push_words(text.get(at..));
    }

    fn push_words(&mut self, words: Option<&str>) {
        if let Some(words) = words.filter(|words| !words.is_empty()) {
            self.events.push(Event::Text(CowStr::from(words.to_owned())));
        }
    }

    /// A link to a checked address, without the title, which only mouse users can read.
    fn link(&mut self, typed: &str, id: CowStr<'t>, range: &Range<usize>) -> Tag<'t> {
        let dest_url = links::destination(self.tokenised, typed).unwrap_or_else(|fault| {
            self.fault(range.start, fault);
            String::new()
        });
        let (link_type, title) = (LinkType::Inline, CowStr::Borrowed(""));
        Tag::Link {
            link_type,
            dest_url: dest_url.into(),
            title,
            id,
        }
    }

    fn check_link_text(&mut self, text: &str, range: &Range<usize>) {
        let is_password = |piece: &Piece| match piece {
            Piece::Slot(slot, _) => self.tokenised.slot(*slot).is_some_and(|s| s.field == Field::Password),
            Piece::Literal(_) => false,
        };
        if self.links > 0 && self.tokenised.split(text).iter().any(is_password) {
            self.fault(range.start, links::PASSWORD);
        }
    }

    fn refuse_html(&mut self, html: &str, range: &Range<usize>) {
        // A block of HTML has one event per line; one fault is enough.
        if self.faults.last().is_some_and(|fault| fault.code == "html_unsupported") {
            return;
        }
        let shown = super::fault::echo(html.split('\n').next().unwrap_or_default());
        // Tokens mean nothing to the administrator.
        let shown = if shown.contains(self.tokenised.nonce()) {
            "<…>".to_owned()
        } else {
            shown
        };
        let message = format!("HTML is not supported here: {shown}. Use Markdown, or write \\< for a plain <");
        self.faults
            .push(self.tokenised.fault(range.start, "html_unsupported", message));
    }

    fn fault(&mut self, offset: usize, (code, message): LinkFault) {
        self.faults.push(self.tokenised.fault(offset, code, message));
    }
}
