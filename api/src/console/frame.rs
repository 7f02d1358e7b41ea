//! What all pages share around their content.

use super::assets;
use super::format::{Moment, moment};
use super::respond::Flash;
use super::session::Administrator;
use crate::app::stall_banner::StallBanner;
use crate::app::state::AppState;

/// Sections of the console in the navigation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Section {
    Users,
    Imports,
    Activity,
    /// System emails, administrators, API keys and the audit log.
    Manage,
    /// The administrator's own account.
    Account,
}

impl Section {
    /// The name in the layout template.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Imports => "imports",
            Self::Activity => "activity",
            Self::Manage => "manage",
            Self::Account => "account",
        }
    }
}

/// Data for the layout template: title, administrator, messages.
pub(super) struct Frame {
    /// Page title.
    pub(super) title: String,
    /// The section in the navigation; `None` before the sign-in.
    pub(super) place: Option<Section>,
    /// Name of the administrator; empty before the sign-in.
    pub(super) name: String,
    /// The CSRF token for the page's forms.
    pub(super) csrf_token: String,
    /// The flash message.
    pub(super) flash: Option<Flash>,
    /// The warning on every page while mail is stalled.
    pub(super) stall_banner: Option<StallBanner>,
    /// Whether the page shows errors, in which case the title starts with "Error".
    pub(super) has_faults: bool,
    /// File names of the style sheet, the script and the favicon.
    pub(super) assets: &'static [String; 4],
}

impl Frame {
    /// The frame before the sign-in.
    pub(super) fn open(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            place: None,
            name: String::new(),
            csrf_token: String::new(),
            flash: None,
            stall_banner: None,
            has_faults: false,
            assets: assets::names(),
        }
    }

    /// Marks the page as showing errors and drops the flash message: a page never shows both.
    pub(super) fn with_faults(mut self) -> Self {
        self.has_faults = true;
        self.flash = None;
        self
    }

    /// When mail stalled.
    pub(super) fn stalled_since(&self) -> Option<Moment> {
        self.stall_banner.as_ref()?.since.map(moment)
    }

    /// Whether the page belongs to this section.
    pub(super) fn is_at(&self, place: &str) -> bool {
        self.place.is_some_and(|known| known.as_str() == place)
    }
}

impl Administrator {
    /// The frame of a page for this administrator.
    pub(super) async fn frame(&self, api: &AppState, place: Section, title: impl Into<String>) -> Frame {
        Frame {
            title: title.into(),
            place: Some(place),
            name: self.name.clone(),
            csrf_token: self.csrf_token.clone(),
            flash: self.flash.clone(),
            stall_banner: api.stall_banners.now(&api.db).await,
            has_faults: false,
            assets: assets::names(),
        }
    }
}
