//! Presets, which are common filters under one name, and the individual filters.

use crate::app::status_labels::failure_reasons;
use crate::app::user_filter::reason_words;
use serde::Deserialize;
use shared::store::imports::ImportEffect;
use shared::user_filter::{Access, Negatable, UserFilter};

/// A common filter under one name.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(in crate::console) enum Preset {
    /// No invite was sent to them.
    NotInvited,
    /// Invited, and not signed in.
    Invited,
    /// Their latest email failed.
    Failed,
    /// Their address is blocked.
    Blocked,
    /// They have not signed in.
    NotSignedIn,
    /// They have a mailed password that they have not used.
    PasswordUnused,
    /// Their mailed password expired.
    PasswordExpired,
    /// They have signed in.
    SignedIn,
    /// They are locked.
    Locked,
}

impl Preset {
    /// All presets, in the order shown.
    pub(in crate::console) const ALL: [Self; 9] = [
        Self::NotInvited,
        Self::Invited,
        Self::Failed,
        Self::Blocked,
        Self::NotSignedIn,
        Self::PasswordUnused,
        Self::PasswordExpired,
        Self::SignedIn,
        Self::Locked,
    ];

    /// The value in the address.
    pub(in crate::console) const fn as_str(self) -> &'static str {
        match self {
            Self::NotInvited => "not_invited",
            Self::Invited => "invited",
            Self::Failed => "failed",
            Self::Blocked => "blocked",
            Self::NotSignedIn => "not_signed_in",
            Self::PasswordUnused => "password_unused",
            Self::PasswordExpired => "password_expired",
            Self::SignedIn => "signed_in",
            Self::Locked => "locked",
        }
    }

    const fn shown(self) -> &'static str {
        match self {
            Self::NotInvited => "Not invited yet",
            Self::Invited => "Invited, not signed in",
            Self::Failed => "Last email failed",
            Self::Blocked => "Blocked address",
            Self::NotSignedIn => "Not signed in yet",
            Self::PasswordUnused => "Password sent, not used",
            Self::PasswordExpired => "Password expired",
            Self::SignedIn => "Has signed in",
            Self::Locked => "Locked",
        }
    }

    /// The filter it stands for.
    pub(in crate::console) fn filter(self) -> UserFilter {
        let mut filter = UserFilter::default();
        match self {
            Self::NotInvited => filter.invited = Some(false),
            Self::Invited => {
                filter.invited = Some(true);
                filter.signed_in = Some(false);
            }
            Self::Failed => filter.last_email_failed = Some(true),
            Self::Blocked => filter.blocked = Some(true),
            Self::NotSignedIn => filter.signed_in = Some(false),
            Self::PasswordUnused => filter.access = Some(Access::PasswordMailed),
            Self::PasswordExpired => filter.access = Some(Access::PasswordExpired),
            Self::SignedIn => filter.signed_in = Some(true),
            Self::Locked => filter.locked = Some(true),
        }
        filter
    }
}

/// A filter with a list of options.
pub(in crate::console) struct FilterSelect {
    /// Its name, the same as that of the condition.
    pub(in crate::console) name: &'static str,
    /// Its label.
    pub(in crate::console) label: &'static str,
    /// Value, label, and whether the option is selected. The first option is no condition.
    pub(in crate::console) options: Vec<(&'static str, &'static str, bool)>,
    /// Whether the condition is negated; `None` if it cannot be.
    pub(in crate::console) is_negated: Option<bool>,
}

impl FilterSelect {
    fn new(
        name: &'static str,
        label: &'static str,
        chosen: Option<&'static str>,
        options: impl IntoIterator<Item = (&'static str, &'static str)>,
    ) -> Self {
        let any = ("", "Any", chosen.is_none());
        let options = options
            .into_iter()
            .map(|(value, shown)| (value, shown, chosen == Some(value)));
        Self {
            name,
            label,
            options: std::iter::once(any).chain(options).collect(),
            is_negated: None,
        }
    }

    /// Makes the condition negatable.
    fn negatable(mut self, is_negated: bool) -> Self {
        self.is_negated = Some(is_negated);
        self
    }

    fn yes_or_no(
        name: &'static str,
        label: &'static str,
        chosen: Option<bool>,
        yes: &'static str,
        no: &'static str,
    ) -> Self {
        let chosen = chosen.map(|chosen| if chosen { "true" } else { "false" });
        Self::new(name, label, chosen, [("true", yes), ("false", no)])
    }
}

