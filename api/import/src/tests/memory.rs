//! Memory and time of reading `OpenDocument` files made to exhaust them.
//!
//! Each file is read by a process of its own, because other tests run in this one.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::super::{Directions, FileFault, Limits, ParsedFile};
use super::books::archive;

/// The most resident memory that reading may take, with the test process around it.
const MOST: u64 = 150 * 1024 * 1024;

/// For a busy machine; an idle one takes a tenth of it.
const LONG: Duration = Duration::from_mins(1);

/// Names the file that the process reads.
const FILE: &str = "IMPORT_TEST_FILE";

/// Precedes the outcome and the peak of the memory in the output of the process.
const REPORT: &str = "read: ";

const START: &str =
    "<office:document-content xmlns:office=\"o\" xmlns:table=\"t\" xmlns:text=\"x\"><office:body><office:spreadsheet>";
const PEOPLE: &str = "<table:table table:name=\"A\">\
    <table:table-row><table:table-cell><text:p>email</text:p></table:table-cell></table:table-row>\
    <table:table-row><table:table-cell><text:p>a@b.co</text:p></table:table-cell></table:table-row>";
const END: &str = "</table:table></office:spreadsheet></office:body></office:document-content>";

/// Content of a sheet: a text, and how often it is repeated.
type Pieces<'a> = &'a [(&'a str, usize)];

/// A document whose content is written piece by piece.
fn document(folder: &Path, name: &str, pieces: Pieces<'_>) -> PathBuf {
    let path = folder.join(name);
    let mut zip = ZipWriter::new(File::create(&path).unwrap());
    let large = SimpleFileOptions::default().compression_level(Some(1)).large_file(true);
    zip.start_file("content.xml", large).unwrap();
    for (text, times) in pieces {
        for _ in 0..*times {
            zip.write_all(text.as_bytes()).unwrap();
        }
    }
    zip.finish().unwrap();
    path
}

/// Reads all rows of a file, keeping none: their number, or the code of the fault.
fn outcome(file: &str) -> String {
    let read = || {
        let file = File::open(file)?;
        let (_, lines) = ParsedFile::open(file, &Directions::default(), Limits::default())?;
        lines.into_iter().try_fold(0, |rows, line| line.map(|_| rows + 1))
    };
    match read() {
        Ok::<u32, FileFault>(rows) => format!("{rows} rows"),
        Err(fault) => fault.code().to_owned(),
    }
}

/// The peak of this process's memory, where the system reports it.
fn max_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = kibibytes.trim().trim_end_matches(" kB").trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// The file that this process is to read.
#[expect(
    clippy::disallowed_methods,
    reason = "how the test starts itself, no setting of the product"
)]
fn asked() -> Option<String> {
    std::env::var(FILE).ok()
}

/// Reads a file in a process of its own: the outcome, and the peak of its memory.
fn read_alone(test: &str, file: &Path) -> (String, Option<u64>) {
    let process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", test])
        .env(FILE, file)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&process.stdout).into_owned();
    let report = text.lines().find_map(|line| Some(line.split_once(REPORT)?.1));
    let (outcome, memory) = report
        .unwrap_or_else(|| panic!("{process:?}"))
        .split_once(", ")
        .unwrap();
    (outcome.to_owned(), memory.parse().ok())
}

/// Asserts the outcome of each file, and that reading it takes little.
fn hold(test: &str, files: &[(PathBuf, &str)]) {
    if let Some(file) = asked() {
        let outcome = outcome(&file);
        println!(
            "{REPORT}{outcome}, {}",
            max_memory().map_or(String::new(), |bytes| bytes.to_string())
        );
        return;
    }
    for (file, expected) in files {
        let began = Instant::now();
        let (outcome, memory) = read_alone(test, file);
        let name = file.file_name().unwrap().display();
        println!(
            "{name}: {outcome} in {:?}, {:?} MiB",
            began.elapsed(),
            memory.map(|bytes| bytes / 1024 / 1024)
        );
        assert_eq!(outcome, *expected, "{name}");
        assert!(began.elapsed() < LONG, "{name}: {:?}", began.elapsed());
        assert!(memory.is_none_or(|bytes| bytes < MOST), "{name}: {memory:?}");
    }
}

