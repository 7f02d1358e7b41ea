//! Finding elements by the names a person sees or hears.

use std::time::Instant;

use reqwest::Method;
use serde_json::json;

use super::wire::Element;
use super::{Browser, PATIENCE, PULSE};
use crate::error::{HarnessError, Result};

const FIND: &str = include_str!("find.js");

/// The driver's errors for an element that was replaced between finding it and using it.
const REPLACED: [&str; 2] = ["stale element", "detached"];

/// What can be done with an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// Can be clicked.
    Pressable,
    /// Takes text, or is a list with options.
    Field,
    /// Can be ticked.
    Choice,
    /// Takes a file.
    Attachment,
}

impl Sort {
    const fn selector(self) -> &'static str {
        match self {
            Self::Pressable => {
                "a[href], button, summary, input:is([type=submit], [type=button], [type=reset], [type=image]), \
                 [role=button], [role=link], [role=menuitem], [role=tab]"
            }
            Self::Field => {
                "textarea, select, input:not([type=hidden], [type=checkbox], [type=radio], [type=file], \
                 [type=submit], [type=button], [type=reset], [type=image])"
            }
            Self::Choice => "input:is([type=checkbox], [type=radio])",
            Self::Attachment => "input[type=file]",
        }
    }

    const fn noun(self) -> &'static str {
        match self {
            Self::Pressable => "button or link",
            Self::Field => "field",
            Self::Choice => "checkbox or radio button",
            Self::Attachment => "field for a file",
        }
    }
}

/// An element with its accessible name and its visible text.
struct Candidate {
    element: Element,
    /// The name for assistive technology.
    name: String,
    /// The text visible on it or beside it.
    seen: String,
}

impl Browser {
    /// Finds the only element of this sort with this name, and calls `act` with it.
    ///
    /// A page may replace an element at any moment. If that happens before `act` is done, the element is found again.
    ///
    /// # Panics
    ///
    /// When there is none within [`PATIENCE`], when there are several, or when `act` fails.
    pub(super) async fn with<T>(&self, sort: Sort, name: &str, act: impl AsyncFn(&Element) -> Result<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let outcome = match self.find(sort, name).await {
                Ok(Some(element)) => act(&element).await,
                Ok(None) => Err(HarnessError::new(format!(
                    "stale element: no {} of this name",
                    sort.noun()
                ))),
                Err(fault) => Err(fault),
            };
            let fault = match outcome {
                Ok(value) => return value,
                Err(fault) => fault.to_string(),
            };
            let may_pass = REPLACED.iter().any(|sign| fault.contains(sign));
            if !may_pass || Instant::now() > deadline {
                let there = self.all_named(sort).await;
                panic!(
                    "no luck with the {} ‘{name}’: {fault}\nthere are: {there:?}\n{}",
                    sort.noun(),
                    self.describe().await
                );
            }
            tokio::time::sleep(PULSE).await;
        }
    }

    /// The only element that matches: first by its whole name, then by all its visible text, then by the beginning of
    /// its name.
    async fn find(&self, sort: Sort, name: &str) -> Result<Option<Element>> {
        let name = squeezed(name);
        let candidates = self.candidates(sort, &name).await?;
        let exact = |it: &&Candidate| it.name == name;
        let seen = |it: &&Candidate| it.seen == name;
        let begins = |it: &&Candidate| it.name.starts_with(&name) || it.seen.starts_with(&name);
        let tiers: [Vec<&Candidate>; 3] = [
            candidates.iter().filter(exact).collect(),
            candidates.iter().filter(seen).collect(),
            candidates.iter().filter(begins).collect(),
        ];
        let found = tiers.into_iter().find(|tier| !tier.is_empty()).unwrap_or_default();
        match found.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(one.element.clone())),
            several => {
                let names: Vec<&str> = several.iter().map(|it| it.name.as_str()).collect();
                Err(HarnessError::new(format!("it could be any of {names:?}")))
            }
        }
    }

    async fn candidates(&self, sort: Sort, name: &str) -> Result<Vec<Candidate>> {
        let found = self.session.run(FIND, &[json!(sort.selector()), json!(name)]).await?;
        let mut candidates = Vec::new();
        for pair in found.as_array().into_iter().flatten() {
            let Some(element) = Element::read(&pair[0]) else {
                continue;
            };
            let called = self.session.of(&element, Method::GET, "computedlabel", None).await?;
            candidates.push(Candidate {
                name: squeezed(called.as_str().unwrap_or_default()),
                seen: squeezed(pair[1].as_str().unwrap_or_default()),
                element,
            });
        }
        Ok(candidates)
    }

    /// The names of all elements of a sort, for a panic message.
    async fn all_named(&self, sort: Sort) -> Vec<String> {
        let there = self.candidates(sort, "").await.unwrap_or_default();
        there.into_iter().map(|it| it.name).collect()
    }
}

/// Collapses every run of white space to one space, as a page does.
pub(super) fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
