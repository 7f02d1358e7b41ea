//! Which people a page shows, as its address has it.

use crate::console::fields::Fields;
use crate::problem::Problem;
use serde::{Deserialize, Serialize};
use shared::store::imports::ImportEffect;
use shared::store::users::UserFilter;
use url::form_urlencoded;
use uuid::Uuid;

/// The conditions people can be found by, in the order of the page: word, and as shown.
pub(in crate::console) const STATUSES: [(&str, &str); 6] = [
    ("", "All"),
    ("not_invited", "Not invited yet"),
    ("invited", "Invited, not signed in"),
    ("failed", "Last email failed"),
    ("not_signed_in", "Not signed in yet"),
    ("signed_in", "Has signed in"),
];

/// Which people, and which page of them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::console) struct View {
    /// Part of a name or an address.
    pub(in crate::console) q: Option<String>,
    /// One of [`STATUSES`].
    pub(in crate::console) status: Option<String>,
    /// Brought in by this import.
    pub(in crate::console) import: Option<Uuid>,
    /// What that import did to them.
    pub(in crate::console) effect: Option<ImportEffect>,
    /// The page after this person,
    pub(in crate::console) before: Option<Uuid>,
    /// or the page that ends before this one.
    pub(in crate::console) after: Option<Uuid>,
    /// Its number, for the title.
    pub(in crate::console) page: Option<u32>,
    /// The choice that is being made.
    pub(in crate::console) selection: Option<Uuid>,
}

/// The part of a view that says who, as a choice keeps it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(in crate::console) struct Who {
    pub(in crate::console) q: Option<String>,
    pub(in crate::console) status: Option<String>,
    pub(in crate::console) import: Option<Uuid>,
    pub(in crate::console) effect: Option<ImportEffect>,
}

impl Who {
    /// As Postgres is asked.
    pub(in crate::console) fn filter(&self) -> UserFilter {
        let (mut invited, mut signed_in, mut failed) = (None, None, None);
        match self.status.as_deref() {
            Some("not_invited") => invited = Some(false),
            Some("invited") => {
                invited = Some(true);
                signed_in = Some(false);
            }
            Some("failed") => failed = Some(true),
            Some("not_signed_in") => signed_in = Some(false),
            Some("signed_in") => signed_in = Some(true),
            _ => {}
        }
        UserFilter {
            search: self.q.clone(),
            import: self.import,
            effect: self.effect,
            invited,
            signed_in,
            failed,
        }
    }

    /// Whether it narrows anything.
    pub(in crate::console) fn is_narrow(&self) -> bool {
        *self != Self::default()
    }
}

impl View {
    /// Whom it shows.
    pub(in crate::console) fn who(&self) -> Who {
        let filled = |text: &Option<String>| {
            text.as_deref()
                .map(str::trim)
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        Who {
            q: filled(&self.q),
            status: filled(&self.status),
            import: self.import,
            // Without an import there is no telling which one is meant.
            effect: self.effect.filter(|_| self.import.is_some()),
        }
    }

    /// The first page of whom a choice is of.
    pub(in crate::console) fn of(who: Who, selection: Option<Uuid>) -> Self {
        Self {
            q: who.q,
            status: who.status,
            import: who.import,
            effect: who.effect,
            selection,
            ..Self::default()
        }
    }

    /// The view a form was sent from. Search and filters are what the form has now.
    ///
    /// # Errors
    ///
    /// 422 for a filter that cannot be read. Without it, the form would be about everyone.
    pub(in crate::console) fn read(fields: &Fields) -> Result<Self, Problem> {
        let text = |name: &str| Some(fields.trimmed(name).to_owned()).filter(|text| !text.is_empty());
        Ok(Self {
            q: text("q"),
            status: text("status"),
            import: fields.id("import")?,
            effect: effect(fields.trimmed("effect")),
            before: fields.id("before")?,
            after: fields.id("after")?,
            page: fields.trimmed("page").parse().ok(),
            selection: fields.id("selection")?,
        })
    }

    /// What stands behind the `?`.
    pub(in crate::console) fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let ids = [
            ("import", self.import),
            ("before", self.before),
            ("after", self.after),
            ("selection", self.selection),
        ];
        for (name, text) in [("q", &self.q), ("status", &self.status)] {
            if let Some(text) = text {
                query.append_pair(name, text);
            }
        }
        for (name, id) in ids {
            if let Some(id) = id {
                query.append_pair(name, &id.to_string());
            }
        }
        if let Some(effect) = self.effect {
            query.append_pair("effect", effect.as_str());
        }
        if let Some(page) = self.page.filter(|page| *page > 1) {
            query.append_pair("page", &page.to_string());
        }
        query.finish()
    }

    /// An address with this view.
    pub(in crate::console) fn address(&self, path: &str) -> String {
        let query = self.query();
        if query.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{query}")
        }
    }

    /// What the import did, as a form repeats it.
    pub(in crate::console) fn effect_word(&self) -> &'static str {
        self.effect.map_or("", ImportEffect::as_str)
    }

    /// What the import did, in the middle of "people … the import".
    pub(in crate::console) fn effect_shown(&self) -> &'static str {
        match self.effect {
            None => "of",
            Some(ImportEffect::Created) => "created by",
            Some(ImportEffect::Updated) => "updated by",
            Some(ImportEffect::Unchanged) => "left unchanged by",
        }
    }

    /// The number of the page.
    pub(in crate::console) fn number(&self) -> u32 {
        self.page.unwrap_or(1).max(1)
    }

    /// The same people from the first page on.
    pub(in crate::console) fn first_page(mut self) -> Self {
        self.before = None;
        self.after = None;
        self.page = None;
        self
    }
}

fn effect(word: &str) -> Option<ImportEffect> {
    ImportEffect::ALL.into_iter().find(|effect| effect.as_str() == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_no_more_than_it_must() {
        assert_eq!(View::default().address("/console/users"), "/console/users");
        let view = View {
            q: Some("ana & co".to_owned()),
            page: Some(3),
            ..View::default()
        };
        assert_eq!(view.address("/console/users"), "/console/users?q=ana+%26+co&page=3");
    }

    #[test]
    fn every_status_narrows_but_all() {
        for (word, _) in STATUSES {
            let who = View {
                status: Some(word.to_owned()),
                ..View::default()
            }
            .who();
            let filter = who.filter();
            let is_narrow = filter.invited.is_some() || filter.signed_in.is_some() || filter.failed.is_some();
            assert_eq!(is_narrow, !word.is_empty(), "{word}");
            assert_eq!(who.is_narrow(), is_narrow, "{word}");
        }
    }
}
