//! Receives the upload form as a stream.
//!
//! The form's first part is the CSRF token, so a form from another site is rejected before its file is read. The file
//! is written to disk in pieces. After an error, the rest of the form is still read, up to a limit, because browsers
//! show no response while they are sending a form.

use super::how::How;
use crate::console::door::is_proof;
use crate::console::session::Administrator;
use crate::problem::Problem;
use crate::spool::{SILENCE_MOST, Spooled, UPLOAD_MOST_BYTES, UPLOAD_WITHIN, disk, spool_stream};
use crate::storing::Room;
use crate::wiped;
use axum::extract::Multipart;
use axum::extract::multipart::{Field, MultipartError};
use std::io::{Read as _, Seek as _, Write as _};
use std::time::Duration;
use tokio::time::timeout;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Size limit of the other fields: a token, two ids and two words.
const TEXT_MOST_BYTES: usize = 1_000;

/// Pasted text up to this size may be a list of addresses. Longer text is read as a table.
const PASTED_MOST_BYTES: u64 = 4 * 1024 * 1024;

/// Error for a form without a file.
const NOTHING: &str = "Select a file";

/// Maximum length of a file name, in characters.
const NAME_MOST: usize = 200;

/// How much is still read of a rejected form.
const REST_MOST_BYTES: usize = 1024 * 1024 * 1024;
const REST_WITHIN: Duration = Duration::from_mins(1);

/// A received form with its file.
pub(super) struct Form {
    /// Idempotency key of the form.
    pub(super) token: Uuid,
    /// The import that this file replaces.
    pub(super) instead_of: Option<Uuid>,
    pub(super) file_name: String,
    pub(super) file: Spooled,
    /// Import options.
    pub(super) how: How,
}

/// Why a form was rejected.
pub(super) enum Refused {
    /// It does not have this session's CSRF token.
    NotOurs,
    /// Error message for the file field, the import that the file was to replace, and the import options.
    Fault(String, Option<Uuid>, How),
    /// Too many uploads are in progress.
    Busy(Problem),
}

/// Receives a form.
pub(super) async fn receive(
    room: &Room,
    administrator: &Administrator,
    mut multipart: Multipart,
) -> Result<Form, Refused> {
    let mut texts = Texts::default();
    let taken = timeout(UPLOAD_WITHIN, take(room, administrator, &mut multipart, &mut texts)).await;
    let refused = match taken {
        Ok(Ok((file_name, file))) => {
            return Ok(Form {
                token: texts.token.unwrap_or_else(Uuid::new_v4),
                instead_of: texts.instead_of,
                file_name,
                file,
                how: texts.how(),
            });
        }
        Ok(Err(refused)) => refused,
        Err(_) => texts.fault(broken_off()),
    };
    let _ = timeout(REST_WITHIN, pass_over(&mut multipart)).await;
    Err(refused)
}

/// The short fields of a form.
#[derive(Default)]
struct Texts {
    token: Option<Uuid>,
    instead_of: Option<Uuid>,
    mode: String,
    empty: String,
}

impl Texts {
    fn how(&self) -> How {
        How::read(&self.mode, &self.empty)
    }

    fn fault(&self, words: String) -> Refused {
        Refused::Fault(words, self.instead_of, self.how())
    }

    fn refused(&self, problem: Problem) -> Refused {
        if matches!(problem.status, 429 | 503) {
            return Refused::Busy(problem);
        }
        self.fault(match problem.status {
            413 => format!("The selected file must be smaller than {}", most()),
            507 => "The server has no disk space for this file – contact the team that runs Beckon".to_owned(),
            _ => broken_off(),
        })
    }
}

