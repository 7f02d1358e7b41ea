//! The style sheet, the scripts and the favicon, which are compiled into the program.
//!
//! Their URLs contain a digest of their content, so browsers may cache them forever and still load the version
//! that matches the page.

use crate::app::problem::Problem;
use crate::app::validation::shown;
use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::sync::LazyLock;

struct Asset {
    stem: &'static str,
    ending: &'static str,
    content_type: &'static str,
    content: &'static str,
}

const SHEET: Asset = Asset {
    stem: "console",
    ending: "css",
    content_type: "text/css; charset=utf-8",
    content: include_str!("../../assets/console.css"),
};

const SCRIPT: Asset = Asset {
    stem: "console",
    ending: "js",
    content_type: "text/javascript; charset=utf-8",
    content: include_str!("../../assets/console.js"),
};

const UPLOAD_SCRIPT: Asset = Asset {
    stem: "upload",
    ending: "js",
    content_type: "text/javascript; charset=utf-8",
    content: include_str!("../../assets/upload.js"),
};

const MARK: Asset = Asset {
    stem: "mark",
    ending: "svg",
    content_type: "image/svg+xml",
    content: include_str!("../../assets/mark.svg"),
};

impl Asset {
    fn name(&self) -> String {
        let mut name = format!("{}-", self.stem);
        for byte in Sha256::digest(self.content.as_bytes()).iter().take(6) {
            let _ = write!(name, "{byte:02x}");
        }
        let _ = write!(name, ".{}", self.ending);
        name
    }
}

const ASSETS: [Asset; 4] = [SHEET, SCRIPT, MARK, UPLOAD_SCRIPT];

static NAMES: LazyLock<[String; 4]> = LazyLock::new(|| ASSETS.map(|asset| asset.name()));

/// File names of the style sheet, the script of all pages, the favicon and the script of upload forms.
pub(super) fn names() -> &'static [String; 4] {
    &NAMES
}

/// Serves an asset.
pub(super) async fn show(Path(file): Path<String>) -> Result<Response, Problem> {
    let found = NAMES.iter().zip(ASSETS).find(|(name, _)| **name == file);
    let (_, asset) = found.ok_or_else(|| Problem::not_found(&format!("file as {}", shown(&file))))?;
    let headers = [
        (header::CONTENT_TYPE, asset.content_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    Ok((headers, asset.content).into_response())
}
