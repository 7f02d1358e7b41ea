//! Detects the file type from the first bytes of an upload.

use std::io::{Read, Seek, SeekFrom};

use super::FileFault;
use super::text::shown;

/// Bytes examined. Names inside a spreadsheet's zip archive come within the first few.
const HEAD: u64 = 4096;

/// Where the text starts, and the separator of its `sep=` line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Start {
    /// Offset of row 1.
    pub(super) offset: u64,
    /// The separator that the file declares.
    pub(super) separator: Option<u8>,
}

/// File types by their first bytes, with advice for each.
const KINDS: [(&[u8], &str, &str); 19] = [
    (b"PK", "a zip archive", "Unpack it and choose the file in it"),
    (b"%PDF", "a PDF", EXPORT),
    (b"{\\rtf", "a text document", EXPORT),
    (b"\x1F\x8B", "a compressed file", "Unpack it and choose the file in it"),
    (
        b"7z\xBC\xAF",
        "a compressed file",
        "Unpack it and choose the file in it",
    ),
    (b"\x89PNG", "a picture", EXPORT),
    (b"\xFF\xD8\xFF", "a picture", EXPORT),
    (b"GIF8", "a picture", EXPORT),
    (b"SQLite format 3", "a database", "Export the table as CSV"),
    (b"ID;PWXL", "a SYLK spreadsheet", EXPORT),
    // Workbooks of Excel 2 to 5 without the container of later ones.
    (b"\x09\x00\x04\x00", "a spreadsheet of an Excel before 1997", EXPORT),
    (b"\x09\x02\x06\x00", "a spreadsheet of an Excel before 1997", EXPORT),
    (b"\x09\x04\x06\x00", "a spreadsheet of an Excel before 1997", EXPORT),
    (b"\x09\x08\x08\x00", "a spreadsheet of an Excel before 1997", EXPORT),
    (b"MIME-Version:", "a web page saved as one file", EXPORT),
    (
        b"BEGIN:VCARD",
        "a file of contact cards (vCard)",
        "Export the contacts as CSV",
    ),
    (b"dn: ", LDIF, LDIF_ADVICE),
    (b"dn:: ", LDIF, LDIF_ADVICE),
    (b"version: 1\n", LDIF, LDIF_ADVICE),
];

const LDIF: &str = "a directory export (LDIF)";
const LDIF_ADVICE: &str = "Export the entries as CSV";

const EXPORT: &str = "Open it in a spreadsheet, save it as .xlsx or CSV UTF-8 and try again";

/// Examines the head of a file that should be CSV.
pub(super) fn sniff(source: &mut (impl Read + Seek)) -> Result<Start, FileFault> {
    let head = read_head(source)?;
    refuse_other_kinds(&head)?;
    refuse_utf16(&head)?;
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&head);
    refuse_markup(text)?;
    let mark = head.len() - text.len();
    let (line, separator) = separator_line(text)?;
    Ok(Start {
        offset: u64::try_from(mark + line).unwrap_or_default(),
        separator,
    })
}

/// Offset of the text of a file that should be JSON.
pub(super) fn after_byte_order_mark(source: &mut (impl Read + Seek)) -> Result<u64, FileFault> {
    let head = read_head(source)?;
    refuse_utf16(&head)?;
    Ok(if head.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 })
}

fn read_head(source: &mut (impl Read + Seek)) -> Result<Vec<u8>, FileFault> {
    let mut head = Vec::new();
    source.seek(SeekFrom::Start(0))?;
    source.take(HEAD).read_to_end(&mut head)?;
    Ok(head)
}

fn refuse_other_kinds(head: &[u8]) -> Result<(), FileFault> {
    let has = |name: &[u8]| head.windows(name.len()).any(|part| part == name);
    let Some(&(magic, kind, advice)) = KINDS.iter().find(|(magic, ..)| head.starts_with(magic)) else {
        return Ok(());
    };
    // A header may start with "PK"; the bytes that follow it in an archive never occur in text.
    if magic == b"PK" {
        if !matches!(head.get(2..4), Some(b"\x03\x04" | b"\x05\x06" | b"\x07\x08")) {
            return Ok(());
        }
        // A complete one was recognised before.
        if has(b"[Content_Types].xml") || has(b"xl/") || has(b"application/vnd.oasis.opendocument") {
            return Err(FileFault::Damaged);
        }
    }
    Err(FileFault::NotCsv { kind, advice })
}

/// UTF-16 and UTF-32, with their byte order mark or recognised by the zero bytes beside Latin letters.
#[expect(clippy::naive_bytecount, reason = "four kilobytes, once a file")]
fn refuse_utf16(head: &[u8]) -> Result<(), FileFault> {
    let zeros = head.iter().filter(|&&b| b == 0).count();
    let has_mark = head.starts_with(b"\xFF\xFE") || head.starts_with(b"\xFE\xFF");
    if has_mark || zeros * 4 > head.len() {
        return Err(FileFault::Utf16);
    }
    Ok(())
}

/// Beginnings of web pages, which many programs call an export to Excel.
const HTML: [&str; 10] = [
    "<!doctype html",
    "<html",
    "<table",
    "<head",
    "<meta",
    "<style",
    "<body",
    "<div",
    "<center",
    "<font",
];

