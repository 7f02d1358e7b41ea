//! A person at a real browser: Chromium without a screen, driven as a hand drives it.
//!
//! Each [`Browser`] is a private `chromedriver` with a private Chromium and a profile of its own,
//! so that tests do not see each other's cookies. The driver is held on the leash of
//! [`crate::program`]: dropped or orphaned, it is gone, and the browser with it.
//!
//! The verbs are those of somebody who reads and clicks: things are found by the name that
//! Chromium computes for assistive technology, so what a verb cannot find, a screen reader cannot
//! name either. Everything waits for its condition with a deadline, and a verb that cannot be
//! carried out ends the test with the page in its text.
//!
//! Scripting can be off ([`Setup::without_scripting`]). It is switched off in Chromium's renderer
//! and not in its settings, because then the driver's own looks at the page still work: the verbs
//! are the same, and the page's scripts do not run.
//!
//! The driver is spoken to in `wire`, by `WebDriver`, which is JSON over HTTP. A client from
//! elsewhere would bring a dozen packages for what is a dozen requests.
#![expect(
    clippy::missing_panics_doc,
    reason = "every verb ends the test when the page does not do as asked"
)]
#![expect(
    clippy::indexing_slicing,
    reason = "a JSON value indexed by a name it lacks is null, and null fails the test"
)]

mod audit;
mod door;
mod download;
mod driver;
mod find;
mod frames;
mod hand;
mod look;
mod setup;
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

/// How long a page may take to show what is waited for, on a machine that compiles meanwhile.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks at a page.
const PULSE: Duration = Duration::from_millis(50);

/// A browser with one person at it.
#[derive(Debug)]
pub struct Browser {
    session: Session,
    setup: Mutex<Setup>,
    /// Its tabs, in the order in which they were first seen.
    tabs: Mutex<Vec<String>>,
    driver: Driver,
}

impl Browser {
    /// Starts a browser with an empty tab.
    ///
    /// # Panics
    ///
    /// When it does not come up; the text says why and quotes the driver's log.
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

    /// Where its profile is, and whatever it downloads.
    pub fn folder(&self) -> &Path {
        self.driver.folder()
    }

    /// How it is set up now.
    pub fn setup(&self) -> Setup {
        *self.setup.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Becomes another browser, as far as a page can tell: another width, the dark, no scripting.
    ///
    /// Whether scripts run is decided when a page is opened; what is open stays as it is.
    pub async fn become_like(&self, setup: Setup) {
        *self.setup.lock().unwrap_or_else(PoisonError::into_inner) = setup;
        let dressed = self.dress().await;
        self.done("change its looks", dressed).await;
    }

    /// Makes the tab look as the setup says. Each tab has to be told.
    async fn dress(&self) -> Result<()> {
        let setup = self.setup();
        let scheme = if setup.dark { "dark" } else { "light" };
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            // A page that moves is a page that is seldom twice the same.
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

    /// Opens an address and waits until the page is loaded.
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

    /// Loads the page again; a form that was answered with it is sent again.
    pub async fn reload(&self) {
        let loaded = self.session.ask(Method::POST, "/refresh", Some(json!({}))).await;
        self.done("load the page again", loaded).await;
    }

    /// Waits until `look` finds something.
    ///
    /// # Panics
    ///
    /// When it does not within [`PATIENCE`]; `wish` names what was waited for.
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

    /// What a step of the driver brought.
    async fn done<T>(&self, attempt: &str, outcome: Result<T>) -> T {
        match outcome {
            Ok(value) => value,
            Err(fault) => panic!("could not {attempt}: {fault}\n{}", self.describe().await),
        }
    }

    /// The page, for the text of an error.
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
