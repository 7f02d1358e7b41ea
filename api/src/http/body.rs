//! Reads JSON bodies and reports precisely what is wrong with them.

use crate::app::caller::Caller;
use crate::app::concurrency_limit::Slot;
use crate::app::problem::{Problem, ProblemKind};
use crate::app::state::AppState;
use crate::http::zeroized;
use axum::RequestExt as _;
use axum::body::{Body, HttpBody as _};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use futures_util::StreamExt as _;
use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Bodies up to this size need no slot. All connections together hold at most 64 MiB of them.
const SMALL_BYTES: usize = 64 * 1024;

/// A JSON body and the digest of its bytes.
///
/// The types read here use `deny_unknown_fields`: a misspelt field that is silently ignored would send the wrong
/// email.
pub struct JsonBody<T> {
    /// The parsed value.
    pub value: T,
    /// SHA-256 of the bytes, to recognise a repeated request.
    pub digest: Vec<u8>,
    /// The slot of a large body, to be held as long as its content is in memory.
    pub slot: Option<Slot>,
}

impl<T: DeserializeOwned> FromRequest<AppState> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &AppState) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(
                ProblemKind::UnsupportedFormat,
                "not_json",
                "Send the body as JSON, with Content-Type: application/json.",
            ));
        }
        let (bytes, slot) = whole(request, api).await?;
        Ok(Self {
            value: read(&bytes)?,
            digest: Sha256::digest(&bytes).to_vec(),
            slot,
        })
    }
}

/// Reads a body up to the size limit of its route, with a slot if it is large.
///
/// Pieces are appended to one buffer as they arrive: pieces of one byte would take thirty times as much memory. The
/// pieces and the buffer are wiped, because the body may hold a password.
async fn whole(request: Request, api: &AppState) -> Result<(Zeroizing<Vec<u8>>, Option<Slot>), Problem> {
    let caller = request.extensions().get::<Caller>().map(Caller::id);
    let large = || api.concurrency_limits.for_large_body(caller.unwrap_or_default());
    let body = request.with_limited_body().into_body();
    let declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut slot = if declared > SMALL_BYTES {
        Some(large().await?)
    } else {
        None
    };
    // A buffer that grows is three times as large while it moves. Memory is taken as it is filled.
    let mut bytes = Zeroizing::new(Vec::with_capacity(declared));
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(read_failure)?;
        if slot.is_none() && bytes.len() + piece.len() > SMALL_BYTES {
            slot = Some(large().await?);
        }
        zeroized::append(&mut bytes, &piece);
        zeroized::wipe(piece);
    }
    Ok((bytes, slot))
}

fn read_failure(fault: axum::Error) -> Problem {
    if fault.into_inner().is::<LengthLimitError>() {
        Problem::new(
            ProblemKind::TooLarge,
            "body_too_large",
            "The body is larger than this route accepts: 16 MiB for batches, 64 MiB for files, 1 MiB elsewhere. \
             Split it, or import the users as CSV and select them by import or filter.",
        )
    } else {
        Problem::incomplete()
    }
}

/// Whether a body is known in advance to have at most this many bytes.
pub(crate) fn is_at_most(body: &Body, bytes: usize) -> bool {
    let most = body.size_hint().upper();
    most.is_some_and(|most| most <= bytes as u64)
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json") && !headers.contains_key(header::CONTENT_ENCODING)
}

