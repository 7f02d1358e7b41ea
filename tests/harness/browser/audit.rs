//! Checks that every page must pass: an empty browser console, no horizontal scrolling, and no findings of the
//! accessibility checker.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::Browser;
use crate::error::{HarnessError, Result};
use crate::installed::path_of;

/// Returns the checker's findings, or null when the checker is not on the page yet.
const ASK_CHECKER: &str = r"
const [options, done] = arguments;
if (!window.axe) done(null);
else axe.run(document, options).then((found) => done(found.violations), (fault) => done(String(fault)));
";

/// Lists the tag and classes of each element that overflows the right edge; empty when the page is no wider than its
/// window.
const SIDEWAYS: &str = r"
const page = document.scrollingElement, width = page.clientWidth;
if (page.scrollWidth <= width) return [];
const over = [...document.body.querySelectorAll('*')].filter((e) => e.getBoundingClientRect().right > width + 1);
const named = over.map((e) => `${e.tagName.toLowerCase()}.${e.className}: ${e.textContent.trim().slice(0, 40)}`);
return [`* sideways: the page is ${page.scrollWidth} px wide in a window of ${width} px`, ...named.slice(0, 12).map((line) => `    ${line}`)];
";

/// Which rules of the accessibility checker apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All rules: WCAG 2.0, 2.1 and 2.2 at A and AA, plus best practices.
    All,
    /// Rules that depend on colours.
    Colours,
    /// Rules that depend on the position and size of elements.
    Places,
}

impl Part {
    /// The rules, as the checker's `runOnly`.
    fn rules(self) -> Value {
        let tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
        match self {
            Self::All => json!({ "type": "tag", "values": tags }),
            Self::Colours => json!({ "type": "rule", "values": ["color-contrast", "link-in-text-block"] }),
            Self::Places => json!({ "type": "rule", "values": ["target-size", "scrollable-region-focusable"] }),
        }
    }
}

impl Browser {
    /// Asserts that the page is no wider than its window, the accessibility checker finds nothing, and the browser's
    /// console is empty. Every page must pass this.
    pub async fn assert_sound(&self) {
        self.assert_none(self.faults(Part::All).await).await;
    }

    /// Returns the faults that [`Browser::assert_sound`] would report, for callers that collect them over many pages.
    /// Of the accessibility rules, only those of `part` are checked.
    pub async fn faults(&self, part: Part) -> Vec<String> {
        let mut faults = self.done("measure the page", self.overhang().await).await;
        faults.extend(
            self.done("run the accessibility checker", self.violations(part).await)
                .await,
        );
        faults.extend(self.done("read the browser's console", self.console().await).await);
        faults
    }

    /// Asserts that the browser's console has no entry since the last call: no script error or warning, no violation of
    /// the content security policy, and no resource that failed to load.
    ///
    /// An error status of the page itself does not count: a form that is shown again with its validation errors is a
    /// good page.
    pub async fn assert_no_console_errors(&self) {
        let written = self.console().await;
        self.assert_none(self.done("read the browser's console", written).await)
            .await;
    }

    /// Asserts that the page is no wider than its window.
    pub async fn assert_no_sideways_scroll(&self) {
        let over = self.overhang().await;
        self.assert_none(self.done("measure the page", over).await).await;
    }

    /// Asserts that the accessibility checker finds nothing under WCAG 2.0, 2.1 and 2.2 at A and AA and its best
    /// practices.
    ///
    /// The checker awaits promises, so scripting is enabled while it runs.
    pub async fn assert_accessible(&self) {
        let found = self.violations(Part::All).await;
        self.assert_none(self.done("run the accessibility checker", found).await)
            .await;
    }

    async fn assert_none(&self, faults: Vec<String>) {
        assert!(faults.is_empty(), "{}\n{}", faults.join("\n"), self.describe().await);
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
            .map(|entry| {
                format!(
                    "* console: {} {}: {}",
                    entry["level"], entry["source"], entry["message"]
                )
            })
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

    async fn overhang(&self) -> Result<Vec<String>> {
        let over = self.session.run(SIDEWAYS, &[]).await?;
        let lines = over.as_array().into_iter().flatten().filter_map(Value::as_str);
        Ok(lines.map(str::to_owned).collect())
    }

    /// Runs the checker. Once injected, it stays on the page.
    async fn ask_checker(&self, options: &Value) -> Result<Value> {
        let options = std::slice::from_ref(options);
        let found = self.session.run_to_the_end(ASK_CHECKER, options).await?;
        if !found.is_null() {
            return Ok(found);
        }
        self.session.run(&checker().await?, &[]).await?;
        self.session.run_to_the_end(ASK_CHECKER, options).await
    }

    async fn violations(&self, part: Part) -> Result<Vec<String>> {
        let options = json!({
            "runOnly": part.rules(),
            // Off by default in axe until WCAG 2.2 is more widely required.
            "rules": { "target-size": { "enabled": true } },
            "resultTypes": ["violations"],
            // Frames hold other documents, such as emails, which are checked separately.
            "iframes": false,
        });
        let scripting = self.setup().scripting;
        if !scripting {
            self.let_scripts_run(true).await?;
        }
        let found = self.ask_checker(&options).await;
        if !scripting {
            self.let_scripts_run(false).await?;
        }
        match found? {
            Value::Array(violations) => Ok(violations.iter().map(description).collect()),
            fault => Err(HarnessError::new(format!("it failed: {fault}"))),
        }
    }
}

/// The checker's source.
async fn checker() -> Result<String> {
    let path = path_of("AXE").await?;
    std::fs::read_to_string(&path)
        .map_err(|fault| HarnessError::because(format!("could not read {}", path.display()), fault))
}

/// Formats a violation: the rule, what it requires, and each element that breaks it.
fn description(violation: &Value) -> String {
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
