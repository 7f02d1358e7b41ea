//! What a person sees: text, headings, addresses, pictures.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::find::squeezed;
use super::{Browser, PATIENCE, Setup};

/// The highest picture that Chromium draws.
const HIGHEST: u32 = 16_000;

impl Browser {
    /// The text of the page as it is seen, with every run of white space as one space.
    pub async fn text(&self) -> String {
        self.told("return document.body?.innerText").await
    }

    /// The page's title.
    pub async fn title(&self) -> String {
        self.told("return document.title").await
    }

    /// The page's first heading of the first rank.
    pub async fn heading(&self) -> String {
        self.told("return document.querySelector('h1')?.innerText").await
    }

    /// The page's address.
    pub async fn url(&self) -> String {
        self.told("return location.href").await
    }

    /// The address without its beginning: path and query.
    pub async fn path(&self) -> String {
        self.told("return location.pathname + location.search").await
    }

    /// The HTTP status the page was answered with.
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
    /// When it does not within [`PATIENCE`]; what it shows instead is in the text.
    pub async fn sees(&self, text: &str) {
        self.until_it_shows(text, true).await;
    }

    /// Waits until the page does not show this text.
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
            // Between two pages there is no text, and that is no answer.
            let seen = self.session.run("return document.body?.innerText", &[]).await.ok()?;
            let seen = squeezed(seen.as_str()?);
            (seen.contains(&wanted) == shown).then_some(())
        })
        .await;
    }

    /// Runs a function's body on the page, also where the page's own scripts do not run.
    pub async fn run(&self, script: &str) -> Value {
        let outcome = self.session.run(script, &[]).await;
        self.done("run a script", outcome).await
    }

    async fn told(&self, script: &str) -> String {
        let value = self.run(script).await;
        squeezed(value.as_str().unwrap_or_default())
    }

    /// Draws the whole page into a PNG file, as in a window that is high enough for all of it:
    /// what sticks to the window's edge is at the page's.
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
