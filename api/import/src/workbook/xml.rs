//! An XML tokenizer with tokens of limited size.

use std::io::{BufReader, Read};

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::budget::{Budget, Metered};
use crate::FileFault;

/// Bytes unpacked at a time.
const CHUNK: usize = 32 * 1024;

/// Limits on open elements and on their names, which the reader keeps to compare them with the ends. Real files have
/// dozens of levels.
const MAX_DEPTH: u32 = 1_000;
const MAX_NAME: usize = 1_024;

/// A part of an archive as XML.
pub(super) struct Xml<R> {
    reader: Reader<BufReader<Metered<R>>>,
    buffer: Vec<u8>,
    budget: Budget,
    depth: u32,
}

/// One token. Names have no prefixes.
pub(super) enum Piece {
    /// An element starts. An empty element ends immediately.
    Start(Element),
    /// The element with this name ends.
    End(String),
    /// Text.
    Text(String),
    /// The part ends.
    Eof,
}

/// The start of an element.
pub(super) struct Element {
    pub(super) name: String,
    attributes: Vec<(String, String)>,
}

impl Element {
    /// The value of an attribute; its name is given without prefix.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The value of a numeric attribute.
    pub(super) fn number(&self, name: &str) -> Option<u32> {
        self.attribute(name)?.trim().parse().ok()
    }
}

impl<R: Read> Xml<R> {
    pub(super) fn new(part: R, budget: Budget) -> Self {
        let metered = Metered {
            part,
            budget: budget.clone(),
        };
        let mut reader = Reader::from_reader(BufReader::with_capacity(CHUNK, metered));
        reader.config_mut().expand_empty_elements = true;
        Self {
            reader,
            buffer: Vec::new(),
            budget,
            depth: 0,
        }
    }

    /// The next token, except comments, declarations and instructions.
    pub(super) fn next(&mut self) -> Result<Piece, FileFault> {
        loop {
            self.budget.begin_piece();
            self.buffer.clear();
            let event = match self.reader.read_event_into(&mut self.buffer) {
                Ok(event) => event,
                Err(_) if self.budget.is_over() => return Err(FileFault::TooLargeInside),
                Err(_) => return Err(FileFault::Damaged),
            };
            return Ok(match event {
                Event::Start(start) | Event::Empty(start) => {
                    self.depth += 1;
                    if self.depth > MAX_DEPTH || start.name().as_ref().len() > MAX_NAME {
                        return Err(FileFault::TooLargeInside);
                    }
                    Piece::Start(element(&start)?)
                }
                Event::End(end) => {
                    self.depth = self.depth.saturating_sub(1);
                    Piece::End(end.local_name().as_ref().to_owned())
                }
                Event::Text(text) => Piece::Text(text.xml10_content().into_owned()),
                Event::CData(text) => Piece::Text(text.xml10_content().into_owned()),
                Event::GeneralRef(reference) => Piece::Text(match reference.resolve_char_ref() {
                    Ok(Some(c)) => c.to_string(),
                    Ok(None) => resolve_predefined_entity(&reference).unwrap_or_default().to_owned(),
                    Err(_) => '\u{FFFD}'.to_string(),
                }),
                Event::Eof => Piece::Eof,
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => continue,
            });
        }
    }

    /// Skips the rest of the element that started last.
    pub(super) fn skip(&mut self) -> Result<(), FileFault> {
        let mut depth = 1_u32;
        while depth > 0 {
            match self.next()? {
                Piece::Start(_) => depth += 1,
                Piece::End(_) => depth -= 1,
                Piece::Text(_) => {}
                Piece::Eof => return Err(FileFault::Damaged),
            }
        }
        Ok(())
    }

    /// Appends the text up to the end of the element that started last, including nested elements.
    pub(super) fn text(&mut self, into: &mut String, most: usize) -> Result<(), FileFault> {
        let mut depth = 1_u32;
        while depth > 0 {
            match self.next()? {
                Piece::Start(_) => depth += 1,
                Piece::End(_) => depth -= 1,
                Piece::Text(text) if into.len() <= most => into.push_str(&text),
                Piece::Text(_) => {}
                Piece::Eof => return Err(FileFault::Damaged),
            }
        }
        Ok(())
    }
}

fn element(start: &BytesStart<'_>) -> Result<Element, FileFault> {
    let mut attributes = Vec::new();
    for attribute in start.attributes().with_checks(false) {
        let attribute = attribute.map_err(|_| FileFault::Damaged)?;
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|_| FileFault::Damaged)?;
        attributes.push((attribute.key.local_name().as_ref().to_owned(), value.into_owned()));
    }
    Ok(Element {
        name: start.local_name().as_ref().to_owned(),
        attributes,
    })
}