/// Options for the presets: value, label, and whether the option is selected.
pub(super) fn presets(chosen: Option<Preset>) -> Vec<(&'static str, &'static str, bool)> {
    let all = ("", "All", chosen.is_none());
    let named = Preset::ALL
        .into_iter()
        .map(|preset| (preset.as_str(), preset.shown(), chosen == Some(preset)));
    std::iter::once(all).chain(named).collect()
}

/// The individual filters.
pub(super) fn selects(filter: &UserFilter) -> [FilterSelect; 8] {
    let access = |access: Access| {
        let shown = match access {
            Access::None => "None",
            Access::PasswordMailed => "Sent, not used",
            Access::PasswordExpired => "Expired",
            Access::SignedIn => "Used, not replaced",
            Access::OwnPassword => "Their own",
        };
        (access.as_str(), shown)
    };
    let effect = |effect: ImportEffect| {
        let shown = match effect {
            ImportEffect::Created => "Added them",
            ImportEffect::Updated => "Changed them",
            ImportEffect::Unchanged => "Left them unchanged",
        };
        (effect.as_str(), shown)
    };
    [
        FilterSelect::yes_or_no("invited", "Invite", filter.invited, "Sent", "Not sent"),
        FilterSelect::yes_or_no("signed_in", "Signed in", filter.signed_in, "Yes", "Not yet"),
        FilterSelect::new(
            "access",
            "Password",
            filter.access.map(Access::as_str),
            Access::ALL.map(access),
        )
        .negatable(filter.not.contains(&Negatable::Access)),
        FilterSelect::yes_or_no(
            "last_email_failed",
            "Last email",
            filter.last_email_failed,
            "Failed",
            "Did not fail",
        ),
        failure_select(filter),
        FilterSelect::yes_or_no("blocked", "Address", filter.blocked, "Blocked", "Not blocked"),
        FilterSelect::yes_or_no("locked", "Account", filter.locked, "Locked", "Not locked"),
        FilterSelect::new(
            "effect",
            "An import",
            filter.effect.map(ImportEffect::as_str),
            ImportEffect::ALL.map(effect),
        ),
    ]
}

/// Why the latest email failed. Reasons with the same label appear once, except for the selected one.
fn failure_select(filter: &UserFilter) -> FilterSelect {
    let all = failure_reasons();
    let chosen = all
        .iter()
        .copied()
        .find(|reason| filter.last_email_reason.as_deref() == Some(*reason));
    let mut options: Vec<(&'static str, &'static str)> = Vec::new();
    for reason in all {
        let words = reason_words(reason);
        if chosen == Some(reason) || options.iter().all(|(_, other)| *other != words) {
            options.push((reason, words));
        }
    }
    FilterSelect::new("last_email_reason", "Why it failed", chosen, options)
        .negatable(filter.not.contains(&Negatable::LastEmailReason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::user_filter::FilterRequest;

    #[test]
    fn every_condition_is_on_the_page_and_every_preset_is_one() {
        // The search, the import, conditions on field values and negation have form fields of their own. A batch is
        // selected by a link.
        let on_page: Vec<&str> = selects(&UserFilter::default())
            .iter()
            .map(|select| select.name)
            .collect();
        let missing: Vec<&str> = FilterRequest::NAMES
            .into_iter()
            .filter(|name| !on_page.contains(name))
            .collect();
        assert_eq!(missing, ["q", "import", "batch", "where", "not"]);
        for preset in Preset::ALL {
            assert!(!preset.filter().is_empty(), "{preset:?}");
        }
    }

    #[test]
    fn the_condition_in_use_is_the_one_that_is_selected() {
        let filter = UserFilter {
            access: Some(Access::PasswordExpired),
            blocked: Some(false),
            ..UserFilter::default()
        };
        let chosen: Vec<(&str, &str)> = selects(&filter)
            .iter()
            .flat_map(|select| {
                let chosen = select.options.iter().filter(|(_, _, is_chosen)| *is_chosen);
                chosen.map(|(value, ..)| (select.name, *value)).collect::<Vec<_>>()
            })
            .filter(|(_, value)| !value.is_empty())
            .collect();
        assert_eq!(chosen, [("access", "password_expired"), ("blocked", "false")]);
    }
}
