//! Finds the header row and the separator.

use std::io::{Read, Seek};

use shared::address::EmailAddress;

use super::cells::Row;
use super::columns::is_header;
use super::rows::Rows;
use super::sniff::Start;
use super::{FileFault, Limits};

/// Separators, most likely first.
const SEPARATORS: [u8; 3] = *b",;\t";

/// How many rows are searched for the header. Exports have a title, a date and a filter above it.
const MAX_HEADER_ROW: u32 = 20;

/// Finds the separator and the header row.
///
/// The separator is the one that the file declares, else the one that yields a header with an address column, else the
/// one that yields the most columns.
pub(super) fn find_header<R: Read + Seek>(
    source: &mut R,
    start: &Start,
    limits: Limits,
) -> Result<(u8, u32), FileFault> {
    let separators = start.separator.map_or(SEPARATORS.to_vec(), |separator| vec![separator]);
    let mut best = (false, 0, b',', 0);
    for separator in separators {
        let mut rows = Rows::new(&mut *source, start.offset, separator, limits)?;
        let found = header_among(&mut rows)?;
        if best.3 == 0 || (found.is_header, found.width) > (best.0, best.1) {
            best = (found.is_header, found.width, separator, found.row);
        }
    }
    Ok((best.2, best.3))
}

/// The row that looks most like a header.
#[derive(Clone, Copy)]
struct Found {
    is_header: bool,
    row: u32,
    width: usize,
}

/// Looks for the header in the first rows: the first row with an address column, else the row above the first person,
/// else the first row.
fn header_among<R: Read + Seek>(rows: &mut Rows<R>) -> Result<Found, FileFault> {
    let mut row = Row::default();
    let (mut first, mut above): (Option<Found>, Option<Found>) = (None, None);
    let mut seen = 0;
    while seen < MAX_HEADER_ROW {
        // Blank rows count once a non-blank row has been seen.
        seen += u32::from(first.is_some());
        match rows.read(&mut row) {
            Ok(true) if row.is_blank() => continue,
            Ok(true) => {}
            Ok(false) => break,
            Err(fault @ FileFault::Unreadable(_)) => return Err(fault),
            // The survey reports this if it is the separator. The faulty column counts as the last one.
            Err(_) => {
                first = first.or(Some(Found {
                    is_header: false,
                    row: row.number(),
                    width: row.width() + 1,
                }));
                break;
            }
        }
        let is_header = is_header(&row);
        let found = Found {
            is_header,
            row: row.number(),
            width: row.width(),
        };
        if is_header {
            return Ok(found);
        }
        if row.cells().any(|cell| EmailAddress::parse(cell).is_ok()) {
            // The header is never below the first person.
            return Ok(above.unwrap_or(found));
        }
        first = first.or(Some(found));
        above = Some(found);
    }
    first.ok_or(FileFault::Empty)
}

/// Whether one of the next rows contains an address.
pub(super) fn has_addresses<R: Read + Seek>(rows: &mut Rows<R>) -> bool {
    let mut row = Row::default();
    for _ in 0..MAX_HEADER_ROW {
        if !matches!(rows.read(&mut row), Ok(true)) {
            return false;
        }
        if row.cells().any(|cell| EmailAddress::parse(cell).is_ok()) {
            return true;
        }
    }
    false
}