/// Namespaces of web pages and XML files that are written for Excel.
const FOR_EXCEL: [&str; 2] = [
    "urn:schemas-microsoft-com:office:excel",
    "urn:schemas-microsoft-com:office:spreadsheet",
];

fn refuse_markup(text: &[u8]) -> Result<(), FileFault> {
    let text = without_comments(text.trim_ascii_start());
    let starts = |with: &str| {
        text.get(..with.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(with.as_bytes()))
    };
    let is_for_excel = FOR_EXCEL
        .iter()
        .any(|name| text.windows(name.len()).any(|part| part == name.as_bytes()));
    let is_html = HTML.iter().any(|start| starts(start));
    let kind = match (is_html, is_for_excel) {
        (true, false) => Some("a web page"),
        (true, true) => Some("a web page saved as a spreadsheet"),
        (false, true) if starts("<") => Some("an XML spreadsheet (Excel 2003)"),
        (false, _) => (starts("<?xml")).then_some("an XML file"),
    };
    if let Some(kind) = kind {
        return Err(FileFault::NotCsv { kind, advice: EXPORT });
    }
    let json = text
        .strip_prefix(b"[")
        .is_some_and(|rest| rest.trim_ascii_start().starts_with(b"{"));
    if json || starts("{\"") {
        return Err(FileFault::NotCsv {
            kind: "a JSON file",
            advice: "Send it as application/json, or export a CSV",
        });
    }
    Ok(())
}

/// Skips comments of a web page before its first tag.
fn without_comments(mut text: &[u8]) -> &[u8] {
    while text.starts_with(b"<!--") {
        let Some(end) = text.windows(3).position(|part| part == b"-->") else {
            break;
        };
        text = text.get(end + 3..).unwrap_or_default().trim_ascii_start();
    }
    text
}

/// Parses the line `sep=;` that Excel writes and hides: its length and the separator.
fn separator_line(text: &[u8]) -> Result<(usize, Option<u8>), FileFault> {
    let length = text
        .iter()
        .position(|b| matches!(b, b'\r' | b'\n'))
        .unwrap_or(text.len());
    let (line, end) = text.split_at(length);
    let named = match line.split_at_checked(4) {
        Some((key, named)) if key.eq_ignore_ascii_case(b"sep=") => named,
        _ => return Ok((0, None)),
    };
    let end = if end.starts_with(b"\r\n") { 2 } else { end.len().min(1) };
    match named {
        [] => Ok((length + end, None)),
        // A program that takes the line for a table row pads it with separators.
        [separator @ (b',' | b';' | b'\t'), rest @ ..] if rest.iter().all(|b| b == separator) => {
            Ok((length + end, Some(*separator)))
        }
        other => Err(FileFault::SeparatorUnknown {
            found: shown(&String::from_utf8_lossy(other)),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn files_that_only_look_like_spreadsheets_are_named() {
        for (bytes, named) in [
            (
                &b"<html xmlns:x=\"urn:schemas-microsoft-com:office:excel\"><table><tr><td>email"[..],
                "a web page saved as a spreadsheet",
            ),
            (b"<!-- report --> <TABLE border=1><tr><td>email", "a web page"),
            (b"<meta http-equiv=\"Content-Type\"><table>", "a web page"),
            (b"\xEF\xBB\xBF<style>td{}</style><table>", "a web page"),
            (
                b"<?xml version=\"1.0\"?><?mso-application progid=\"Excel.Sheet\"?>\n\
                  <Workbook xmlns=\"urn:schemas-microsoft-com:office:spreadsheet\">",
                "an XML spreadsheet (Excel 2003)",
            ),
            (
                b"<Workbook xmlns=\"urn:schemas-microsoft-com:office:spreadsheet\">",
                "an XML spreadsheet (Excel 2003)",
            ),
            (b"<?xml version=\"1.0\"?><users/>", "an XML file"),
            (b"MIME-Version: 1.0\r\n", "a web page saved as one file"),
            (b"ID;PWXL;N;E\r\n", "a SYLK spreadsheet"),
            (b"\x09\x08\x08\x00\x00\x05", "a spreadsheet of an Excel before 1997"),
            (b"BEGIN:VCARD\r\nVERSION:3.0", "a file of contact cards (vCard)"),
            (b"dn: uid=ada,dc=example,dc=org\n", "a directory export (LDIF)"),
            (b"version: 1\n\ndn: uid=ada\n", "a directory export (LDIF)"),
        ] {
            let fault = sniff(&mut Cursor::new(bytes)).unwrap_err();
            assert_eq!(fault.code(), "not_csv");
            assert!(fault.to_string().contains(&format!("this is {named}. ")), "{fault}");
        }
        for text in [
            "ID;Person;Email\n1;Ada;ada@example.org\n",
            "\tEmail\n\tada@example.org\n",
            "<email>,name\nada@example.org,Ada\n",
            "<!-- no end,email\n",
            "email,note\na@b.co,<table>\n",
            "dn,mail\nuid=ada,ada@example.org\n",
            "version:v1.0\nemail\n",
            "email,schema\na@b.co,urn:schemas-microsoft-com:office:excel\n",
        ] {
            assert!(sniff(&mut Cursor::new(text.as_bytes())).is_ok(), "{text}");
        }
    }
}
