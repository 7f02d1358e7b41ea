//! Spreadsheets: read like CSV, with rows and cells where people see them.

use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook};

use super::super::{Directions, HELP_SHEET, Limits, ParsedFile, ParsedRow};
use super::all_people;
use super::books::{archive, compound, ods, open, record, xls, xlsx};

/// A typical administrator's file: a title above the header, a date, a number, a postcode, a formula and a hidden row.
fn usual() -> Vec<u8> {
    let mut book = Workbook::new();
    let day = Format::new().set_num_format("dd/mm/yyyy");
    let code = Format::new().set_num_format("00000");
    let sheet = book.add_worksheet();
    sheet.set_name("Staff").unwrap();
    sheet.write(0, 0, "Staff of November").unwrap();
    for (column, name) in [
        "E-Mail *",
        "First name",
        "Start",
        "Postcode",
        "Staff no.",
        "Active",
        "Sum",
    ]
    .iter()
    .enumerate()
    {
        sheet.write(2, u16::try_from(column).unwrap(), *name).unwrap();
    }
    let rows = [
        ("ada@example.org", "Ada"),
        ("bob@example.org", "Bob"),
        ("not an address", "Cem"),
    ];
    for (row, (email, name)) in (3..).zip(rows) {
        sheet.write(row, 0, email).unwrap();
        sheet.write(row, 1, name).unwrap();
        sheet
            .write_datetime_with_format(row, 2, ExcelDateTime::from_ymd(2026, 10, 1).unwrap(), &day)
            .unwrap();
        sheet.write_number_with_format(row, 3, 1234, &code).unwrap();
        sheet.write_number(row, 4, 1007).unwrap();
        sheet.write_boolean(row, 5, true).unwrap();
        sheet
            .write_formula(row, 6, Formula::new("=40+2").set_result("42"))
            .unwrap();
    }
    sheet.set_row_hidden(4).unwrap();
    book.add_worksheet()
        .set_name(HELP_SHEET)
        .unwrap()
        .write(0, 0, "email")
        .unwrap();
    book.save_to_buffer().unwrap()
}

#[test]
fn a_spreadsheet_yields_its_users_as_displayed() {
    let (sheet, lines) = open(&usual(), None).unwrap();

    let source = sheet.source.as_ref().unwrap();
    assert_eq!(
        (sheet.format, source.name.as_str(), source.hidden_rows),
        ("xlsx", "Staff", 1)
    );
    assert_eq!((sheet.header_row, sheet.rows), (3, 3));
    let ParsedRow::Person(ada) = &lines[0] else {
        panic!("{lines:?}")
    };
    assert_eq!((ada.row, ada.first_name.as_deref()), (4, Some("Ada")));
    let fields: Vec<(&str, &str)> = ada
        .fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        fields,
        [
            ("active", "TRUE"),
            ("postcode", "01234"),
            ("staff_no", "1007"),
            ("start", "2026-10-01"),
            ("sum", "42")
        ]
    );
    let ParsedRow::Rejected(cem) = &lines[2] else {
        panic!("{lines:?}")
    };
    assert_eq!(cem.problems[0].cell.as_deref(), Some("A6"));
}

#[test]
fn cells_without_references_and_rich_text_are_read_in_place() {
    let strings = "<si><r><t>ada@</t></r><r><rPh><t>x</t></rPh><t>example.org</t></r></si>";
    let data = "<row><c t=\"inlineStr\"><is><t>email</t></is></c><c t=\"str\"><v>first_x0020_name</v></c><c t=\"str\"><v>score</v></c></row>\
                <row r=\"4\"><c r=\"A4\" t=\"s\"><v>0</v></c><c t=\"inlineStr\"><is><t>A&#100;a &amp; Co</t></is></c><c><v>4.9E2</v></c></row>";

    let (_, lines) = open(&xlsx(&[("One", "visible", data)], strings), None).unwrap();

    let people = all_people(lines);
    assert_eq!((people[0].row, people[0].email.as_typed()), (4, "ada@example.org"));
    assert_eq!(people[0].first_name.as_deref(), Some("Ada & Co"));
    assert_eq!(people[0].fields["score"], "490");
}

