//! How a browser is set up.

use std::path::Path;

use serde_json::{Value, json};

/// What a page can tell of the browser it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Of the window, in CSS pixels.
    pub width: u32,
    /// Of the window, in CSS pixels.
    pub height: u32,
    /// Whether a page's scripts run.
    pub scripting: bool,
    /// Whether the person prefers dark pages.
    pub dark: bool,
    /// Where the person's clock is, by its IANA name.
    pub zone: &'static str,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            width: 1280,
            height: 900,
            scripting: true,
            dark: false,
            zone: "UTC",
        }
    }
}

impl Setup {
    /// Of this width. 1280 is a desk's, 375 a telephone's, and 320 the least that WCAG asks for.
    #[must_use]
    pub const fn width(mut self, width: u32) -> Self {
        self.width = width;
        self
    }

    /// With scripts that do not run.
    #[must_use]
    pub const fn without_scripting(mut self) -> Self {
        self.scripting = false;
        self
    }

    /// For a person who prefers dark pages.
    #[must_use]
    pub const fn dark(mut self) -> Self {
        self.dark = true;
        self
    }

    /// For a person in this time zone.
    #[must_use]
    pub const fn zone(mut self, zone: &'static str) -> Self {
        self.zone = zone;
        self
    }
}

/// What starts Chromium.
const CHROMIUM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/harness/browser/chromium.sh");

/// What the driver needs to know to start Chromium.
pub(super) fn capabilities(folder: &Path) -> Value {
    let profile = format!("--user-data-dir={}", folder.join("profile").display());
    let arguments = [
        "--headless=new",
        // Root in a container has no sandbox to give, and the pages are our own.
        "--no-sandbox",
        "--disable-gpu",
        // A container's shared memory may be too small for a page.
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        "--force-device-scale-factor=1",
        "--no-first-run",
        "--password-store=basic",
        "--use-mock-keychain",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        // Only this machine: a page that loads something from elsewhere shows it here.
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
        &profile,
    ];
    json!({ "capabilities": { "alwaysMatch": {
        "browserName": "chrome",
        "goog:loggingPrefs": { "browser": "ALL" },
        "goog:chromeOptions": {
            "binary": CHROMIUM,
            "args": arguments,
            "prefs": {
                // Nobody is there to answer its questions about passwords.
                "credentials_enable_service": false,
                "profile.password_manager_leak_detection": false,
                "download.default_directory": folder.join("downloads"),
            },
        },
        "timeouts": { "script": 60_000, "pageLoad": 60_000, "implicit": 0 },
        "unhandledPromptBehavior": "ignore",
    } } })
}
