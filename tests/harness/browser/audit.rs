//! What is asked of every page: no error in the browser's console, no sideways scrolling, and
//! nothing that the accessibility checker finds.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::Browser;
use crate::error::{HarnessError, Result};
use crate::installed::path_of;

/// Goes behind the checker's own source, and hands over what it found.
const ASK_CHECKER: &str = r"
const [options, done] = [arguments[0], arguments[arguments.length - 1]];
axe.run(document, options).then((found) => done(found.violations), (fault) => done(String(fault)));
";

/// What hangs over the right edge, as the tag and classes of each element, unless the page is
/// no wider than its window.
const SIDEWAYS: &str = r"
const page = document.scrollingElement, width = page.clientWidth;
if (page.scrollWidth <= width) return [];
const over = [...document.body.querySelectorAll('*')].filter((e) => e.getBoundingClientRect().right > width + 1);
const named = over.map((e) => `${e.tagName.toLowerCase()}.${e.className}: ${e.textContent.trim().slice(0, 40)}`);
return [`the page is ${page.scrollWidth} px wide in a window of ${width} px`, ...named.slice(0, 12)];
";

impl Browser {
    /// The three that every page must stand, at once.
    pub async fn assert_sound(&self) {
        self.assert_no_sideways_scroll().await;
        self.assert_accessible().await;
        self.assert_no_console_errors().await;
    }

    /// Nothing was written to the browser's console since this was last asked: no error or warning
    /// of a script, nothing that the page's content security policy forbids, nothing that could
    /// not be loaded.
    ///
    /// That a page itself was answered with an error is not among it: a form that came back with
    /// its faults is a good page.
    pub async fn assert_no_console_errors(&self) {
        let written = self.console().await;
        let written = self.done("read the browser's console", written).await;
        assert!(
            written.is_empty(),
            "the browser's console says:\n{}\n{}",
            written.join("\n"),
            self.describe().await
        );
    }

    async fn console(&self) -> Result<Vec<String>> {
        let log = self
            .session
            .ask(Method::POST, "/se/log", Some(json!({ "type": "browser" })))
            .await?;
        let entries = log.as_array().cloned().unwrap_or_default();
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let pages = self.pages().await?;
        let of_a_page = |entry: &Value| {
            let message = entry["message"].as_str().unwrap_or_default();
            let url = message.split(" - ").next().unwrap_or_default();
            entry["source"] == "network" && message.contains("responded with a status of 4") && pages.contains(url)
        };
        let is_bad = |entry: &&Value| matches!(entry["level"].as_str(), Some("SEVERE" | "WARNING"));
        let bad = entries.iter().filter(is_bad).filter(|entry| !of_a_page(entry));
        Ok(bad
            .map(|entry| format!("{} {}: {}", entry["level"], entry["source"], entry["message"]))
            .collect())
    }

    /// The addresses of all pages this tab has shown.
    async fn pages(&self) -> Result<BTreeSet<String>> {
        let history = self.session.devtools("Page.getNavigationHistory", json!({})).await?;
        let entries = history["entries"].as_array().into_iter().flatten();
        Ok(entries
            .filter_map(|entry| entry["url"].as_str().map(str::to_owned))
            .collect())
    }

    /// The page is no wider than its window.
    pub async fn assert_no_sideways_scroll(&self) {
        let over = self.run(SIDEWAYS).await;
        let over: Vec<&str> = over
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        assert!(
            over.is_empty(),
            "the page scrolls sideways:\n{}\n{}",
            over.join("\n"),
            self.describe().await
        );
    }

    /// The accessibility checker finds nothing: WCAG 2.0, 2.1 and 2.2 at A and AA, and what is
    /// good practice beside them.
    ///
    /// The checker waits for promises, so where scripting is off it is on for that moment.
    pub async fn assert_accessible(&self) {
        let found = self.violations().await;
        let found = self.done("run the accessibility checker", found).await;
        assert!(
            found.is_empty(),
            "the accessibility checker says:\n{}\n{}",
            found.join("\n"),
            self.describe().await
        );
    }

    async fn violations(&self) -> Result<Vec<String>> {
        let path = path_of("AXE").await?;
        let checker = std::fs::read_to_string(&path)
            .map_err(|fault| HarnessError::because(format!("could not read {}", path.display()), fault))?;
        let tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
        let options = json!({
            "runOnly": { "type": "tag", "values": tags },
            // Its authors leave it off until WCAG 2.2 is more widely asked for; here it is.
            "rules": { "target-size": { "enabled": true } },
            "resultTypes": ["violations"],
            // Another document's, such as a mail's, is asked for on its own.
            "iframes": false,
        });
        let scripting = self.setup().scripting;
        if !scripting {
            self.let_scripts_run(true).await?;
        }
        let script = format!("{checker}\n{ASK_CHECKER}");
        let found = self.session.run_to_the_end(&script, &[options]).await;
        if !scripting {
            self.let_scripts_run(false).await?;
        }
        match found? {
            Value::Array(violations) => Ok(violations.iter().map(told).collect()),
            fault => Err(HarnessError::new(format!("it failed: {fault}"))),
        }
    }
}

/// A violation in lines: the rule, what it asks, and each element that breaks it.
fn told(violation: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().replace('\n', " ");
    let head = format!(
        "* {} ({}): {}",
        text(&violation["id"]),
        text(&violation["impact"]),
        text(&violation["help"])
    );
    let nodes = violation["nodes"].as_array().into_iter().flatten().map(|node| {
        let html: String = text(&node["html"]).chars().take(200).collect();
        format!(
            "    {}\n      {html}\n      {}",
            node["target"],
            text(&node["failureSummary"])
        )
    });
    std::iter::once(head).chain(nodes).collect::<Vec<_>>().join("\n")
}