#[test]
fn several_sheets_require_a_choice_and_hidden_ones_do_not_count() {
    let data =
        |email: &str| format!("<row><c t=\"str\"><v>email</v></c></row><row><c t=\"str\"><v>{email}</v></c></row>");
    let (one, two, empty) = (
        data("one@example.org"),
        data("two@example.org"),
        "<row><c s=\"1\"/></row>".to_owned(),
    );
    let both = xlsx(
        &[
            ("One", "visible", &one),
            ("Two", "visible", &two),
            ("Three", "visible", &empty),
        ],
        "",
    );
    let hidden = xlsx(&[("One", "hidden", &one), ("Two", "visible", &two)], "");
    let only_hidden = xlsx(&[("One", "veryHidden", &one)], "");
    let first = |bytes: &[u8], sheet: Option<&str>| {
        let (_, lines) = open(bytes, sheet).map_err(|fault| (fault.code(), fault.to_string()))?;
        Ok::<_, (&str, String)>(all_people(lines)[0].email.as_typed().to_owned())
    };

    assert_eq!(
        first(&both, None).unwrap_err(),
        (
            "several_sheets",
            "Your file has 2 sheets with content: ‘One’ and ‘Two’ – choose the one to import".to_owned()
        )
    );
    assert_eq!(first(&both, Some("Two")).unwrap(), "two@example.org");
    assert_eq!(
        first(&both, Some("Four")).unwrap_err(),
        (
            "no_such_sheet",
            "Your file has no sheet called ‘Four’. It has ‘One’ and ‘Two’".to_owned()
        )
    );
    assert_eq!(first(&both, Some("Three")).unwrap_err().0, "empty_file");
    assert_eq!(first(&hidden, None).unwrap(), "two@example.org");
    assert_eq!(first(&hidden, Some("One")).unwrap(), "one@example.org");
    assert_eq!(first(&only_hidden, None).unwrap(), "one@example.org");
}

#[test]
fn an_opendocument_sheet_yields_its_users() {
    let file = ods(
        "<table:table table:name=\"A\"><table:table-row><table:table-cell/></table:table-row></table:table>\
         <table:table table:name=\"People\">\
         <table:table-row table:number-rows-repeated=\"2\"><table:table-cell table:number-columns-repeated=\"1024\"/></table:table-row>\
         <table:table-row><table:table-cell><text:p>Email</text:p></table:table-cell><table:table-cell><text:p>First name</text:p></table:table-cell>\
         <table:table-cell><text:p>Start date</text:p></table:table-cell><table:table-cell><text:p>Room</text:p></table:table-cell></table:table-row>\
         <table:table-row table:visibility=\"filter\"><table:table-cell office:value-type=\"string\"><text:p>ada@<text:s/>example.org</text:p></table:table-cell>\
         <table:table-cell><office:annotation><text:p>note</text:p></office:annotation><text:p>A<text:span>da</text:span></text:p></table:table-cell>\
         <table:table-cell office:value-type=\"date\" office:date-value=\"2026-10-01\"><text:p>1. Okt. 26</text:p></table:table-cell>\
         <table:table-cell office:value-type=\"float\" office:value=\"12\"><text:p>12,00</text:p></table:table-cell></table:table-row>\
         <table:table-row table:number-rows-repeated=\"1048500\"><table:table-cell table:number-columns-repeated=\"16384\"/></table:table-row>\
         </table:table>",
    );

    let (sheet, lines) = open(&file, None).unwrap();

    let source = sheet.source.as_ref().unwrap();
    assert_eq!(
        (sheet.format, source.name.as_str(), source.hidden_rows),
        ("ods", "People", 1)
    );
    assert_eq!(sheet.header_row, 3);
    let ParsedRow::Rejected(ada) = &lines[0] else {
        panic!("{lines:?}")
    };
    assert_eq!(ada.cells, ["ada@ example.org", "Ada", "2026-10-01", "12"]);
    assert_eq!((ada.row, ada.problems[0].cell.as_deref()), (4, Some("A4")));
}

