//! Numbers, dates and times of spreadsheets: imported as people see them, in each format.

use std::fmt::Write as _;

use rust_xlsxwriter::{Format, Workbook};

use super::super::ParsedRow;
use super::all_people;
use super::books::{archive, ods, open, record, xls};

/// The values of the field "x", by row.
fn values(bytes: &[u8]) -> Vec<String> {
    let people = all_people(open(bytes, None).unwrap().1);
    let value = |fields: &std::collections::BTreeMap<String, String>| fields.get("x").cloned().unwrap_or_default();
    people.iter().map(|person| value(&person.fields)).collect()
}

/// The code and the shown value of the only problem in each row.
fn problems(bytes: &[u8]) -> Vec<(&'static str, String, String)> {
    let problem = |line| match line {
        ParsedRow::Rejected(mut row) => {
            assert_eq!(row.problems.len(), 1, "{row:?}");
            let problem = row.problems.remove(0);
            assert!(problem.acceptable);
            (problem.code, problem.cell.unwrap(), problem.value)
        }
        ParsedRow::Person(person) => panic!("{person:?}"),
    };
    open(bytes, None).unwrap().1.into_iter().map(problem).collect()
}

/// A workbook with these numbers in these formats.
fn book(cells: &[(f64, &str)]) -> Vec<u8> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    sheet.write(0, 0, "email").unwrap();
    sheet.write(0, 1, "x").unwrap();
    for (row, (number, format)) in (1..).zip(cells) {
        sheet.write(row, 0, format!("a{row}@example.org")).unwrap();
        let format = Format::new().set_num_format(*format);
        sheet.write_number_with_format(row, 1, *number, &format).unwrap();
    }
    book.save_to_buffer().unwrap()
}

#[test]
fn formatted_numbers_of_a_workbook_are_imported_as_displayed() {
    let cells = [
        (36.5 / 24.0, "[h]:mm", "36:30"),
        (1.5, "[hh]:mm:ss", "36:00:00"),
        (90.0 / 1_440.0, "[mm]:ss", "90:00"),
        (8.25 / 24.0, "h:mm", "08:15"),
        (1_234.0, "00000", "01234"),
        (12_340_056.0, "00000\\-0000", "01234-0056"),
        (12_345_678.0, "000\\-00\\-0000", "012-34-5678"),
        (0.5, "0%", "50%"),
        (0.125, "0.00%", "12.5%"),
        (46_296.0, "dd/mm/yyyy", "2026-10-01"),
        (411_111_111_111_111.0, "0", "411111111111111"),
        (12.5, "0", "12.5"),
    ];

    let found = values(&book(&cells.map(|(number, format, _)| (number, format))));

    assert_eq!(found, cells.map(|(_, _, text)| text));
}

#[test]
fn numbers_that_a_workbook_cannot_hold_are_problems_of_their_cells() {
    let cells = [
        (4_111_111_111_111_110.0, "0"),
        (1_234_567_890_123_456.0, "General"),
        (4_111_111_111_111_110.0, "0000\\-0000\\-0000\\-0000"),
        (0.0, "dd/mm/yyyy"),
        (-1.0, "dd/mm/yyyy"),
    ];

    let found = problems(&book(&cells));

    let expected = [
        ("shortened_number", "B2", "4.11111111111111E+15"),
        ("shortened_number", "B3", "1.234567890123456E+15"),
        ("shortened_number", "B4", "4.11111111111111E+15"),
        ("placeholder", "B5", "1900-01-00"),
        ("spreadsheet_error", "B6", "########"),
    ];
    assert_eq!(
        found,
        expected.map(|(code, cell, text)| (code, cell.to_owned(), text.to_owned()))
    );
}

