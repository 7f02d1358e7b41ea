//! Receives the upload form as a stream.
//!
//! The form's first part is the CSRF token, so a form from another site is rejected before its file is read. The file
//! is written to disk in pieces. After an error, the rest of the form is still read, up to a limit, because browsers
//! show no response while they are sending a form.

use super::import_options::ChosenOptions;
use crate::app::concurrency_limits::ConcurrencyLimits;
use crate::app::problem::{Problem, ProblemKind};
use crate::app::upload_spool::{MAX_SILENCE, Spooled, UPLOAD_MOST_BYTES, UPLOAD_TIMEOUT, disk, spool_stream};
use crate::console::form_origin::foreign;
use crate::console::require_session::is_csrf_token;
use crate::console::session::Administrator;
use crate::http::zeroized;
use axum::extract::Multipart;
use axum::extract::multipart::{Field, MultipartError, MultipartRejection};
use std::io::{Read as _, Seek as _, Write as _};
use std::time::Duration;
use tokio::time::timeout;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Size limit of the other fields: a token, two ids and two words.
const TEXT_MOST_BYTES: usize = 1_000;

/// Pasted text up to this size may be a list of addresses. Longer text is read as a table.
const PASTED_MOST_BYTES: u64 = 4 * 1024 * 1024;

/// Maximum size of pasted text that a page with an error shows again, in bytes.
const SHOWN_AGAIN_MOST_BYTES: usize = 64 * 1024;

/// Maximum length of a file name, in characters.
const MAX_NAME: usize = 200;

/// How much is still read of a rejected form.
const MAX_DISCARDED_BYTES: usize = 1024 * 1024 * 1024;
const DISCARD_TIMEOUT: Duration = Duration::from_mins(1);

/// A received form with its file.
pub(in crate::console) struct UploadForm {
    /// Idempotency key of the form.
    pub(super) token: Uuid,
    /// The import that this file replaces.
    pub(super) instead_of: Option<Uuid>,
    pub(super) file_name: String,
    pub(in crate::console) file: Spooled,
    /// Import options.
    pub(super) how: ChosenOptions,
    /// The short fields of the form.
    pub(in crate::console) texts: Texts,
}

/// Why a form was rejected.
pub(in crate::console) enum Refused {
    /// It does not have this session's CSRF token, or too many uploads are in progress.
    Problem(Problem),
    /// Error message for the file field, and the short fields of the form.
    Fault(String, Texts),
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// Receives a form. Without a file, its error message is `nothing`.
pub(in crate::console) async fn receive(
    concurrency_limits: &ConcurrencyLimits,
    administrator: &Administrator,
    multipart: Result<Multipart, MultipartRejection>,
    nothing: &str,
) -> Result<UploadForm, Refused> {
    let mut texts = Texts::default();
    let mut multipart = multipart.map_err(|_| texts.fault(nothing.to_owned()))?;
    let taken = timeout(
        UPLOAD_TIMEOUT,
        take(concurrency_limits, administrator, &mut multipart, &mut texts),
    )
    .await;
    let refused = match taken {
        Ok(Ok(Some((file_name, file)))) => {
            return Ok(UploadForm {
                token: texts.token.unwrap_or_else(Uuid::new_v4),
                instead_of: texts.instead_of,
                file_name,
                file,
                how: texts.how(),
                texts,
            });
        }
        Ok(Ok(None)) => texts.fault(nothing.to_owned()),
        Ok(Err(refused)) => refused,
        Err(_) => texts.fault(broken_off()),
    };
    let _ = timeout(DISCARD_TIMEOUT, skip_rest(&mut multipart)).await;
    Err(refused)
}

/// The short fields of a form.
#[derive(Clone, Default)]
pub(in crate::console) struct Texts {
    token: Option<Uuid>,
    /// The import of the file that this one corrects.
    pub(super) instead_of: Option<Uuid>,
    mode: String,
    empty: String,
    /// The name of the do-not-mail list that the file becomes.
    pub(in crate::console) name: String,
    /// Whether every batch leaves out the users on that list.
    pub(in crate::console) always: bool,
    /// The do-not-mail list that the file is added to.
    pub(in crate::console) list: Option<Uuid>,
    pub(in crate::console) pasted: Pasted,
}

/// Pasted text, to show it again.
#[derive(Clone, Default)]
pub(in crate::console) struct Pasted {
    /// The text; empty if it is longer than [`SHOWN_AGAIN_MOST_BYTES`].
    pub(in crate::console) text: String,
    /// Whether it is a list without a header.
    pub(in crate::console) is_list: bool,
    is_long: bool,
}

impl Pasted {
    /// Whether nothing was pasted.
    pub(in crate::console) const fn is_empty(&self) -> bool {
        self.text.is_empty() && !self.is_long
    }
}

impl Texts {
    /// The fields of a form that adds to this do-not-mail list, or makes a new one.
    pub(in crate::console) fn of_list(list: Option<Uuid>) -> Self {
        Self {
            list,
            ..Self::default()
        }
    }

    pub(super) fn how(&self) -> ChosenOptions {
        ChosenOptions::read(&self.mode, &self.empty)
    }

    fn fault(&self, words: String) -> Refused {
        Refused::Fault(words, self.clone())
    }