#[test]
fn repetitions_and_bombs_in_opendocument_files_take_little() {
    let folder = tempfile::tempdir().unwrap();
    let test = "tests::memory::repetitions_and_bombs_in_opendocument_files_take_little";
    if asked().is_some() {
        return hold(test, &[]);
    }
    let file = |name: &str, pieces: Pieces<'_>| document(folder.path(), name, pieces);
    let empty =
        "<table:table-row table:style-name=\"ro1\"><table:table-cell table:style-name=\"ce1\"/></table:table-row>";
    let many = |rows: u64, columns: u64| {
        format!(
            "<table:table-row table:number-rows-repeated=\"{rows}\"><table:table-cell table:number-columns-repeated=\"{columns}\"><text:p>a@b.co</text:p></table:table-cell></table:table-row>"
        )
    };
    let (rows, columns) = (many(1_048_570, 1), many(1, 4_294_967_295));
    let both = many(4_294_967_295, 16_384);
    let blank = "<table:table-row table:number-rows-repeated=\"4294967295\"><table:table-cell/></table:table-row>";
    let text = "x".repeat(900_000);
    let paragraph =
        format!("<table:table-row><table:table-cell><text:p>{text}</text:p></table:table-cell></table:table-row>");
    let start = (START, 1);

    hold(
        test,
        &[
            (
                file("formatted rows", &[start, (PEOPLE, 1), (empty, 1_000_000), (END, 1)]),
                "1 rows",
            ),
            (
                file("repeated rows", &[start, (PEOPLE, 1), (&rows, 1), (END, 1)]),
                "too_many_rows",
            ),
            (
                file("repeated columns", &[start, (PEOPLE, 1), (&columns, 1), (END, 1)]),
                "too_many_columns",
            ),
            (
                file("repeated both", &[start, (PEOPLE, 1), (&both, 1), (END, 1)]),
                "too_many_columns",
            ),
            (
                file("repeated blanks", &[start, (PEOPLE, 1), (blank, 1_000), (END, 1)]),
                "1 rows",
            ),
            (
                file("one text", &[start, (PEOPLE, 1), (&text, 300), (END, 1)]),
                "too_large_inside",
            ),
            (
                file("many texts", &[start, (PEOPLE, 1), (&paragraph, 900), (END, 1)]),
                "too_large_inside",
            ),
        ],
    );
}

#[test]
fn deep_and_wide_elements_in_opendocument_files_take_little() {
    let folder = tempfile::tempdir().unwrap();
    let test = "tests::memory::deep_and_wide_elements_in_opendocument_files_take_little";
    if asked().is_some() {
        return hold(test, &[]);
    }
    let file = |name: &str, pieces: Pieces<'_>| document(folder.path(), name, pieces);
    let start = (START, 1);
    let name = "x".repeat(900_000);
    let element = format!("<{name}>");
    let sheet = format!("<table:table table:name=\"{name}\"></table:table>");
    let style =
        format!("<style:style style:name=\"{name}\"><style:table-properties table:display=\"false\"/></style:style>");
    let mut attributes = String::from("<table:table-row");
    for n in 0..70_000 {
        let _ = write!(attributes, " a{n}=\"\"");
    }
    attributes += "></table:table-row>";

    hold(
        test,
        &[
            (
                file("deep elements", &[start, (PEOPLE, 1), ("<a>", 20_000_000)]),
                "too_large_inside",
            ),
            (
                file("deep cells", &[start, (PEOPLE, 1), ("<table:table-cell>", 1_000_000)]),
                "too_large_inside",
            ),
            (
                file("long names", &[start, (PEOPLE, 1), (&element, 200)]),
                "too_large_inside",
            ),
            (
                file(
                    "long attribute",
                    &[start, ("<table:table table:name=\"", 1), (&name, 100), ("\"/>", 1)],
                ),
                "too_large_inside",
            ),
            (
                file("many attributes", &[start, (PEOPLE, 1), (&attributes, 30), (END, 1)]),
                "1 rows",
            ),
            (
                file("long sheet names", &[start, (&sheet, 250), (PEOPLE, 1), (END, 1)]),
                "too_large_inside",
            ),
            (
                file("long style names", &[start, (&style, 250), (PEOPLE, 1), (END, 1)]),
                "1 rows",
            ),
        ],
    );
}

#[test]
fn long_names_of_parts_are_refused_before_the_archive_is_opened() {
    let names: Vec<String> = (0..200).map(|n| format!("{n}/{}", "x".repeat(60_000))).collect();
    let parts: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();

    let fault = super::books::open(&archive(&parts), None).map(|_| ()).unwrap_err();

    assert_eq!(fault.code(), "too_large_inside");
}