/// A workbook whose column "x" has these cells, and these formats by style number from 1.
fn crafted(properties: &str, formats: &[&str], cells: &[&str]) -> Vec<u8> {
    let mut rows = "<row><c t=\"str\"><v>email</v></c><c t=\"str\"><v>x</v></c></row>".to_owned();
    for (n, cell) in cells.iter().enumerate() {
        let _ = write!(rows, "<row><c t=\"str\"><v>a{n}@example.org</v></c>{cell}</row>");
    }
    let (mut codes, mut styles) = (String::new(), "<xf numFmtId=\"0\"/>".to_owned());
    for (id, code) in (164..).zip(formats) {
        let _ = write!(codes, "<numFmt numFmtId=\"{id}\" formatCode=\"{code}\"/>");
        let _ = write!(styles, "<xf numFmtId=\"{id}\"/>");
    }
    let book = format!(
        "<workbook xmlns:r=\"r\">{properties}<sheets><sheet name=\"A\" sheetId=\"1\" r:id=\"a\"/></sheets></workbook>"
    );
    archive(&[
        ("xl/workbook.xml", book.as_bytes()),
        (
            "xl/_rels/workbook.xml.rels",
            b"<Relationships><Relationship Id=\"a\" Type=\"x/worksheet\" Target=\"a.xml\"/>\
              <Relationship Id=\"s\" Type=\"x/styles\" Target=\"styles.xml\"/></Relationships>",
        ),
        (
            "xl/styles.xml",
            format!("<styleSheet><numFmts>{codes}</numFmts><cellXfs>{styles}</cellXfs></styleSheet>").as_bytes(),
        ),
        (
            "xl/a.xml",
            format!("<worksheet><sheetData>{rows}</sheetData></worksheet>").as_bytes(),
        ),
    ])
}

#[test]
fn iso_dates_of_a_workbook_have_a_time_only_if_they_have_one() {
    let file = crafted(
        "",
        &["h:mm"],
        &[
            "<c t=\"d\"><v>2026-10-01T00:00:00.000</v></c>",
            "<c t=\"d\"><v>2026-10-01 00:00:00.000</v></c>",
            "<c t=\"d\"><v>2026-10-01</v></c>",
            "<c t=\"d\"><v>2026-10-01T08:15:00.000</v></c>",
            "<c t=\"d\" s=\"1\"><v>1899-12-31T08:15:00.000</v></c>",
        ],
    );

    assert_eq!(
        values(&file),
        ["2026-10-01", "2026-10-01", "2026-10-01", "2026-10-01 08:15", "08:15"]
    );
}

#[test]
fn dates_of_a_workbook_may_count_from_1904() {
    let cells = [
        "<c s=\"1\"><v>44834</v></c>",
        "<c s=\"1\"><v>0</v></c>",
        "<c s=\"2\"><v>1.5208333333333333</v></c>",
        "<c s=\"2\"><v>-0.25</v></c>",
    ];

    for (value, expected) in [
        ("1", ["2026-10-01", "1904-01-01", "36:30", "-6:00"]),
        ("true", ["2026-10-01", "1904-01-01", "36:30", "-6:00"]),
    ] {
        let properties = format!("<workbookPr date1904=\"{value}\"/>");
        assert_eq!(
            values(&crafted(&properties, &["yyyy-mm-dd", "[h]:mm"], &cells)),
            expected
        );
    }
    assert_eq!(values(&crafted("", &["yyyy-mm-dd"], &cells[..1])), ["2022-09-30"]);
}

