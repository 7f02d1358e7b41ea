//! Reading frames, including those that scripts of the page cannot access.

use reqwest::Method;
use serde_json::{Value, json};

use super::find::squeezed;
use super::wire::Element;
use super::{Browser, PATIENCE};

/// Finds the frame with this title on the page, or in the current frame.
const FRAME: &str = "return [...document.querySelectorAll('iframe')].find((frame) => frame.title === arguments[0])";

impl Browser {
    /// Waits until a frame shows this text. Its title is the last of `titles`; the titles before it are those of the
    /// enclosing frames, outermost first.
    ///
    /// # Panics
    ///
    /// When it does not within [`PATIENCE`]; the message quotes what it shows instead.
    pub async fn sees_within(&self, titles: &[&str], text: &str) {
        let wanted = squeezed(text);
        let wish = format!("the frame {titles:?} to show ‘{text}’ ({PATIENCE:?})");
        self.eventually(&wish, async || {
            let seen = self.text_within(titles).await?;
            seen.contains(&wanted).then_some(())
        })
        .await;
    }

    /// The visible text of a frame, or `None` when there is no such frame now.
    pub async fn text_within(&self, titles: &[&str]) -> Option<String> {
        let text = self.look_within(titles).await;
        let top = self
            .session
            .ask(Method::POST, "/frame", Some(json!({ "id": null })))
            .await;
        self.done("turn back to the page", top).await;
        Some(squeezed(text?.as_str()?))
    }

    async fn look_within(&self, titles: &[&str]) -> Option<Value> {
        for title in titles {
            let frame = self.session.run(FRAME, &[json!(title)]).await.ok()?;
            let frame = Element::read(&frame)?;
            let inside = json!({ "id": frame.write() });
            self.session.ask(Method::POST, "/frame", Some(inside)).await.ok()?;
        }
        self.session.run("return document.body?.innerText", &[]).await.ok()
    }
}