    fn refused(&self, problem: Problem) -> Refused {
        self.fault(match problem.kind {
            ProblemKind::LimitReached | ProblemKind::Unavailable => return problem.into(),
            ProblemKind::TooLarge => format!("The selected file must be smaller than {}", most()),
            ProblemKind::StorageFull => {
                "The server has no disk space for this file – contact the team that runs Beckon".to_owned()
            }
            _ => broken_off(),
        })
    }
}

/// Reads a form to its end and returns the file with its name, if there is one.
async fn take(
    concurrency_limits: &ConcurrencyLimits,
    administrator: &Administrator,
    multipart: &mut Multipart,
    texts: &mut Texts,
) -> Result<Option<(String, Spooled)>, Refused> {
    let (mut is_ours, mut taken) = (false, None);
    loop {
        let next = timeout(MAX_SILENCE, multipart.next_field()).await;
        let field = match next {
            Ok(Ok(Some(field))) => field,
            Ok(Ok(None)) => return Ok(taken),
            Ok(Err(_)) | Err(_) => return Err(texts.fault(broken_off())),
        };
        match field.name().unwrap_or_default() {
            "csrf_token" => is_ours = is_csrf_token(administrator, &text(field).await),
            _ if !is_ours => return Err(foreign().into()),
            "form" => texts.token = text(field).await.parse().ok(),
            "instead_of" => texts.instead_of = text(field).await.parse().ok(),
            "mode" => texts.mode = text(field).await.to_string(),
            "empty" => texts.empty = text(field).await.to_string(),
            "name" => texts.name = text(field).await.to_string(),
            "always" => texts.always = !text(field).await.is_empty(),
            "list" => texts.list = text(field).await.parse().ok(),
            "file" => {
                let file_name = shown_name(field.file_name().unwrap_or_default());
                let _slot = concurrency_limits.for_upload(administrator.id).await?;
                let file = spool_stream(concurrency_limits.disk.reservation(administrator.id), Box::pin(field)).await;
                let file = file.map_err(|problem| texts.refused(problem))?;
                // Without a selected file, browsers send an empty part. Text may have been pasted instead.
                if !file_name.is_empty() {
                    taken = Some((file_name, file));
                }
            }
            "pasted" if taken.is_none() => {
                let _slot = concurrency_limits.for_upload(administrator.id).await?;
                let file = spool_stream(concurrency_limits.disk.reservation(administrator.id), Box::pin(field)).await;
                let file = file.map_err(|problem| texts.refused(problem))?;
                let table = table(file).await.map_err(|problem| texts.refused(problem))?;
                if let Some((table, pasted)) = table {
                    texts.pasted = pasted;
                    taken = Some(("Pasted rows".to_owned(), table));
                }
            }
            _ => {}
        }
    }
}

/// Converts pasted text into a table; `None` if it is blank.
async fn table(pasted: Spooled) -> Result<Option<(Spooled, Pasted)>, Problem> {
    let made = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        (&pasted.file).take(PASTED_MOST_BYTES + 1).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        if text.trim().is_empty() {
            return Ok(None);
        }
        let is_whole = u64::try_from(bytes.len()).is_ok_and(|length| length <= PASTED_MOST_BYTES);
        let table = if is_whole { import::table_of(&text) } else { None };
        let is_long = text.len() > SHOWN_AGAIN_MOST_BYTES;
        let shown = Pasted {
            is_list: table.is_some(),
            is_long,
            text: if is_long { String::new() } else { text.to_string() },
        };
        let mut file = pasted.file;
        if let Some(table) = table {
            file = tempfile::tempfile()?;
            file.write_all(table.as_bytes())?;
        }
        file.rewind()?;
        Ok(Some((Spooled { file, ..pasted }, shown)))
    });
    let made: std::io::Result<Option<(Spooled, Pasted)>> = made.await.map_err(|_| Problem::internal())?;
    made.map_err(|fault| disk(&fault))
}

/// Reads a short field; empty if it is too long or incomplete. It is wiped on drop: the CSRF token is a secret, and a
/// secret may have been pasted into the wrong field.
async fn text(mut field: Field<'_>) -> Zeroizing<String> {
    let mut bytes: Zeroizing<Vec<u8>> = Zeroizing::default();
    while let Ok(Ok(Some(piece))) = timeout(MAX_SILENCE, field.chunk()).await {
        let is_short = bytes.len() + piece.len() <= TEXT_MOST_BYTES;
        if is_short {
            zeroized::append(&mut bytes, &piece);
        }
        zeroized::wipe(piece);
        if !is_short {
            return Zeroizing::default();
        }
    }
    zeroized::into_text(bytes)
}

async fn skip_rest(multipart: &mut Multipart) -> Result<(), MultipartError> {
    let mut passed = 0;
    while let Some(mut field) = multipart.next_field().await? {
        while let Some(piece) = field.chunk().await? {
            passed += piece.len();
            if passed > MAX_DISCARDED_BYTES {
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
        .take(MAX_NAME)
        .collect()
}

/// The size limit of a file, as text.
pub(in crate::console) fn most() -> String {
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
        assert_eq!(shown_name(&"x".repeat(500)).len(), MAX_NAME);
    }
}