#[test]
fn formatted_numbers_of_an_old_workbook_are_imported_as_displayed() {
    let format = |id: u16, code: &str| {
        let mut bytes = id.to_le_bytes().to_vec();
        bytes.extend(u16::try_from(code.len()).unwrap().to_le_bytes());
        bytes.push(0);
        bytes.extend(code.bytes());
        record(0x041E, &bytes)
    };
    let style = |format: u16| record(0x00E0, &[[0, 0], format.to_le_bytes()].concat());
    let globals = |is_1904: u8| {
        [
            record(0x0022, &[is_1904, 0]),
            format(164, "[h]:mm"),
            format(165, "000\\-00\\-0000"),
            style(164),
            style(165),
            style(14),
            style(9),
            style(0),
        ]
        .concat()
    };
    let label = |row: u8, column: u8, text: &str| {
        let mut bytes = vec![row, 0, column, 0, 0, 0, u8::try_from(text.len()).unwrap(), 0, 0];
        bytes.extend(text.bytes());
        record(0x0204, &bytes)
    };
    let sheet = |numbers: &[(u8, f64)]| {
        let mut cells = [label(0, 0, "email"), label(0, 1, "x")].concat();
        for (row, (style, number)) in (1_u8..).zip(numbers) {
            cells.extend(label(row, 0, &format!("a{row}@example.org")));
            let place = [row, 0, 1, 0, *style, 0];
            cells.extend(record(0x0203, &[place.as_slice(), &number.to_le_bytes()].concat()));
        }
        cells
    };
    let good = [(0, 36.5 / 24.0), (1, 12_345_678.0), (2, 46_296.0), (3, 0.5)];
    let bad = [(4, 4_111_111_111_111_110.0), (2, 0.0), (2, -1.0)];

    assert_eq!(
        values(&xls(&globals(0), &[("A", sheet(&good))])),
        ["36:30", "012-34-5678", "2026-10-01", "50%"]
    );
    assert_eq!(
        values(&xls(&globals(1), &[("A", sheet(&[(2, 44_834.0), (2, 0.0)]))])),
        ["2026-10-01", "1904-01-01"]
    );
    let codes: Vec<_> = problems(&xls(&globals(0), &[("A", sheet(&bad))]))
        .into_iter()
        .map(|(code, cell, _)| (code, cell))
        .collect();
    assert_eq!(
        codes,
        [
            ("shortened_number", "B2".to_owned()),
            ("placeholder", "B3".to_owned()),
            ("spreadsheet_error", "B4".to_owned())
        ]
    );
}

/// A sheet whose column "x" has cells with these attributes and texts.
fn ods_of(cells: &[(&str, &str)]) -> Vec<u8> {
    let cell = |text: &str| format!("<table:table-cell><text:p>{text}</text:p></table:table-cell>");
    let mut rows = format!("<table:table-row>{}{}</table:table-row>", cell("email"), cell("x"));
    for (n, (attributes, text)) in cells.iter().enumerate() {
        let _ = write!(
            rows,
            "<table:table-row>{}<table:table-cell {attributes}><text:p>{text}</text:p></table:table-cell></table:table-row>",
            cell(&format!("a{n}@example.org"))
        );
    }
    ods(&format!("<table:table table:name=\"A\">{rows}</table:table>"))
}

#[test]
fn formatted_numbers_of_an_opendocument_sheet_are_imported_as_displayed() {
    let float = |value: &str| format!("office:value-type=\"float\" office:value=\"{value}\"");
    let date = |value: &str| format!("office:value-type=\"date\" office:date-value=\"{value}\"");
    let time = |value: &str| format!("office:value-type=\"time\" office:time-value=\"{value}\"");
    let share = |value: &str| format!("office:value-type=\"percentage\" office:value=\"{value}\"");
    let cells = [
        (float("1234"), "01234", "01234"),
        (float("12340056"), "01234-0056", "01234-0056"),
        (float("12345678"), "012-34-5678", "012-34-5678"),
        (float("0"), "00000", "00000"),
        (float("12"), "12,00", "12"),
        (float("0"), "0,00", "0"),
        (float("0.5"), "0,50", "0.5"),
        (float("1007"), "1.007", "1007"),
        (float("411111111111111"), "4,11E+14", "411111111111111"),
        (date("2026-10-01T00:00:00.000000000"), "1. Okt. 26", "2026-10-01"),
        (date("2026-10-01T08:15:00"), "01.10.26", "2026-10-01 08:15"),
        (time("PT36H30M00S"), "36:30", "36:30"),
        (time("PT08H15M00S"), "08:15 AM", "08:15"),
        (time("PT08H15M00S"), "", "08:15"),
        (share("0.125"), "13 %", "12.5%"),
    ];
    let listed: Vec<(&str, &str)> = cells.iter().map(|(start, text, _)| (start.as_str(), *text)).collect();

    let found = values(&ods_of(&listed));

    assert_eq!(found, cells.map(|(_, _, text)| text));
    let long = float("4111111111111110");
    let zero = date("1899-12-30");
    let bad = ods_of(&[(&long, "4,11111111111111E+15"), (&zero, "30.12.99")]);
    let codes: Vec<_> = problems(&bad).into_iter().map(|(code, cell, _)| (code, cell)).collect();
    assert_eq!(
        codes,
        [("shortened_number", "B2".to_owned()), ("placeholder", "B3".to_owned())]
    );
}