/// Reads a form to its end and returns the file with its name.
async fn take(
    room: &Room,
    administrator: &Administrator,
    multipart: &mut Multipart,
    texts: &mut Texts,
) -> Result<(String, Spooled), Refused> {
    let (mut is_ours, mut taken) = (false, None);
    loop {
        let next = timeout(SILENCE_MOST, multipart.next_field()).await;
        let field = match next {
            Ok(Ok(Some(field))) => field,
            Ok(Ok(None)) => return taken.ok_or_else(|| texts.fault(NOTHING.to_owned())),
            Ok(Err(_)) | Err(_) => return Err(texts.fault(broken_off())),
        };
        match field.name().unwrap_or_default() {
            "proof" => is_ours = is_proof(administrator, &text(field).await),
            _ if !is_ours => return Err(Refused::NotOurs),
            "form" => texts.token = text(field).await.parse().ok(),
            "instead_of" => texts.instead_of = text(field).await.parse().ok(),
            "mode" => texts.mode = text(field).await.to_string(),
            "empty" => texts.empty = text(field).await.to_string(),
            "file" => {
                let file_name = shown_name(field.file_name().unwrap_or_default());
                let _slot = room.for_upload(administrator.id).await.map_err(Refused::Busy)?;
                let file = spool_stream(room.disk.reservation(administrator.id), Box::pin(field)).await;
                let file = file.map_err(|problem| texts.refused(problem))?;
                // Without a selected file, browsers send an empty part. Text may have been pasted instead.
                if !file_name.is_empty() {
                    taken = Some((file_name, file));
                }
            }
            "pasted" if taken.is_none() => {
                let _slot = room.for_upload(administrator.id).await.map_err(Refused::Busy)?;
                let file = spool_stream(room.disk.reservation(administrator.id), Box::pin(field)).await;
                let file = file.map_err(|problem| texts.refused(problem))?;
                let table = table(file).await.map_err(|problem| texts.refused(problem))?;
                taken = table.map(|table| ("Pasted rows".to_owned(), table));
            }
            _ => {}
        }
    }
}

/// Converts pasted text into a table; `None` if it is blank.
async fn table(pasted: Spooled) -> Result<Option<Spooled>, Problem> {
    let made = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        (&pasted.file).take(PASTED_MOST_BYTES + 1).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        if text.trim().is_empty() {
            return Ok(None);
        }
        let is_whole = u64::try_from(bytes.len()).is_ok_and(|length| length <= PASTED_MOST_BYTES);
        let table = if is_whole { import::table_of(&text) } else { None };
        let mut file = pasted.file;
        if let Some(table) = table {
            file = tempfile::tempfile()?;
            file.write_all(table.as_bytes())?;
        }
        file.rewind()?;
        Ok(Some(Spooled { file, ..pasted }))
    });
    let made: std::io::Result<Option<Spooled>> = made.await.map_err(|_| Problem::internal())?;
    made.map_err(|fault| disk(&fault))
}

/// Reads a short field; empty if it is too long or incomplete. It is wiped on drop: the CSRF token is a secret, and a
/// secret may have been pasted into the wrong field.
async fn text(mut field: Field<'_>) -> Zeroizing<String> {
    let mut bytes: Zeroizing<Vec<u8>> = Zeroizing::default();
    while let Ok(Ok(Some(piece))) = timeout(SILENCE_MOST, field.chunk()).await {
        let is_short = bytes.len() + piece.len() <= TEXT_MOST_BYTES;
        if is_short {
            wiped::append(&mut bytes, &piece);
        }
        wiped::wipe(piece);
        if !is_short {
            return Zeroizing::default();
        }
    }
    wiped::into_text(bytes)
}

async fn pass_over(multipart: &mut Multipart) -> Result<(), MultipartError> {
    let mut passed = 0;
    while let Some(mut field) = multipart.next_field().await? {
        while let Some(piece) = field.chunk().await? {
            passed += piece.len();
            if passed > REST_MOST_BYTES {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The file name without folders and control characters.
fn shown_name(given: &str) -> String {
    let name = given.rsplit(['/', '\\']).next().unwrap_or_default().trim();
    name.chars()
        .filter(|c| !shared::name::is_invisible(*c))
        .take(NAME_MOST)
        .collect()
}

/// The size limit of a file, as text.
pub(super) fn most() -> String {
    format!("{} MB", UPLOAD_MOST_BYTES / 1024 / 1024)
}

fn broken_off() -> String {
    "The selected file could not be uploaded – try again".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_name_is_what_a_person_calls_it() {
        assert_eq!(shown_name("staff.csv"), "staff.csv");
        assert_eq!(shown_name(r"C:\Users\Priya\staff nov.csv"), "staff nov.csv");
        assert_eq!(shown_name("a\u{0}b\r\n.csv"), "ab.csv");
        assert_eq!(shown_name("/"), "");
        assert_eq!(shown_name(&"x".repeat(500)).len(), NAME_MOST);
    }
}
