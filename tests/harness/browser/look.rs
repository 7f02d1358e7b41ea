//! What a page shows: text, headings, addresses, screenshots.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::find::squeezed;
use super::{Browser, PATIENCE, Setup};

/// The largest height of a screenshot that Chromium draws, in pixels.
const HIGHEST: u32 = 16_000;

impl Browser {
    /// The visible text of the page, with every run of white space collapsed to one space.
    pub async fn text(&self) -> String {
        self.text_from("return document.body?.innerText").await
    }

    /// The page's title.
    pub async fn title(&self) -> String {
        self.text_from("return document.title").await
    }

    /// The page's first `h1`.
    pub async fn heading(&self) -> String {
        self.text_from("return document.querySelector('h1')?.innerText").await
    }

    /// The page's address.
    pub async fn url(&self) -> String {
        self.text_from("return location.href").await
    }

    /// The path and query of the address.
    pub async fn path(&self) -> String {
        self.text_from("return location.pathname + location.search").await
    }

    /// The HTTP status of the page.
    pub async fn status(&self) -> u64 {
        let status = self
            .run("return performance.getEntriesByType('navigation')[0]?.responseStatus")
            .await;
        status.as_u64().unwrap_or_default()
    }

    /// Waits until the page shows this text.
    ///
    /// # Panics
    ///
    /// When it does not within [`PATIENCE`]; the message quotes what it shows instead.
    pub async fn sees(&self, text: &str) {
        self.until_it_shows(text, true).await;
    }

    /// Waits until the page no longer shows this text.
    ///
    /// # Panics
    ///
    /// When it still does after [`PATIENCE`].
    pub async fn loses(&self, text: &str) {
        self.until_it_shows(text, false).await;
    }

    async fn until_it_shows(&self, text: &str, shown: bool) {
        let wanted = squeezed(text);
        let wish = format!(
            "the page to {} ‘{text}’ ({PATIENCE:?})",
            if shown { "show" } else { "lose" }
        );
        self.eventually(&wish, async || {
            // While one page replaces another there is no text, which proves nothing.
            let seen = self.session.run("return document.body?.innerText", &[]).await.ok()?;
            let seen = squeezed(seen.as_str()?);
            (seen.contains(&wanted) == shown).then_some(())
        })
        .await;
    }

    /// Runs a function body on the page, even where the page's own scripts are disabled.
    pub async fn run(&self, script: &str) -> Value {
        let outcome = self.session.run(script, &[]).await;
        self.done("run a script", outcome).await
    }

    async fn text_from(&self, script: &str) -> String {
        let value = self.run(script).await;
        squeezed(value.as_str().unwrap_or_default())
    }

    /// Takes a PNG screenshot of the whole page in a window high enough for all of it, so sticky elements are drawn at
    /// the page's edge.
    pub async fn screenshot(&self, path: &Path) {
        let setup = self.setup();
        let height = self.run("return document.documentElement.scrollHeight").await;
        let height = height.as_u64().and_then(|height| u32::try_from(height).ok());
        let height = height.unwrap_or(setup.height).clamp(setup.height, HIGHEST);
        self.become_like(Setup { height, ..setup }).await;
        let drawn = self
            .session
            .devtools("Page.captureScreenshot", json!({ "format": "png" }))
            .await;
        let drawn = self.done("draw the page", drawn).await;
        self.become_like(setup).await;
        let picture = STANDARD.decode(drawn["data"].as_str().unwrap_or_default());
        let written = picture.map(|picture| {
            let _ = path.parent().map(std::fs::create_dir_all);
            std::fs::write(path, picture)
        });
        assert!(
            matches!(written, Ok(Ok(()))),
            "could not write {}: {written:?}",
            path.display()
        );
    }
}
