//! Several tabs of one browser, which share its cookies.

use std::sync::PoisonError;

use reqwest::Method;
use serde_json::json;

use super::Browser;
use crate::error::Result;

impl Browser {
    /// Opens an address in a new tab and switches to it.
    pub async fn open_in_new_tab(&self, url: &str) {
        let made = self
            .session
            .ask(Method::POST, "/window/new", Some(json!({ "type": "tab" })))
            .await;
        self.done("open a tab", made).await;
        let learned = self.learn_tabs().await;
        let count = self.done("count its tabs", learned).await;
        self.turn_to(count - 1).await;
        self.open(url).await;
    }

    /// Switches to a tab, counted from 0 in the order in which the tabs appeared.
    ///
    /// Waits for a tab that a page is opening. With scripting off, the tab is reloaded, because its scripts may have
    /// run before scripting was disabled in it.
    pub async fn turn_to(&self, place: usize) {
        let (handle, is_strange) = self
            .eventually(&format!("tab {place} to be there"), async || {
                let known = self.tab(place);
                if known.is_none() {
                    self.learn_tabs().await.ok()?;
                }
                Some((self.tab(place)?, known.is_none()))
            })
            .await;
        let turned = self
            .session
            .ask(Method::POST, "/window", Some(json!({ "handle": handle })))
            .await;
        self.done(&format!("turn to tab {place}"), turned).await;
        let dressed = self.dress().await;
        self.done("give the tab its looks", dressed).await;
        if is_strange && !self.setup().scripting {
            self.reload().await;
        }
    }

    fn tab(&self, place: usize) -> Option<String> {
        let tabs = self.tabs.lock().unwrap_or_else(PoisonError::into_inner);
        tabs.get(place).cloned()
    }

    /// Adds the tabs not seen before and returns how many there are.
    pub(super) async fn learn_tabs(&self) -> Result<usize> {
        let there = self.session.ask(Method::GET, "/window/handles", None).await?;
        let mut tabs = self.tabs.lock().unwrap_or_else(PoisonError::into_inner);
        for handle in there
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|handle| handle.as_str())
        {
            if !tabs.iter().any(|known| known == handle) {
                tabs.push(handle.to_owned());
            }
        }
        Ok(tabs.len())
    }
}
