//! What is asked of every page: no error in the browser's console, no sideways scrolling, and
//! nothing that the accessibility checker finds.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::Browser;
use crate::error::{HarnessError, Result};
use crate::installed::path_of;

/// Hands over what the checker found; null when it is not on the page yet.
const ASK_CHECKER: &str = r"
const [options, done] = arguments;
if (!window.axe) done(null);
else axe.run(document, options).then((found) => done(found.violations), (fault) => done(String(fault)));
";

/// What hangs over the right edge, as the tag and classes of each element, unless the page is
/// no wider than its window.
const SIDEWAYS: &str = r"
const page = document.scrollingElement, width = page.clientWidth;
if (page.scrollWidth <= width) return [];
const over = [...document.body.querySelectorAll('*')].filter((e) => e.getBoundingClientRect().right > width + 1);
const named = over.map((e) => `${e.tagName.toLowerCase()}.${e.className}: ${e.textContent.trim().slice(0, 40)}`);
return [`* sideways: the page is ${page.scrollWidth} px wide in a window of ${width} px`, ...named.slice(0, 12).map((line) => `    ${line}`)];
";

/// What of a page the accessibility checker looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All that it knows of: WCAG 2.0, 2.1 and 2.2 at A and AA, and what is good practice beside them.
    All,
    /// What depends on colours.
    Colours,
    /// What depends on where things are and how large.
    Places,
}

impl Part {
    /// Its rules, as the checker's `runOnly`.
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
    /// The page is no wider than its window, the accessibility checker finds nothing, and the
    /// browser's console is empty: what every page must stand.
    pub async fn assert_sound(&self) {
        self.assert_none(self.faults(Part::All).await).await;
    }

    /// What [`Browser::assert_sound`] would say, for whoever looks at many pages first.
    /// Of the accessibility checker's rules, only those of this part.
    pub async fn faults(&self, part: Part) -> Vec<String> {
        let mut faults = self.done("measure the page", self.overhang().await).await;
        faults.extend(
            self.done("run the accessibility checker", self.violations(part).await)
                .await,
        );
        faults.extend(self.done("read the browser's console", self.console().await).await);
        faults
    }

    /// Nothing was written to the browser's console since this was last asked: no error or warning
    /// of a script, nothing that the page's content security policy forbids, nothing that could
    /// not be loaded.
    ///
    /// That a page itself was answered with an error is not among it: a form that came back with
    /// its faults is a good page.
    pub async fn assert_no_console_errors(&self) {
        let written = self.console().await;
        self.assert_none(self.done("read the browser's console", written).await)
            .await;
    }

    /// The page is no wider than its window.
    pub async fn assert_no_sideways_scroll(&self) {
        let over = self.overhang().await;
        self.assert_none(self.done("measure the page", over).await).await;
    }

    /// The accessibility checker finds nothing: WCAG 2.0, 2.1 and 2.2 at A and AA, and what is
    /// good practice beside them.
    ///
    /// The checker waits for promises, so where scripting is off it is on for that moment.
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

    /// Asks the checker, which stays on the page once it is there.
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
        let found = self.ask_checker(&options).await;
        if !scripting {
            self.let_scripts_run(false).await?;
        }
        match found? {
            Value::Array(violations) => Ok(violations.iter().map(told).collect()),
            fault => Err(HarnessError::new(format!("it failed: {fault}"))),
        }
    }
}

/// The checker's own source.
async fn checker() -> Result<String> {
    let path = path_of("AXE").await?;
    std::fs::read_to_string(&path)
        .map_err(|fault| HarnessError::because(format!("could not read {}", path.display()), fault))
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
