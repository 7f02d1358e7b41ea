//! Reads the bodies of forms, within limits of size and time.

use super::fields::Fields;
use crate::app::problem::{Problem, ProblemKind};
use crate::http::server::Crowding;
use crate::http::zeroized;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use futures_util::StreamExt as _;
use zeroize::Zeroizing;

/// Size limit for forms of a signed-in administrator. File uploads have their own limit.
pub(super) const FORM_MOST_BYTES: usize = 2 * 1024 * 1024;

/// Size limit for forms of other clients. Forms up to this size need no slot: all connections together hold at most
/// 16 MiB of them.
pub(super) const SMALL_FORM_MOST_BYTES: usize = 16 * 1024;

/// Reads the fields of a form of up to `most_bytes`.
pub(super) async fn read(headers: &HeaderMap, body: Body, most_bytes: usize) -> Result<Fields, Problem> {
    if !is_plain_form(headers) {
        return Err(Problem::new(
            ProblemKind::UnsupportedFormat,
            "not_a_form",
            "This address only accepts the form on its own page.",
        ));
    }
    Fields::read(&whole(body, most_bytes).await?)
}

/// Like [`read`], for clients that are not signed in. Their forms have a short time limit while so many connections
/// are open that slow ones might block others.
pub(super) async fn read_unauthenticated(parts: &Parts, body: Body, most_bytes: usize) -> Result<Fields, Problem> {
    let form = read(&parts.headers, body, most_bytes);
    let Some(crowd) = parts.extensions.get::<Crowding>() else {
        return form.await;
    };
    tokio::select! {
        form = form => form,
        () = crowd.must_disconnect() => Err(too_slow()),
    }
}

/// Reads a body of up to `most_bytes`, which is wiped when dropped because it may hold a password. A larger body is
/// discarded, but part of the rest is read: browsers show no response while they are still sending a form.
async fn whole(body: Body, most_bytes: usize) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let mut pieces = body.into_data_stream();
    let (mut bytes, mut seen) = (Zeroizing::default(), 0);
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| broken_off())?;
        seen += piece.len();
        if seen <= most_bytes {
            zeroized::append(&mut bytes, &piece);
        } else if seen <= most_bytes + FORM_MOST_BYTES {
            bytes = Zeroizing::default();
        } else {
            break;
        }
        zeroized::wipe(piece);
    }
    if seen > most_bytes {
        return Err(too_large(most_bytes));
    }
    Ok(bytes)
}

fn too_large(most_bytes: usize) -> Problem {
    let most = match most_bytes / 1024 {
        kib if kib >= 1024 => format!("{} MB", kib / 1024),
        kib => format!("{kib} kB"),
    };
    Problem::new(
        ProblemKind::TooLarge,
        "form_too_large",
        format!("The form is larger than {most}. Nothing was changed. Go back and submit less at a time."),
    )
}

fn too_slow() -> Problem {
    Problem::new(
        ProblemKind::TimedOut,
        "form_too_slow",
        "The form did not arrive in time. Nothing was changed. Go back and submit it again.",
    )
}

fn broken_off() -> Problem {
    Problem::malformed(
        "form_broken_off",
        "The form was only partly received. Nothing was changed. Go back and submit it again.",
    )
}

/// Whether the headers announce a form without files.
pub(super) fn is_plain_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|text| text.starts_with("application/x-www-form-urlencoded"))
}
