//! Random files: nothing panics, chunk boundaries do not matter, and `csv` reads the same.

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use super::super::cells::Row;
use super::super::rows::Rows;
use super::super::{FileFault, Limits, ParsedFile, ParsedRow};
use super::file;

/// Pseudo-random numbers, the same in every run (xorshift64*).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).unwrap() % most
    }

    fn pick<'a>(&mut self, from: &[&'a [u8]]) -> &'a [u8] {
        from[self.below(from.len())]
    }

    /// Up to `most` parts, concatenated.
    fn bytes(&mut self, parts: &[&[u8]], most: usize) -> Vec<u8> {
        (0..self.below(most)).flat_map(|_| self.pick(parts).to_vec()).collect()
    }
}

/// A file that returns one byte at a time.
struct Trickle(Cursor<Vec<u8>>);

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(&mut buffer[..1])
    }
}

impl Seek for Trickle {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

/// The complete outcome of reading a file, as text.
fn outcome<R: Read + Seek>(opened: Result<(ParsedFile, super::super::Lines<R>), FileFault>) -> String {
    match opened {
        Ok((sheet, lines)) => {
            let lines: Result<Vec<ParsedRow>, FileFault> = lines.collect();
            let lines = lines.unwrap();
            assert_eq!(u32::try_from(lines.len()).unwrap(), sheet.rows);
            let width = sheet.header.len();
            assert!(lines.iter().all(|line| match line {
                ParsedRow::Person(person) => sheet.cells_of(person).len() == width,
                ParsedRow::Rejected(row) => !row.problems.is_empty() && row.cells.len() >= width,
            }));
            format!("{sheet:?} {lines:?}")
        }
        Err(fault) => {
            assert!(!fault.code().is_empty());
            fault.to_string()
        }
    }
}

const PARTS: &[&[u8]] = &[
    b"email",
    b"first name",
    b"a@b.co",
    b"Ada",
    b"evil.com",
    b"x",
    b"1",
    b" ",
    b" ",
    b",",
    b",",
    b",",
    b";",
    b"\t",
    b"\n",
    b"\n",
    b"\r\n",
    b"\r",
    b"\"",
    b"\"",
    b"\"\"",
    b"'",
    b"=",
    b"\0",
    b"\xC3",
    b"\xA9",
    b"\xC3\xA9",
    b"\xFF",
    b"\xEF\xBB\xBF",
    b"\xE2\x80\x8B",
    b"sep=",
    b"<",
    b"{",
    b"[",
    b"}",
    b"]",
    b":",
    b"\\",
    b"\\u0000",
    b"\"email\":\"a@b.co\"",
    b"\"fields\":{",
    b"null",
    b"-1e999",
    b"PK\x03\x04",
];

#[test]
fn no_bytes_make_the_reader_panic() {
    let small = Limits {
        rows: 3,
        columns: 4,
        cell_bytes: 12,
        row_bytes: 24,
    };
    for seed in 1..=4_000 {
        let mut dice = Dice(seed);
        let mut bytes = dice.bytes(PARTS, 40);
        for begin in [
            &b""[..],
            b"email,first name,language,team\n",
            b"[{\"email\":\"a@b.co\",",
        ] {
            bytes.splice(0..0, begin.iter().copied());
            for limits in [Limits::default(), small] {
                let whole = outcome(ParsedFile::open_csv(file(&bytes), limits));
                let trickled = outcome(ParsedFile::open_csv(Trickle(file(&bytes)), limits));
                assert_eq!(whole, trickled, "{:?}", String::from_utf8_lossy(&bytes));
                let whole = outcome(ParsedFile::open_json(file(&bytes), limits));
                let trickled = outcome(ParsedFile::open_json(Trickle(file(&bytes)), limits));
                assert_eq!(whole, trickled, "{:?}", String::from_utf8_lossy(&bytes));
            }
        }
    }
}

#[test]
fn raw_bytes_do_not_make_the_reader_panic() {
    for seed in 1..=3_000 {
        let mut dice = Dice(seed);
        let length = dice.below(300);
        let bytes: Vec<u8> = (0..length).map(|_| u8::try_from(dice.below(256)).unwrap()).collect();
        outcome(ParsedFile::open_csv(file(&bytes), Limits::default()));
        outcome(ParsedFile::open_json(file(&bytes), Limits::default()));
        let after_header = [&b"email,name\n"[..], &bytes].concat();
        outcome(ParsedFile::open_csv(file(&after_header), Limits::default()));
    }
}

/// The non-empty rows, as we split them. `None` if we refuse or reject one.
fn our_rows(bytes: &[u8]) -> Option<Vec<Vec<String>>> {
    let mut rows = Rows::new(file(bytes), 0, b',', Limits::default()).ok()?;
    let mut row = Row::default();
    let mut all = Vec::new();
    while rows.read(&mut row).ok()? {
        if row.stray_quote().is_some() {
            return None;
        }
        all.push(row.cells().map(str::to_owned).collect::<Vec<_>>());
    }
    all.retain(|cells| !cells.is_empty());
    Some(all)
}

/// The same by the `csv` crate.
fn their_rows(bytes: &[u8]) -> Option<Vec<Vec<String>>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(bytes);
    let mut all = Vec::new();
    for record in reader.records() {
        let mut cells: Vec<String> = record.ok()?.iter().map(str::to_owned).collect();
        while cells.last().is_some_and(String::is_empty) {
            cells.pop();
        }
        all.push(cells);
    }
    all.retain(|cells| !cells.is_empty());
    Some(all)
}

#[test]
fn accepted_files_are_split_as_by_the_csv_crate() {
    let parts: &[&[u8]] = &[
        b"a",
        b"b c",
        b",",
        b",",
        b"\n",
        b"\r\n",
        b"\r",
        b"\"",
        b"\"\"",
        b"\xC3\xA9",
    ];
    let mut compared = 0;
    for seed in 1..=40_000 {
        let bytes = Dice(seed).bytes(parts, 25);
        if let Some(ours) = our_rows(&bytes) {
            let shown = String::from_utf8_lossy(&bytes);
            assert_eq!(Some(ours), their_rows(&bytes), "{shown:?}");
            compared += 1;
        }
    }
    assert!(compared > 10_000, "{compared}");
}

#[test]
fn what_the_csv_crate_writes_is_read_back() {
    let parts: &[&[u8]] = &[b"a", b" ", b",", b"\"", b"\n", b"\r\n", b"\xC3\xA9", b"x y"];
    for seed in 1..=5_000 {
        let mut dice = Dice(seed);
        let table: Vec<Vec<String>> = (0..5)
            .map(|_| {
                let cell = |_| format!("{}.", String::from_utf8(dice.bytes(parts, 6)).unwrap());
                (0..4).map(cell).collect()
            })
            .collect();
        let mut writer = csv::WriterBuilder::new()
            .quote_style(if seed % 2 == 0 {
                csv::QuoteStyle::Always
            } else {
                csv::QuoteStyle::Necessary
            })
            .terminator(if seed % 3 == 0 {
                csv::Terminator::CRLF
            } else {
                csv::Terminator::Any(b'\n')
            })
            .from_writer(Vec::new());
        for row in &table {
            writer.write_record(row).unwrap();
        }
        let bytes = writer.into_inner().unwrap();

        assert_eq!(our_rows(&bytes), Some(table), "{:?}", String::from_utf8_lossy(&bytes));
    }
}
