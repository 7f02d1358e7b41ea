//! What every page has around its own content.

use super::assets;
use super::respond::Said;
use super::session::Administrator;
use super::words::{Moment, moment};
use crate::state::Api;
use crate::strip::Strip;

/// The parts of the console, as the navigation shows them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    /// The people.
    Users,
    /// The files they came from.
    Imports,
    /// What was sent.
    Activity,
    /// The letters, and who may use all this.
    Manage,
    /// The administrator's own affairs.
    Account,
}

impl Place {
    /// As the layout names it.
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

/// What every page has: its title, its reader, and what is to be said to them.
pub(super) struct Frame {
    /// What the page is called, in the tab and read out first.
    pub(super) title: String,
    /// Where it belongs; nowhere before the sign-in.
    pub(super) place: Option<Place>,
    /// Who reads it; empty before the sign-in.
    pub(super) name: String,
    /// What its forms carry.
    pub(super) proof: String,
    /// What was done on the page before.
    pub(super) said: Option<Said>,
    /// What every page says while mail is stalled.
    pub(super) strip: Option<Strip>,
    /// Whether something on the page is wrong, which its title says first.
    pub(super) has_faults: bool,
    /// The files of the style sheet, the script and the tab's picture.
    pub(super) assets: &'static [String; 3],
}

impl Frame {
    /// For somebody who is not signed in.
    pub(super) fn open(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            place: None,
            name: String::new(),
            proof: String::new(),
            said: None,
            strip: None,
            has_faults: false,
            assets: assets::names(),
        }
    }

    /// With something wrong on the page. There is no banner then: one thing is said at a time.
    pub(super) fn with_faults(mut self) -> Self {
        self.has_faults = true;
        self.said = None;
        self
    }

    /// Since when mail is stalled.
    pub(super) fn stalled_since(&self) -> Option<Moment> {
        self.strip.as_ref()?.since.map(moment)
    }

    /// Whether the page belongs to this part.
    pub(super) fn is_at(&self, place: &str) -> bool {
        self.place.is_some_and(|known| known.as_str() == place)
    }
}

impl Administrator {
    /// The frame of a page for this reader.
    pub(super) async fn frame(&self, api: &Api, place: Place, title: impl Into<String>) -> Frame {
        Frame {
            title: title.into(),
            place: Some(place),
            name: self.name.clone(),
            proof: self.proof.clone(),
            said: self.said.clone(),
            strip: api.strips.now(&api.db).await,
            has_faults: false,
            assets: assets::names(),
        }
    }
}
