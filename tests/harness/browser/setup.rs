//! Browser settings.

use std::path::Path;

use serde_json::{Value, json};

/// The properties of a browser that a page can detect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Window width in CSS pixels.
    pub width: u32,
    /// Window height in CSS pixels.
    pub height: u32,
    /// Whether scripts run.
    pub scripting: bool,
    /// Whether the user prefers a dark colour scheme.
    pub dark: bool,
    /// The user's time zone, as an IANA name.
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
    /// Sets the width. 1280 is a desktop, 375 a phone, and 320 the minimum that WCAG requires.
    #[must_use]
    pub const fn width(mut self, width: u32) -> Self {
        self.width = width;
        self
    }

    /// Turns scripting off.
    #[must_use]
    pub const fn without_scripting(mut self) -> Self {
        self.scripting = false;
        self
    }

    /// Prefers a dark colour scheme.
    #[must_use]
    pub const fn dark(mut self) -> Self {
        self.dark = true;
        self
    }

    /// Sets the user's time zone.
    #[must_use]
    pub const fn zone(mut self, zone: &'static str) -> Self {
        self.zone = zone;
        self
    }
}

/// The script that starts Chromium.
const CHROMIUM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/harness/browser/chromium.sh");

/// The capabilities that the driver needs to start Chromium.
pub(super) fn capabilities(folder: &Path) -> Value {
    let profile = format!("--user-data-dir={}", folder.join("profile").display());
    let arguments = [
        "--headless=new",
        // Root in a container cannot sandbox, and all pages are our own.
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
        // Only this machine resolves, so a page that loads something from elsewhere fails here.
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
                // No user is there to answer prompts about saved passwords.
                "credentials_enable_service": false,
                "profile.password_manager_leak_detection": false,
                "download.default_directory": folder.join("downloads"),
            },
        },
        "timeouts": { "script": 60_000, "pageLoad": 60_000, "implicit": 0 },
        "unhandledPromptBehavior": "ignore",
    } } })
}
