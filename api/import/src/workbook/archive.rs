//! The zip archive that contains a spreadsheet.

use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};

use zip::ZipArchive;
use zip::read::ZipFile;
use zip::result::ZipError;

use super::Format;
use super::budget::Budget;
use super::xml::Xml;
use crate::FileFault;

/// Maximum number of parts. Each takes memory when the archive is opened, and real archives have a few dozen.
const MAX_PARTS: usize = 10_000;

/// Maximum size of the names, attributes and comments of all parts, which take memory several times.
const MAX_NAMES: usize = 4 * 1024 * 1024;

/// Signature of an entry in an archive's directory, the size of its fixed part, and the positions in it of the sizes of
/// the name, the attributes and the comment (APPNOTE 4.3.12).
const ENTRY: &[u8] = b"PK\x01\x02";
const ENTRY_BYTES: usize = 46;
const SIZES: [usize; 3] = [28, 30, 32];

/// Bytes searched at a time for entries.
const CHUNK: usize = 256 * 1024;

/// An open archive.
pub(super) struct Archive<R> {
    zip: ZipArchive<R>,
    /// Parts by their names in lower case.
    places: HashMap<String, usize>,
    budget: Budget,
}

impl<R: Read + Seek> Archive<R> {
    pub(super) fn open(mut source: R, budget: Budget) -> Result<Self, FileFault> {
        refuse_many_parts(&mut source)?;
        let zip = ZipArchive::new(source).map_err(fault)?;
        let names = zip.file_names().enumerate();
        let places = names.filter_map(|(place, name)| Some((normal(&name.ok()?), place)));
        let places = places.collect();
        Ok(Self { zip, places, budget })
    }

    /// Opens a part as XML; `None` if there is no such part.
    pub(super) fn xml(&mut self, name: &str) -> Result<Option<Xml<ZipFile<'_, R>>>, FileFault> {
        let Some(&place) = self.places.get(&normal(name)) else {
            return Ok(None);
        };
        let part = self.zip.by_index(place).map_err(fault)?;
        if part.encrypted() {
            return Err(FileFault::Encrypted);
        }
        Ok(Some(Xml::new(part, self.budget.clone())))
    }

    fn has(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    fn has_below(&self, folder: &str) -> bool {
        self.places.keys().any(|name| name.starts_with(folder))
    }
}

/// Recognises the content of an archive.
pub(super) fn format_of<R: Read + Seek>(source: &mut R) -> Result<Option<Format>, FileFault> {
    let archive = match Archive::open(&mut *source, Budget::default()) {
        Ok(archive) => archive,
        // Some other kind of file, or a damaged one: `sniff` distinguishes them by the first bytes.
        Err(FileFault::Damaged) => return Ok(None),
        Err(fault) => return Err(fault),
    };
    let other = |kind| {
        Err(FileFault::NotCsv {
            kind,
            advice: "Open it in a spreadsheet, save it as .xlsx and try again",
        })
    };
    // LibreOffice since 24.2 encrypts an OpenDocument package as a whole. Only the manifest is readable.
    if archive.has("encrypted-package") && archive.has("meta-inf/manifest.xml") {
        return Err(FileFault::Encrypted);
    }
    if archive.has("xl/workbook.bin") {
        return other("an Excel file in its binary form (.xlsb)");
    }
    if archive.has_below("word/") {
        return other("a Word document");
    }
    if archive.has_below("ppt/") {
        return other("a presentation");
    }
    if archive.has("index/document.iwa") || archive.has_below("index/tables/") {
        return other("a Numbers file");
    }
    if archive.has_below("xl/") {
        return Ok(Some(Format::Xlsx));
    }
    if archive.has("content.xml") {
        return Ok(Some(Format::Ods));
    }
    Ok(None)
}

/// Counts the entries of the directory without parsing it: an archive with a million parts, or with names of megabytes,
/// is refused before any of them takes memory.
fn refuse_many_parts<R: Read + Seek>(source: &mut R) -> Result<(), FileFault> {
    source.seek(SeekFrom::Start(0))?;
    let mut chunk = Vec::new();
    let (mut parts, mut names) = (0, 0);
    loop {
        // An entry that is not complete is found in the next chunk. Behind the last one is the end of the directory.
        let kept = chunk.len().min(ENTRY_BYTES - 1);
        chunk.drain(..chunk.len() - kept);
        let read = source.by_ref().take(CHUNK as u64).read_to_end(&mut chunk)?;
        for entry in chunk.windows(ENTRY_BYTES).filter(|window| window.starts_with(ENTRY)) {
            parts += 1;
            let sizes = SIZES.iter().filter_map(|&at| entry.get(at..)?.first_chunk());
            names += sizes.map(|size| usize::from(u16::from_le_bytes(*size))).sum::<usize>();
        }
        if parts > MAX_PARTS || names > MAX_NAMES {
            return Err(FileFault::TooLargeInside);
        }
        if read == 0 {
            break;
        }
    }
    source.seek(SeekFrom::Start(0))?;
    Ok(())
}

fn normal(name: &str) -> String {
    name.trim_start_matches('/').replace('\\', "/").to_lowercase()
}

fn fault(fault: ZipError) -> FileFault {
    match fault {
        ZipError::Io(error) if error.kind() == std::io::ErrorKind::Other => FileFault::Unreadable(error),
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) | ZipError::InvalidPassword => FileFault::Encrypted,
        _ => FileFault::Damaged,
    }
}