/// Parses a body. `serde_json` distinguishes an unknown field, a duplicate one and a wrong type only in its message, so
/// the message is matched; the tests below fail if its wording changes. `serde_path_to_error` would add the path to the
/// field, not the kind of error.
fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'[') {
        // serde would read an array as the fields of the type in order.
        return Err(Problem::invalid(
            "json_wrong_type",
            "The body is a JSON array, and this route expects an object.",
        ));
    }
    serde_json::from_slice(bytes).map_err(|fault| {
        let text = fault.to_string();
        let code = match fault.classify() {
            Category::Data if text.starts_with("unknown field") => "unknown_field",
            Category::Data if text.starts_with("duplicate field") => "json_duplicate_key",
            Category::Data => "json_wrong_type",
            Category::Syntax | Category::Eof | Category::Io => "json_invalid",
        };
        let kind = if code == "json_wrong_type" {
            ProblemKind::Invalid
        } else {
            ProblemKind::Malformed
        };
        let place = format!("line {}, column {}", fault.line(), fault.column());
        let cause = repeatable(text.rsplit_once(" at line ").map_or(&*text, |(cause, _)| cause));
        Problem::new(kind, code, format!("The body cannot be read at {place}: {cause}."))
    })
}

/// serde's message without the values it repeats: one may be a password or a megabyte long.
fn repeatable(cause: &str) -> String {
    let cause = match (cause.starts_with("invalid "), cause.split_once(", expected ")) {
        (true, Some((found, expected))) => {
            let found = found.split(['`', '"']).next().unwrap_or_default().trim_end();
            format!("{found}, expected {expected}")
        }
        _ => cause.to_owned(),
    };
    let mut parts = cause.splitn(3, '`');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(before), Some(name), Some(after)) => format!("{before}`{}`{}", shown(name), excerpt(after)),
        _ => excerpt(&cause),
    }
}

fn shown(text: &str) -> String {
    visible(text, 80)
}

fn excerpt(text: &str) -> String {
    visible(text, 500)
}

fn visible(text: &str, most: usize) -> String {
    // Neither control characters nor characters that reorder or hide the text around them.
    let is_plain = |c: &char| c.is_alphanumeric() || c.is_ascii_graphic() || *c == ' ';
    text.chars().filter(is_plain).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::validation::not_null;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only reading it is tested")]
    struct Example {
        #[serde(default)]
        users: Vec<u32>,
        #[serde(default, deserialize_with = "not_null")]
        import: Option<u32>,
    }

    fn fault(body: &str) -> (String, ProblemKind, String) {
        let problem = read::<Example>(body.as_bytes()).unwrap_err();
        (problem.code, problem.kind, problem.detail)
    }

    #[test]
    fn an_unreadable_body_is_rejected_with_position_and_cause() {
        assert_eq!(
            fault("{\"users\":\n [1,]}"),
            (
                "json_invalid".into(),
                ProblemKind::Malformed,
                "The body cannot be read at line 2, column 5: trailing comma.".into()
            )
        );
        let (code, kind, detail) = fault(r#"{"user":[1]}"#);
        assert_eq!((code.as_str(), kind), ("unknown_field", ProblemKind::Malformed));
        assert!(
            detail.contains("unknown field `user`, expected `users` or `import`"),
            "{detail}"
        );
        let (code, kind, detail) = fault(r#"{"import":null}"#);
        assert_eq!((code.as_str(), kind), ("json_wrong_type", ProblemKind::Invalid));
        assert!(
            detail.starts_with("The body cannot be read at line 1, column 1"),
            "{detail}"
        );
        assert!(
            detail.ends_with(": null is not allowed; give a value, or leave the field out."),
            "{detail}"
        );
        assert_eq!(fault(r#"{"users":[],"users":[]}"#).0, "json_duplicate_key");
        assert_eq!(fault(r#"{"users":"all"}"#).0, "json_wrong_type");
        assert_eq!(fault(r#"{"users":[1]} more"#).0, "json_invalid");
        assert_eq!(fault(&"[".repeat(300)).1, ProblemKind::Invalid);
        assert_eq!(
            fault(&format!("{{\"users\":{}", "[".repeat(300))).1,
            ProblemKind::Invalid
        );
        let (_, _, detail) = fault(r#"{"users":["geheim"]}"#);
        assert!(detail.contains("invalid type: string, expected u32"), "{detail}");
        let (_, _, detail) = fault(&format!("{{\"{}\":1}}", "x".repeat(5_000)));
        assert!(detail.len() < 300, "{detail}");
        assert!(read::<Example>(b"").is_ok());
    }
}
