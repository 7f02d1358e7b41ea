//! Splits an array into the texts of its elements, one at a time.
//!
//! `serde_json` reads a whole array or a whole value from a stream, and a value may be as long as the upload. Splitting
//! first limits memory to one element and lets the caller pull. Only brackets and quotation marks are examined here;
//! `serde_json` checks whether an element is valid JSON.
//!
//! With a `DeserializeSeed` over the sequence, `serde_json` would push the elements, while callers pull rows as from
//! any other kind of file, and would pass on a text only when all of it is in memory.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use super::super::{FileFault, Limits};

/// Bytes read from the file at a time.
const CHUNK: usize = 64 * 1024;

/// Maximum nesting of objects and lists: `fields` needs two levels, and anything deeper than this is meant to exhaust a
/// reader.
const DEPTH: usize = 16;

/// The position of a byte as editors count: both from 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Position {
    line: usize,
    column: usize,
}

impl Position {
    /// A fault of the text at this position.
    pub(super) fn fault(self, what: impl Into<String>) -> FileFault {
        FileFault::Json {
            what: what.into(),
            line: self.line,
            column: self.column,
        }
    }

    /// A fault that `serde_json` found in the element that starts here.
    pub(super) fn fault_within(self, error: &serde_json::Error) -> FileFault {
        let text = error.to_string();
        let what = text.split(" at line ").next().unwrap_or(&text).to_owned();
        let column = if error.line() <= 1 {
            (self.column + error.column()).saturating_sub(1)
        } else {
            error.column()
        };
        let line = self.line + error.line().saturating_sub(1);
        FileFault::Json { what, line, column }
    }

    #[expect(clippy::naive_bytecount, reason = "no dependency for a place in an error")]
    fn advance(&mut self, over: &[u8]) {
        let lines = over.iter().filter(|&&b| b == b'\n').count();
        self.line += lines;
        match over.iter().rposition(|&b| b == b'\n') {
            Some(last) => self.column = over.len() - last,
            None => self.column += over.len(),
        }
    }
}

/// The texts of the elements.
pub(super) struct Frames<R> {
    source: BufReader<R>,
    at: Position,
    limits: Limits,
    state: State,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    /// Before the opening bracket of the array.
    Before,
    /// After an element.
    Within,
    /// After the closing bracket.
    Behind,
}

/// The parser's state within an element.
#[derive(Default)]
struct Nesting {
    depth: usize,
    is_in_text: bool,
    escaped: bool,
}

/// What a chunk means for the current element.
enum ElementEnd {
    /// It continues.
    More,
    /// It ends before this byte of the chunk.
    At(usize),
    /// Too many brackets are open at this byte.
    TooDeep(usize),
}

impl<R: Read + Seek> Frames<R> {
    /// Starts at `offset`.
    pub(super) fn new(mut source: R, offset: u64, limits: Limits) -> Result<Self, FileFault> {
        source.seek(SeekFrom::Start(offset))?;
        Ok(Self {
            source: BufReader::with_capacity(CHUNK, source),
            at: Position { line: 1, column: 1 },
            limits,
            state: State::Before,
        })
    }

    /// Reads the next element, the `row`th, and returns its position; `None` at the end.
    pub(super) fn read(&mut self, text: &mut Vec<u8>, row: u32) -> Result<Option<Position>, FileFault> {
        if self.state == State::Behind {
            return Ok(None);
        }
        let is_first = self.state == State::Before;
        match self.next_mark()? {
            Some(b'[') if is_first => self.skip(1),
            Some(_) if is_first => {
                return Err(self.at.fault("expected an array of users, [{…}, …]"));
            }
            None if is_first => return Err(FileFault::Empty),
            Some(b',') => self.skip(1),
            Some(b']') => return self.end(),
            Some(_) => return Err(self.at.fault("expected a comma or the end of the array")),
            None => return Err(self.at.fault("the array is not closed")),
        }
        self.state = State::Within;
        match self.next_mark()? {
            Some(b']') if is_first => self.end(),
            Some(b',' | b']' | b'}') => Err(self.at.fault("expected a user")),
            Some(_) => self.cut(text, row).map(Some),
            None => Err(self.at.fault("the array is not closed")),
        }
    }

    fn end(&mut self) -> Result<Option<Position>, FileFault> {
        self.skip(1);
        self.state = State::Behind;
        match self.next_mark()? {
            Some(_) => Err(self.at.fault("nothing may follow the array")),
            None => Ok(None),
        }
    }

    fn cut(&mut self, text: &mut Vec<u8>, row: u32) -> Result<Position, FileFault> {
        text.clear();
        let start = self.at;
        let mut nesting = Nesting::default();
        loop {
            let chunk = self.chunk()?;
            if chunk.is_empty() {
                return Err(start.fault("the user that starts here is not closed"));
            }
            let cut = nesting.cut(chunk);
            let length = match cut {
                ElementEnd::More => chunk.len(),
                ElementEnd::At(length) | ElementEnd::TooDeep(length) => length,
            };
            let limit = self.limits.row_bytes;
            if text.len() + length > limit {
                return Err(FileFault::RowTooLong { row, limit });
            }
            text.extend_from_slice(self.chunk()?.get(..length).unwrap_or_default());
            self.skip(length);
            match cut {
                ElementEnd::More => {}
                ElementEnd::At(_) => return Ok(start),
                ElementEnd::TooDeep(_) => {
                    return Err(self.at.fault("too many nested brackets"));
                }
            }
        }
    }

    /// The next non-blank byte, not consumed.
    fn next_mark(&mut self) -> Result<Option<u8>, FileFault> {
        loop {
            let chunk = self.chunk()?;
            if chunk.is_empty() {
                return Ok(None);
            }
            let blanks = chunk.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'));
            let blanks = blanks.count();
            let mark = chunk.get(blanks).copied();
            self.skip(blanks);
            if mark.is_some() {
                return Ok(mark);
            }
        }
    }

    fn chunk(&mut self) -> Result<&[u8], FileFault> {
        while let Err(error) = self.source.fill_buf() {
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error.into());
            }
        }
        Ok(self.source.buffer())
    }

    fn skip(&mut self, length: usize) {
        self.at.advance(self.source.buffer().get(..length).unwrap_or_default());
        self.source.consume(length);
    }
}

impl Nesting {
    /// Looks for the end of the element in its next chunk.
    fn cut(&mut self, chunk: &[u8]) -> ElementEnd {
        for (place, &byte) in chunk.iter().enumerate() {
            if self.is_in_text {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.is_in_text = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.is_in_text = true,
                b'{' | b'[' if self.depth == DEPTH => return ElementEnd::TooDeep(place),
                b'{' | b'[' => self.depth += 1,
                // Outside all brackets, these end an element that is not an object.
                b',' | b']' | b'}' if self.depth == 0 => return ElementEnd::At(place),
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return ElementEnd::At(place + 1);
                    }
                }
                _ => {}
            }
        }
        ElementEnd::More
    }
}
