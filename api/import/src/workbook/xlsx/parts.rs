//! The parts of a workbook that its sheets refer to.

use std::collections::HashMap;
use std::io::{Read, Seek};

use super::cell::rich_text;
use super::is_true;
use crate::FileFault;
use crate::workbook::archive::Archive;
use crate::workbook::cell_format::CellFormat;
use crate::workbook::sheets::{self, SheetEntry};
use crate::workbook::strings::Strings;
use crate::workbook::xml::{Piece, Xml};

/// Maximum number of formats and of cell styles in a workbook.
const MAX_FORMATS: usize = 70_000;

/// Limits on the links of a part, which are in memory: as many as an archive has parts.
const MAX_LINKS: usize = 10_000;
const MAX_LINK_BYTES: usize = 4_096;

/// A link from one part to another.
pub(super) struct Link {
    id: String,
    /// The last segment of its type.
    pub(super) kind: String,
    /// The part it points to, from the root of the archive.
    pub(super) target: String,
}

/// The list of sheets in a workbook.
pub(super) struct Index {
    pub(super) sheets: Vec<SheetEntry>,
    pub(super) is_1904: bool,
}

/// Calls `each` for the start of every element of a part, if the part exists.
fn for_each<R: Read + Seek>(
    archive: &mut Archive<R>,
    part: &str,
    mut each: impl FnMut(&super::Element, &mut Xml<zip::read::ZipFile<'_, R>>) -> Result<(), FileFault>,
) -> Result<(), FileFault> {
    let Some(mut xml) = archive.xml(part)? else {
        return Ok(());
    };
    loop {
        match xml.next()? {
            Piece::Start(element) => each(&element, &mut xml)?,
            Piece::Eof => return Ok(()),
            Piece::End(_) | Piece::Text(_) => {}
        }
    }
}

/// The links of a part in `folder`.
pub(super) fn links<R: Read + Seek>(
    archive: &mut Archive<R>,
    part: &str,
    folder: &str,
) -> Result<Vec<Link>, FileFault> {
    let mut links = Vec::new();
    for_each(archive, part, |element, _| {
        if let (Some(id), Some(kind), Some(target)) = (
            element.attribute("Id"),
            element.attribute("Type"),
            element.attribute("Target"),
        ) {
            if links.len() >= MAX_LINKS || id.len() + kind.len() + target.len() > MAX_LINK_BYTES {
                return Err(FileFault::TooLargeInside);
            }
            links.push(Link {
                id: id.to_owned(),
                kind: kind.rsplit('/').next().unwrap_or_default().to_owned(),
                target: from_top(folder, target),
            });
        }
        Ok(())
    })?;
    Ok(links)
}

fn from_top(folder: &str, target: &str) -> String {
    if let Some(absolute) = target.strip_prefix('/') {
        return absolute.to_owned();
    }
    let mut path: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(path.pop()),
            part => path.push(part),
        }
    }
    path.join("/")
}

/// Reads the main part.
pub(super) fn index<R: Read + Seek>(archive: &mut Archive<R>, part: &str, links: &[Link]) -> Result<Index, FileFault> {
    let by_id: HashMap<&str, &Link> = links.iter().map(|link| (link.id.as_str(), link)).collect();
    let (mut sheets, mut is_1904) = (Vec::new(), false);
    for_each(archive, part, |element, _| {
        if element.name == "workbookPr" {
            is_1904 = is_true(element.attribute("date1904"));
        }
        if element.name != "sheet" {
            return Ok(());
        }
        // `r:id`, without its prefix. `sheetId` is another number.
        let link = element.attribute("id").and_then(|id| by_id.get(id));
        if let Some(link) = link.filter(|link| link.kind == "worksheet") {
            let name = element.attribute("name").unwrap_or_default();
            let sheet = SheetEntry {
                name: name.to_owned(),
                is_hidden: element.attribute("state").is_some_and(|state| state != "visible"),
                at: link.target.clone(),
            };
            sheets::add(&mut sheets, name, sheet)?;
        }
        Ok(())
    })?;
    if sheets.is_empty() {
        return Err(FileFault::Damaged);
    }
    Ok(Index { sheets, is_1904 })
}

/// Reads the shared strings.
pub(super) fn strings<R: Read + Seek>(archive: &mut Archive<R>, part: Option<String>) -> Result<Strings, FileFault> {
    let mut strings = Strings::default();
    let Some(part) = part else { return Ok(strings) };
    let mut text = String::new();
    for_each(archive, &part, |element, xml| {
        if element.name == "si" {
            text.clear();
            rich_text(xml, &mut text)?;
            strings.push(&text)?;
        }
        Ok(())
    })?;
    Ok(strings)
}

/// Reads the number format of each cell style.
pub(super) fn formats<R: Read + Seek>(
    archive: &mut Archive<R>,
    part: Option<String>,
) -> Result<Vec<CellFormat>, FileFault> {
    let (mut own, mut formats) = (HashMap::new(), Vec::new());
    let Some(part) = part else { return Ok(formats) };
    let mut are_of_cells = false;
    for_each(archive, &part, |element, _| {
        let id = element.attribute("numFmtId").and_then(|id| id.parse::<u16>().ok());
        match element.name.as_str() {
            "numFmt" if own.len() < MAX_FORMATS => {
                if let (Some(id), Some(code)) = (id, element.attribute("formatCode")) {
                    own.insert(id, CellFormat::of_code(code));
                }
            }
            "cellStyleXfs" | "cellStyles" | "dxfs" => are_of_cells = false,
            "cellXfs" => are_of_cells = true,
            "xf" if are_of_cells && formats.len() < MAX_FORMATS => {
                let id = id.unwrap_or_default();
                formats.push(own.get(&id).cloned().unwrap_or_else(|| CellFormat::built_in(id)));
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(formats)
}
