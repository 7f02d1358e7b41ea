//! The rejected rows as a spreadsheet: which cells are highlighted.

use std::collections::BTreeMap;
use std::io::{Read as _, Seek as _};

use rust_xlsxwriter::Workbook;
use zip::ZipArchive;

use super::super::{FixWorkbook, ParsedFile, ParsedRow, Problem};
use super::books::open;

/// The cells of a sheet that was written: its text, and the colour of its background.
type Cells = BTreeMap<String, (String, Option<String>)>;

/// The text between two marks, from `start` on.
fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<(&'a str, &'a str)> {
    text.split_once(start)?.1.split_once(end)
}

/// Every element with this name: its attributes and its content.
fn elements<'a>(text: &'a str, name: &str) -> Vec<(&'a str, &'a str)> {
    let (start, end) = (format!("<{name}"), format!("</{name}>"));
    let mut found = Vec::new();
    for element in text.split(start.as_str()).skip(1) {
        let Some((attributes, content)) = element.split_once('>') else {
            continue;
        };
        if !attributes.is_empty() && !attributes.starts_with([' ', '/']) {
            continue;
        }
        let content = if attributes.ends_with('/') { "" } else { content };
        found.push((attributes, content.split(end.as_str()).next().unwrap_or_default()));
    }
    found
}

fn attribute<'a>(attributes: &'a str, name: &str) -> Option<&'a str> {
    Some(between(attributes, &format!(" {name}=\""), "\"")?.0)
}

/// Opens a workbook and reads its only sheet, with the styles of its cells.
fn cells_of(file: std::fs::File) -> Cells {
    let mut zip = ZipArchive::new(file).unwrap();
    let mut part = |name: &str| {
        let mut text = String::new();
        zip.by_name(name).unwrap().read_to_string(&mut text).unwrap();
        text
    };
    let styles = part("xl/styles.xml");
    let fills: Vec<Option<&str>> = elements(&styles, "fill")
        .iter()
        .map(|(_, fill)| attribute(fill.split_once("<fgColor")?.1, "rgb"))
        .collect();
    let formats = between(&styles, "<cellXfs", "</cellXfs>").unwrap().0;
    let colours: Vec<Option<String>> = elements(formats, "xf")
        .iter()
        .map(|(xf, _)| fills[attribute(xf, "fillId").unwrap().parse::<usize>().unwrap()].map(str::to_owned))
        .collect();
    let sheet = part("xl/worksheets/sheet1.xml");
    let cell = |(attributes, content): &(&str, &str)| {
        let style = attribute(attributes, "s").map_or(0, |style| style.parse::<usize>().unwrap());
        let text = between(content, "<t>", "</t>").map_or("", |(text, _)| text);
        let name = attribute(attributes, "r").unwrap().to_owned();
        (name, (text.to_owned(), colours[style].clone()))
    };
    elements(&sheet, "c").iter().map(cell).collect()
}

/// Writes the rejected rows as the API does: each problem with the index of the column that has its header.
fn corrected(sheet: &ParsedFile, rows: &[ParsedRow]) -> std::fs::File {
    let mut book = FixWorkbook::new(&sheet.header).unwrap();
    let place = |problem: &Problem| {
        sheet
            .header
            .iter()
            .position(|name| Some(name) == problem.column.as_ref())
    };
    for row in rows {
        if let ParsedRow::Rejected(row) = row {
            let problems = row
                .problems
                .iter()
                .map(|problem| (place(problem), problem.column.as_deref(), problem.message.as_str()));
            book.write(&row.cells, problems).unwrap();
        }
    }
    let mut file = tempfile::tempfile().unwrap();
    book.save(&mut file).unwrap();
    file.rewind().unwrap();
    file
}

/// The names of the highlighted cells.
fn highlighted(cells: &Cells) -> Vec<&str> {
    let is_highlighted = |(_, (_, colour)): &(&String, &(String, Option<String>))| colour.is_some();
    cells
        .iter()
        .filter(is_highlighted)
        .map(|(name, _)| name.as_str())
        .collect()
}

/// A table that begins in C4, with a blank row between its rows.
fn upload() -> Vec<u8> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    sheet.write(1, 2, "Staff of November").unwrap();
    let rows: [(u32, [&str; 4]); 5] = [
        (3, ["Team", "E-Mail", "First name", "Last name"]),
        (4, ["Blue", "ada@example.org", "Ada", "Lovelace"]),
        (5, ["Blue", "bob@example", "Bob", "NULL"]),
        // Row 7 is blank.
        (7, ["Red", "cem@example.org", "www.evil.com", "Demir"]),
        (8, ["", "", "Dora", ""]),
    ];
    for (row, cells) in rows {
        for (column, cell) in (2..).zip(cells) {
            sheet.write(row, column, cell).unwrap();
        }
    }
    book.save_to_buffer().unwrap()
}

#[test]
fn exactly_the_faulty_cells_are_highlighted() {
    let (sheet, rows) = open(&upload(), None).unwrap();
    assert_eq!((sheet.header_row, sheet.blank_rows), (4, 1));
    let places: Vec<_> = rows
        .iter()
        .filter_map(|row| match row {
            ParsedRow::Rejected(row) => Some(row.problems.iter().filter_map(|problem| problem.cell.as_deref())),
            ParsedRow::Person(_) => None,
        })
        .flatten()
        .collect();
    assert_eq!(places, ["D6", "F6", "E8", "D9"]);

    let cells = cells_of(corrected(&sheet, &rows));

    // The rejected rows follow each other, and their columns stay where they were.
    assert_eq!(highlighted(&cells), ["D2", "D4", "E3", "F2"]);
    assert_eq!(cells["D2"], ("bob@example".to_owned(), Some("FFF9DEDC".to_owned())));
    assert_eq!(cells["F2"].0, "NULL");
    assert_eq!(cells["E3"].0, "www.evil.com");
    // A missing address is highlighted although its cell is empty.
    assert_eq!(cells["D4"].0, "");
    for (name, text) in [
        ("C2", "Blue"),
        ("E2", "Bob"),
        ("D3", "cem@example.org"),
        ("F3", "Demir"),
        ("E4", "Dora"),
    ] {
        assert_eq!(cells[name], (text.to_owned(), None), "{name}");
    }
    assert_eq!(cells["G1"], ("Problem".to_owned(), None));
    for (name, part) in [("G2", "E-Mail: "), ("G3", "First name: "), ("G4", "E-Mail: Missing")] {
        let (text, colour) = &cells[name];
        assert!(text.starts_with(part) && colour.is_none(), "{name}: {text}");
    }
    assert!(cells["G2"].0.contains("Last name: "), "{}", cells["G2"].0);
}

#[test]
fn a_faulty_cell_beyond_the_header_is_highlighted_behind_the_problems() {
    let header = ["email", "team"].map(str::to_owned);
    let row = ["a@b.co", "Blue", "x", "y"].map(str::to_owned);
    let mut book = FixWorkbook::new(&header).unwrap();
    book.write(&row, [(Some(2), None, "One"), (Some(1), Some("team"), "Two")])
        .unwrap();
    let mut file = tempfile::tempfile().unwrap();
    book.save(&mut file).unwrap();
    file.rewind().unwrap();

    let cells = cells_of(file);

    assert_eq!(highlighted(&cells), ["B2", "D2"]);
    assert_eq!(cells["C2"], ("One; team: Two".to_owned(), None));
    assert_eq!(cells["D2"].0, "x");
}