fn label(row: u16, column: u16, string: u32) -> Vec<u8> {
    let place = [row.to_le_bytes(), column.to_le_bytes(), [0, 0]].concat();
    record(0x00FD, &[place.as_slice(), &string.to_le_bytes()].concat())
}

#[test]
fn an_old_excel_file_yields_its_users() {
    // Strings: one of wide characters, and one that continues in the next record with another width.
    let mut texts = vec![4, 0, 0, 0, 4, 0, 0, 0];
    texts.extend([5, 0, 0]);
    texts.extend(b"email");
    texts.extend([4, 0, 0]);
    texts.extend(b"date");
    texts.extend([2, 0, 1, 0x34, 0x12, 0x56, 0x34]);
    texts.extend([15, 0, 0]);
    texts.extend(b"ada@exa");
    let rest: Vec<u8> = std::iter::once(1)
        .chain("mple.org".encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    let day = |format: u16| record(0x00E0, &[[0, 0], format.to_le_bytes()].concat());
    let globals = [record(0x00FC, &texts), record(0x003C, &rest), day(0), day(14)].concat();
    let rk = |row: u16, column: u16, style: u16, value: u32| {
        let place = [row.to_le_bytes(), column.to_le_bytes(), style.to_le_bytes()].concat();
        record(0x027E, &[place.as_slice(), &value.to_le_bytes()].concat())
    };
    let hidden = record(0x0208, &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0]);
    let error = record(0x0205, &[1, 0, 2, 0, 0, 0, 0x2A, 1]);
    // The second row is stored before the first.
    let cells = [
        hidden,
        label(1, 0, 3),
        rk(1, 1, 1, 46_296 << 2 | 2),
        error,
        label(0, 0, 0),
        label(0, 1, 1),
        label(0, 2, 2),
    ];

    let (sheet, lines) = open(&xls(&globals, &[("Old", cells.concat())]), None).unwrap();

    let source = sheet.source.as_ref().unwrap();
    assert_eq!(
        (sheet.format, source.name.as_str(), source.hidden_rows),
        ("xls", "Old", 1)
    );
    assert_eq!(sheet.header, ["email", "date", "\u{1234}\u{3456}"]);
    let ParsedRow::Rejected(ada) = &lines[0] else {
        panic!("{lines:?}")
    };
    assert_eq!(ada.cells, ["ada@example.org", "2026-10-01", "#N/A"]);
    assert_eq!(
        (ada.problems[0].code, ada.problems[0].cell.as_deref()),
        ("spreadsheet_error", Some("C2"))
    );
}

#[test]
fn numbers_and_dates_come_in_as_displayed() {
    let text = |text: &str| format!("<c t=\"inlineStr\"><is><t>{text}</t></is></c>");
    let header: String = ["email", "day", "moment", "time", "card"].map(text).concat();
    let cells = [
        text("ada@example.org"),
        "<c t=\"d\"><v>2026-10-01T00:00:00.000</v></c>".to_owned(),
        "<c t=\"d\"><v>2026-10-01T08:15:00.000</v></c>".to_owned(),
        "<c t=\"d\"><v>2026-10-01T08:15:07</v></c>".to_owned(),
        "<c><v>4111111111111110</v></c>".to_owned(),
    ];
    let data = format!("<row>{header}</row><row>{}</row>", cells.concat());

    let (_, lines) = open(&xlsx(&[("One", "visible", &data)], ""), None).unwrap();

    let ParsedRow::Rejected(row) = &lines[0] else {
        panic!("a number that lost digits is a problem")
    };
    assert_eq!(
        row.cells[1..4],
        ["2026-10-01", "2026-10-01 08:15", "2026-10-01 08:15:07"]
    );
    let problems: Vec<_> = row.problems.iter().map(|one| (one.code, one.cell.as_deref())).collect();
    assert_eq!(problems, [("shortened_number", Some("E2"))]);
}

