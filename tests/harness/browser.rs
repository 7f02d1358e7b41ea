//! Drives a real headless Chromium the way a person would.
//!
//! Each [`Browser`] is a private `chromedriver` with a private Chromium and its own profile, so tests do not share
//! cookies. The driver is supervised by [`crate::program`]: if it is dropped or orphaned, the driver and its browser
//! are killed.
//!
//! Elements are found by the accessible name that Chromium computes for assistive technology, so an element that a
//! method cannot find has no name for a screen reader either. Every method waits for its condition with a deadline. A
//! method that fails ends the test and quotes the page.
//!
//! Scripting can be turned off ([`Setup::without_scripting`]). It is disabled in Chromium's renderer, not in its
//! settings, because then the driver can still inspect the page: the methods stay the same and the page's own scripts
//! do not run.
//!
//! `wire` talks to the driver over the `WebDriver` protocol, which is JSON over HTTP. A client crate would add a dozen
//! dependencies for a dozen requests.
#![expect(
    clippy::missing_panics_doc,
    reason = "every verb ends the test when the page does not do as asked"
)]
#![expect(
    clippy::indexing_slicing,
    reason = "a JSON value indexed by a name it lacks is null, and null fails the test"
)]

mod actions;
mod audit;
mod download;
mod driver;
mod find;
mod frames;
mod look;
mod setup;
mod sign_in;
mod tabs;
mod wire;

pub use audit::Part;
pub use download::Download;
pub use setup::Setup;

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::error::{HarnessError, Result};
use driver::Driver;
use wire::Session;

/// How long a page may take to show what a test waits for, on a machine that is also compiling.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Interval between two checks of a page.
const PULSE: Duration = Duration::from_millis(50);

/// A browser and its open tabs.
#[derive(Debug)]
pub struct Browser {
    session: Session,
    setup: Mutex<Setup>,
    /// The tabs, in the order in which they were first seen.
    tabs: Mutex<Vec<String>>,
    driver: Driver,
}

impl Browser {
    /// Starts a browser with an empty tab.
    ///
    /// # Panics
    ///
    /// When it does not start; the message gives the reason and quotes the driver's log.
    pub async fn start(setup: Setup) -> Self {
        match Self::try_start(setup).await {
            Ok(browser) => browser,
            Err(fault) => panic!("{fault}"),
        }
    }

    async fn try_start(setup: Setup) -> Result<Self> {
        let driver = Driver::start().await?;
        let session = Session::open(driver.port(), &setup::capabilities(driver.folder()))
            .await
            .map_err(|fault| HarnessError::because(driver.log_tail(), fault))?;
        let browser = Self {
            session,
            setup: Mutex::new(setup),
            tabs: Mutex::default(),
            driver,
        };
        browser.dress().await?;
        browser.learn_tabs().await?;
        Ok(browser)
    }

    /// The folder of its profile and downloads.
    pub fn folder(&self) -> &Path {
        self.driver.folder()
    }

    /// The current setup.
    pub fn setup(&self) -> Setup {
        *self.setup.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the width, colour scheme, scripting or time zone, as a page sees them.
    ///
    /// Whether scripts run is decided when a page loads, so open pages keep their scripting.
    pub async fn become_like(&self, setup: Setup) {
        *self.setup.lock().unwrap_or_else(PoisonError::into_inner) = setup;
        let dressed = self.dress().await;
        self.done("change its looks", dressed).await;
    }

    /// Applies the setup to the current tab. Every tab needs this separately.
    async fn dress(&self) -> Result<()> {
        let setup = self.setup();
        let scheme = if setup.dark { "dark" } else { "light" };
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            // An animated page rarely looks the same twice.
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.session
            .devtools(
                "Emulation.setDeviceMetricsOverride",
                json!({ "width": setup.width, "height": setup.height, "deviceScaleFactor": 1, "mobile": false }),
            )
            .await?;
        self.session
            .devtools("Emulation.setEmulatedMedia", json!({ "features": features }))
            .await?;
        self.session
            .devtools("Emulation.setTimezoneOverride", json!({ "timezoneId": setup.zone }))
            .await?;
        self.let_scripts_run(setup.scripting).await
    }

    async fn let_scripts_run(&self, run: bool) -> Result<()> {
        let disabled = json!({ "value": !run });
        self.session
            .devtools("Emulation.setScriptExecutionDisabled", disabled)
            .await?;
        Ok(())
    }

    /// Limits the uploads of the current tab to this many bytes a second; `None` removes the limit.
    pub async fn limit_uploads(&self, bytes: Option<u32>) {
        let bytes = bytes.map_or(-1, i64::from);
        let line = json!({ "offline": false, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes });
        let enabled = self.session.devtools("Network.enable", json!({})).await;
        self.done("watch its network", enabled).await;
        let limited = self.session.devtools("Network.emulateNetworkConditions", line).await;
        self.done("limit its uploads", limited).await;
    }

    /// Opens an address and waits until the page has loaded.
    pub async fn open(&self, url: &str) {
        let opened = self
            .session
            .ask(Method::POST, "/url", Some(json!({ "url": url })))
            .await;
        self.done(&format!("open {url}"), opened).await;
    }

    /// Goes back one page.
    pub async fn back(&self) {
        let gone = self.session.ask(Method::POST, "/back", Some(json!({}))).await;
        self.done("go back", gone).await;
    }

    /// Reloads the page, which submits a form again if the page is the response to one.
    pub async fn reload(&self) {
        let loaded = self.session.ask(Method::POST, "/refresh", Some(json!({}))).await;
        self.done("load the page again", loaded).await;
    }

    /// Waits until `look` returns a value.
    ///
    /// # Panics
    ///
    /// When it returns none within [`PATIENCE`]; `wish` names the condition.
    pub async fn eventually<T, F: Future<Output = Option<T>>>(&self, wish: &str, look: impl Fn() -> F) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look().await {
                return found;
            }
            assert!(
                Instant::now() < deadline,
                "not within {PATIENCE:?}: {wish}\n{}",
                self.describe().await
            );
            tokio::time::sleep(PULSE).await;
        }
    }

    /// Unwraps the outcome of a driver step, and ends the test on an error.
    async fn done<T>(&self, attempt: &str, outcome: Result<T>) -> T {
        match outcome {
            Ok(value) => value,
            Err(fault) => panic!("could not {attempt}: {fault}\n{}", self.describe().await),
        }
    }

    /// Describes the page for a panic message.
    async fn describe(&self) -> String {
        let page = self
            .session
            .run("return [location.href, document.title, document.body?.innerText]", &[]);
        let page = page.await.unwrap_or(Value::Null);
        let setup = self.setup();
        format!(
            "--- {} at {} px{}{}\n--- title: {}\n{}",
            page[0].as_str().unwrap_or("no page"),
            setup.width,
            if setup.dark { ", dark" } else { "" },
            if setup.scripting { "" } else { ", scripting off" },
            page[1].as_str().unwrap_or_default(),
            page[2].as_str().unwrap_or_default(),
        )
    }
}

#[cfg(test)]
mod tests;