#[test]
fn a_file_that_is_no_spreadsheet_is_rejected_with_its_type() {
    let usual = usual();
    let encrypted = compound("EncryptedPackage", b"x");
    let encrypted_ods = archive(&[
        ("content.xml", b"<x/>"),
        (
            "META-INF/manifest.xml",
            b"<m:manifest xmlns:m=\"m\"><m:encryption-data/></m:manifest>",
        ),
    ]);
    let old_encrypted = xls(&record(0x002F, &[1, 0]), &[("A", Vec::new())]);
    let encrypted_package = archive(&[
        ("mimetype", b"application/vnd.oasis.opendocument.spreadsheet"),
        ("META-INF/manifest.xml", b"<m:manifest xmlns:m=\"m\"/>"),
        ("encrypted-package", b"x"),
    ]);
    let files: [(&[u8], &str); 10] = [
        (&encrypted, "encrypted_file"),
        (&encrypted_package, "encrypted_file"),
        (&encrypted_ods, "encrypted_file"),
        (&old_encrypted, "encrypted_file"),
        (&compound("WordDocument", b"x"), "not_csv"),
        (&compound("Book", b"x"), "not_csv"),
        (&archive(&[("word/document.xml", b"x")]), "not_csv"),
        (&archive(&[("xl/workbook.bin", b"x")]), "not_csv"),
        (&archive(&[("Index/Document.iwa", b"x")]), "not_csv"),
        (&usual[..usual.len() / 2], "damaged_file"),
    ];
    for (bytes, code) in files {
        let fault = open(bytes, None).map(|_| ()).unwrap_err();
        assert_eq!(fault.code(), code, "{fault}");
    }
    assert!(
        matches!(ParsedFile::open(super::books::on_disk(b"email\na@b.co\n"), &Directions::default(), Limits::default()), Ok((sheet, _)) if sheet.format == "csv")
    );
}

/// The same three people, written by other libraries.
const WRITTEN: [(&str, &[u8]); 4] = [
    ("openpyxl.xlsx", include_bytes!("files/openpyxl.xlsx")),
    ("xlsxwriter.xlsx", include_bytes!("files/xlsxwriter.xlsx")),
    ("xlwt.xls", include_bytes!("files/xlwt.xls")),
    ("odfpy.ods", include_bytes!("files/odfpy.ods")),
];

#[test]
fn files_of_other_programs_are_read_alike() {
    for (name, bytes) in WRITTEN {
        let (sheet, lines) = open(bytes, None).unwrap();
        let people: Vec<_> = all_people(lines).into_iter().take(3).collect();

        assert!(name.ends_with(sheet.format), "{name}");
        assert_eq!(sheet.source.as_ref().unwrap().name, "People", "{name}");
        let read: Vec<_> = people
            .iter()
            .map(|person| {
                let field = |name: &str| person.fields[name].as_str();
                (
                    person.first_name.as_deref().unwrap(),
                    field("start_date"),
                    field("score"),
                    field("active"),
                )
            })
            .collect();
        let expected = [
            ("Ádá", "2026-10-01", "12.5", "TRUE"),
            ("李", "2026-10-01 08:15", "1007", "FALSE"),
            ("Cem", "1999-12-31", "491234567890", "TRUE"),
        ];
        assert_eq!(read.len(), 3, "{name}");
        for (read, expected) in read.iter().zip(expected) {
            assert_eq!((read.0, read.2, read.3), (expected.0, expected.2, expected.3), "{name}");
            assert!(read.1.starts_with(&expected.1[..10]), "{name}: {}", read.1);
        }
    }
}
